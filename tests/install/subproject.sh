#!/bin/sh
# SPDX-License-Identifier: MIT
# A meson project with libdirac below its subprojects/, once with each kind of library.
# Usage: subproject.sh SOURCE BUILDS
set -eu
source=$1
work=$2/subproject
rm -rf "$work"
mkdir -p "$work/consumer"
cp "$source/tests/install/subproject/meson.build" "$source/tests/install/consumer.c" "$work/consumer/"
sh "$source/tests/install/copy.sh" "$source" "$work/consumer/subprojects/dirac"

for kind in shared static; do
    again=$([ ! -d "$work/build" ] || echo --reconfigure)
    # shellcheck disable=SC2086
    {
        meson setup $again "$work/build" "$work/consumer" -Ddirac:default_library=$kind -Doptimization=0 \
            -Ddirac:blas=disabled -Ddirac:kernels=scalar &&
            ninja -C "$work/build" &&
            meson test -C "$work/build" --no-rebuild
    } >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    # The consumer's own test and none of the library's.
    [ "$(sed -n 's/^Ok: *\([0-9]*\).*/\1/p' "$work/log")" = 1 ] || { cat "$work/log"; exit 1; }
    needed=$(readelf -d "$work/build/consumer" | grep -c 'NEEDED.*libdirac' || true)
    case $kind:$needed in
    shared:1 | static:0) echo "as a subproject, $kind" ;;
    *) echo "$kind: needs the shared library $needed times"; exit 1 ;;
    esac
done
