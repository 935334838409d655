#!/bin/sh
# Fuzzes every target for SECONDS (default 60) under the address and undefined-behaviour sanitizers: run.sh [SECONDS]
# What it learns stays in build-fuzz/found; a crash is left in build-fuzz.
set -eu
seconds=${1:-60}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build-fuzz

cmake -S "$root" -B "$build" -DCMAKE_C_COMPILER=clang -DPOOLD_FUZZ=ON >/dev/null
cmake --build "$build" --target poold_fuzz_targets -j "$(nproc)"
cd "$build"
for target in tests/fuzz/*_fuzz; do
    name=$(basename "$target" _fuzz)
    mkdir -p "found/$name"
    echo "$name: $seconds s"
    "$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="crash-$name-" "found/$name" "$here/corpus/$name" >"$name.log" 2>&1 || {
        tail -n 60 "$name.log"
        exit 1
    }
    grep -E '^stat::(number_of_executed_units|new_units_added)' "$name.log"
done
