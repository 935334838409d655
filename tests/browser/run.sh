#!/usr/bin/env bash
# run: fetches what drives a browser (playwright-core, axe-core, by npm, into a folder that is removed again) and runs
# dashboard_test.mjs, or the test that is named. Exits with 77, which CTest counts as skipped, when there is no Chromium, no node or nothing to
# fetch from.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=(playwright-core@1.65.1 axe-core@4.14.1)

usage() {
    cat <<'TEXT'
Usage: tests/browser/run.sh POOLD [TEST]

Tests the dashboard (dashboard_test.mjs, or TEST: docs_test.mjs is of the page at /docs) of the poold at the path POOLD in headless Chromium (Debian: chromium, nodejs, npm;
deploy/install-deps.sh --tests installs them).

  POOLD_BROWSER_MODULES  a folder with node_modules that has playwright-core and axe-core already
TEXT
}

skip() {
    echo "browser tests skipped: $*" >&2
    exit 77
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
    trap 'rm -rf "$folder"' EXIT
    modules=${POOLD_BROWSER_MODULES:-}
    if [[ -z $modules ]]; then
        command -v npm >/dev/null || skip "there is no npm"
        modules=$folder
        echo '{"private":true}' >"$folder/package.json"
        (cd "$folder" && timeout 45 npm install --no-audit --no-fund --ignore-scripts "${packages[@]}") \
            >"$folder/npm.log" 2>&1 || { cat "$folder/npm.log" >&2; skip "npm could not fetch ${packages[*]}"; }
    fi
    POOLD_BROWSER_MODULES=$modules HOME=$folder node "$here/${2:-dashboard_test.mjs}" "$1" "$chromium"
}

main "$@"
