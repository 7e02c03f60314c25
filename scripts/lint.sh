#!/usr/bin/env bash
# lint.sh: formatting, file sizes, words that do not belong, and generated code that is out of date.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
complain() { echo "lint: $*"; failed=1; }

mapfile -t files < <(git ls-files '*.swift' ':!*/Generated/*')
swift format lint --strict --configuration .swift-format --parallel "${files[@]}" || complain "formatting"

while read -r lines file; do
    [ "$file" = total ] || [ "$lines" -le 400 ] || complain "$file has $lines lines, 400 at most"
done < <(wc -l "${files[@]}")

forbidden=$(git grep -nE 'try!|as!|fatalError\(|preconditionFailure\(|Task\.detached|-Ounchecked|TODO|FIXME' -- \
    'Sources/*.swift' ':!*/Generated/*' || true)
[ -z "$forbidden" ] || { echo "$forbidden"; complain "these need another way"; }

for script in $(git ls-files '*.sh' .ci/run); do bash -n "$script" || complain "$script"; done
scripts/deps.sh build
swift run -q protocolgen --check || complain "generated code is not current: swift run protocolgen"
[ "$failed" = 0 ] && echo "lint: clean"
exit "$failed"
