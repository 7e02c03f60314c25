#!/usr/bin/env bash
# run.sh SECONDS [NAME...]: builds each fuzz target and runs it for so long. The findings of libFuzzer are kept in
# .build/fuzz, and what it printed in .build/fuzz/NAME.log. Ends with "N passed, N failed"; a finding is a failure.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=$1
shift
out=$root/.build/fuzz
mkdir -p "$out"
if [ $# -eq 0 ]; then set -- $(basename -s .swift -a "$here"/Fuzz*.swift | sed 's/^Fuzz//'); fi

fuzz() {
    local name=$1 log=$out/$1.log seeds=()
    if ! "$here/build.sh" "$name" "$out" >"$log" 2>&1; then
        cat "$log"
        return 1
    fi
    mkdir -p "$out/corpus-$name"
    [ ! -d "$here/seeds/$name" ] || seeds=("$here/seeds/$name")
    if ! SWIFT_BACKTRACE=enable=no "$out/Fuzz$name" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$out/$name-" "$out/corpus-$name" "${seeds[@]}" >"$log" 2>&1; then
        grep -E '^(==|SUMMARY|artifact_prefix)|Fatal error|Test unit written' "$log" || tail -n 20 "$log"
        return 1
    fi
    # A target that ran nothing proves nothing.
    grep -E '^stat::number_of_executed_units: *[1-9]' "$log"
}

passed=0 failed=0
for name in "$@"; do
    if result=$(fuzz "$name"); then
        passed=$((passed + 1))
        echo "ok   $name: ${result#stat::}"
    else
        failed=$((failed + 1))
        echo "FAIL $name:"
        echo "$result"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
