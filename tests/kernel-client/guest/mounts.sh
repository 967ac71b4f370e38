# shellcheck shell=bash
# Mounting and unmounting the server under test; sourced by init and by jobs.

mount_options() {
    local options="vers=$VERS,nconnect=$NCONNECT,port=$PORT,proto=tcp,retry=0"
    # The server calls back at an address of the host, from where slirp passes it on.
    [ "$VERS" != 4.0 ] || options+=,clientaddr=127.0.0.1
    echo "$options"
}

# mount_nfs DIR [COMMAND...]: the command, if any, runs mount elsewhere (another network namespace).
mount_nfs() {
    local dir=$1
    shift
    mkdir -p "$dir"
    # Where the next client of 4.0 listens for callbacks.
    echo "$CALLBACK_PORT" >/sys/module/nfs/parameters/callback_tcpport
    "$@" mount -t nfs4 -o "$(mount_options)" "$SERVER:/" "$dir"
    grep -q " $dir nfs4 .*vers=$VERS," /proc/mounts || {
        echo "$dir is not mounted with vers=$VERS"
        return 1
    }
}

# second COMMAND...: runs it in a second network namespace, which makes the kernel a second client with
# its own identity, connections and caches.
second() {
    if ! ip netns list | grep -q '^second'; then
        ip netns add second
        ip link set eth1 netns second
        ip -n second address add 10.0.2.15/24 dev eth1
        ip -n second link set lo up
        ip -n second link set eth1 up
        ip -n second route add default via 10.0.2.2
        mkdir -p /run/second-sys
        nsenter --net=/run/netns/second mount -t sysfs sysfs /run/second-sys
        echo "$(hostname)-second" >/run/second-sys/fs/nfs/net/nfs_client/identifier
    fi
    nsenter --net=/run/netns/second "$@"
}

# Mounts the server a second time, as the second client.
mount_second_client() { CALLBACK_PORT=$SECOND_CALLBACK_PORT mount_nfs "$1" second; }

# What this client has cached of the server's files goes; the next read asks the server.
drop_caches() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
}
