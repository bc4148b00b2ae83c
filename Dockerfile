# The same image as `npm run image`, for those who have Docker: docker build -t autocert:0.1.0 .
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build \
 && mkdir -p /out/app /out/usr/local/bin \
 && cp build/agent.cjs build/autocert.cjs /out/app/ \
 && for pair in autocert-agent:agent autocert:autocert step:autocert; do \
      printf '#!/usr/local/bin/node --use-openssl-ca\nrequire("/app/%s.cjs");\n' "${pair#*:}" > "/out/usr/local/bin/${pair%:*}"; \
      chmod 0755 "/out/usr/local/bin/${pair%:*}"; \
    done \
 && cp node_modules/node/bin/node /out/usr/local/bin/node

# Libraries that Node loads, certificates, /tmp and the user 65532: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out /
ENV PATH=/usr/local/bin NODE_ENV=production
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/autocert"]
CMD ["--help"]
