#!/usr/bin/env bash
# systemd.sh BUILD GUEST: every daemon is restarted and killed under a running guest, beneath a real systemd that is
# PID 1 of private namespaces. VIRTSWARM_REPEAT: how often each (3); VIRTSWARM_KILLS: virtlogd under ten writers (10);
# VIRTSWARM_FILTER: a part of the names of what is done. Ends with "N passed, N failed". The host's files are read-only in
# there, and everything that runs in there ends with its PID 1.
set -euo pipefail
manager=/lib/systemd/systemd
here=$(cd "$(dirname "$0")" && pwd)
self=$here/$(basename "$0")

# The first process of the namespaces: empties the directories that the daemons write to, and becomes systemd.
if [ "${VIRTSWARM_STAGE:-}" = manager ]; then
    for directory in $VIRTSWARM_PRIVATE; do mount -t tmpfs -o mode=755 tmpfs "$directory"; done
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /run/lock /run/libvirt /run/home /var/lib/libvirt/images
    [ ! -e /dev/kvm ] || { : >/run/no-kvm && mount --bind /run/no-kvm /dev/kvm; }
    units=/etc/systemd/system
    # Daemons and units are as "make install" puts them; only where they write their errors to is the test's.
    "$here/../../scripts/install.sh" "$VIRTSWARM_BUILD" /run/install /usr >/dev/null
    for part in sbin libexec; do
        mkdir -p "/run/work/$part"
        mount -t overlay -o "lowerdir=/usr/$part,upperdir=/run/install/usr/$part,workdir=/run/work/$part" \
            overlay "/usr/$part"
    done
    cp "/run/install/lib/systemd/system/"* "$units/"
    for unit in "$units"/virt*.service; do
        name=$(basename "$unit")
        mkdir "$unit.d"
        printf '[Service]\nStandardError=append:/run/%s.stderr\n' "${name%.service}" >"$unit.d/test.conf"
    done
    # Nothing of the distribution starts beside the daemons.
    for unit in /lib/systemd/system/{sysinit,basic,sockets,timers,local-fs,paths,slices}.target.wants/*; do
        [ ! -e "$unit" ] || ln -sf /dev/null "$units/$(basename "$unit")"
    done
    [ ! -e /etc/fstab ] || mount --bind /dev/null /etc/fstab
    ip link set lo up
    for directory in / /proc/sys/fs /proc/sys/kernel; do
        [ "$directory" = / ] || mount --bind "$directory" "$directory"
        mount -o remount,bind,ro "$directory"
    done
    exec env -i container=virtswarm PATH="$PATH" LC_ALL=C HOME=/run/home \
        $manager --system --unit=basic.target --log-target=null --show-status=no
fi

skip() {
    echo "systemd tests skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

# The process between the host and the namespaces: has a control group made, and removed again.
if [ "${VIRTSWARM_STAGE:-}" = outer ]; then
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || skip "no control groups of version 2"
    group=/sys/fs/cgroup/virtswarm-test-$$
    mkdir "$group" 2>/dev/null || skip "control groups cannot be made"
    manager_pid='' launcher=''
    finish() {
        [ -z "$manager_pid" ] || kill -KILL "$manager_pid" 2>/dev/null || true
        [ -z "$launcher" ] || kill -KILL "$launcher" 2>/dev/null || true
        { wait "$launcher"; } 2>/dev/null || true
        for _ in $(seq 100); do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -e "$group" ] || break
            sleep 0.1
        done
    }
    trap finish EXIT
    trap 'exit 1' INT TERM HUP
    # The group is left for the launcher's children only: the cgroup namespace starts there.
    VIRTSWARM_STAGE=manager bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare --cgroup --mount --pid --net \
        --uts --ipc --fork --kill-child --mount-proc --propagation private "$@"' - "$group" "$self" >/dev/null 2>&1 &
    launcher=$!
    for _ in $(seq 300); do
        child=$(pgrep -P "$launcher" | head -n 1 || true)
        [ -n "$child" ] && [ "$(cat "/proc/$child/comm" 2>/dev/null)" = systemd ] && manager_pid=$child && break
        sleep 0.1
    done
    [ -n "$manager_pid" ] || skip "systemd does not start here"
    inside() { nsenter -t "$manager_pid" --mount --pid --net --uts --ipc --cgroup "$@"; }
    state=
    for _ in $(seq 300); do
        state=$(inside systemctl is-system-running 2>/dev/null || true)
        case $state in running | degraded) break ;; esac
        sleep 0.1
    done
    case $state in running | degraded) ;; *) skip "systemd does not come up here (${state:-no answer})" ;; esac
    status=0
    inside env -u XDG_RUNTIME_DIR -u DISPLAY -u DBUS_SESSION_BUS_ADDRESS HOME=/run/home LC_ALL=C \
        /usr/bin/python3 -B "$here/systemd.py" "$VIRTSWARM_BUILD" "$VIRTSWARM_GUEST" || status=$?
    exit "$status"
fi

export VIRTSWARM_BUILD VIRTSWARM_GUEST VIRTSWARM_STAGE
VIRTSWARM_BUILD=$(cd "$1" && pwd)
VIRTSWARM_GUEST=$(cd "$2" && pwd)
[ "$(id -u)" = 0 ] || { echo "the systemd tests need root: namespaces and control groups"; exit 1; }
for program in virtqemud virtnetworkd virtstoraged virtlogd virtlockd virtproxyd virtleaseshelper; do
    [ -x "$VIRTSWARM_BUILD/$program" ] || { echo "there is no $program in $VIRTSWARM_BUILD"; exit 1; }
done
[ -x $manager ] || skip "no $manager"
export VIRTSWARM_PRIVATE="/run /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt /etc/systemd/system"
case $here:$VIRTSWARM_BUILD:$VIRTSWARM_GUEST in
    /tmp/* | *:/tmp/*) ;;
    *) VIRTSWARM_PRIVATE="$VIRTSWARM_PRIVATE /tmp" ;;
esac
mkdir -p $VIRTSWARM_PRIVATE
VIRTSWARM_STAGE=outer
exec unshare --mount --propagation private "$self"
