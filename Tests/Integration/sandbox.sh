#!/usr/bin/env bash
# sandbox.sh COMMAND...: runs a command as root in private mount, network and PID namespaces with empty libvirt
# directories. Whatever it starts ends with it.
set -euo pipefail
if [ "${VIRTSWARM_SANDBOX:-}" != 1 ]; then
    exec env VIRTSWARM_SANDBOX=1 unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
        "$0" "$@"
fi
directories="/run /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt"
mkdir -p $directories
for directory in $directories; do mount -t tmpfs -o mode=755 tmpfs "$directory"; done
mkdir -p /run/libvirt /run/lock /run/home /var/lib/libvirt/images
# An unusable /dev/kvm makes QEMU's capabilities depend on the machine: the tests use emulation everywhere.
[ ! -e /dev/kvm ] || { : >/run/no-kvm && mount --bind /run/no-kvm /dev/kvm; }
ip link set lo up
printf 'user = "root"\ngroup = "root"\n' >/etc/libvirt/qemu.conf
export HOME=/run/home LC_ALL=C
unset XDG_RUNTIME_DIR DISPLAY DBUS_SESSION_BUS_ADDRESS
"$@"
