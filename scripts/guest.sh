#!/usr/bin/env bash
# guest.sh DIRECTORY: builds a small real Linux guest from Debian packages, once: vmlinuz and initrd.gz.
# It boots in seconds without KVM and speaks on ttyS0: GUEST-UP, GUEST-DISK, GUEST-IP after DHCP, then "tick N" each
# second. It powers off and reboots on the ACPI button, and takes commands on its console.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=7
if [ "$(cat "$out/version" 2>/dev/null)" = "$version" ] && [ -s "$out/vmlinuz" ] && [ -s "$out/initrd.gz" ]; then exit 0; fi

echo "building the guest in $out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
kernel() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }'; }
[ -n "$(kernel)" ] || apt-get update -q >/dev/null
apt-get download -q "$(kernel)" busybox-static >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" tree; done
cp tree/boot/vmlinuz-* "$out/vmlinuz"

mkdir -p root/{bin,dev,etc/acpi/PWRF,etc/udhcpc,mod,proc,run,sbin,sys,tmp}
cp tree/bin/busybox root/bin/busybox
for applet in $(root/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "root/bin/$applet"
done
# The order of loading: each behind what it needs.
count=10
for module in failover net_failover virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci \
    virtio_blk virtio_net virtio_scsi virtio_balloon virtio_console virtio-rng evdev button; do
    file=$(find tree/lib/modules -name "$module.ko*" | head -n 1)
    [ -n "$file" ] || continue
    cp "$file" "root/mod/$count-$(basename "$file")"
    count=$((count + 1))
done
case "$(ls root/mod | head -n 1)" in *.xz) unxz root/mod/*.xz ;; esac

cat >root/etc/udhcpc/script <<'SCRIPT'
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/${mask:-24}" dev "$interface"
[ -z "$router" ] || ip route replace default via "${router%% *}" dev "$interface"
echo "GUEST-IP $ip" >/dev/console
SCRIPT
printf '#!/bin/sh\npoweroff -f\n' >root/sbin/power-button
ln -s /sbin/power-button root/etc/acpi/PWRF/00000080
echo 'PWRF/00000080 power-button' >root/etc/acpi.conf
cat >root/init <<'SCRIPT'
#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for pass in 1 2; do for module in /mod/*; do insmod "$module" 2>/dev/null; done; done
ip link set lo up
# What is typed is answered, not echoed: an echo would cut into the lines.
stty -echo 2>/dev/null
echo "GUEST-UP $(cut -d ' ' -f 1 /proc/uptime)"
for disk in /sys/block/vd? /sys/block/sd?; do
    [ -e "$disk" ] && echo "GUEST-DISK $(basename "$disk") $(cat "$disk/size")"
done
(
    while [ ! -e /dev/input/event0 ]; do sleep 1; done
    acpid -d -f -c /etc/acpi >/dev/null 2>&1
) &
if [ -e /sys/class/net/eth0 ]; then
    ip link set eth0 up
    udhcpc -i eth0 -t 30 -T 2 -b -s /etc/udhcpc/script >/dev/null 2>&1 &
fi
(
    number=0
    while sleep 1; do
        # Whoever makes this directory has the terminal: a burst's lines and a tick's must not meet within a line.
        mkdir /tmp/terminal 2>/dev/null || continue
        number=$((number + 1))
        echo "tick $number"
        rmdir /tmp/terminal
    done
) &
while true; do
    read -r line || { sleep 1; continue; }
    case "$line" in
        echo\ *) echo "GUEST-SAYS ${line#echo }" ;;
        burst\ *)
            until mkdir /tmp/terminal 2>/dev/null; do :; done
            seq 1 "${line#burst }" | sed 's/^/burst /'
            rmdir /tmp/terminal
            ;;
        write\ *)
            echo "${line#write }" | dd of=/dev/vda bs=512 conv=sync 2>/dev/null
            sync
            echo "GUEST-WROTE ${line#write }"
            ;;
        show) echo "GUEST-READS $(dd if=/dev/vda bs=512 count=1 2>/dev/null | tr -d '\000')" ;;
        reboot) reboot -f ;;
        poweroff) poweroff -f ;;
    esac
done
SCRIPT
chmod +x root/init root/sbin/power-button root/etc/udhcpc/script
(cd root && find . | cpio -o -H newc --owner=0:0 2>/dev/null | gzip -9) >"$out/initrd.gz"
echo "$version" >"$out/version"
