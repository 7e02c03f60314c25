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
mkdir -p /etc/libvirt /run/libvirt /run/lock /run/home /var/lib/libvirt/images
if [ -n "${SANDBOX_ETC:-}" ]; then
    mount --bind "$SANDBOX_ETC" /etc/libvirt
else
    mount -t tmpfs -o mode=755 tmpfs /etc/libvirt
fi
# C libvirtd asks QEMU again at every call when /dev/kvm may be opened and does not work: here it may not.
if [ -e /dev/kvm ]; then
    : >/run/no-kvm
    mount --bind /run/no-kvm /dev/kvm
    mount -o remount,bind,ro /dev/kvm
fi
ip link set lo up
export HOME=/run/home LC_ALL=C
unset XDG_RUNTIME_DIR DISPLAY DBUS_SESSION_BUS_ADDRESS
"$@"
