#!/usr/bin/env bash
# run: fetches what drives a browser (playwright-core, axe-core, by npm, into a folder that is removed again) and runs
# the dashboard's tests side by side, as they mostly wait, or the test that is named. Exits with 77, which CTest counts
# as skipped, when there is no Chromium, no node or nothing to fetch from.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A beside=() # process → the test that it runs
packages=(playwright-core@1.65.1 axe-core@4.14.1)

usage() {
    cat <<'TEXT'
Usage: tests/browser/run.sh POOLD [TEST]

Tests the dashboard of the poold at the path POOLD in headless Chromium (Debian: chromium, nodejs, npm;
deploy/install-deps.sh --tests installs them): dashboard_test.mjs, access_test.mjs and much_test.mjs, or TEST
(docs_test.mjs is of the page at /docs).

  POOLD_BROWSER_MODULES  a folder with node_modules that has playwright-core and axe-core already
TEXT
}

skip() {
    echo "browser tests skipped: $*" >&2
    exit 77
}

# Of the dashboard: POOLD CHROMIUM.
run_all() {
    local name pid failed=0
    for name in much access; do
        node "$here/${name}_test.mjs" "$@" >"$folder/$name.log" 2>&1 &
        beside[$!]=$name
    done
    node "$here/dashboard_test.mjs" "$@" || failed=1
    for pid in "${!beside[@]}"; do
        wait "$pid" || failed=1
        cat "$folder/${beside[$pid]}.log"
    done
    return "$failed"
}

main() {
    local chromium modules
    if [[ $# -lt 1 || $# -gt 2 || $1 == --help ]]; then
        usage
        [[ ${1-} == --help ]] && exit 0
        exit 2
    fi
    chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
        skip "there is no chromium"
    command -v node >/dev/null || skip "there is no node"
    folder=$(mktemp -d)
    trap 'kill "${!beside[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
    modules=${POOLD_BROWSER_MODULES:-}
    if [[ -z $modules ]]; then
        command -v npm >/dev/null || skip "there is no npm"
        modules=$folder
        echo '{"private":true}' >"$folder/package.json"
        (cd "$folder" && timeout 45 npm install --no-audit --no-fund --ignore-scripts "${packages[@]}") \
            >"$folder/npm.log" 2>&1 || { cat "$folder/npm.log" >&2; skip "npm could not fetch ${packages[*]}"; }
    fi
    export POOLD_BROWSER_MODULES=$modules HOME=$folder
    if [[ -n ${2:-} ]]; then
        node "$here/$2" "$1" "$chromium"
    else
        run_all "$1" "$chromium"
    fi
}

main "$@"
