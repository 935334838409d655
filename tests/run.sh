#!/usr/bin/env bash
# run: builds poold and runs its tests, in three passes: gcc as released, clang with ASan and UBSan,
# clang with TSan. This is what CI runs and what the README names.
#
# Ends with one line, "N passed, N failed", the sum of all passes; exits 1 when anything failed. A pass
# that does not build or find a test counts as one failure: no test must vanish silently.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/run.sh [--quick | --asan | --tsan] [--help]

Installs what is missing (deploy/install-deps.sh --tests), builds, and runs all tests.

  (nothing)  all three passes:
             build/       gcc, every test
             build-asan/  clang, address and undefined, all but the label asan-slow
             build-tsan/  clang, thread, only the label tsan
  --quick    only the first
  --asan     only the second
  --tsan     only the third
  --help     this text

Environment:
  POOLD_BUILD_ROOT    where the build folders are (default: the source tree)
  POOLD_TEST_SECONDS  the whole run may take this long (default: 1140)
TEXT
}

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_root=${POOLD_BUILD_ROOT:-$source_dir}
budget=${POOLD_TEST_SECONDS:-1140} # under 20 minutes on 2 cores
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

# The rest of the budget, so that a hanging test ends as a failure and not as a CI time-out.
within_budget() {
    local rest=$((budget - SECONDS))
    timeout --kill-after=10 "$((rest > 1 ? rest : 1))" "$@"
}

# Makes every sanitizer's finding a failed test, with a stack that can be read.
export ASAN_OPTIONS=detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS="suppressions=$source_dir/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1"

count_failure() {
    echo "run: $1" >&2
    failed=$((failed + 1))
}

# build DIR CMAKE-OPTION…
build() {
    local dir=$1
    shift
    within_budget cmake -S "$source_dir" -B "$dir" -DPOOLD_TESTS=ON "$@" >"$log" 2>&1 || { cat "$log" >&2 && return 1; }
    within_budget cmake --build "$dir" -j "$(nproc)" >"$log" 2>&1 || { cat "$log" >&2 && return 1; }
}

# Adds ctest's "98% tests passed, 1 tests failed out of 50" to the sums. A ctest that was cut off has
# not printed it.
count_results() {
    local status=$1 summary bad all skipped
    summary=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\)$/\1 \2/p' "$log")
    if [[ -z $summary ]]; then
        count_failure "ctest ended early (exit $status): out of time, or there are no tests"
        return
    fi
    read -r bad all <<<"$summary"
    skipped=$(grep -c '^ *[0-9]*/[0-9]* Test .*[*][*][*]Skipped' "$log" || true) # ctest calls them passed
    passed=$((passed + all - bad - skipped))
    failed=$((failed + bad))
    if ((status != 0 && bad == 0)); then
        count_failure "ctest exited with $status although every test passed"
    fi
}

# pass TITLE DIR "CTEST-OPTIONS" CMAKE-OPTION…
pass() {
    local title=$1 dir=$build_root/$2 status=0 ctest_options
    read -r -a ctest_options <<<"$3"
    shift 3
    echo "== $title"
    if ! build "$dir" "$@"; then
        count_failure "$title: does not build"
        return
    fi
    within_budget "${wrap[@]}" ctest --test-dir "$dir" -j 2 --output-on-failure --timeout 300 --no-tests=error \
        "${ctest_options[@]}" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    count_results "$status"
}

gcc_pass() {
    local wrap=()
    pass "gcc" build "" -DCMAKE_C_COMPILER=gcc -DPOOLD_SANITIZE=
}

asan_pass() {
    local wrap=()
    # Without POOLD_FUZZ: the fuzz targets are then tests that replay their corpus.
    pass "clang, ASan and UBSan" build-asan "-LE asan-slow" -DCMAKE_C_COMPILER="$clang" \
        -DPOOLD_SANITIZE=address,undefined -DPOOLD_FUZZ=OFF
}

tsan_pass() {
    local wrap=()
    # Some kernels randomise more address bits than TSan's fixed layout survives; some containers do
    # not allow to switch that off.
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        wrap=(setarch "$(uname -m)" -R)
    fi
    pass "clang, TSan" build-tsan "-L ^tsan$" -DCMAKE_C_COMPILER="$clang" -DPOOLD_SANITIZE=thread
}

main() {
    local passes=(gcc_pass asan_pass tsan_pass) one clang
    while (($# > 0)); do
        case $1 in
        --quick) passes=(gcc_pass) ;;
        --asan) passes=(asan_pass) ;;
        --tsan) passes=(tsan_pass) ;;
        --help | -h) usage && exit 0 ;;
        *) echo "run: unknown argument: $1 (see --help)" >&2 && exit 2 ;;
        esac
        shift
    done
    "$source_dir/deploy/install-deps.sh" --tests
    clang=$(command -v clang-14 || command -v clang)
    for one in "${passes[@]}"; do
        $one
    done
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

main "$@"
