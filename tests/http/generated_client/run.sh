#!/usr/bin/env bash
# run: a client generated from openapi.yaml by a public generator (@hey-api/openapi-ts, by npm) compiles in TypeScript's
# strict mode, and does what client_test.ts says with the poold at the path that is given. Nothing generated is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../support/npm.sh"
poold=""

clean_up() {
    [[ -z $poold ]] || { kill -TERM "$poold" 2>/dev/null && wait "$poold"; } || true
    rm -rf "$folder"
}

# Starts the program; sets `url`.
serve() {
    local line
    printf '%s\n' "$token" >"$folder/token"
    exec {log}< <(exec "$1" --listen 127.0.0.1:0 --data "$folder/data" --processes 2 --token-file "$folder/token" 2>&1 >/dev/null)
    poold=$!
    while IFS= read -r -t 30 line <&"$log"; do
        [[ ! $line =~ listening\ on\ (http://[^\ ]*) ]] || { url=${BASH_REMATCH[1]} && break; }
    done
    [[ -n $url ]] || { echo "poold did not start: ${line-}" >&2 && exit 1; }
    cat <&"$log" >"$folder/log" & # so that it is never blocked
}

main() {
    local url="" token=0123456789abcdef0123456789abcdef log
    node_since 20
    folder=$(mktemp -d)
    trap clean_up EXIT
    npm_fetch "$folder" @hey-api/openapi-ts@0.95.0 typescript@5.9.3
    cp "$here/client_test.ts" "$here/tsconfig.json" "$folder"
    cd "$folder"
    HOME=$folder node_modules/.bin/openapi-ts --input "$here/../../../openapi.yaml" --output api --logs "$folder" >generate.log 2>&1 ||
        { cat generate.log >&2 && exit 1; }
    node_modules/.bin/tsc --project tsconfig.json
    serve "$1"
    node out/client_test.js "$url" "$token"
}

main "$(realpath "$1")"
