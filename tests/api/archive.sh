#!/bin/sh
# SPDX-License-Identifier: MIT
# What leaves the static library: every global name begins with dirac_, and those that a shared library which takes it
# in would export in turn (visibility default) are the functions that the headers declare, no more and no less. The rest
# are hidden and begin with dirac__ (two underscores): functions of the library's own that cross files.
# Usage: archive.sh ARCHIVE INCLUDE
set -eu
command -v readelf >/dev/null || { echo "no readelf here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# Num: Value Size Type Bind Vis Ndx Name
readelf -sW "$1" | awk '($5 == "GLOBAL" || $5 == "WEAK") && $7 != "UND" { print $6, $8 }' | sort -u >"$scratch/global"
sed -n 's/^DEFAULT //p' "$scratch/global" >"$scratch/public"
sed -n 's/^[HI][A-Z]* //p' "$scratch/global" >"$scratch/hidden"
[ "$(wc -l <"$scratch/hidden")" -gt 100 ] || { echo "no symbols were found"; exit 1; }

sh "$(dirname "$0")/declared.sh" "$2" >"$scratch/declared"
if ! diff "$scratch/declared" "$scratch/public" >"$scratch/difference"; then
    echo "declared (<) and visible (>) functions differ:"
    cat "$scratch/difference"
    failed=1
fi
if grep -v '^dirac__' "$scratch/hidden"; then
    echo "the names above cross files and do not begin with dirac__"
    failed=1
fi
echo "$(wc -l <"$scratch/public") public functions, $(wc -l <"$scratch/hidden") hidden names"
exit $failed
