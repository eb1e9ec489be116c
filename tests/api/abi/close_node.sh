#!/bin/sh
# SPDX-License-Identifier: MIT
# At a release: lists the functions of the newest version node by name, so that no later function joins it, and opens
# the node of the next minor release, which takes the pattern over. Usage: close_node.sh ROOT
set -eu
map=$1/lib/dirac.map
symbols=$1/tests/api/abi/symbols.txt
newest=$(sed -n 's/^\(DIRAC_[0-9.]*\) {$/\1/p' "$map" | tail -1)
before=$(sed -n "/^$newest {/,\$ s/^}\(.*\);\$/\1/p" "$map")
number=${newest#DIRAC_}
next=DIRAC_${number%.*}.$((${number#*.} + 1))
names=$(awk -v node="$newest" '$2 == node { print "        " $1 ";" }' "$symbols")
[ -n "$names" ] || { echo "no function of $newest is recorded: nothing to close"; exit 1; }
{
    sed "/^$newest {/,\$d" "$map"
    printf '%s {\n    global:\n%s\n}%s;\n\n' "$newest" "$names" "$before"
    printf '%s {\n    global: dirac_[a-z]*;\n    local: *;\n} %s;\n' "$next" "$newest"
} >"$map.tmp"
mv "$map.tmp" "$map"
echo "$newest is closed; new functions go to $next"
