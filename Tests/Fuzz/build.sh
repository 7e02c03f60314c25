#!/bin/sh
# Builds a fuzz target of this directory with libFuzzer and AddressSanitizer.
#
# usage: Tests/Fuzz/build.sh NAME [DIRECTORY]     FuzzNAME.swift -> DIRECTORY/FuzzNAME (default: .build/fuzz)
#
# The first lines of the target say what it needs:
#   // modules: CLinux VirtCore VirtWire       modules of the package in the order in which they depend on each other
#   // with: ../VirtWireTests/CodecTable.swift more sources, relative to this directory
#   // flags: -lxml2                           flags of compiler and linker
# Modules are compiled once and again when one of their sources, or a module before them, is newer.
# Seeds, one file each: seeds/NAME.
# Run: SWIFT_BACKTRACE=enable=no .build/fuzz/FuzzNAME -max_total_time=600 [CORPUS]
set -eu
name=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${2:-$root/.build/fuzz}
target=$here/Fuzz$name.swift
mkdir -p "$out"

line() { sed -n "s,^// $1: ,,p" "$target"; }
directory() {
    case $1 in
    QEMUMonitor) echo "$root/Sources/virtqemud/QMP" ;;
    LogDriver) echo "$root/Sources/virtlogd/Driver" ;;
    LockDriver) echo "$root/Sources/virtlockd/Driver" ;;
    QEMUCommand) echo "$root/Sources/virtqemud/Command" ;;
    QEMUDriver) echo "$root/Sources/virtqemud/Driver" ;;
    *) echo "$root/Sources/Shared/$1" ;;
    esac
}
# Whether an object is to be made again; the objects of the modules before it are known.
newer() { [ ! -e "$2" ] || behind "$2" || [ -n "$(find "$1" -name "*.[ch]" -newer "$2" -o -name "*.swift" -newer "$2" | head -1)" ]; }
behind() {
    for before in $objects; do [ "$before" -nt "$1" ] && return 0; done
    return 1
}

flags="-swift-version 6 -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility -package-name virtswarm -parse-as-library -enable-testing
    -sanitize=fuzzer,address -O -g -I $out $(line flags)"
objects=
for module in $(line modules); do
    source=$(directory "$module")
    if [ -e "$source/module.modulemap" ]; then
        flags="$flags -I $source"
        continue
    fi
    object=$out/$module.o
    if [ -d "$source/include" ]; then
        printf 'module %s {\n    umbrella "%s"\n    export *\n}\n' "$module" "$source/include" >"$out/$module.modulemap"
        flags="$flags -Xcc -fmodule-map-file=$out/$module.modulemap"
        if newer "$source" "$object"; then
            echo "compiling $module"
            for file in "$source"/*.c; do
                clang -c -O1 -g -fsanitize=address -I "$source/include" "$file" -o "$out/$module-$(basename "$file").o"
            done
            ld -r "$out/$module"-*.c.o -o "$object"
        fi
    elif newer "$source" "$object"; then
        echo "compiling $module"
        # shellcheck disable=SC2046,SC2086
        swiftc $flags -wmo -emit-module -emit-module-path "$out/$module.swiftmodule" -module-name "$module" \
            -c $(find "$source" -name '*.swift') -o "$object"
    fi
    objects="$objects $object"
done
with=
for file in $(line with); do with="$with $here/$file"; done
echo "linking Fuzz$name"
# shellcheck disable=SC2086
swiftc $flags -use-ld=lld -wmo -module-name "Fuzz$name" "$target" $with $objects -o "$out/Fuzz$name"
