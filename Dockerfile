# The same image as `npm run image`, for those who have Docker: docker build -t autocert:0.1.0 .
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends busybox-static
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run image -- --root /out

# Libraries that Node loads, certificates, /tmp and the user 65532: no package manager, and no shell but the agent's.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out /
ENV PATH=/usr/local/bin:/bin NODE_ENV=production
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/autocert"]
CMD ["--help"]
