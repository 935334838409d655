#!/usr/bin/env bash
# layers: what DESIGN.md calls "forbid by build, not by memo". Fails when a folder includes what is
# above it, when a library's header appears outside of its folder, when something else than the
# supervisor and the runtimes makes processes, or when the supervisor's binary contains a library
# that does not belong into the one process that must never crash.
#
# Reads text and symbols only; nothing is run. Registered in tests/unit/layers.cmake.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/process/layers.sh ROOT [POOLD]
       tests/process/layers.sh --self-test

  ROOT         the source tree
  POOLD        the supervisor's binary; without it only the sources are checked
  --self-test  breaks each rule in a small tree and expects to be told
  --help       this text
TEXT
}

# What each folder may include: folders, or single headers of a folder.
declare -A may=(
    [server/base]="server/base/"
    [server/wire]="server/base/ server/wire/"
    [server/manifest]="server/base/ server/wire/limits.h server/wire/scan.h server/manifest/"
    [server/supervisor]="server/base/ server/wire/ server/supervisor/"
    [server/store]="server/base/ server/wire/ server/store/"
    [server/objects]="server/base/ server/wire/ server/store/store.h server/objects/"
    [server/engine]="server/base/ server/wire/ server/store/store.h server/objects/objects.h server/manifest/ server/engine/"
    [server/access]="server/base/ server/access/"
    [server/dashboard]="server/base/ server/dashboard/"
    [server/http]="server/base/ server/wire/ server/engine/engine.h server/objects/objects.h server/store/store.h
        server/access/tokens.h server/access/limiter.h server/dashboard/ server/http/"
    [server]="server/base/ server/wire/ server/manifest/ server/store/ server/objects/ server/engine/ server/http/ server/"
    [workers]="server/base/ server/wire/ server/manifest/ workers/"
)

# Which libraries' headers may be included where: HEADER=FOLDER…
only_in=(
    "sqlite3.h=server/store/sqlite/"
    "microhttpd.h=server/http/"
    "gnutls/gnutls.h=server/access/ server/http/"
    "gnutls/crypto.h=server/access/ server/http/"
    "gnutls/abstract.h=server/http/"
    "gnutls/x509.h=server/http/"
    "jansson.h=server/manifest/ server/store/ server/objects/ server/engine/ server/http/ server/main.c workers/"
    "seccomp.h=workers/sandbox/"
    "linux/landlock.h=workers/sandbox/"
    "uv.h=server/wire/ server/supervisor/ server/store/ server/objects/ server/engine/ server/http/ server/main.c workers/"
)

may_fork="server/supervisor/ workers/runtimes/ workers/call/"
process_makers='(v?fork|posix_spawnp?|clone3?|system|popen|daemon|forkpty)'
forbidden_symbols='(sqlite3_|MHD_|json_|gnutls_)'
forbidden_libraries='(sqlite3|microhttpd|jansson|gnutls)'
complaints=0

complain() {
    echo "layers: $*" >&2
    complaints=$((complaints + 1))
}

# begins_with PATH "PREFIX…"
begins_with() {
    local prefix
    for prefix in $2; do
        [[ $1 == "$prefix"* ]] && return 0
    done
    return 1
}

# There are two thousand includes: what is done for each starts no process, and answers in REPLY.

# The key of `may` for a file: its layer.
layer_of() {
    case $1 in
    workers/*) REPLY=workers ;;
    server/*/*) REPLY=${1%"/${1#server/*/}"} ;;
    *) REPLY=server ;;
    esac
}

