# poold in a container: its programs on Debian, as a user without rights, data in /data.
# Works on a read-only root; nothing but /data is written. Clients need the token: see deploy/compose.yaml.
# tests/process/image_test.py builds it by these very steps, without an engine, and starts it as one would.
#
# There is no Python and no Node in it. An image with functions of your own begins with this one:
#
#   FROM poold
#   USER root
#   RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
#   COPY functions /functions
#   ENV POOLD_FUNCTIONS=/functions
#   USER 10001:10001

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    gcc libc6-dev cmake make pkg-config libmicrohttpd-dev libgnutls28-dev libjansson-dev libsqlite3-dev \
    libuv1-dev libseccomp-dev uthash-dev libjs-chart.js python3 python3-yaml
WORKDIR /src
COPY . .
RUN cmake -B /build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPOOLD_TESTS=OFF && cmake --build /build -j "$(nproc)" \
    && strip /build/bin/poold /build/bin/poold-*

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmicrohttpd12 libgnutls30 libjansson4 libsqlite3-0 libuv1 libseccomp2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 poold \
    && useradd --uid 10001 --gid poold --no-create-home --shell /usr/sbin/nologin poold \
    && install -d -o poold -g poold -m 0700 /data
COPY --from=build /build/bin/poold /build/bin/poold-server /build/bin/poold-worker /build/bin/poold-call /opt/poold/bin/
COPY --from=build /build/bin/runtimes /opt/poold/bin/runtimes
COPY deploy/healthcheck.sh /opt/poold/bin/healthcheck
# By number: Kubernetes cannot tell of a name whether it is root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
# Beyond loopback poold demands a token (at least 32 bytes): mount it here, or name another file.
ENV POOLD_LISTEN=0.0.0.0:8080 POOLD_DATA=/data POOLD_TOKEN_FILE=/run/secrets/poold_token
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/opt/poold/bin/healthcheck"]
# poold is made to be PID 1: it reaps orphans and ends on SIGTERM.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/poold/bin/poold"]
