#!/usr/bin/env bash
# run.sh BUILD CORPUS: plays each suite of a conformance corpus (its run.py and tools/inbox.sh) against the swarm.
# Fails when a suite of expected.txt has a smaller share of passing cases than is written there.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
VIRTSWARM_BUILD=$(cd "$1" && pwd)
corpus=$(cd "$2" && pwd)
export VIRTSWARM_BUILD DAEMONS="$here/start.sh"
passed=0 failed=0
while read -r suite least; do
    case "$suite" in '' | '#'*) continue ;; esac
    [ -d "$corpus/$suite" ] || continue
    out=$(timeout 900 "$corpus/tools/inbox.sh" /usr/bin/python3 "$corpus/run.py" --check --suite "$suite" \
        --respawn "$here/start.sh" 2>&1 </dev/null)
    line=$(grep -E "^$suite: [0-9]+/[0-9]+ passed" <<<"$out" | tail -n 1)
    share=$(sed -nE "s,^$suite: ([0-9]+)/([0-9]+) passed.*,\1 \2,p" <<<"$line" | awk '{ print int($1 * 100 / $2) }')
    if [ -n "$share" ] && [ "$share" -ge "$least" ]; then
        passed=$((passed + 1))
        echo "ok   $line (at least $least %)"
    else
        failed=$((failed + 1))
        echo "FAIL ${line:-$suite: no figure} (at least $least %)"
        tail -n 5 <<<"$out"
    fi
done <"$here/expected.txt"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
