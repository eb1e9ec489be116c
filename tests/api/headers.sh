#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, twice over, as C99, C11 and C++17 without a warning, by every compiler found here.
# Usage: headers.sh INCLUDE
set -eu
include=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only"
checked=0

# try COMPILER STANDARD LANGUAGE-SUFFIX
try() {
    command -v "$1" >/dev/null || return 0
    for header in "$include"/dirac/*.h; do
        name=$(basename "$header")
        printf '#include <dirac/%s>\n#include <dirac/%s>\nextern int not_empty;\n' "$name" "$name" >"$scratch/alone.$3"
        # shellcheck disable=SC2086
        "$1" "-std=$2" $warnings -I "$include" "$scratch/alone.$3" || { echo "$1 -std=$2: dirac/$name"; exit 1; }
        checked=$((checked + 1))
    done
}

for compiler in gcc clang; do
    try $compiler c99 c
    try $compiler c11 c
done
for compiler in g++ clang++; do
    try $compiler c++17 cc
done

# A header that dirac.h forgets would be found by nobody.
for header in "$include"/dirac/*.h; do
    name=$(basename "$header")
    case $name in
    dirac.h | export.h) ;;
    *) grep -q "^#include \"$name\"" "$include/dirac/dirac.h" || { echo "dirac.h does not include $name"; exit 1; } ;;
    esac
done
[ "$checked" -gt 0 ] || { echo "no compiler found"; exit 77; }
echo "$checked times a header alone"
