#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the symbols file of the Debian package from the record: a symbol is there since the release that its node is
# named after. Usage: debian_symbols.sh ROOT
set -eu
symbols=$1/tests/api/abi/symbols.txt
soname=$(sed -n 's/^soname //p' "$symbols")
package=libdirac${soname#libdirac.so.}
{
    echo "$soname $package #MINVER#"
    echo "* Build-Depends-Package: libdirac-dev"
    awk '/^soname/ { next }
        { release = substr($2, 7); nodes[$2] = release; lines[NR] = " " $1 "@" $2 " " release }
        END {
            for (node in nodes) print " " node "@" node " " nodes[node]
            for (i in lines) print lines[i]
        }' "$symbols" | LC_ALL=C sort
} >"$1/docs/packaging/debian/$package.symbols"
