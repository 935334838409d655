#!/usr/bin/env bash
# lint: openapi.yaml against the recommended rules of a public linter (@redocly/cli, by npm; this release also runs on
# Debian 12's Node 18); an error or a warning fails.
# redocly.yaml beside this file says what is excepted, and why.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../support/npm.sh"

main() {
    node_since 18
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    npm_fetch "$folder" @redocly/cli@1.34.5
    cd "$folder"
    export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true HOME=$folder
    node_modules/.bin/redocly lint --config "$here/redocly.yaml" --format json poold >lint.json 2>lint.log ||
        { cat lint.log lint.json >&2 && exit 1; }
    node -e '
        const { totals, problems } = JSON.parse(require("fs").readFileSync("lint.json", "utf8"));
        for (const p of problems)
            console.error(`${p.severity}: ${p.ruleId}: ${p.message} at ${p.location[0].pointer}`);
        console.log(`openapi.yaml: ${totals.errors} errors, ${totals.warnings} warnings`);
        process.exit(totals.errors + totals.warnings ? 1 : 0);'
}

main
