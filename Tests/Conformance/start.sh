#!/usr/bin/env bash
# start.sh: the swarm of $VIRTSWARM_BUILD in the background, for a corpus runner.
"$(dirname "$0")/secrets.sh" || echo "no secrets"
for daemon in virtlogd virtlockd virtnetworkd virtstoraged virtqemud virtproxyd; do
    "$VIRTSWARM_BUILD/$daemon" -d || echo "$daemon did not start"
done
