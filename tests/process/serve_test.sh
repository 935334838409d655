#!/usr/bin/env bash
# serve: deploy/run.sh without --demo ends its demonstration, serves, and passes SIGTERM on: poold ends
# with status 0 and nothing of it is left.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
run_pid=""

clean_up() {
    [[ -z $run_pid ]] || kill -KILL "$run_pid" 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT

fail() {
    echo "serve: $*" >&2
    cat "$scratch/out" >&2
    exit 1
}

export POOLD_TEST_MARK=serve-$$
: >"$scratch/out" # the job below may take a moment to make it
"$root/deploy/run.sh" --no-build --port 0 --data "$scratch/data" >"$scratch/out" 2>&1 &
run_pid=$!
url=""
for ((i = 0; i < 600; i++)); do
    url=$(sed -n 's|^poold serves on \(http://[^ ]*\).*|\1|p' "$scratch/out")
    [[ -z $url ]] || break
    kill -0 "$run_pid" 2>/dev/null || fail "it ended early"
    sleep 0.1
done
[[ -n $url ]] || fail "it does not serve"
grep -q '^Demonstration: every answer above was right\.$' "$scratch/out" || fail "the demonstration was wrong"
answer=$(curl -s "$url/v1/jobs?wait=30" -d '{"function":"square","map":[0,1,2,3]}')
[[ $answer == *'"state":"succeeded"'* ]] || fail "a map was answered: $answer"
answer=$(curl -s "$url/v1/jobs" -d '{"function":"crash","apply":null}')
[[ $answer == *'unknown-function'* ]] || fail "test functions are on: $answer"
kill -TERM "$run_pid"
status=0
wait "$run_pid" || status=$?
run_pid=""
((status == 0)) || fail "SIGTERM: exit status $status"
left=$(grep -slz "^POOLD_TEST_MARK=serve-$$\$" /proc/[0-9]*/environ | grep -v "/proc/$$/" || true)
for process in $left; do
    [[ ! $(readlink "${process%/environ}/exe") =~ /poold ]] || fail "left running: $process"
done
echo "serve: ok"
