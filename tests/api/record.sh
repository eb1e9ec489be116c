#!/bin/sh
# SPDX-License-Identifier: MIT
# Records the binary interface under tests/api/abi after it was changed on purpose; docs/abi.md says when that is right.
#   sh tests/api/record.sh             records what was added; refuses if anything recorded was changed or removed
#   sh tests/api/record.sh --break     records that too: before the first release, or with a new DIRAC_ABI_VERSION
#   sh tests/api/record.sh --release   closes the newest version node: its functions are listed in lib/dirac.map
# BUILD_ROOT (default: build-tests) holds the build.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/api/abi
build=${BUILD_ROOT:-$root/build-tests}/abi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

case ${1:-} in
"" | --break) ;;
--release) exec sh "$here/close_node.sh" "$root" ;;
*) sed -n '4,6p' "$0"; exit 2 ;;
esac
for tool in abidw meson ninja gcc; do
    command -v $tool >/dev/null ||
        { echo "missing: $tool (apt-get install abigail-tools meson ninja-build gcc)"; exit 1; }
done

{
    [ -f "$build/build.ninja" ] || CC=gcc meson setup "$build" "$root" -Dtests=enabled -Dexamples=disabled
    ninja -C "$build" abi-library
} >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
library=$build/tests/api/abi/libdirac.so
sh "$here/symbols.sh" "$library" >"$scratch/symbols.txt"
CC=gcc sh "$here/constants.sh" "$root/include" >"$scratch/constants.txt"
sh "$here/dump.sh" "$library" "$scratch/types.abi"
arch=$(sh "$here/architecture.sh" "$scratch/types.abi")

# What programs built against the record would miss.
broken=$scratch/broken
: >"$broken"
for table in symbols.txt constants.txt; do
    [ ! -f "$here/$table" ] || LC_ALL=C comm -23 "$here/$table" "$scratch/$table" >>"$broken"
done
if [ -f "$here/$arch.abi" ]; then
    abidiff --no-added-syms "$here/$arch.abi" "$scratch/types.abi" >"$scratch/report" ||
        cat "$scratch/report" >>"$broken"
fi
if [ -s "$broken" ]; then
    echo "Changed or removed:"
    cat "$broken"
    if [ "${1:-}" != --break ]; then
        echo "This breaks programs that use it; nothing was recorded. See docs/abi.md, \"Breaking\"."
        exit 1
    fi
    # A map that lists functions has seen a release: from then on a break needs a soname of its own.
    if grep -q '^ *dirac_[a-z0-9_]*;' "$root/lib/dirac.map" && ! grep -q '^DIRAC_ABI_VERSION' "$broken"; then
        echo "There has been a release with this DIRAC_ABI_VERSION: raise it first. Nothing was recorded."
        exit 1
    fi
fi

echo "For CHANGELOG.md, under \"ABI\":"
for table in symbols.txt constants.txt; do
    touch "$here/$table"
    LC_ALL=C comm -13 "$here/$table" "$scratch/$table" | sed 's/ .*//; s/.*/- Added: `&`./'
    LC_ALL=C comm -23 "$here/$table" "$scratch/$table" | sed 's/ .*//; s/.*/- Removed or changed: `&`./'
done
cp "$scratch/symbols.txt" "$scratch/constants.txt" "$here/"
cp "$scratch/types.abi" "$here/$arch.abi"
packages=$root/docs/packaging/debian
rm -f "$packages"/libdirac*.symbols
package=libdirac$(sed -n 's/^soname .*so\.//p' "$here/symbols.txt")
sh "$here/debian_symbols.sh" "$here/symbols.txt" >"$packages/$package.symbols"
echo "recorded: symbols.txt, constants.txt and $arch.abi in tests/api/abi, and Debian's symbols file"
