#!/usr/bin/env bash
# run: from a fresh checkout to a running poold: installs what is missing, builds, shows what it does
# with curl, then serves until Ctrl-C or SIGTERM.
#
# The demonstration runs in an instance of its own (free port, temporary data, --test-functions, 4
# processes), because one of its items crashes on purpose and because it must leave nothing behind in
# real data. Every answer that it shows is also checked: `--demo` exits 0 only if all were right. It
# needs bash and curl, nothing else.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: deploy/run.sh [--demo] [--port N] [--data DIR] [--functions DIR]... [-- POOLD-OPTION...]

Installs what is missing (deploy/install-deps.sh), builds into build/, demonstrates poold with curl,
then serves on http://127.0.0.1:8080 until Ctrl-C or SIGTERM.

  --demo       end after the demonstration: exit status 0 only if every result was right
  --port N     serve on this port of 127.0.0.1; 0 picks a free one (default: 8080)
  --data DIR   keep jobs and results here (default: ./poold-data)
  --functions DIR
               a folder of function manifests (workers/README.md); may be repeated
  --no-build   neither install nor build: use the programs that are there
  --help       this text
  -- ...       the rest goes to poold as it is: see build/bin/poold --help

Environment:
  POOLD_BUILD_DIR   where to build (default: build/ in the source tree)
TEXT
}

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${POOLD_BUILD_DIR:-$source_dir/build}
scratch=""    # the demonstration's data and log
demo_pid=""
poold_pid=""    # the real one
wrong=0       # answers of the demonstration that were not as they must be

die() {
    echo "run: $*" >&2
    exit 1
}

# ---- building ----

# Tests need more packages than poold does: a new build folder goes without them, one that tests/run.sh
# has made stays as it is.
build() {
    local log options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DPOOLD_TESTS=OFF)
    [[ ! -e $build_dir/CMakeCache.txt ]] || options=()
    log=$(mktemp)
    if ! { cmake -S "$source_dir" -B "$build_dir" "${options[@]}" &&
        cmake --build "$build_dir" -j "$(nproc)" --target poold poold-server poold-worker; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        die "the build failed"
    fi
    rm -f "$log"
}

# ---- the demonstration's instance ----

start_demo() {
    scratch=$(mktemp -d)
    : >"$scratch/log" # the job below may take a moment to make it
    (
        unset "${!POOLD_@}" # the user's settings are for the real service
        exec "$build_dir/bin/poold" --listen 127.0.0.1:0 --data "$scratch/data" --processes 4 --test-functions
    ) 2>"$scratch/log" &
    demo_pid=$!
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        url=$(sed -n 's|.*listening on \(http://[^ ]*\).*|\1|p' "$scratch/log" | head -n 1)
        [[ -z $url ]] || return 0
        kill -0 "$demo_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$scratch/log" >&2
    die "poold did not start"
}

stop_demo() {
    [[ -n $demo_pid ]] || return 0
    kill -TERM "$demo_pid" 2>/dev/null || true
    wait "$demo_pid" || true
    demo_pid=""
}

clean_up() {
    stop_demo
    [[ -z $scratch ]] || rm -rf "$scratch"
    scratch=""
}

# ---- showing and checking ----

say() {
    printf '\n# %s\n' "$*"
}

# show 'COMMAND': prints it, runs it, prints what it prints, and keeps that in $output.
show() {
    printf '$ %s\n' "$1"
    output=$(eval "$1") || true
    printf '%s\n' "$output"
}

# The same for a stream: each line with the time at which it arrived, counted from the start.
show_arrivals() {
    local begin=${EPOCHREALTIME/[.,]/} line ms
    printf '$ %s\n' "$1"
    output=""
    arrivals=()
    while IFS= read -r line; do
        [[ -n $line ]] || continue # a heartbeat
        ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
        printf '%2d.%02d s  %s\n' $((ms / 1000)) $((ms % 1000 / 10)) "$line"
        output+=$line$'\n'
        arrivals+=("$ms")
    done < <(eval "$1")
    output=${output%$'\n'}
}

complain() {
    printf 'WRONG: %s\n' "$*"
    wrong=$((wrong + 1))
}

