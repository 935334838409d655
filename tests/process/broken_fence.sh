#!/bin/sh
# The killloop must be able to fail: a build whose fence against late results is taken out (POOLD_BREAK_FENCE) is killed
# as usual, and one of a few seeds has to notice. Exit status 0 when it was noticed.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${POOLD_BROKEN_BUILD_DIR:-$(mktemp -d /tmp/poold-broken-XXXXXX)}
log=$build/killloop.log
mkdir -p "$build"
# What a failing killloop keeps for people lies in TMPDIR, and goes with it.
trap 'rm -rf "$build"' EXIT
cmake -S "$root" -B "$build" -DPOOLD_BREAK_FENCE=ON >/dev/null
cmake --build "$build" -j"$(nproc)" --target poold poold-server poold-worker killloop_bin >/dev/null
for seed in 1 2 3 4; do
    if ! TMPDIR=$build "$build/tests/killloop_bin" 60 "$seed" >"$log" 2>&1; then
        if grep -qE '^(WRONG|TEST FAILED): ' "$log"; then
            echo "the killloop noticed the missing fence (seed $seed):"
            grep -E '^(WRONG|TEST FAILED): ' "$log" | head -3
            exit 0
        fi
        echo "the killloop failed for another reason:"
        tail -5 "$log"
        exit 1
    fi
done
echo "the killloop did not notice that the fence is missing"
exit 1
