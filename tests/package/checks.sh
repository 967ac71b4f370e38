# What must hold of the package; each function prints why it does not.

packages=/run/nfs4-package
unit=contrib/systemd/nfs4d.service

contents() {
    local files name
    files=$(dpkg-deb --contents "$1" | awk '{ print $6 }') || return
    for name in usr/bin/nfs4d usr/bin/nfs4ctl etc/nfs4d/nfs4d.toml usr/lib/systemd/system/nfs4d.service \
        usr/lib/systemd/system/nfs4d.socket usr/share/man/man8/nfs4d.8.gz usr/share/man/man1/nfs4ctl.1.gz \
        usr/share/bash-completion/completions/nfs4ctl usr/share/doc/nfs4d/copyright \
        usr/share/doc/nfs4d/SUMMARY.md; do
        grep -qx "./$name" <<<"$files" || {
            echo "$name is not in the package: $files"
            return 1
        }
    done
    [ "$(dpkg-deb --ctrl-tarfile "$1" | tar -xO ./conffiles)" = /etc/nfs4d/nfs4d.toml ]
}

scripts_are_plain_sh() {
    local script
    for script in contrib/debian/p*; do
        dash -n "$script" || return
    done
}

exposure() {
    local level
    level=$(systemd-analyze security --offline=true "$unit" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
    echo "exposure $level"
    awk -v level="$level" 'BEGIN { exit !(level > 0 && level < 3.0) }'
}

# The files of the system, without those that any use of dpkg, systemd and containers changes.
files_now() {
    inside find /etc /usr /var /opt /srv /root -xdev -not -path '/var/lib/dpkg*' -not -path '/var/log*' \
        -not -path '/var/cache*' -not -path '/var/tmp*' -not -path '/var/lib/systemd/*' \
        -not -path '/var/lib/containers/*' | sort
}

install_old() {
    files_now >"$work/before"
    inside dpkg -i $packages/old.deb && inside systemctl is-enabled nfs4d.service &&
        ! inside systemctl is-enabled nfs4d.socket &&
        [ "$(inside stat -c '%a %U' /etc/nfs4d/admin-token)" = '600 root' ] && again_changes_nothing
}

# The package's script is run a second time, as dpkg may.
again_changes_nothing() {
    local token pid
    token=$(inside cat /etc/nfs4d/admin-token) pid=$(main_pid)
    inside env DPKG_MAINTSCRIPT_PACKAGE=nfs4d DPKG_MAINTSCRIPT_NAME=postinst \
        /var/lib/dpkg/info/nfs4d.postinst configure 0.0 &&
        [ "$token" = "$(inside cat /etc/nfs4d/admin-token)" ] && [ "$pid" = "$(main_pid)" ]
}

main_pid() { inside systemctl show --value --property MainPID nfs4d.service; }

units_verify() { inside systemd-analyze verify --man=no nfs4d.service nfs4d.socket; }

is_ready() { inside systemctl is-active nfs4d.service && until_true has_status 'serves 0 clients'; }

has_status() { inside systemctl show --value --property StatusText nfs4d.service | grep -q "$1"; }

# until_true COMMAND...: waits for at most 10 s.
until_true() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$@" && return
        sleep 0.1
    done
    echo "in vain: $*"
    return 1
}

# A NULL call of NFSv4 to this port, and its reply.
null_call() {
    inside bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" || exit
        printf "\x80\0\0\x28\0\0\0\x07\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" >&3
        reply=$(timeout 5 head -c 28 <&3 | od -An -v -tx1 | tr -d " \n")
        [ "$reply" = 80000018000000070000000100000000000000000000000000000000 ] || { echo "reply $reply"; exit 1; }' "$1"
}

ctl() { inside nfs4ctl --server unix:/run/nfs4d/admin.sock "$@"; }

interface_by_unix_socket() { [ "$(ctl -o json clients list | tr -d ' \n')" = '[]' ]; }

# get PATH [HEADER]: the status of the answer.
get() {
    inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/20491 &&
        printf "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%bConnection: close\r\n\r\n" "$0" "${1-}" >&3 &&
        timeout 5 head -n 1 <&3' "$@" | awk '{ print $2 }'
}

interface_by_tcp() {
    local token all
    token=$(inside cat /etc/nfs4d/admin-token)
    all="$(get /api/v1/clients) $(get /api/v1/clients 'Authorization: Bearer wrong-wrong-wrong\r\n') $(get /healthz)"
    all+=" $(get /api/v1/clients "Authorization: Bearer $token\r\n")"
    echo "$all"
    [ "$all" = '401 401 200 200' ]
}

other_users_cannot() {
    local other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    ! inside "${other[@]}" nfs4ctl --server unix:/run/nfs4d/admin.sock clients list &&
        ! inside "${other[@]}" cat /etc/nfs4d/admin-token
}

# The server is not root, has no capability but that of ports, and its system calls are filtered.
confinement() {
    local status line
    status=$(inside cat "/proc/$(main_pid)/status")
    for line in 'Uid:.[1-9].*' 'CapEff:.0000000000000400' 'NoNewPrivs:.1' 'Seccomp:.2'; do
        grep -qx "$line" <<<"$status" || {
            echo "$status"
            return 1
        }
    done
}

