#!/usr/bin/env bash
# sandbox.sh COMMAND [ARGUMENT...]: runs a command as root in private mount, network and PID namespaces with libvirt's
# directories empty. Whatever it starts ends with it. SANDBOX_ETC=DIR: /etc/libvirt is that directory, so that what is
# written there is as durable as its disk; otherwise all is in memory.
set -euo pipefail
if [ "${SANDBOX_INSIDE:-}" != 1 ]; then
    exec env SANDBOX_INSIDE=1 unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
        "$0" "$@"
fi
for directory in /run /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mkdir -p "$directory"
    mount -t tmpfs -o mode=755 tmpfs "$directory"
done
# What swtpm writes: its logs, and the authority that signs the certificates of new TPMs.
mkdir -p /var/log/swtpm
mount -t tmpfs -o mode=755 tmpfs /var/log/swtpm
authority=/var/lib/swtpm-localca
if [ -d "$authority" ]; then
    mount -t tmpfs -o "$(stat -c 'mode=%a,uid=%u,gid=%g' "$authority")" tmpfs "$authority"
fi
mkdir -p /etc/libvirt /run/libvirt /run/lock /run/home /var/lib/libvirt/images
if [ -n "${SANDBOX_ETC:-}" ]; then
    mount --bind "$SANDBOX_ETC" /etc/libvirt
else
    mount -t tmpfs -o mode=755 tmpfs /etc/libvirt
fi
# C libvirtd asks QEMU again at every call when /dev/kvm may be opened and does not work: a /dev without it. (Not a mount
# over it: libvirtd cannot take such a one along into its guests' namespaces.)
if [ -e /dev/kvm ]; then
    new=/run/dev
    mkdir "$new"
    mount -t tmpfs -o mode=755 tmpfs "$new"
    for node in null zero full random urandom tty; do cp -a "/dev/$node" "$new/"; done
    mkdir "$new/pts" "$new/shm" "$new/net"
    cp -a /dev/net/tun "$new/net/" 2>/dev/null || true
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$new/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$new/shm"
    ln -s pts/ptmx "$new/ptmx"
    ln -s /proc/self/fd "$new/fd"
    for number in 0 1 2; do ln -s "fd/$number" "$new/$(echo stdin stdout stderr | cut -d' ' -f$((number + 1)))"; done
    mount --move "$new" /dev
    rmdir "$new"
fi
ip link set lo up
export HOME=/run/home LC_ALL=C
unset XDG_RUNTIME_DIR DISPLAY DBUS_SESSION_BUS_ADDRESS TMPDIR
"$@"
