#!/usr/bin/env bash
# start-replayed.sh: start.sh, where each installed emulator of which $VIRTSWARM_DIALOGUES has a dialogue only talks.
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p /run/emulators
cp "$here/replay.py" "$VIRTSWARM_DIALOGUES"/*.jsonl /run/emulators/
chmod 644 /run/emulators/*
for dialogue in /run/emulators/*.jsonl; do
    name=$(basename "$dialogue")
    emulator=/usr/bin/qemu-system-${name%%[.-]*}
    [ -e "$emulator" ] || continue
    program=/run/emulators/$(basename "$emulator")
    printf '#!/bin/sh\nexec /usr/bin/python3 /run/emulators/replay.py %s "$@"\n' "$dialogue" >"$program"
    chmod 755 "$program"
    mount --bind "$program" "$emulator"
done
exec "$here/start.sh"
