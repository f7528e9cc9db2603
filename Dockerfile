# Two stages: build with the toolchain, run with nothing but the binary and its files.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs pintle.yaml ./
COPY src src
COPY routes routes
COPY policies policies
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 7070 --no-create-home pintle
COPY --from=build /src/target/release/pintle /usr/local/bin/pintle
COPY pintle.yaml /etc/pintle/pintle.yaml
USER pintle
EXPOSE 7070 7072
STOPSIGNAL SIGTERM
ENTRYPOINT ["pintle"]
CMD ["serve", "--config", "/etc/pintle/pintle.yaml"]
