# Two stages: build with the toolchain, run with nothing but the binary.
#
#   docker build -t pintle .
#   docker run --rm pintle demo --once
#   docker run -v ./pintle.yaml:/etc/pintle/pintle.yaml:ro -p 127.0.0.1:7070:7070 pintle
#
# In a container 127.0.0.1 is the container's own: the settings that are mounted must say
#   local: { listen: 0.0.0.0:7070, allow_remote: true, hosts: [localhost] }
# and the port be published on the host's loopback alone, as above.
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
USER pintle
EXPOSE 7070 7072
STOPSIGNAL SIGTERM
ENTRYPOINT ["pintle"]
CMD ["serve", "--config", "/etc/pintle/pintle.yaml"]
