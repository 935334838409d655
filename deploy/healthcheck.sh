#!/usr/bin/env bash
# healthcheck: exits with 0 when the poold of POOLD_DATA says yes to /healthz, or to another path: healthcheck /readyz.
#
# In bash alone, as there is no curl in the image. Where poold listens is in its data directory, so this goes along with
# whatever POOLD_LISTEN and TLS are.
set -euo pipefail
url=$(<"${POOLD_DATA:-poold-data}/address")
at=${url#*://}
host=${at%:*}
case $host in
0.0.0.0) host=127.0.0.1 ;;
'[::]') host=::1 ;;
esac
exec 3<>"/dev/tcp/${host//[][]/}/${at##*:}"
if [[ $url == https:* ]]; then
    # bash knows no TLS. But poold must be alive to refuse who speaks none: a stopped one is silent until the time-out.
    echo 'GET / HTTP/1.0' >&3
    IFS= read -r -n 1 -t 2 -u 3 _ 2>/dev/null || (($? <= 128))
else
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${1:-/healthz}" >&3
    read -r -t 2 -u 3 _ code _ && [[ $code == 200 ]]
fi
