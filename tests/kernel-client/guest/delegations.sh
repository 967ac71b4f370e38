# shellcheck shell=bash
# Two clients and one file: the first, on /mnt/holder, holds a write delegation, and the second, on
# /mnt/other, wants the file.
. "$HARNESS/counters.sh"

# For the second to go on, after the first has given the delegation back.
patience=2

# delegations HOLDER OTHER: all cases, with these minor versions.
delegations() {
    VERS=$1 NCONNECT=1 mount_nfs /mnt/holder
    VERS=$2 NCONNECT=1 mount_second_client /mnt/other
    holder=/mnt/holder/${DIR#"$MNT"/} other=/mnt/other/${DIR#"$MNT"/}
    wire=$SCRATCH/wire
    python3 "$HARNESS/wire.py" eth0 "$PORT" "$CALLBACK_PORT" >"$wire" &
    wire_pid=$!
    until grep -qs listening "$wire"; do sleep 0.1; done
    local case
    for case in read write truncate rename remove; do
        "case_$case"
    done
    kill $wire_pid
    umount /mnt/other
    umount /mnt/holder
}

# What is not on the server yet when the second client comes: the holder has the file open.
case_read() {
    hold read
    echo "by the holder" >&5
    conflict read cat "$other/read" >"$SCRATCH/seen"
    exec 5>&-
    tail -n 1 "$SCRATCH/seen" | grep -qx "by the holder" || fail "read: $(cat "$SCRATCH/seen")"
}

case_write() {
    hold write
    echo "by the holder" >&5
    conflict write sh -c "echo 'by the other' >>'$other/write'"
    exec 5>&-
    equal "$(cat "$holder/write")" "$(printf 'held\nby the holder\nby the other')" "write"
}

case_truncate() {
    hold truncate
    echo "by the holder" >&5
    exec 5>&-
    conflict truncate truncate -s 11 "$other/truncate"
    equal "$(cat "$other/truncate")" "$(printf 'held\nby the')" "truncate, other"
    equal "$(cat "$holder/truncate")" "$(printf 'held\nby the')" "truncate, holder"
}

case_rename() {
    hold rename
    echo "by the holder" >&5
    exec 5>&-
    conflict rename mv "$other/rename" "$other/renamed"
    equal "$(tail -n 1 "$other/renamed")" "by the holder" "rename, other"
    equal "$(tail -n 1 "$holder/renamed")" "by the holder" "rename, holder"
    drop_caches # the name is one that the holder may know for a while
    refused stat "$holder/rename"
}

case_remove() {
    hold remove
    echo "by the holder" >&5
    exec 5>&-
    conflict remove rm "$other/remove"
    drop_caches
    refused cat "$holder/remove"
}

# hold NAME: a file of one line, open as descriptor 5 after it; the holder has a write delegation for it.
hold() {
    local tries granted
    granted=$(server_count delegations_granted_total 'type="write"')
    echo "held" >"$holder/$1"
    # A path for callbacks is tried before it is trusted.
    for ((tries = 0; tries < 20; tries++)); do
        exec 5<>"$holder/$1"
        if [ "$(server_count delegations_granted_total 'type="write"')" != "$granted" ]; then
            read -r _ <&5
            return
        fi
        exec 5>&-
        sleep 0.3
    done
    fail "$1: the holder gets no write delegation"
}

# conflict NAME COMMAND...: the second client does this, for which the server must recall the delegation.
conflict() {
    local name=$1 recalled returned lines ended
    shift
    recalled=$(server_count delegations_recalled_total 'type="write"' 'reason="conflict"')
    returned=$(operations /mnt/holder DELEGRETURN)
    lines=$(wc -l <"$wire")
    "$@"
    read -r ended _ </proc/uptime
    sleep 0.3 # for what the wire says to arrive
    tail -n "+$((lines + 1))" "$wire" >"$SCRATCH/passed"
    {
        echo "--- $name: ended at $ended"
        cat "$SCRATCH/passed"
    } >&2
    grep -q 'CALL CB_RECALL 0' "$SCRATCH/passed" || fail "$name: no CB_RECALL on the wire"
    grep -q 'REPLY CB_RECALL 0' "$SCRATCH/passed" || fail "$name: CB_RECALL was not answered"
    grep -q 'REPLY DELEGRETURN 0' "$SCRATCH/passed" || fail "$name: no DELEGRETURN on the wire"
    awk -v ended="$ended" -v patience="$patience" '/REPLY DELEGRETURN 0/ && !found++ { since = ended - $1 }
        END { exit !found || since < -0.1 || since > patience }' "$SCRATCH/passed" || fail "$name: it took too long"
    equal "$(operations /mnt/holder DELEGRETURN)" $((returned + 1)) "$name: DELEGRETURN of the holder"
    equal "$(server_count delegations_recalled_total 'type="write"' 'reason="conflict"')" \
        $((recalled + 1)) "$name: recalls counted by the server"
}
