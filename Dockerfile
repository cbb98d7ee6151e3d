# mlfence as a container image.
#
#   docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD) -t mlfence .
#   docker run -v ./mlfence.yaml:/etc/mlfence/mlfence.yaml:ro -p 9464:9464 mlfence
#
# The configuration must say `http: {listen: "0.0.0.0:9464"}`, or nothing outside the container reaches the daemon; metrics and
# health are served there, and findings once it names `http.tokens`. It must not use the azure_cli credential, for there is no
# Azure CLI in the image. To keep the ledger, mount a folder that the user 65532 may write in, and let `ledger.path` name a file
# there; nothing else of the image is written to.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build

# The dependencies, in a layer that changes with the manifests only. Cargo wants the manifest of every workspace
# member and a source file for each target; the simulator's and the benchmarks' code is not needed. The empty package is cleaned away,
# for COPY keeps old time stamps and cargo would take the real sources for already built.
COPY Cargo.toml Cargo.lock ./
COPY tests/armsim/Cargo.toml tests/armsim/
RUN mkdir -p src benches tests/armsim/src \
 && touch src/lib.rs benches/access.rs benches/flow.rs tests/armsim/src/lib.rs \
 && echo 'fn main() {}' > src/main.rs \
 && cargo build --release --locked --package mlfence \
 && cargo clean --release --locked --package mlfence \
 && rm -r src

# The policies are compiled into the program.
COPY policies policies
COPY src src
RUN cargo build --release --locked --package mlfence --bin mlfence

# The C library of the same Debian release, CA certificates, and neither shell nor package manager.
FROM gcr.io/distroless/cc-debian12:nonroot

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlfence" \
      org.opencontainers.image.description="Watches the network fence around Azure Machine Learning inferencing" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /build/target/release/mlfence /usr/local/bin/mlfence

# A number, so that Kubernetes can prove runAsNonRoot.
USER 65532:65532
EXPOSE 9464
ENTRYPOINT ["/usr/local/bin/mlfence"]
CMD ["serve", "--config", "/etc/mlfence/mlfence.yaml"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/mlfence", "health", "--config", "/etc/mlfence/mlfence.yaml"]
