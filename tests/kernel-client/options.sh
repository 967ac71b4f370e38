# shellcheck shell=bash disable=SC2034,SC2154 # the settings are read by the files that source this one
# The command line, and which jobs it selects for which mounts.

set_wanted=ci names="" versions="" connections="" address="" limit="" server_args="" memory=""
shell=0 keep=0 list=0 replay=0 record_to= local_files= kills=2 seed=$RANDOM

usage() {
    cat <<'TEXT'
usage: run [options]
  --set mount|ci|full   which jobs (ci); each set contains the one before it
  --full                the same as --set full
  --jobs A,B            these jobs and no others
  --vers 4.1,4.2        mounts to test; without --vers and --nconnect, a job of the set `mount` runs
  --nconnect 1,4        on 4.0 with one connection, and on 4.1 and 4.2 with one and with 4; any other
                        runs on 4.1 with 4 connections, and with --full on 4.0, too
  --server ADDR:PORT    use a running server instead of starting nfs4d
  --limit BYTES         the size of that server's file system (for the job df)
  --server-args "..."   passed on to nfs4d
  --memory BYTES        memory of the server's file system (1 GiB)
  --local tmpfs|FOLDER  nfs4d serves a real directory: on a tmpfs of its own, or below the folder
  --kills N             how often server-killed kills the server, and server-upgraded replaces it (2)
  --seed N              when it does
  --replay              record what the server does, and replay it at the end
  --record-to FILE      the same, and keep the recording
  --list                list the jobs and exit
  --shell               a shell in the guest, in the mount
  --keep                keep logs
environment: NFS4D, path of the server to start (built from this tree when not set);
             NFS4_REPLAY and NFS4CTL, likewise of the programs that replay and administer;
             NFS4_GUEST_CACHE, where the guest is cached (~/.cache/nfs4-guest)
TEXT
}

wrong() {
    echo "run: $*" >&2
    usage >&2
    exit 2
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --full) set_wanted=full ;;
        --shell) shell=1 ;;
        --keep) keep=1 ;;
        --list) list=1 ;;
        --replay) replay=1 ;;
        -h | --help)
            usage
            exit
            ;;
        --set | --jobs | --vers | --nconnect | --server | --limit | --server-args | --memory | --record-to | \
            --local | --kills | --seed)
            [ $# -ge 2 ] || wrong "$1 needs a value"
            case $1 in
            --set) set_wanted=$2 ;;
            --jobs) names=${2//,/ } ;;
            --vers) versions=${2//,/ } ;;
            --nconnect) connections=${2//,/ } ;;
            --server) address=$2 ;;
            --limit) limit=$2 ;;
            --server-args) server_args=$2 ;;
            --memory) memory=$2 ;;
            --record-to) replay=1 record_to=$2 ;;
            --local) local_files=$2 ;;
            --kills) kills=$2 ;;
            --seed) seed=$2 ;;
            esac
            shift
            ;;
        *) wrong "unknown option $1" ;;
        esac
        shift
    done
    [ "$replay" = 0 ] || [ -z "$address" ] || wrong "--replay needs a server that is started here"
    case $set_wanted in mount | ci | full) ;; *) wrong "no set $set_wanted" ;; esac
    local name
    for name in $names; do
        [ -f "$here/guest/jobs/$name" ] || wrong "no job $name"
    done
    [ -z "$local_files" ] || [ -z "$address" ] || wrong "--local needs a server that is started here"
    : "${memory:=$((1 << 30))}"
    # What else is on a disk changes its free space.
    [ -n "$address" ] || case $local_files in '' | tmpfs) limit=$memory ;; esac
    all_mounts=1
    [ -n "$versions$connections" ] || all_mounts=0
    if [ "$shell" = 1 ]; then
        versions=${versions:-4.1} connections=${connections:-4}
    fi
    combinations=
    local version connection
    [ "$all_mounts" = 1 ] || combinations+="4.0/1/uml "
    for version in ${versions:-4.1 4.2}; do
        for connection in ${connections:-1 4}; do
            combinations+="$version/$connection/uml "
        done
    done
    [ "$shell" = 1 ] || combinations+="4.1/8/qemu"
}

# job_header JOB KEY
job_header() { sed -n "s/^# $2: //p" "$here/guest/jobs/$1"; }

job_names() { (cd "$here/guest/jobs" && ls); }

list_jobs() {
    local name
    for name in $(job_names); do
        printf '%-20s %-6s %4s s  %s\n' "$name" "$(job_header "$name" set)" \
            "$(job_header "$name" limit)" "$(sed -n '2s/^# //p' "$here/guest/jobs/$name")"
    done
}

selected() {
    if [ -n "$names" ]; then
        [[ " $names " == *" $1 "* ]]
    else
        case $set_wanted/$(job_header "$1" set) in
        full/* | */mount | ci/ci) true ;;
        *) false ;;
        esac
    fi
}

# job_guest JOB: what its guest runs on.
job_guest() {
    local guest
    guest=$(job_header "$1" guest)
    echo "${guest:-uml}"
}

# runs_on JOB VERS/NCONNECT/KIND: what is not of the set `mount` runs on few mounts by default, and
# what is long, on 4.0 only when everything is wanted; unless it says itself on which.
runs_on() {
    [ "$all_mounts" = 0 ] || return 0
    local set limit mounts
    mounts=$(job_header "$1" mounts)
    if [ -n "$mounts" ]; then
        [[ " $mounts " == *" ${2%/*} "* ]]
        return
    fi
    set=$(job_header "$1" set) limit=$(job_header "$1" limit)
    case $2 in
    4.1/4/uml | */qemu) return 0 ;;
    4.0/1/uml) [ "$set_wanted" = full ] || [ "$set$((limit <= 120))" = mount1 ] ;;
    *) [ "$set" = mount ] ;;
    esac
}

# jobs_for VERS/NCONNECT/KIND
jobs_for() {
    local name
    for name in $(job_names); do
        selected "$name" || continue
        [ "$(job_guest "$name")" = "${1##*/}" ] || continue
        case " $(job_header "$name" vers) " in *" ${1%%/*} "* | "  ") ;; *) continue ;; esac
        case $(job_header "$name" needs) in
        limit) [ -n "$limit" ] || continue ;;
        metrics | delegations) [ -n "$metrics_port" ] || continue ;;
        admin) [ -n "$admin_port" ] || continue ;;
        examples) [ -z "$address" ] || continue ;;
        # A recording ends with its server.
        local) [ -n "$local_files" ] && [ "$replay" = 0 ] || continue ;;
        esac
        runs_on "$name" "$1" || continue
        echo "$name"
    done
}

# Whether a job that needs what is named runs on some mount.
wants() {
    local combination name
    for combination in $combinations; do
        for name in $(jobs_for "$combination"); do
            [ "$(job_header "$name" needs)" != "$1" ] || return 0
        done
    done
    return 1
}
