# A Debian that is booted in namespaces, on an overlay of this machine's files.

# Run by the process that becomes systemd; $1 is the work folder.
enter='
set -e
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=755 tmpfs "$1/fs"
mkdir "$1/fs/up" "$1/fs/work" "$1/fs/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/fs/up,workdir=$1/fs/work" overlay "$1/fs/root"
cd "$1/fs/root"
mount -t proc proc proc
# What belongs to the kernel, and so to the whole machine, is for reading.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
if [ "$(cut -d: -f1 /proc/self/cgroup)" = 0 ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/nfs4-package
mount --bind "$1" run/nfs4-package
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for each in null zero full random urandom tty; do
    touch dev/$each
    mount --bind /dev/$each dev/$each
done
touch dev/console
mount --bind "$1/console" dev/console
ip link set lo up
# What a server of this machine has left is not of the one that is installed here.
rm -rf etc/nfs4d var/lib/nfs4d var/lib/private/nfs4d
# Nothing is started beside the basic units, and no policy of a container forbids it.
rm -rf etc/systemd/system/* usr/sbin/policy-rc.d
for each in console-getty systemd-logind systemd-modules-load systemd-remount-fs systemd-sysctl systemd-timesyncd \
    systemd-udevd; do
    ln -s /dev/null etc/systemd/system/$each.service
done
mkdir run/before
pivot_root . run/before
umount -l /run/before
rmdir /run/before
# As systemd finds it on a machine: it passes credentials by mounts that spread.
mount --make-rshared /
exec /usr/bin/env -i container=nfs4-package PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target --show-status=no
'

boot_debian() {
    mkdir "$work/fs"
    touch "$work/console"
    local folder
    for folder in /sys/fs/cgroup /sys/fs/cgroup/*/; do
        [ ! -w "$folder/cgroup.procs" ] || mkdir -p "$folder/nfs4-package" 2>/dev/null
    done
    (
        # Those that take no process without being set up stay as they are.
        for folder in /sys/fs/cgroup/nfs4-package /sys/fs/cgroup/*/nfs4-package; do
            echo "$BASHPID" >"$folder/cgroup.procs"
        done 2>/dev/null
        exec unshare --mount --pid --fork --ipc --uts --net --cgroup --kill-child \
            bash -c "$enter" enter "$work"
    ) >"$work/boot.log" 2>&1 &
    local unshare=$! tries
    for ((tries = 0; tries < 100; tries++)); do
        sleep 0.1
        kill -0 "$unshare" 2>/dev/null || break
        systemd=$(cat "/proc/$unshare/task/$unshare/children" 2>/dev/null)
        systemd=${systemd%% *}
        [ -n "$systemd" ] || continue
        case $(inside systemctl is-system-running 2>/dev/null) in
        running | degraded) return 0 ;;
        esac
    done
    cat "$work/boot.log" "$work/console"
    return 1
}

# Runs a command there.
inside() {
    nsenter --target "$systemd" --mount --uts --ipc --net --pid --cgroup --root --wd \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

journal() { inside journalctl --no-pager --unit nfs4d --lines 60; }

leave_cgroups() {
    local folder
    for folder in /sys/fs/cgroup/nfs4-package /sys/fs/cgroup/*/nfs4-package; do
        [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} \; 2>/dev/null
    done
}
