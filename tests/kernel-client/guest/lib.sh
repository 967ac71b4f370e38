# shellcheck shell=bash
# What every job starts with: it runs in $DIR, a fresh directory on the mount; $SCRATCH is local
# memory. The first command that fails fails the job.
set -eEuo pipefail
trap 'echo "line $LINENO: $BASH_COMMAND: status $?"' ERR
. "$HARNESS/mounts.sh"

fail() {
    echo "$*"
    exit 1
}

# equal GOT WANTED WHAT
equal() { [ "$1" = "$2" ] || fail "$3: $1, not $2"; }

# refused COMMAND...: the command must fail.
refused() {
    if "$@" 2>/dev/null; then fail "not refused: $*"; fi
}

# random_file FILE BYTES
random_file() { head -c "$2" /dev/urandom >"$1"; }

# forget FILE...: its cached data goes; the next read asks the server.
forget() {
    local file
    for file; do dd if="$file" iflag=nocache count=0 status=none; done
}

# same LOCAL FILE: equal to the byte, once from the cache and once from the server.
same() {
    cmp "$1" "$2"
    forget "$2"
    cmp "$1" "$2"
}
