# Two stages: build with the toolchain, run with nothing but the binary.
#
#   docker build -t pintle .
#   docker run --rm pintle demo --once
#   docker run -v ./pintle.yaml:/etc/pintle/pintle.yaml:ro -p 127.0.0.1:7070:7070 pintle
#
# In a container 127.0.0.1 is the container's own: the settings that are mounted must say
#   local: { listen: 0.0.0.0:7070, allow_remote: true, hosts: [localhost] }
# and the port be published on the host's loopback alone, as above. Where pushes are taken, they say
#   public: { listen: 0.0.0.0:7071, … }
#   journal: { folder: /var/lib/pintle }
# and that folder is a volume, which outlives the container.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs pintle.yaml ./
COPY src src
COPY routes routes
COPY policies policies
# Cargo wants every target that the manifest names to be there, built or not.
COPY benches benches
COPY tests tests
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 7070 --no-create-home pintle && install -d -o pintle -g pintle /var/lib/pintle
COPY --from=build /src/target/release/pintle /usr/local/bin/pintle
USER pintle
VOLUME /var/lib/pintle
EXPOSE 7070 7071 7072
STOPSIGNAL SIGTERM
ENTRYPOINT ["pintle"]
CMD ["serve", "--config", "/etc/pintle/pintle.yaml"]