# The file that `#include "NAME"` in FILE means, relative to the root; as the compiler looks for it.
# What cannot be found is generated: then its name says whose it is, or it is the folder's own.
resolve() {
    local file=$1 name=$2
    for REPLY in "${file%/*}/$name" "server/$name" "workers/$name" "$name"; do
        [[ ! -e $REPLY ]] || break
    done
    if [[ ! -e $REPLY && $name == */* && -d server/${name%%/*} ]]; then
        REPLY=server/$name
    elif [[ ! -e $REPLY ]]; then
        REPLY=${file%/*}/$name
    fi
    [[ $REPLY != *..* ]] || REPLY=$(realpath --canonicalize-missing --relative-to=. "$REPLY")
}

check_include() {
    local file=$1 line=$2 name target layer rule
    [[ $line =~ [\<\"]([^\>\"]*) ]]
    name=${BASH_REMATCH[1]}
    for rule in "${only_in[@]}"; do
        if [[ $name == "${rule%%=*}" ]] && ! begins_with "$file" "${rule#*=}"; then
            complain "$file includes <$name>, which only ${rule#*=} may"
        fi
    done
    if [[ $file == workers/sdk/poold.h && $name != stddef.h && $name != stdint.h ]]; then
        complain "$file includes $name: plugin authors get <stddef.h> and <stdint.h>, nothing else"
    fi
    [[ $line == *'"'*'"'* ]] || return 0
    resolve "$file" "$name"
    target=$REPLY
    layer_of "$file"
    layer=$REPLY
    if [[ -z ${may[$layer]:-} ]]; then
        complain "$file: there are no rules for the folder $layer; add it to tests/process/layers.sh"
    elif ! begins_with "$target" "${may[$layer]}"; then
        complain "$file includes \"$name\": $layer may include only ${may[$layer]}"
    fi
}

check_includes() {
    local file line
    while IFS=: read -r file line; do
        check_include "$file" "$line"
    done < <(grep -rHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' --include='*.[ch]' --include='*.def' server workers |
        sort)
}

# Without comments and strings: both may speak of fork().
code_of() {
    perl -0777 -pe 's{/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"}{ }gs' "$1"
}

check_forks() {
    local file call
    while read -r file; do
        begins_with "$file" "$may_fork" && continue
        call=$(code_of "$file" | grep -oE "(^|[^A-Za-z0-9_.>])${process_makers}[[:space:]]*\(" | head -n 1 || true)
        [[ -z $call ]] || complain "$file calls ${call//[^a-z0-9_]/}(): only $may_fork make processes"
    done < <(grep -rlE "${process_makers}[[:space:]]*\(" --include='*.[ch]' server workers | sort)
}

check_binary() {
    local poold=$1 found
    if ! nm "$poold" >/dev/null 2>&1; then
        complain "nm cannot read $poold"
        return
    fi
    # Both tables: the static one goes with strip, the dynamic one lacks what was linked in.
    found=$({ nm "$poold" && nm -D "$poold"; } 2>/dev/null | grep -oE "[[:space:]][A-Za-z][[:space:]]+$forbidden_symbols.*" |
        head -n 3 | tr -s '\n ' ' ' || true)
    [[ -z $found ]] || complain "$poold has symbols that do not belong there:$found"
    found=$(objdump -p "$poold" | grep -E "NEEDED.*$forbidden_libraries" | tr -s '\n ' ' ' || true)
    [[ -z $found ]] || complain "$poold links$found"
}

check_tree() {
    cd "$1"
    check_includes
    check_forks
    [[ -z ${2:-} ]] || check_binary "$2"
    ((complaints == 0))
}

# expect WHAT FILE CONTENT: the tree is fine, FILE with CONTENT makes it fail.
expect() {
    local what=$1 file=$2 before=""
    [[ ! -e $file ]] || before=$(cat "$file")
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$before" "$3" >"$file"
    if (check_tree . "${poold:-}") 2>/dev/null; then
        complain "self-test: not noticed: $what"
    fi
    rm "$file"
    [[ -z $before ]] || printf '%s\n' "$before" >"$file"
}

self_test() {
    local poold=""
    scratch=$(mktemp -d) # not local: the trap runs when this function is gone
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    mkdir -p server/{base,wire,supervisor,store/sqlite,engine,http} workers/{worker,runtimes,sdk}
    touch server/{base/buf,wire/frame,supervisor/spawn,store/store,store/sqlite/db,engine/engine,engine/state,http/api}.h
    echo '#include <stddef.h>' >workers/sdk/poold.h
    printf '#include "base/buf.h"\n#include "spawn.h"\n/* fork() */ void f(void) { fork(); }\n' >server/supervisor/spawn.c
    printf '#include "engine/engine.h"\n#include <microhttpd.h>\nchar *s = "fork()"; // fork()\n' >server/http/api.c
    printf '#include <sqlite3.h>\n#include "../store.h"\n' >server/store/sqlite/db.c
    if ! (check_tree .); then
        complain "self-test: a correct tree is refused"
    fi
    expect "base includes wire" server/base/buf.c '#include "wire/frame.h"'
    expect "a way round by .." server/base/buf.c '#include "../wire/frame.h"'
    expect "wire includes the engine" server/wire/frame.c '# include "engine/engine.h"'
    expect "the supervisor includes the store" server/supervisor/spawn.c '#include "store/store.h"'
    expect "the store includes the engine" server/store/sqlite/db.c '#include "engine/engine.h"'
    expect "the engine includes sqlite's side" server/engine/state.c '#include "store/sqlite/db.h"'
    expect "the engine includes http" server/engine/state.c '#include "http/api.h"'
    expect "http includes the engine's inside" server/http/api.c '#include "engine/state.h"'
    expect "a worker includes the engine" workers/worker/main.c '#include "engine/engine.h"'
    expect "a worker includes the supervisor" workers/worker/main.c '#include "supervisor/spawn.h"'
    expect "a new folder without rules" server/extra/extra.c '#include "base/buf.h"'
    expect "sqlite3.h in the engine" server/engine/state.c '#include <sqlite3.h>'
    expect "sqlite3.h beside store.h" server/store/memory.c '#include <sqlite3.h>'
    expect "microhttpd.h in the engine" server/engine/state.c '#include <microhttpd.h>'
    expect "jansson.h in wire" server/wire/frame.c '#include <jansson.h>'
    expect "more in the plugin header" workers/sdk/poold.h '#include <stdio.h>'
    expect "fork in the engine" server/engine/state.c 'int f(void) { return fork(); }'
    expect "posix_spawn in a worker" workers/worker/main.c 'int x = posix_spawn (0);'
    expect "system in http" server/http/api.c 'void g(void) { system("rm"); }'
    poold=$scratch/poold
    echo 'int main(void) { return 0; }' | cc -x c - -o "$poold"
    if ! (check_tree . "$poold"); then
        complain "self-test: a correct binary is refused"
    fi
    echo 'int json_loads(void); int json_loads(void) { return 0; } int main(void) { return json_loads(); }' |
        cc -x c - -o "$poold"
    if (check_tree . "$poold") 2>/dev/null; then
        complain "self-test: not noticed: json_loads in poold"
    fi
    echo 'const char *sqlite3_libversion(void); int main(void) { return *sqlite3_libversion(); }' |
        cc -x c - -o "$poold" -lsqlite3
    strip "$poold"
    if (check_tree . "$poold") 2>/dev/null; then
        complain "self-test: not noticed: a stripped poold that imports sqlite3_libversion"
    fi
    ((complaints == 0))
}

case ${1:-} in
--help | -h) usage ;;
--self-test) self_test ;;
"" | -*) usage >&2 && exit 2 ;;
*) check_tree "$1" "${2:-}" ;;
esac
