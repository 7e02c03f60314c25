#!/usr/bin/env bash
# run.sh BUILD GUEST: the six daemons and a demo guest, privately, in the foreground. Ctrl-C ends everything.
# All files are below one directory; networks live in a network namespace of their own.
set -euo pipefail
build=$(cd "$1" && pwd)
guest=$(cd "$2" && pwd)
if [ "${VIRTSWARM_INSIDE:-}" != 1 ]; then exec env VIRTSWARM_INSIDE=1 unshare --net "$0" "$@"; fi

dir=${VIRTSWARM_DIR:-$(mktemp -d /tmp/virtswarm.XXXXXX)}
chmod 755 "$dir"
uri="qemu:///system?socket=$dir/run/libvirt/libvirt-sock"
pids=()
finish() {
    trap '' INT TERM
    trap - EXIT
    echo
    echo "stopping"
    virsh -q -c "$uri" destroy demo 2>/dev/null || true
    virsh -q -c "$uri" net-destroy default 2>/dev/null || true
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    [ -n "${VIRTSWARM_DIR:-}" ] || rm -rf "$dir"
}
trap finish EXIT
trap 'exit 0' INT TERM

ip link set lo up
mkdir -p "$dir/etc/libvirt" "$dir/var/lib/libvirt/images"
printf 'user = "root"\ngroup = "root"\n' >"$dir/etc/libvirt/qemu.conf"
cp "$guest/vmlinuz" "$guest/initrd.gz" "$dir/var/lib/libvirt/images/"
echo "starting the swarm below $dir"
for daemon in virtlogd virtlockd virtnetworkd virtstoraged virtqemud virtproxyd; do
    setsid --wait "$build/$daemon" --root "$dir" 2>"$dir/$daemon.stderr" &
    pids+=($!)
    echo "  $daemon"
done
printf 'waiting for them '
for _ in $(seq 150); do
    virsh -q -c "$uri" list >/dev/null 2>&1 && break
    printf .
    sleep 0.2
done
echo
virsh -q -c "$uri" list >/dev/null

virsh -q -c "$uri" net-define /dev/stdin <<'XML'
<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
XML
virsh -q -c "$uri" net-start default
virsh -q -c "$uri" pool-create-as images dir --target "$dir/var/lib/libvirt/images"
virsh -q -c "$uri" vol-create-as images demo.qcow2 256M --format qcow2
virsh -q -c "$uri" define /dev/stdin <<XML
<domain type='qemu'>
  <name>demo</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$dir/var/lib/libvirt/images/vmlinuz</kernel>
    <initrd>$dir/var/lib/libvirt/images/initrd.gz</initrd>
    <cmdline>console=ttyS0 quiet panic=1</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='$dir/var/lib/libvirt/images/demo.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'><source network='default'/><model type='virtio'/></interface>
    <serial type='pty'><log file='$dir/var/log/libvirt/qemu/demo-console.log' append='off'/></serial>
  </devices>
</domain>
XML
virsh -q -c "$uri" start demo
cat <<TEXT

The guest "demo" is starting; what follows is its console. From another terminal:

    virsh -c '$uri' list

Ctrl-C ends everything.

TEXT
tail -n +1 -F "$dir/var/log/libvirt/qemu/demo-console.log" 2>/dev/null &
pids+=($!)
wait
