#!/usr/bin/env bash
# install.sh BUILD DESTDIR PREFIX: binaries, the lease helper, polkit's actions and systemd units.
set -euo pipefail
build=$1 root=$2 prefix=$3
here=$(cd "$(dirname "$0")/.." && pwd)
for daemon in virtqemud virtnetworkd virtstoraged virtlogd virtlockd virtproxyd; do
    install -D -m 755 "$build/$daemon" "$root$prefix/sbin/$daemon"
done
install -D -m 755 "$build/virtleaseshelper" "$root$prefix/libexec/virtswarm/virtleaseshelper"
install -D -m 644 "$here/packaging/virtswarm.policy" "$root$prefix/share/polkit-1/actions/virtswarm.policy"
units=/lib/systemd/system
for unit in "$here"/systemd/*.service "$here"/systemd/*.socket; do
    install -d "$root$units"
    sed "s|@sbindir@|$prefix/sbin|g" "$unit" >"$root$units/$(basename "$unit")"
done
echo "installed below ${root:-/}; start with: systemctl enable --now virtproxyd.socket virtqemud.socket \
virtnetworkd.socket virtstoraged.socket virtlogd.socket virtlockd.socket"
