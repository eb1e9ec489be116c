#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into a prefix of its own and into a stage (DESTDIR), which must get the same files; then hides the build and
# builds programs from the prefix, which must need nothing of what is hidden. Usage: prefix.sh SOURCE BUILDS OPTIMIZATION
set -eu
source=$1
work=$2/install
build=$work/build
mkdir -p "$work"
[ -d "$work/hidden" ] && mv "$work/hidden" "$build"
rm -rf "$work/prefix" "$work/stage"

{
    { [ -f "$build/build.ninja" ] || meson setup "$build" "$source" --prefix="$work/prefix" -Doptimization="$3" \
        -Dtests=disabled -Dexamples=disabled; } &&
        ninja -C "$build" &&
        meson install -C "$build" --no-rebuild &&
        meson install -C "$build" --no-rebuild --destdir "$work/stage"
} >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
diff -r "$work/prefix" "$work/stage$work/prefix"
if grep -r -l "$build" "$work/prefix"; then
    echo "the files above name the build folder"
    exit 1
fi

pc=$(find "$work/prefix" -name dirac.pc)
libdir=$(dirname "$(dirname "$pc")")
mv "$build" "$work/hidden"
trap 'mv "$work/hidden" "$build"' EXIT
PKG_CONFIG_PATH="$libdir/pkgconfig" sh "$source/tests/install/consumers.sh" "$source" "$libdir"
sh "$source/tests/api/headers.sh" "$work/prefix/include"
