# shellcheck shell=bash disable=SC2154 # the settings come from options.sh
# The server under test on the host.

start_server() {
    if [ -n "$address" ]; then
        port=${address##*:}
        metrics_port= admin_port=
        return
    fi
    local binary record=
    binary=$(built nfs4d "${NFS4D:-}") || return
    if [ "$replay" = 1 ]; then
        replayer=$(built nfs4-replay "${NFS4_REPLAY:-}") || return
        recording=${record_to:-$work/recording}
        record="--record $recording"
    fi
    port=$(free_port)
    metrics_port=$(free_port)
    admin_port=$(free_port)
    # The guest names the server by an address that is not loopback to it, which takes a token.
    admin_token=$(head -c 24 /dev/urandom | base64)
    local log="--log info" files="--memory $memory --lease-time 20 --grace-time 0"
    [[ $server_args != *--log* ]] || log=
    if [ -n "$local_files" ]; then
        make_directory || return
        files="--config $work/nfs4d.toml --state-dir $work/state --lease-time 10 --grace-time 15"
    fi
    # The guests reach it at these two addresses.
    # shellcheck disable=SC2206 # server_args, record, files and log are lists of words
    server_command=("$binary" --listen "127.0.0.1:$port" $files
        --metrics "127.0.0.1:$metrics_port" --admin "127.0.0.1:$admin_port"
        --server-address 10.0.2.2 --server-address 10.0.3.2 $log $record $server_args)
    launch_server
}

# Makes the directory that is served, empty and in a file system of its own if it is a tmpfs, and
# the configuration that says so.
make_directory() {
    mkdir -p "$work/state" || return
    if [ "$local_files" = tmpfs ]; then
        directory=$work/files
        mkdir "$directory" && mount -t tmpfs -o "size=$memory,mode=1777" files "$directory" || return
    else
        directory=$(mktemp -d "$local_files/nfs4-files.XXXXXX") && chmod 1777 "$directory" || return
    fi
    printf '[[export]]\npath = "%s"\npseudo = "/"\nsquash = "none"\n' "$directory" >"$work/nfs4d.toml"
}

remove_directory() {
    [ -n "$directory" ] || return 0
    [ "$local_files" != tmpfs ] || umount -l "$directory"
    rm -rf --one-file-system "$directory"
    directory=
}

# Starts the server, and waits until it listens.
launch_server() {
    NFS4D_ADMIN_TOKEN=$admin_token "${server_command[@]}" >>"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        server_alive || break
        listening "$port" && return
        sleep 0.1
    done
    echo "the server does not listen on port $port:"
    server_log
    return 1
}

# Kills the server without a warning, and starts it again after so many seconds.
kill_server() {
    kill -KILL "$server_pid"
    wait "$server_pid" 2>/dev/null
    sleep "$1"
    launch_server
}

# Starts another server in place of this one, which hands over its sockets and ends.
upgrade_server() {
    local old=$server_pid
    NFS4D_ADMIN_TOKEN=$admin_token "${server_command[@]}" --take-over >>"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
    wait "$old" && server_alive && return
    echo "the server did not give way, or its successor has gone:"
    server_log
    return 1
}

# built PROGRAM PATH: the path, or that of the program as it is built from this tree.
built() {
    if [ -n "$2" ]; then
        echo "$2"
        return
    fi
    local root=$here/../..
    cargo build --release --manifest-path "$root/Cargo.toml" -p "$1" >&2 || return
    echo "${CARGO_TARGET_DIR:-$root/target}/release/$1"
}

# Repeats what the server did, which has ended; the recording says what that was.
replay_recording() {
    [ "$replay" = 1 ] || return 0
    "$replayer" "$recording" || return
    grep -q 'the recording ends' "$work/server.log" || return 0
    echo "the recording is not complete"
    return 1
}

# Starts the servers that transport-tokio and transport-std have as examples, on ports of their own, and
# sets example_ports to what the guest knows of them: NAME_PORT, the name in capitals.
example_pids=() example_ports=()
start_examples() {
    local root=$here/../.. name tries
    cargo build --release --manifest-path "$root/Cargo.toml" -p nfs4-transport-tokio \
        -p nfs4-transport-std --examples || return
    for name in generated objects oneprocess keyvalue; do
        local own=$(free_port)
        "${CARGO_TARGET_DIR:-$root/target}/release/examples/$name" "127.0.0.1:$own" \
            >"$work/$name.log" 2>&1 </dev/null &
        example_pids+=($!)
        example_ports+=("${name^^}_PORT" "$own")
        for ((tries = 0; tries < 100; tries++)); do
            listening "$own" && continue 2
            sleep 0.1
        done
        echo "the example $name does not listen:"
        cat "$work/$name.log"
        return 1
    done
}

stop_examples() {
    [ ${#example_pids[@]} -eq 0 ] || kill "${example_pids[@]}" 2>/dev/null
    example_pids=()
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range from which the kernel takes the ports of outgoing connections.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && listening "$port"; do :; done
    echo "$port"
}

server_alive() { [ -n "$address" ] || kill -0 "$server_pid" 2>/dev/null; }

# Asks the server to end and waits for it; a second of patience, then it is killed.
stop_server() {
    [ -n "$server_pid" ] || return 0
    local pid=$server_pid tries status
    server_pid=
    kill -TERM "$pid" 2>/dev/null
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid"
    status=$?
    case $status in
    0 | 143) ;;
    *)
        echo "the server ended with status $status"
        return 1
        ;;
    esac
}

server_log() {
    [ -s "$work/server.log" ] || return 0
    echo "--- the server's last lines"
    tail -n 20 "$work/server.log"
}
