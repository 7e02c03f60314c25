#!/usr/bin/env bash
# run.sh BUILD GUEST [FILTER]: the integration tests, with real virsh, libvirt-python and QEMU, in private namespaces.
# Ends with "N passed, N failed".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
guest=$(cd "$2" && pwd)
[ "$(id -u)" = 0 ] || { echo "the integration tests need root: namespaces, bridges and QEMU's devices"; exit 1; }
exec "$here/../../scripts/sandbox.sh" /usr/bin/python3 -B "$here/suite.py" "$build" "$guest" "${3:-}"
