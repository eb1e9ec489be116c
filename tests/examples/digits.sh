#!/bin/sh
# SPDX-License-Identifier: MIT
# The program `digits`: its last three lines, at least 98 % before and after folding. Usage: digits.sh PROGRAM
set -eu
program=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$program" >out 2>err || { cat out err; exit 1; }
tail -3 out
tail -3 out | awk '
    NR == 1 { if (!/^test accuracy [0-9]+\.[0-9][0-9] %$/ || $3 < 98) exit 1 }
    NR == 2 { if (!/^folded accuracy [0-9]+\.[0-9][0-9] %$/ || $3 < 98) exit 1 }
    NR == 3 { if (!/^fold difference [0-9.e+-]+$/ || $3 > 1e-3) exit 1; good = 1 }
    END { exit !good }'
