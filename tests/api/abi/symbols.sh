#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints what a shared library promises to the dynamic linker: its soname, and each symbol with its version node.
# Usage: symbols.sh LIBRARY
set -eu
{
    readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/soname \1/p'
    nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@+/, " ", $3); print $3 }'
} | LC_ALL=C sort
