#!/usr/bin/env bash
# check: `poold --check` tells what is configured, or what is wrong with it, by exit status and one line; it opens
# nothing and leaves nothing. Usage: check_test.sh POOLD
set -euo pipefail
poold=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir functions more
printf '{"command": ["wc", "-w"],\n "input": "text"}' >functions/words.json
printf '{"runtime": "python", "module": "images"}' >more/x.json

# expect STATUS OUT ERR FLAG…: ERR is a pattern.
expect() {
    local wanted=$1 out=$2 err=$3 status=0
    shift 3
    timeout --signal KILL 30 "$poold" --check --data "$scratch/data" "$@" >out 2>err || status=$?
    # shellcheck disable=SC2053
    if [[ $status != "$wanted" || $(<out) != "$out" || $(<err) != $err ]]; then
        printf 'check: poold --check %s: status %s, expected %s\n' "$*" "$status" "$wanted" >&2
        cat out err >&2
        exit 1
    fi
    [[ ! -e data ]] || { echo "check: it made the data directory" >&2 && exit 1; }
}

expect 0 "" ""
expect 0 $'images runtime more/x.json\nwords exec functions/words.json' "" --functions functions --functions more/
POOLD_FUNCTIONS=functions:more expect 0 $'images runtime more/x.json\nwords exec functions/words.json' ""
expect 78 "" 'poold: nowhere: the folder cannot be read: No such file or directory' --functions nowhere
expect 78 "" 'poold: there is no option "--fnuctions"*' --fnuctions functions
expect 78 "" 'poold: --listen 0.0.0.0:1 is reachable from other machines*' --listen 0.0.0.0:1
echo short >token
expect 78 "" 'poold: token:1: expected a token of 32 to 511 bytes; it has 5' --token-file token
expect 78 "" 'poold: --token-file nowhere: No such file or directory' --token-file nowhere
printf '# two\n%064d\n%064d scopes=all\n' 1 2 >token
expect 78 "" 'poold: token:3: scopes: expected some of read, submit and admin, separated by commas' --token-file token
sed -i s/scopes=all/scopes=read/ token
expect 0 "" "" --token-file token --listen 0.0.0.0:1
mkfifo pipe # that nobody writes to: nobody waits for it
expect 78 "" 'poold: pipe: expected a token of at least 32 bytes' --token-file pipe
expect 78 "" 'poold: --tls-cert pipe: no certificate in PEM (*)' --tls-cert pipe --tls-key pipe
printf '{"command": ["wc"],\n "defaults": {\n  "timeout": "soon"}}' >more/thumb.json
expect 78 "" 'poold: more/thumb.json:3: "defaults.timeout": expected seconds, got "soon"' --functions functions \
    --functions more
expect 78 "" 'poold: --tls-cert needs --tls-key, too' --tls-cert cert.pem
expect 78 "" 'poold: --tls-key needs --tls-cert, too' --tls-key key.pem
expect 78 "" 'poold: --tls-cert cert.pem: No such file or directory' --tls-cert cert.pem --tls-key key.pem
echo none >cert.pem
expect 78 "" 'poold: --tls-cert cert.pem: no certificate in PEM (*)' --tls-cert cert.pem --tls-key key.pem
if command -v openssl >/dev/null; then
    for name in this other; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -out $name-cert.pem \
            -keyout $name-key.pem 2>/dev/null
    done
    openssl ec -aes128 -passout pass:secret -in this-key.pem -out locked-key.pem 2>/dev/null
    expect 0 "" "" --tls-cert this-cert.pem --tls-key this-key.pem
    expect 78 "" 'poold: --tls-key nowhere: No such file or directory' --tls-cert this-cert.pem --tls-key nowhere
    expect 78 "" 'poold: --tls-key this-cert.pem: no private key in PEM (*)' --tls-cert this-cert.pem \
        --tls-key this-cert.pem
    expect 78 "" 'poold: --tls-key locked-key.pem: it is encrypted*' --tls-cert this-cert.pem --tls-key locked-key.pem
    expect 78 "" 'poold: --tls-key other-key.pem is not the key of the certificate in --tls-cert this-cert.pem' \
        --tls-cert this-cert.pem --tls-key other-key.pem
    # At a start the same is said, once, and poold gives up.
    status=0
    "$poold" --listen 127.0.0.1:0 --data started --tls-cert this-cert.pem --tls-key other-key.pem 2>err || status=$?
    if [[ $status != 78 || $(grep -c '^poold: --tls-key other-key.pem is not the key of' err) != 1 ]]; then
        echo "check: a start with another's key: status $status" >&2
        cat err >&2
        exit 1
    fi
fi
echo "check: ok"
