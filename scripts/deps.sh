#!/usr/bin/env bash
# deps.sh GROUP...: installs the Debian packages of these groups that are missing. Groups: build run test takeover conformance
set -euo pipefail

declare -A groups=(
    [build]="libxml2-dev libsystemd-dev libnl-route-3-dev libgcrypt20-dev pkg-config"
    [run]="qemu-system-x86 qemu-utils dnsmasq-base iptables nftables iproute2 libvirt-clients cpio gzip kmod"
    [test]="qemu-system-x86 qemu-utils dnsmasq-base iptables nftables iproute2 libvirt-clients cpio gzip kmod
            python3-libvirt python3 procps systemd util-linux dbus-daemon polkitd swtpm swtpm-tools"
    [takeover]="libvirt-daemon-system"
    [conformance]="qemu-system-arm qemu-system-misc qemu-system-ppc ebtables ovmf"
)

missing=()
for group in "$@"; do
    for package in ${groups[$group]}; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
            missing+=("$package")
        fi
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
