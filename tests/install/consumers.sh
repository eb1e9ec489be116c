#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds and runs programs against an installed libdirac, with pkg-config alone: README's program, and one program as
# C99, C11 and C++17 by each compiler found here, shared, static, and with no shared library at all.
# The environment says where it is installed: PKG_CONFIG_PATH and, for a staged installation, PKG_CONFIG_SYSROOT_DIR.
# Usage: consumers.sh SOURCE LIBDIR
set -eu
source=$1
libdir=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
strict="-Wall -Wextra -Wpedantic -Wshadow -Werror"
programs=0

release=$(sed -n 's/^#define DIRAC_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' "$source/include/dirac/version.h" | paste -sd.)
[ "$(pkg-config --modversion dirac)" = "$release" ] || { echo "dirac.pc: not release $release"; exit 1; }

# runs PROGRAM WHICH: it runs, says the release, and needs the shared library or does not.
runs() {
    said=$(LD_LIBRARY_PATH="$libdir" "./$1" "$1.safetensors") || { echo "$1 failed"; exit 1; }
    [ "$said" = "$release" ] || { echo "$1: library $said, dirac.pc $release"; exit 1; }
    needed=$(readelf -d "./$1" | grep -c 'NEEDED.*libdirac' || true)
    [ "$needed" = "$2" ] || { echo "$1: needs the shared library $needed times, not $2"; exit 1; }
    programs=$((programs + 1))
}

# $libs is what --libs gives, $archive what --static --libs gives with the archive named; see README.
libs=$(pkg-config --cflags --libs dirac)
archive=$(pkg-config --cflags --static --libs dirac | sed 's/-ldirac/-l:libdirac.a/')
fully=$(pkg-config --cflags --static --libs dirac)

# try COMPILER STANDARD SUFFIX
try() {
    command -v "$1" >/dev/null || return 0
    cp "$source/tests/install/consumer.c" "consumer.$3"
    # shellcheck disable=SC2086
    {
        "$1" -std=$2 $strict consumer.$3 $libs -lm -o "$1-$2-shared"
        "$1" -std=$2 $strict consumer.$3 $archive -o "$1-$2-archive"
    }
    runs "$1-$2-shared" 1
    runs "$1-$2-archive" 0
}
for compiler in gcc clang; do
    try $compiler c99 c
    try $compiler c11 c
done
for compiler in g++ clang++; do
    try $compiler c++17 cc
done

# Wholly static. glibc warns of getpwuid and the like in OpenBLAS; nothing of libdirac's calls those.
cp "$source/tests/install/consumer.c" .
# shellcheck disable=SC2086
if cc -static -std=c11 consumer.c $fully -o whole 2>whole.log; then
    runs whole 0
else
    cat whole.log
    exit 1
fi

# README's program, by README's lines.
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md" >halves.c
# shellcheck disable=SC2086
cc -std=c11 $strict halves.c $libs -o halves
LD_LIBRARY_PATH="$libdir" ./halves >halves.txt
grep -q 'brighter on the left' halves.txt || { cat halves.txt; exit 1; }
# shellcheck disable=SC2086
cc -std=c11 halves.c $archive -o halves-archive
./halves-archive | cmp - halves.txt

# The headers are those that the tests look at.
include=$(PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 pkg-config --cflags-only-I dirac | sed 's/^-I//; s/ *$//')
diff -r -x meson.build "$source/include/dirac" "$include/dirac"
echo "$programs programs"
