#!/usr/bin/env bash
# start.sh: the swarm of $VIRTSWARM_BUILD in the background, for a corpus runner.
# The corpus speaks of a host without TPM emulators.
for program in swtpm swtpm_setup swtpm_ioctl; do
    if path=$(command -v "$program"); then mount --bind /dev/null "$path"; fi
done
"$(dirname "$0")/secrets.sh" || echo "no secrets"
for daemon in virtlogd virtlockd virtnetworkd virtstoraged virtqemud virtproxyd; do
    "$VIRTSWARM_BUILD/$daemon" -d || echo "$daemon did not start"
done
