# mlfence as a container image, and the simulated Azure as another.
#
#   docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD) -t mlfence .
#   docker build --target armsim -t armsim .
#   docker run --read-only --cap-drop ALL -v ./mlfence.yaml:/etc/mlfence/mlfence.yaml:ro -p 9464:9464 mlfence
#
# The configuration must say `http: {listen: "0.0.0.0:9464"}`, or nothing outside the container reaches the daemon; metrics and
# health are served there, and findings once it names `http.tokens`. It must not use the azure_cli credential, for there is no
# Azure CLI in the image. To keep the ledger, mount a volume at /var/lib/mlfence and set
# `ledger: {path: /var/lib/mlfence/ledger.db}`; nothing else of the image is written to.
#
# For several architectures, each built by a machine, or an emulation, of its own kind; nothing here is told which:
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/mlfence:VERSION --push .
#
# The bases have no digests here, because we had no registry at hand to learn them from. Pin them, or name a mirror's:
# --build-arg RUST_IMAGE=rust:1.95.0-slim-bookworm@sha256:… --build-arg BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:…
#
# `make container` runs the lines of these stages without a container engine.

ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
# The C library of the same Debian release, CA certificates, and neither shell nor package manager.
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
WORKDIR /usr/src/mlfence
# dev builds the image's content faster, for a test.
ARG PROFILE=release

# The list of dependencies becomes part of the program, where trivy, grype, syft and `cargo audit bin` find it.
RUN cargo install --locked --version 0.7.7 --root tools cargo-auditable

# The dependencies, in a layer that changes with the manifests only. Cargo wants the manifest of every workspace
# member and a source file for each target; the simulator's and the benchmarks' code is not needed. The empty package is cleaned away,
# for COPY keeps old time stamps and cargo would take the real sources for already built.
COPY Cargo.toml Cargo.lock ./
COPY tests/armsim/Cargo.toml tests/armsim/
RUN mkdir -p src benches tests/armsim/src \
 && touch src/lib.rs benches/access.rs benches/flow.rs tests/armsim/src/lib.rs \
 && echo 'fn main() {}' > src/main.rs \
 && cargo build --profile "${PROFILE}" --locked --package mlfence \
 && cargo clean --profile "${PROFILE}" --locked --package mlfence \
 && rm -r src

# The policies are compiled into the program, and the commit that it was built from.
COPY build.rs ./
COPY policies policies
COPY src src
ARG REVISION=unknown
RUN MLFENCE_REVISION="${REVISION}" tools/bin/cargo-auditable auditable build --profile "${PROFILE}" --locked --package mlfence --bin mlfence \
 && mkdir -p out/state \
 && cp target/*/mlfence out/

# The simulated Azure with the demo estate, which it serves on loopback only: a client shares its network namespace.
FROM build AS build-armsim
COPY tests/armsim tests/armsim
RUN cargo build --profile "${PROFILE}" --locked --package armsim --bin armsim \
 && cp target/*/armsim out/ \
 && out/armsim estate demo -o out/demo.jsonl

FROM ${BASE_IMAGE} AS armsim
COPY --from=build-armsim /usr/src/mlfence/out/armsim /usr/local/bin/armsim
COPY --from=build-armsim /usr/src/mlfence/out/demo.jsonl /usr/share/armsim/demo.jsonl
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/armsim"]
CMD ["serve", "/usr/share/armsim/demo.jsonl", "--port", "8080"]

FROM ${BASE_IMAGE} AS mlfence
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlfence" \
      org.opencontainers.image.description="Watches the network fence around Azure Machine Learning inferencing" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /usr/src/mlfence/out/mlfence /usr/local/bin/mlfence
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /usr/src/mlfence/out/state /var/lib/mlfence

# A number, so that Kubernetes can prove runAsNonRoot.
USER 65532:65532
EXPOSE 9464
ENTRYPOINT ["/usr/local/bin/mlfence"]
CMD ["serve", "--config", "/etc/mlfence/mlfence.yaml"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/mlfence", "health", "--config", "/etc/mlfence/mlfence.yaml"]
