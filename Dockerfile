# syntax=docker/dockerfile:1

# Weighbridge in a container. It needs no root, no writable root file system and one volume:
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v weighbridge:/var/lib/weighbridge -p 8080:8080 -e WEIGHBRIDGE_AUTH_TOKENS_FILE=/run/secrets/tokens weighbridge
# Off the loopback interface, which a container always is, it wants tokens (or WEIGHBRIDGE_AUTH_NONE=true).
# The strongest sandbox needs user namespaces inside the container: `weighbridge doctor` says which walls stand.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY bin ./bin
COPY src ./src
COPY policies ./policies
COPY docs ./docs
COPY LICENSE README.md ./
# What the sandbox runs is bundled here, once, where no worker can write.
RUN node -e "import('./src/sandbox/bundle.ts').then((bundle) => bundle.loadPrograms())"
# Nor is the bundler needed after that, nor the Node that the base image is.
RUN npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends bubblewrap ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner=node --group=node /var/lib/weighbridge
COPY --from=build --chown=root:root /app /app
ENV NODE_ENV=production \
  WEIGHBRIDGE_HOST=0.0.0.0 \
  WEIGHBRIDGE_DATA=/var/lib/weighbridge
USER node
WORKDIR /var/lib/weighbridge
VOLUME /var/lib/weighbridge
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "const { WEIGHBRIDGE_TLS_CERT: tls, WEIGHBRIDGE_PORT: port = 8080 } = process.env; process.env.NODE_TLS_REJECT_UNAUTHORIZED = 0; fetch(`http${tls ? 's' : ''}://127.0.0.1:${port}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--no-node-snapshot", "/app/bin/weighbridge.mjs"]
CMD ["serve"]
