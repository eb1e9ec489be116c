#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the binary interface of a library with debug information as libabigail sees it, without paths or places.
# Usage: dump.sh LIBRARY OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
abidw --suppr "$here/opaque.suppr" --exported-interfaces-only --no-corpus-path --no-comp-dir-path --no-show-locs \
    --no-elf-needed --no-parameter-names --type-id-style hash --out-file "$2" "$1"
# The path of a file of the library depends on the build folder; its tail does not.
sed "s|path='[^']*/lib/|path='lib/|" "$2" >"$2.tmp"
mv "$2.tmp" "$2"
grep -q "<function-decl" "$2" || { echo "no debug information in $1"; exit 1; }
