#!/usr/bin/env bash
# run.sh BUILD CORPUS: plays each suite of a conformance corpus (its run.py and tools/inbox.sh) against the swarm, and
# probes the emulators of its recorded dialogues (qmp/*.jsonl, in the corpus or beside it), if it has any.
# Fails when a suite of expected.txt has a smaller share of passing cases than is written there.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
VIRTSWARM_BUILD=$(cd "$1" && pwd)
corpus=$(cd "$2" && pwd)
export VIRTSWARM_BUILD DAEMONS="$here/start.sh"
passed=0 failed=0

# judge SUITE LEAST NOTE: reads a run's output; counts it as passed if enough cases are.
judge() {
    local out line share
    out=$(cat)
    line=$(grep -E "^$1: [0-9]+/[0-9]+ passed" <<<"$out" | tail -n 1)
    share=$(sed -nE "s,^$1: ([0-9]+)/([0-9]+) passed.*,\1 \2,p" <<<"$line" | awk '{ print int($1 * 100 / $2) }')
    if [ -n "$share" ] && [ "$share" -ge "$2" ]; then
        passed=$((passed + 1))
        echo "ok   $line (at least $2 %)$3"
    else
        failed=$((failed + 1))
        echo "FAIL ${line:-$1: no figure} (at least $2 %)$3"
        tail -n 5 <<<"$out"
    fi
}

play() {
    timeout 900 "$corpus/tools/inbox.sh" /usr/bin/python3 "$corpus/run.py" --check --suite "$1" \
        --respawn "$here/start.sh" 2>&1 </dev/null
}

while read -r suite least; do
    case "$suite" in '' | '#'*) continue ;; esac
    [ -d "$corpus/$suite" ] || continue
    judge "$suite" "$least" "" < <(play "$suite")
done <"$here/expected.txt"

for VIRTSWARM_DIALOGUES in "$corpus/qmp" "$corpus/../qmp"; do
    ls "$VIRTSWARM_DIALOGUES"/*.jsonl >/dev/null 2>&1 || continue
    export VIRTSWARM_DIALOGUES
    if [ -x /usr/sbin/libvirtd ]; then
        judge probing 100 " of recorded dialogues, facts as C libvirtd's" < <("$here/../../scripts/sandbox.sh" \
            /usr/bin/python3 -B "$here/probing.py" "$VIRTSWARM_BUILD" "$VIRTSWARM_DIALOGUES" 2>&1)
    else
        echo "skip probing: C libvirtd, to compare with, is not installed (libvirt-daemon-system)"
    fi
    [ -d "$corpus/caps" ] || break
    judge caps 97 " from recorded dialogues" < <(DAEMONS="$here/start-replayed.sh" play caps)
    break
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
