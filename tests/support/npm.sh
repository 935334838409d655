# npm: sourced by tests that need tools from npm's registry. They are fetched into a folder that is removed again; a test
# whose tools cannot be had is skipped (77), and says why.

skip() {
    echo "skipped: $*" >&2
    exit 77
}

# node_since MAJOR: what is fetched would not run with an older one.
node_since() {
    local version
    command -v node >/dev/null || skip "there is no node"
    version=$(node --version)
    version=${version#v}
    ((${version%%.*} >= $1)) || skip "node $version is older than $1"
}

# npm_fetch FOLDER PACKAGE@VERSION...: into FOLDER/node_modules; POOLD_TEST_MODULES may name a folder that has them.
npm_fetch() {
    local folder=$1
    shift
    if [[ -n ${POOLD_TEST_MODULES:-} ]]; then
        ln -s "$POOLD_TEST_MODULES/node_modules" "$folder/node_modules"
        return
    fi
    command -v npm >/dev/null || skip "there is no npm"
    echo '{"private":true}' >"$folder/package.json"
    (cd "$folder" && timeout 60 npm install --no-audit --no-fund --ignore-scripts --fetch-retries=1 \
        --fetch-retry-mintimeout=1000 "$@") >"$folder/npm.log" 2>&1 ||
        { cat "$folder/npm.log" >&2 && skip "npm could not fetch $*"; }
}
