# shellcheck shell=bash
# Connections to the server under test: at which of its addresses they are, and what becomes of those
# that are cut. Needs counters.sh, and fio.sh for the last.

# established: a line "ADDRESS:PORT ADDRESS:PORT" for each connection.
established() { ss -Htn state established "dport = :$PORT" | awk '{ print $3, $4 }'; }

# connections_to ADDRESS: how many there are.
connections_to() { established | grep -cF " $1:$PORT" || true; }

# exchanges COMMAND...: how many EXCHANGE_IDs the server gets by it.
exchanges() {
    local before
    before=$(server_count compound_operations_total 'operation="EXCHANGE_ID"')
    "$@"
    echo $(($(server_count compound_operations_total 'operation="EXCHANGE_ID"') - before))
}

# discover: mounts the server at the first of its addresses, at $MNT, by a client that asks where
# else it is and makes one connection there.
discover() {
    local options plainly discovering count=$((NCONNECT + 1))
    options="$(mount_options),max_connect=2"
    cd /
    umount "$MNT"
    plainly=$(exchanges mount -t nfs4 -o "$options" "$SERVER:/" "$MNT")
    equal "$(operations "$MNT" FS_LOCATIONS)" 0 "questions of a client that was not told to ask"
    equal "$(connections_to "$OTHER_SERVER")" 0 "connections of that client to the other address"
    umount "$MNT"
    discovering=$(exchanges mount -t nfs4 -o "$options,trunkdiscovery" "$SERVER:/" "$MNT")
    equal "$(operations "$MNT" FS_LOCATIONS)" 1 "questions for locations"
    equal "$discovering" $((plainly + 1)) "EXCHANGE_IDs, one of them at the other address"
    established
    equal "$(connections_to "$SERVER")" "$NCONNECT" "connections to the address of the mount"
    equal "$(connections_to "$OTHER_SERVER")" 1 "connections to the other address"
    cd "$DIR"
    all_carry "$MNT" "$count" small_files
    equal "$(sessions_with "$count")" 1 "sessions to which $count connections are bound"
}

# cut_half COUNT: once so many are up, every other connection is reset, to each of the addresses.
cut_half() {
    local from to number=0
    until [ "$(established | wc -l)" = "$1" ]; do sleep 0.5; done
    while read -r from to; do
        [ $((number++ % 2)) = 0 ] || continue
        echo "cutting $from $to"
        ss -HK "src = $from" "dst = $to" >/dev/null
    done < <(established | sort -k 2)
}

# recovery DIR: what a client does that has lost its session or its lease.
recovery() {
    local name
    for name in EXCHANGE_ID CREATE_SESSION DESTROY_SESSION RECLAIM_COMPLETE SETCLIENTID; do
        echo "$name: client $(operations "$1" "$name")," \
            "server $(server_count compound_operations_total "operation=\"$name\"")"
    done
}

connects() { transports "$MNT" | awk '{ sum += $2 } END { print sum }'; }

# Whatever the speed, it is running when the connections are cut.
fio_until_enough() {
    until [ -e "$SCRATCH/enough" ]; do
        fio_verify 2M --ioengine=psync --direct=1
    done
}

# cut_during_fio COUNT: of so many connections of the mount half are cut, three times, while fio
# verifies what it writes. All are made again, and nothing else is recovered.
cut_during_fio() {
    local count=$1 before connects lost fio
    before=$(recovery "$MNT")
    connects=$(connects)
    lost=$(server_count connections_unbind_total 'reason="disconnect"')
    rm -f "$SCRATCH/enough"
    fio_until_enough >"$SCRATCH/fio" 2>&1 &
    fio=$!
    for _ in 1 2 3; do
        sleep 5
        cut_half "$count"
    done
    touch "$SCRATCH/enough"
    wait $fio || fail "fio: $(cat "$SCRATCH/fio")"
    grep -E 'job: |READ:|WRITE:' "$SCRATCH/fio"

    lost=$(($(server_count connections_unbind_total 'reason="disconnect"') - lost))
    echo "$lost connections lost, $(($(connects) - connects)) made again"
    [ $lost -ge $((3 * (count / 2))) ] || fail "only $lost connections were cut"
    [ "$(connects)" -gt "$connects" ] || fail "the client made no connection again"
    equal "$(recovery "$MNT")" "$before" "recovery"
    all_carry "$MNT" "$count" small_files
    equal "$(sessions_with "$count")" 1 "sessions to which $count connections are bound afterwards"
}
