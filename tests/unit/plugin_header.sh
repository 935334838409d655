#!/usr/bin/env bash
# plugin_header: poold.h is C99 and C++ (98 and later) without a warning. Exits with 77 when there is no C++ compiler.
set -euo pipefail

if [[ ${1:-} == --help || $# -ne 1 ]]; then
    echo "Usage: tests/unit/plugin_header.sh FOLDER-OF-POOLD.H"
    exit $(($# == 1 ? 0 : 2))
fi
sdk=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/all.c" <<'CODE'
#include "poold.h"

static int run(const struct poold_host *host, struct poold_call *call, const char *item, size_t length)
{
    int64_t number;
    if (POOLD_HAS(host, member) && poold_read_integer(item, length, &number) == 0)
        return poold_integer(host, call, number);
    return host->expected(call, "an integer");
}

static const struct poold_function functions[] = {
    POOLD_FUNCTION("run", run, "gives it back", "1"),
    POOLD_STAR_FUNCTION("all", run, NULL, NULL),
};
static const struct poold_plugin plugin = POOLD_PLUGIN(functions, NULL, NULL);

POOLD_EXPORT const struct poold_plugin *poold_plugin(void)
{
    return &plugin;
}
CODE
cp "$scratch/all.c" "$scratch/all.cc"
flags=(-Wall -Wextra -Wconversion -Werror -fsyntax-only -I "$sdk")
found=0
for compiler in gcc clang; do
    if command -v "$compiler" >/dev/null; then
        "$compiler" -std=c99 -Wpedantic "${flags[@]}" "$scratch/all.c"
    fi
done
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    found=1
    for standard in 98 11 17; do
        "$compiler" "-std=c++$standard" -Wno-long-long "${flags[@]}" "$scratch/all.cc"
    done
done
[[ $found == 1 ]] || exit 77
