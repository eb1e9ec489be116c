#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints each public constant as name=value: every enumerator and every macro with a value, but for the release numbers.
# Usage: constants.sh INCLUDE
set -eu
include=$1
cc=${CC:-cc}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '#include <dirac/dirac.h>\n' >"$scratch/all.c"

# After the preprocessor the only names in capitals left are enumerators.
$cc -E -P -I "$include" "$scratch/all.c" | grep -o '\<DIRAC_[A-Z0-9_]*\>' >"$scratch/names"
# "#define NAME value"; guards have no value, macros with arguments have a parenthesis.
$cc -E -dM -I "$include" "$scratch/all.c" | awk '
    $2 ~ /^DIRAC_[A-Z0-9_]+$/ && NF > 2 && $2 !~ /^DIRAC_(API|BEGIN|END|VERSION_MAJOR|VERSION_MINOR|VERSION_PATCH)$/ {
        print $2
    }' >>"$scratch/names"
{
    printf '#include <dirac/dirac.h>\n#include <stdio.h>\nint main(void)\n{\n'
    sort -u "$scratch/names" | sed 's/.*/    printf("&=%lld\\n", (long long)(&));/'
    printf '    return 0;\n}\n'
} >"$scratch/print.c"
$cc -std=c11 -Werror -I "$include" "$scratch/print.c" -o "$scratch/print"
"$scratch/print" | LC_ALL=C sort