reload() {
    local pid
    pid=$(main_pid)
    inside sed -i 's/^#lease_time = .*/lease_time = 33/' /etc/nfs4d/nfs4d.toml &&
        inside systemctl reload nfs4d.service && until_true has_setting lease_time 33 && [ "$pid" = "$(main_pid)" ]
}

# has_setting NAME NUMBER
has_setting() { ctl -o json settings show | tr -d ' \n' | grep -q "\"$1\":$2[,}]"; }

settings_survive() {
    ctl settings update --v4-session-slots 17 && inside systemctl restart nfs4d.service &&
        until_true has_setting v4_session_slots 17
}

# No ping comes of a process that is stopped.
watchdog() {
    local pid drop_in=/run/systemd/system/nfs4d.service.d
    inside mkdir -p $drop_in && inside sh -c "printf '[Service]\nWatchdogSec=2s\nWatchdogSignal=SIGKILL\n' >$drop_in/short.conf" &&
        inside systemctl daemon-reload && inside systemctl restart nfs4d.service || return
    pid=$(main_pid)
    sleep 5
    [ "$pid" = "$(main_pid)" ] || {
        echo "the watchdog ended a server that was well"
        return 1
    }
    inside kill -STOP "$pid" && until_true restarted && until_true null_call 20490 &&
        inside rm -r $drop_in && inside systemctl daemon-reload
}

restarted() { [ "$(inside systemctl show --value --property NRestarts nfs4d.service)" -gt 0 ]; }

socket_activation() {
    inside systemctl stop nfs4d.service && inside systemctl start nfs4d.socket || return
    if inside systemctl --quiet is-active nfs4d.service; then
        echo "the server runs before a client comes"
        return 1
    fi
    null_call 2049 && inside systemctl is-active nfs4d.service && ! null_call 20490 &&
        inside systemctl stop nfs4d.socket nfs4d.service && inside systemctl start nfs4d.service && null_call 20490
}

upgrade() {
    local pid
    pid=$(main_pid)
    inside dpkg -i $packages/new.deb && [ "$(inside dpkg-query -W -f '${Version}' nfs4d)" = 99.0-1 ] &&
        [ "$pid" = "$(main_pid)" ] && inside grep -qx 'lease_time = 33' /etc/nfs4d/nfs4d.toml &&
        inside systemctl restart nfs4d.service && until_true has_setting lease_time 33 && null_call 20490
}

# With what docs/service.md says to add to the unit, and no more. It stays, as it would on a machine.
directories() {
    local drop_in=/run/systemd/system/nfs4d.service.d
    sed -n '/^```ini$/,/^```$/{/^```/d;p}' docs/service.md >"$work/directories.conf" &&
        inside mkdir -p $drop_in /srv/data && inside cp $packages/directories.conf $drop_in/ &&
        inside mount -t tmpfs -o mode=1777 tmpfs /srv/data &&
        inside sh -c 'printf "[[export]]\npath = \"/srv/data\"\npseudo = \"/\"\n" >>/etc/nfs4d/nfs4d.toml' &&
        inside systemctl daemon-reload && inside systemctl restart nfs4d.service &&
        writes 1234 theirs 'written by a client' && has_file theirs '1234 1234' 'written by a client' &&
        # Root of a client is the anonymous user, and no other user writes into the file.
        writes 0 roots 'no root' && has_file roots '65534 65534' 'no root' &&
        ! writes 4321 theirs 'by another' && has_file theirs '1234 1234' 'written by a client' &&
        # A file of the machine's root is not for users.
        inside sh -c 'echo local >/srv/data/local && chmod 640 /srv/data/local' && ! writes 1234 local 'by a client' &&
        # The state directory has moved with the unit's user.
        inside systemctl restart nfs4d.service && until_true has_setting v4_session_slots 17 &&
        until_true writes 1234 theirs 'WRITTEN' && has_file theirs '1234 1234' 'WRITTEN by a client' &&
        lacks_nothing
    local status=$?
    inside umount -l /srv/data
    inside rmdir /srv/data
    return $status
}

# writes UID NAME TEXT: a client of NFS makes a file, if it is not there, and writes into it.
writes() { inside $packages/write_as 127.0.0.1:20490 "$@"; }

# The log does not say that the server does without a right.
lacks_nothing() {
    local log
    log=$(inside journalctl --no-pager --unit nfs4d)
    grep -q 'serving a file system.*/srv/data' <<<"$log" && ! grep 'does not permit\|not the superuser' <<<"$log"
}

# has_file NAME OWNERS TEXT
has_file() {
    local is
    is="$(inside stat -c '%u %g' "/srv/data/$1") $(inside cat "/srv/data/$1")"
    [ "$is" = "$2 $3" ] || {
        echo "$1 is $is"
        return 1
    }
}

remove() {
    inside dpkg -r nfs4d && ! inside systemctl --quiet is-active nfs4d.service && ! inside test -e /usr/bin/nfs4d &&
        inside grep -qx 'lease_time = 33' /etc/nfs4d/nfs4d.toml && inside test -e /etc/nfs4d/admin-token
}

purge() {
    inside dpkg --purge nfs4d && files_now >"$work/after" && diff "$work/before" "$work/after" &&
        ! inside test -e /run/nfs4d && ! inside systemctl cat nfs4d.service
}
