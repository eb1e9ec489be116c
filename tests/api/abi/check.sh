#!/bin/sh
# SPDX-License-Identifier: MIT
# Fails on any difference between the binary interface and its record: symbols, types of functions, constants.
# Usage: check.sh LIBRARY INCLUDE; LIBRARY has debug information.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
library=$1
include=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# same WHAT RECORDED: compares with what is in $scratch/found.
same() {
    diff -u "$2" "$scratch/found" >"$scratch/difference" && return 0
    echo "$1: recorded (-) and found (+) differ"
    grep '^[-+][^-+]' "$scratch/difference"
    failed=1
}

sh "$here/symbols.sh" "$library" >"$scratch/found"
same "exported symbols" "$here/symbols.txt"
echo "$(grep -c DIRAC_ "$scratch/found") symbols"
sh "$here/debian_symbols.sh" "$here/symbols.txt" >"$scratch/found"
same "symbols of the Debian package" "$(ls "$here"/../../../docs/packaging/debian/libdirac*.symbols)"
sh "$here/constants.sh" "$include" >"$scratch/found"
same "public constants" "$here/constants.txt"
echo "$(wc -l <"$scratch/found") constants"

sh "$here/dump.sh" "$library" "$scratch/found.abi"
arch=$(sh "$here/architecture.sh" "$scratch/found.abi")
record=$here/$arch.abi
if [ -f "$record" ]; then
    abidiff --harmless "$record" "$scratch/found.abi" >"$scratch/report" || { cat "$scratch/report"; failed=1; }
    echo "$(grep -c '<function-decl' "$scratch/found.abi") functions with their types"
else
    echo "no record of types for $arch yet: sh tests/api/record.sh makes it"
fi

if [ $failed = 1 ]; then
    cat <<'TEXT'

The binary interface is not what is recorded. If you did not mean to change it, undo the change. If you did:
  1. sh tests/api/record.sh        records what was added (it refuses what breaks programs, and says what to do then)
  2. put the lines that it prints under "ABI" in CHANGELOG.md
  3. commit both together with the change
docs/abi.md says what is promised and how to add, deprecate and break.
TEXT
fi
exit $failed
