#!/usr/bin/env bash
# takeover.sh BUILD GUEST [FILTER]: guests, networks and pools that were started under C libvirtd are taken over by the
# daemons of BUILD, and the other way round, in private namespaces. Needs libvirt-daemon-system. Ends with
# "N passed, N failed".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
guest=$(cd "$2" && pwd)
[ "$(id -u)" = 0 ] || { echo "the take-over tests need root: namespaces, bridges and QEMU's devices"; exit 1; }
[ -x /usr/sbin/libvirtd ] || { echo "the take-over tests need C libvirtd: libvirt-daemon-system"; exit 1; }
exec "$here/../../scripts/sandbox.sh" /usr/bin/python3 -B "$here/takeover.py" "$build" "$guest" "${3:-}"
