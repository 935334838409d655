#!/usr/bin/env bash
# install-deps: installs the Debian/Ubuntu packages that poold needs, but only those that are missing.
#
# Called by deploy/run.sh and tests/run.sh on every start, so it must cost nothing when all is there:
# it asks dpkg, and touches the network only when a package is missing. Where packages come from is
# the machine's own configuration.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: deploy/install-deps.sh [--tests]

Installs what building and running poold needs. Silent when nothing is missing; needs root or sudo
otherwise (Debian 12, Ubuntu 24.04 or later).

  --tests   also what tests/run.sh needs: clang with sanitizers, cmocka, curl's library, python3, node
            with npm, Chromium, ImageMagick, poppler, nginx, Prometheus, ... (no service is started)
  --help    this text

Functions in Python or Node need a python3 (3.9 or later) or a node (18 or later) in PATH when they are used; poold
itself needs neither; building it makes the page at /docs with python3.
TEXT
}

# libc6-dev is named because gcc only recommends it.
build_packages=(gcc libc6-dev cmake make pkg-config libmicrohttpd-dev libgnutls28-dev libjansson-dev libsqlite3-dev
    libuv1-dev libseccomp-dev uthash-dev libjs-chart.js python3 python3-yaml curl ca-certificates)
test_packages=(libcmocka-dev libcurl4-openssl-dev sqlite3 python3-jsonschema clang-format
    binutils procps git debootstrap imagemagick openssl poppler-utils nginx prometheus)

# Prints those of the given packages that are not installed. dpkg-query fails when it knows none of
# them, which is an answer here and no error. Virtual names (pkg-config on Ubuntu) count by Provides.
missing_of() {
    local installed package
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
        sed -n 's/^installed //p' | sed 's/ ([^)]*)//g' | tr ',\n' '  ') "
    for package in "$@"; do
        [[ $installed == *" $package "* ]] || echo "$package"
    done
}

# The clang to use: 14, which we know best, or the distribution's own.
clang_command() {
    command -v clang-14 || command -v clang || true
}

# A clang without its runtime library compiles, but cannot link a sanitizer.
clang_is_complete() {
    local clang runtime
    clang=$(clang_command)
    [[ -n $clang ]] || return 1
    runtime=$("$clang" -print-file-name="libclang_rt.asan-$(uname -m).a")
    [[ -e $runtime ]]
}

# The names carry a version, and some releases have the runtime in another package that clang depends
# on anyway: ask what there is. Called after apt-get update.
clang_packages() {
    local version
    version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
    if [[ -n $(clang_command) ]]; then
        version=$("$(clang_command)" -dumpversion | cut -d. -f1)
    fi
    if [[ -z $version ]]; then
        echo clang
        return
    fi
    echo "clang-$version"
    if apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
        echo "libclang-rt-$version-dev"
    fi
}

# Any node will do that is new enough, also one that is no package.
node_is_there() {
    local version
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    ((${version%%.*} >= 18))
}

# For the tests of the dashboard. Not every distribution has it as a package: then they are skipped.
browser_is_there() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
} >/dev/null

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "install-deps: packages are missing and this is neither root nor is there sudo" >&2
        exit 1
    fi
}

# Quiet, but not mute: what apt-get said is shown when it fails.
apt_quietly() {
    local log
    log=$(mktemp)
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "install-deps: apt-get $1 failed" >&2
        exit 1
    fi
    rm -f "$log"
}

# The tests start nginx and Prometheus themselves; that their packages start services would only take ports from others.
readonly policy=/usr/sbin/policy-rc.d
start_no_services() {
    [[ -e $policy ]] && return
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

main() {
    local with_tests=no packages=("${build_packages[@]}") missing needs_clang=no needs_browser=no
    while (($# > 0)); do
        case $1 in
        --tests) with_tests=yes ;;
        --help | -h) usage && exit 0 ;;
        *) echo "install-deps: unknown argument: $1 (see --help)" >&2 && exit 2 ;;
        esac
        shift
    done
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "install-deps: this is not Debian or Ubuntu; install these yourself:" \
            "${build_packages[*]} (tests: clang nodejs ${test_packages[*]})" >&2
        exit 1
    fi
    if [[ $with_tests == yes ]]; then
        packages+=("${test_packages[@]}")
        node_is_there || packages+=(nodejs)
        command -v npm >/dev/null || packages+=(npm)
        browser_is_there || needs_browser=yes
        clang_is_complete || needs_clang=yes
    fi
    mapfile -t missing < <(missing_of "${packages[@]}")
    if [[ $needs_browser == yes ]] && apt-cache show chromium >/dev/null 2>&1; then
        missing+=(chromium)
    fi
    if ((${#missing[@]} == 0)) && [[ $needs_clang == no ]]; then
        return
    fi
    apt_quietly update
    if [[ $needs_browser == yes && " ${missing[*]} " != *" chromium "* ]] && apt-cache show chromium >/dev/null 2>&1; then
        missing+=(chromium)
    fi
    if [[ $needs_clang == yes ]]; then
        mapfile -t -O "${#missing[@]}" missing < <(clang_packages)
    fi
    echo "install-deps: installing ${missing[*]}" >&2
    start_no_services
    apt_quietly install -y --no-install-recommends "${missing[@]}"
}

main "$@"
