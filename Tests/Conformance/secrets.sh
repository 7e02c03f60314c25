#!/usr/bin/env bash
# secrets.sh: a C libvirtd for secrets only, where the host has no virtsecretd: it has directories of its own, so that it
# sees nothing of the swarm's guests, and its socket is known to the swarm as virtsecretd's.
set -eu
own=/run/virtswarm-secrets
[ -S /run/libvirt/virtsecretd-sock ] && exit 0
[ -x /usr/sbin/libvirtd ] || exit 0
mkdir -p "$own" /run/libvirt
printf '%s\n' "unix_sock_dir = \"$own\"" 'auth_unix_ro = "none"' 'auth_unix_rw = "none"' >"$own/libvirtd.conf"
unshare --mount --propagation private /bin/sh -c '
    for directory in /run/libvirt /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
        mkdir -p "$directory" && mount -t tmpfs tmpfs "$directory"
    done
    exec env -i PATH="$PATH" HOME=/root /usr/sbin/libvirtd -d --timeout 0 --config "$0/libvirtd.conf" \
        --pid-file "$0/libvirtd.pid"' "$own"
for _ in $(seq 100); do
    [ -S "$own/libvirt-sock" ] && break
    sleep 0.1
done
ln -sf "$own/libvirt-sock" /run/libvirt/virtsecretd-sock
