# shellcheck shell=bash disable=SC2154 # the settings come from options.sh and run
# One boot of the guest, one mount, its jobs.

guest_memory=768
guest_number=0

# Where User Mode Linux keeps the guest's memory: in memory, if there is room.
memory_folder() {
    if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] &&
        [ "$(df -m --output=avail /dev/shm | tail -n 1)" -gt $((guest_memory + 64)) ]; then
        echo /dev/shm
    else
        echo "$guest"
    fi
}

# boot VERS NCONNECT KIND JOBS...: starts the guest with a folder of its own, $guest.
boot() {
    local vers=$1 nconnect=$2 kind=$3 name=guest-$$-$((++guest_number))
    shift 3
    guest=$work/$name
    mkdir -p "$guest/out"
    cp -r "$here/guest" "$guest/harness"
    [ -z "$controller" ] || cp "$controller" "$guest/harness/nfs4ctl"
    # Slirp shows the guest the host's loopback at these addresses.
    local server=10.0.2.2 other=10.0.3.2 callback_port second_callback_port
    case $address in '' | 127.* | localhost:*) ;; *) server=${address%:*} other= ;; esac
    callback_port=$(free_port)
    while second_callback_port=$(free_port) && [ "$second_callback_port" = "$callback_port" ]; do :; done
    {
        printf '%s=%q\n' GUEST_NAME "$name" KIND "$kind" VERS "$vers" NCONNECT "$nconnect" \
            SERVER "$server" OTHER_SERVER "$other" PORT "$port" METRICS_PORT "$metrics_port" \
            ADMIN_PORT "$admin_port" ADMIN_TOKEN "$admin_token" \
            CALLBACK_PORT "$callback_port" SECOND_CALLBACK_PORT "$second_callback_port" \
            LIMIT "$limit" KILLS "$kills" SEED "$seed" JOBS "$*" SHELL_WANTED "$shell" "${example_ports[@]}"
    } >"$guest/harness/env"
    : >"$guest/out/events"
    local command
    "command_$kind"
    if [ "$shell" = 1 ]; then
        TMPDIR=$(memory_folder) "${command[@]}" con0=fd:0,fd:1 2>"$guest/console"
        return
    fi
    [ "$kind" = qemu ] || command+=(con0=null,fd:1)
    exec 3< <(follow_guest 2>/dev/null)
    read -r guest_pid <&3
}

# Sets command to what starts User Mode Linux.
command_uml() {
    command=("$cache/linux" "mem=${guest_memory}M" umid="$name" uml_dir="$guest/"
        root=/dev/root rootfstype=hostfs "rootflags=$cache/root" ro init=/sbin/boot
        "nfs4_work=$guest" log_buf_len=1M con=null
        "eth0=slirp,,$cache/slirp,$callback_port"
        "eth1=slirp,,$cache/slirp,$second_callback_port")
}

# Sets command to what starts QEMU, with its console on standard output. The second network is there for
# the server to have a second address.
command_qemu() {
    command=(qemu-system-x86_64 -M pc,accel=tcg -cpu Nehalem -smp 2 -m "$guest_memory"
        -nodefaults -no-reboot -display none -serial stdio
        -kernel "$qemu/vmlinux" -initrd "$qemu/initrd"
        -append "console=ttyS0 quiet panic=-1 log_buf_len=1M"
        -netdev user,id=net0 -device virtio-net-pci,netdev=net0,romfile=
        -netdev user,id=net1,net=10.0.3.0/24 -device virtio-net-pci,netdev=net1,romfile=)
    local share
    for share in "root=$cache/root" "modules=$qemu/modules/lib/modules" "harness=$guest/harness"; do
        command+=(-virtfs "local,mount_tag=${share%%=*},path=${share#*=},security_model=none,readonly=on")
    done
    command+=(-virtfs "local,mount_tag=out,path=$guest/out,security_model=none")
}

# Starts ${command[@]} and prints its process number, then the guest's events until it ends.
follow_guest() {
    # A session of its own, so that one signal reaches the kernel, its processes and slirp.
    TMPDIR=$(memory_folder) setsid "${command[@]}" >"$guest/console" 2>&1 </dev/null &
    local kernel=$!
    echo "$kernel"
    tail -n +1 -s 0.1 -f --pid="$kernel" "$guest/out/events" &
    # Waiting buries the kernel; before that, tail takes it for alive.
    wait "$kernel"
    wait
}

stop_guest() {
    [ -n "$guest_pid" ] || return 0
    kill -KILL -- "-$guest_pid" 2>/dev/null
    cat <&3 >/dev/null # until the guest is gone
    exec 3<&-
    guest_pid=
}

indent() { sed 's/^/    /'; }

report() {
    local status=$1 job=$2 milliseconds=$3 word=ok
    [ "$status" = 0 ] || word=FAIL
    printf '%-4s %s/nconnect=%s%s %s  %d.%02d s\n' "$word" "$vers" "$nconnect" "$label" "$job" \
        $((milliseconds / 1000)) $((milliseconds % 1000 / 10))
}

failure() {
    failed+=("$vers/$nconnect$label:$1")
}

# What there is to know about a failed job.
explain() {
    local job=$1
    if [ -f "$guest/out/$job.log" ]; then
        tail -n 60 "$guest/out/$job.log" | indent
    fi
    if [ -s "$guest/out/$job.kernel" ]; then
        echo "    --- the kernel's NFS client"
        tail -n 40 "$guest/out/$job.kernel" | indent
    fi
}

# What has come of the next line: a wait may end in the middle of one.
begun=

# Sets event and rest; false when the guest has ended, hangs or has lost its server.
next_event() {
    local since=$SECONDS line status
    while true; do
        line= status=0
        IFS= read -r -t 1 line <&3 || status=$?
        begun+=$line
        if [ "$status" = 0 ]; then
            read -r event rest <<<"$begun"
            begun=
            return
        fi
        [ "$status" -gt 128 ] || return "$status"
        server_alive || return
        [ $((SECONDS - since)) -lt "$patience" ] || return
    done
}

# run_guest VERS NCONNECT KIND JOBS...
run_guest() {
    local vers=$1 nconnect=$2 label= event rest job=boot patience=30 expected status elapsed
    [ "$3" = uml ] || label=/$3 patience=120
    expected=" mount ${*:4} umount "
    boot "$@"
    [ "$shell" = 0 ] || return 0
    while next_event; do
        case $event in
        begin)
            job=${rest% *}
            # The guest's own watchdog comes first, this one is for a guest that hangs.
            patience=$((${rest#* } + 30))
            ;;
        end)
            read -r job status elapsed <<<"$rest"
            report "$status" "$job" "$elapsed"
            expected=${expected/ $job / }
            if [ "$status" = 0 ]; then
                passed=$((passed + 1))
            else
                failure "$job"
                explain "$job"
            fi
            job="between jobs" patience=30
            ;;
        kill)
            kill_server "${rest#* }" && touch "$guest/out/killed.${rest% *}"
            ;;
        upgrade)
            upgrade_server && touch "$guest/out/upgraded.$rest"
            ;;
        gone)
            echo "     $rest"
            ;;
        done)
            job=
            break
            ;;
        esac
    done
    if [ -n "$job" ]; then
        local what="died or hung"
        server_alive || what="lost its server"
        echo "FAIL $vers/nconnect=$nconnect$label the guest $what: $job"
        failure "guest:${job// /-}"
        explain "$job"
        echo "    --- the guest's console"
        tail -n 40 "$guest/console" | indent
    fi
    if [ -n "${expected// /}" ]; then
        echo "     not run:$expected"
        failure not-run
    fi
    stop_guest
}
