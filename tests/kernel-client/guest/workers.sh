# shellcheck shell=bash
# Programs that work on the mount all the time, and must not notice what happens to the server: fio with
# verify, a log with fsync, SQLite, and a lock that another client must never get. Sourced by jobs.

. "$HARNESS/fio.sh"
. "$HARNESS/counters.sh"

# worker NAME COMMAND...: runs until $SCRATCH/stop is there; counts its steps in $SCRATCH/NAME.
workers=()
worker() {
    local name=$1
    shift
    : >"$SCRATCH/$name"
    (
        status=0
        "$@" >"$SCRATCH/$name.log" 2>&1 || status=$?
        echo $status >"$SCRATCH/$name.status"
    ) &
    workers+=("$name")
}
steps() { stat -c %s "$SCRATCH/$1"; }

verify_again() {
    mkdir fio && cd fio || return
    while [ ! -e "$SCRATCH/stop" ]; do
        fio_verify 512k --ioengine=psync --verify_state_save=0 || return
        rm job.* || return
        printf . >>"$SCRATCH/fio"
    done
}
steady() { python3 "$HARNESS/steady.py" "$@"; }

start_workers() {
    local other=/mnt/second/${DIR#"$MNT"/}
    mount_second_client /mnt/second
    trap 'cd /; umount /mnt/second' EXIT
    worker fio verify_again
    worker log steady log "$DIR/log" "$SCRATCH"
    worker database steady database "$DIR/database" "$SCRATCH"
    worker holder steady holder "$DIR/locked" "$SCRATCH"
    until [ "$(steps holder)" -gt 0 ]; do sleep 0.2; done
    worker contender steady contender "$other/locked" "$SCRATCH"
}

# Waits until each worker has made two steps from now on: one may have been on its way.
all_go_on() {
    local name until=$((SECONDS + 45))
    local -A before
    for name in "${workers[@]}"; do before[$name]=$(steps "$name"); done
    for name in "${workers[@]}"; do
        until [ "$(steps "$name")" -ge $((${before[$name]} + 2)) ]; do
            [ ! -e "$SCRATCH/$name.status" ] || fail "$name has ended: $(tail -n 20 "$SCRATCH/$name.log")"
            [ $SECONDS -le $until ] || fail "$name does not go on"
            sleep 0.2
        done
    done
}

# The longest time between two steps of a worker, from now on, is in $SCRATCH/NAME.pause.
forget_pauses() { rm -f "$SCRATCH"/*.pause; }
pauses() { (cd "$SCRATCH" && grep -H . ./*.pause); }

# The kernel counts as lost, too, what it was about to lock when the server went. What it had locked is lost
# only if the server refuses to give it back; the holder would get EIO.
nothing_refused() {
    local status
    for status in NO_GRACE RECLAIM_BAD RECLAIM_CONFLICT EXPIRED ADMIN_REVOKED; do
        equal "$(server_count compound_operations_total "status=\"NFS4ERR_$status\"")" 0 "answers NFS4ERR_$status"
    done
}

# Each worker ends well, with all that it has written.
stop_workers() {
    touch "$SCRATCH/stop"
    wait
    local name
    for name in "${workers[@]}"; do
        equal "$(<"$SCRATCH/$name.status")" 0 "$(tail -n 20 "$SCRATCH/$name.log"); $name's status"
    done
    rmdir fio
}
