#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into a scratch place and builds README's program from there as README says, shared and static.
# Usage: readme.sh SOURCE BUILD
set -eu
source=$1
build=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

meson install -C "$build" --no-rebuild --destdir "$scratch/root" >"$scratch/install.log" 2>&1 ||
    { cat "$scratch/install.log"; exit 1; }
pc=$(find "$scratch/root" -name dirac.pc)
libdir=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_SYSROOT_DIR="$scratch/root" PKG_CONFIG_PATH="$(dirname "$pc")"

awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md" >"$scratch/halves.c"
cd "$scratch"
cc -std=c11 -Wall -Wextra -Werror halves.c $(pkg-config --cflags --libs dirac) -o shared
LD_LIBRARY_PATH="$libdir" ./shared | tee shared.txt
# Without OpenBLAS in the build there is no package to ask, and nothing to link.
blas=$(grep -q '^Requires.private:.*openblas' "$pc" && PKG_CONFIG_SYSROOT_DIR= pkg-config --libs openblas || true)
cc -std=c11 halves.c $(pkg-config --cflags dirac) -L"$libdir" -l:libdirac.a $blas -lm -pthread -o static
./static >static.txt
cmp shared.txt static.txt
grep -q 'brighter on the left' shared.txt
if ldd ./static | grep -q libdirac; then
    echo "the static program needs the shared library"
    exit 1
fi
[ "$(pkg-config --modversion dirac)" = "$(sed -n 's/^#define DIRAC_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' \
    "$source/include/dirac/version.h" | paste -sd.)" ]
