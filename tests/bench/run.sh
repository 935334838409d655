#!/bin/sh
# Measures poold and its peers (Python's multiprocessing.Pool(4), xargs, GNU parallel) in turn, and prints the table.
# --help says more.
#   tests/bench/run.sh [--rounds N] [--only NAME] [--quick] [--json FILE] [--build-dir DIR] [--no-build] [--list]
# Exit status 0 whatever the times are; 1 when a result is wrong.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
make=yes
previous=
for argument in "$@"; do
    [ "$previous" = --build-dir ] && build=$argument
    [ "$argument" = --no-build ] && make=no
    previous=$argument
done
if [ $make = yes ]; then
    cmake -S "$root" -B "$build" -DPOOLD_TESTS=ON >/dev/null
    cmake --build "$build" -j"$(nproc)" >/dev/null
fi
exec python3 "$here/bench.py" --binaries "$build/bin" --client "$build/tests/bench_client" "$@"
