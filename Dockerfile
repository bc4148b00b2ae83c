# The files of `npm run image`, for those who have Docker: docker build -t autocert:0.1.0 .
# When Debian has newer packages than scripts/image-packages.json: --build-arg IMAGE_OPTIONS=--allow-newer-packages
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
ARG IMAGE_OPTIONS=
WORKDIR /src
COPY . .
RUN npm ci
RUN npm run image -- --root /out ${IMAGE_OPTIONS}

# Node with the libraries that it loads, /tmp and the user 65532: no package manager, and no shell but the agent's.
FROM scratch
COPY --from=build /out /
ENV PATH=/usr/local/bin:/bin NODE_ENV=production
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/autocert"]
CMD ["install"]
