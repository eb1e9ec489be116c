#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the symbols file of the Debian package from the record: a symbol is there since the release that its node is
# named after. Usage: debian_symbols.sh SYMBOLS
set -eu
soname=$(sed -n 's/^soname //p' "$1")
echo "$soname libdirac${soname#libdirac.so.} #MINVER#"
echo "* Build-Depends-Package: libdirac-dev"
awk '/^soname/ { next }
    { release = substr($2, 7); nodes[$2] = release; lines[NR] = " " $1 "@" $2 " " release }
    END {
        for (node in nodes) print " " node "@" node " " nodes[node]
        for (i in lines) print lines[i]
    }' "$1" | LC_ALL=C sort