# expect WHAT LINE...: the shown result lines are exactly these, and then the stream says that it ended.
expect() {
    local what=$1 want end
    shift
    want=$(printf '%s\n' "$@")
    end=${output##*$'\n'}
    [[ ${output%$'\n'*} == "$want" ]] || complain "$what: expected"$'\n'"$want"
    [[ $end == '{"end":true,'* ]] || complain "$what: the stream does not end with {\"end\":true,...}"
}

# expect_part WHAT TEXT: the shown answer contains TEXT.
expect_part() {
    [[ $output == *"$2"* ]] || complain "$1: expected $2 in the answer"
}

# The shown results came one by one while the job ran, not all at its end.
expect_streamed() {
    ((${#arrivals[@]} > 1 && arrivals[-2] - arrivals[0] >= 200)) || complain "$1: the results came all at once"
}

# The id of the job in $output.
job_id() {
    sed -n 's/.*"id":"\([^"]*\)".*/\1/p' <<<"$output" | head -n 1
}

# ---- what is shown ----

show_map() {
    local squares=() i
    for i in {0..9}; do
        squares+=("{\"index\":$i,\"value\":$((i * i))}")
    done
    say "Map: one function, many items. ?wait answers when the job has ended."
    show "curl -s '$url/v1/jobs?wait=30' -d '{\"function\":\"square\",\"map\":[0,1,2,3,4,5,6,7,8,9]}'"
    expect_part "map" '"state":"succeeded"'
    say "Its results, in the order of the items:"
    show "curl -sN '$url/v1/jobs/$(job_id)/results'"
    expect "map" "${squares[@]}"
}

show_orders() {
    local job
    say "Results arrive while the job runs. In input order, the slow item holds back the one behind it:"
    show "curl -s $url/v1/jobs -d '{\"function\":\"sleep\",\"map\":[0.2,1.0,0.6]}'"
    job=$(job_id)
    show_arrivals "curl -sN '$url/v1/jobs/$job/results?order=input'"
    expect "input order" '{"index":0,"value":0.2}' '{"index":1,"value":1.0}' '{"index":2,"value":0.6}'
    say "In completion order, whatever is finished comes first:"
    show "curl -s $url/v1/jobs -d '{\"function\":\"sleep\",\"map\":[0.2,1.0,0.6]}'"
    job=$(job_id)
    show_arrivals "curl -sN '$url/v1/jobs/$job/results?order=completion'"
    expect "completion order" '{"index":0,"value":0.2}' '{"index":2,"value":0.6}' '{"index":1,"value":1.0}'
    expect_streamed "completion order"
}

show_apply() {
    say "Apply: one call. The answer holds its value."
    show "curl -s '$url/v1/jobs?wait=30' -d '{\"function\":\"fibonacci\",\"apply\":30}'"
    expect_part "apply" '"state":"succeeded"'
    expect_part "apply" '"value":832040'
}

show_crash() {
    say "A crash costs one item. Item 2 kills its process (a test function); its siblings do not notice."
    show "curl -s '$url/v1/jobs?wait=30' -d '{\"function\":\"crash_until\",\"map\":[1,1,{\"until\":99},1,1]}'"
    expect_part "crash" '"state":"failed"'
    show "curl -sN '$url/v1/jobs/$(job_id)/results'"
    local crashed
    crashed=$(sed -n '/^{"index":2,"error":{"type":"crash",.*"signal":"SIGKILL",.*"attempts":1}}$/p' <<<"$output")
    expect "crash" '{"index":0,"value":1}' '{"index":1,"value":1}' "${crashed:-item 2 failed by SIGKILL}" \
        '{"index":3,"value":1}' '{"index":4,"value":1}'
    say "With more attempts, an item survives a crash:"
    show "curl -s '$url/v1/jobs?wait=30' -d '{\"function\":\"crash_until\",\"apply\":{\"until\":2},\"max_attempts\":3,\"backoff\":0.1}'"
    expect_part "retry" '"state":"succeeded"'
    expect_part "retry" '"value":2'
}

demonstrate() {
    local url="" output="" arrivals=()
    start_demo
    echo "Demonstration, in a temporary instance on $url:"
    show_map
    show_orders
    show_apply
    show_crash
    clean_up
    echo
    if ((wrong > 0)); then
        echo "Demonstration: $wrong of the answers above were WRONG."
    else
        echo "Demonstration: every answer above was right."
    fi
}

# ---- serving ----

# Copies poold's log, and says where it serves as soon as it does. Outlives the signals that end poold.
relay_log() {
    local line
    trap '' INT TERM
    while IFS= read -r line; do
        printf '%s\n' "$line" >&2
        if [[ $line =~ listening\ on\ (http://[^\ ]*) ]]; then
            invite "${BASH_REMATCH[1]}"
        fi
    done
}

invite() {
    cat <<TEXT

poold serves on $1 (Ctrl-C ends it; what it has accepted is kept). Try:

  curl -s '$1/v1/jobs?wait=30' -d '{"function":"square","map":[0,1,2,3,4,5,6,7,8,9]}'

In a browser $1 is the dashboard, and $1/docs the API.

TEXT
}

stop_serving() {
    signalled=yes
    kill -TERM "$poold_pid" 2>/dev/null || true
}

# `wait` returns early when a trap has run: then it has to be asked again.
serve() {
    local status=0 signalled=yes log
    exec {log}> >(relay_log) # our child; in poold's own redirection it would be poold's
    set -m # a process group of its own: a Ctrl-C comes once, from us; a second signal would be an order to hurry
    "$build_dir/bin/poold" "$@" 2>&"$log" {log}>&- &
    poold_pid=$!
    set +m
    trap stop_serving INT TERM
    exec {log}>&-
    while [[ $signalled == yes ]]; do
        signalled=no
        status=0
        wait "$poold_pid" || status=$?
    done
    wait # for the last lines of the log
    return "$status"
}

main() {
    local demo=no build=yes port=8080 data=./poold-data functions=()
    while (($# > 0)); do
        case $1 in
        --demo) demo=yes ;;
        --no-build) build=no ;;
        --port | --data)
            (($# > 1)) || { echo "run: $1 needs a value (see --help)" >&2 && exit 2; }
            [[ $1 == --port ]] && port=$2 || data=$2
            shift
            ;;
        --functions)
            (($# > 1)) || { echo "run: $1 needs a folder (see --help)" >&2 && exit 2; }
            functions+=("$1" "$2")
            shift
            ;;
        --help | -h) usage && exit 0 ;;
        --) shift && break ;;
        *) echo "run: unknown argument: $1 (see --help)" >&2 && exit 2 ;;
        esac
        shift
    done
    [[ $port =~ ^[0-9]+$ ]] || { echo "run: --port: not a number: $port" >&2 && exit 2; }
    if [[ $build == yes ]]; then
        "$source_dir/deploy/install-deps.sh"
        echo "Building into $build_dir ..."
        build
    fi
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    demonstrate
    if [[ $demo == yes ]]; then
        ((wrong == 0))
        exit
    fi
    serve --listen "127.0.0.1:$port" --data "$data" "${functions[@]}" "$@"
}

main "$@"
