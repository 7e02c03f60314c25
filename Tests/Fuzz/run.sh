#!/usr/bin/env bash
# run.sh SECONDS [NAME...]: builds and runs each fuzz target for so long. A finding ends it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seconds=$1
shift
out=$here/../../.build/fuzz
if [ $# -eq 0 ]; then set -- $(basename -s .swift -a "$here"/Fuzz*.swift | sed 's/^Fuzz//'); fi
passed=0
for name in "$@"; do
    "$here/build.sh" "$name" "$out" >"$out-$name.log" 2>&1 || { cat "$out-$name.log"; exit 1; }
    mkdir -p "$out/corpus-$name"
    SWIFT_BACKTRACE=enable=no "$out/Fuzz$name" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$out/" "$out/corpus-$name" 2>&1 | grep -E '^(stat::number_of_executed_units|==|SUMMARY)' |
        sed "s/^/$name: /"
    passed=$((passed + 1))
done
echo "$passed passed, 0 failed"
