# shellcheck shell=bash
# What the client and the server count.

# transports DIR: a line "LOCAL-PORT CONNECTS SENDS" for each connection of the mount.
transports() { stanza "$1" | awk '$1 == "xprt:" && $2 == "tcp" { print $3, $5, $8 }'; }

# operations DIR NAME: how many of these operations the mount has sent.
operations() { stanza "$1" | awk -v name="$2:" '$1 == name { print $2 }'; }

stanza() { awk -v dir="$1" '$1 == "device" { on = $5 == dir } on' /proc/self/mountstats; }

# all_carry DIR COUNT COMMAND...: the mount has COUNT connections, and while the command runs each
# of them carries traffic.
all_carry() {
    local dir=$1 count=$2 before
    shift 2
    before=$(transports "$dir")
    "$@"
    transports "$dir" >/tmp/transports
    equal "$(wc -l </tmp/transports)" "$count" "connections of $dir"
    equal "$(awk 'NR == FNR { sends[$1] = $3; next } $3 > sends[$1]' \
        <(echo "$before") /tmp/transports | wc -l)" "$count" "connections of $dir with traffic"
}

# Some hundred requests, each after the one before.
small_files() {
    local number
    for number in {1..64}; do
        echo "$number" >"file-$number"
        read -r _ <"file-$number"
    done
}

# server_counts: what the server counts, a line for each series.
server_counts() {
    exec {server}<>"/dev/tcp/$SERVER/$METRICS_PORT"
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$server"
    sed '1,/^\r$/d; /^#/d' <&"$server"
    exec {server}>&-
}

# server_count NAME [LABEL...]: the sum of the series with this name and these labels.
server_count() {
    local lines label
    lines=$(server_counts | grep -E "^nfs4_nfs_$1[{ ]" || true)
    for label in "${@:2}"; do
        lines=$(grep -F "$label" <<<"$lines" || true)
    done
    awk '{ sum += $NF } END { print sum + 0 }' <<<"$lines"
}

# sessions_with COUNT: how many sessions have that many connections bound to them.
sessions_with() {
    server_counts | awk -v count="$1" '/^nfs4_nfs_connections_bound/ && $NF == count { found++ }
        END { print found + 0 }'
}

# server_bindings: how many bindings of connections to sessions there are.
server_bindings() {
    server_counts | awk '/^nfs4_nfs_connections_bind_total/ { n += $NF }
        /^nfs4_nfs_connections_unbind_total/ { n -= $NF }
        END { print n + 0 }'
}
