#!/bin/sh
# SPDX-License-Identifier: MIT
# Stages an installation (DESTDIR), looks at what is in it, and builds programs from there.
# Usage: install.sh SOURCE BUILD
set -eu
source=$1
build=$2
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

meson install -C "$build" --no-rebuild --destdir "$stage/root" >"$stage/log" 2>&1 || { cat "$stage/log"; exit 1; }
pc=$(find "$stage/root" -name dirac.pc)
libdir=$(dirname "$(dirname "$pc")")

# Everything a user needs and nothing else: no test, no helper library.
(cd "$stage/root" && find . ! -type d) | sed 's|.*/||' | LC_ALL=C sort >"$stage/files"
for name in libdirac.so libdirac.a dirac.pc README.md CHANGELOG.md "$source"/include/dirac/*.h; do
    grep -qx "$(basename "$name")" "$stage/files" || { echo "$name is not installed"; exit 1; }
done
if find "$stage/root" -name '*.a' -o -name '*.so*' -o -path '*/bin/*' | grep -v '/libdirac\.[as]'; then
    echo "the above is installed and should not be"
    exit 1
fi
[ -L "$libdir/libdirac.so" ] || { echo "libdirac.so is no link"; exit 1; }
abi=$(sed -n 's/^#define DIRAC_ABI_VERSION //p' "$source/include/dirac/version.h")
readelf -d "$libdir/libdirac.so" | grep -q "SONAME.*\[libdirac\.so\.$abi\]" ||
    { echo "the soname does not end in $abi"; exit 1; }

# README leads to pages that are there, and so do those of the examples.
doc=$(dirname "$(find "$stage/root" -name README.md -path '*/doc/dirac/README.md')")
for readme in README.md examples/README.md examples/bindings/python/README.md examples/bindings/rust/README.md; do
    grep -o '](\([^):]*\))' "$doc/$readme" | sed 's/](\(.*\))/\1/' | sort -u | while read -r page; do
        [ -e "$doc/$(dirname "$readme")/$page" ] || { echo "$readme leads to $page, which is not installed"; exit 1; }
    done
done

# The commands of the bindings find the digits from where they are installed, and whose they are.
for file in digits.csv README.md; do
    cmp "$source/examples/data/$file" "$doc/examples/bindings/rust/../../data/$file"
done
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    (cd "$doc/examples/bindings/python" && PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1 LIBDIRAC="$libdir/libdirac.so" \
        /usr/bin/python3 -c 'import digits; print(len(digits.read_digits(digits.DIGITS)[0]), "digits are installed")')
fi

export PKG_CONFIG_SYSROOT_DIR="$stage/root" PKG_CONFIG_PATH="$libdir/pkgconfig"
sh "$source/tests/install/consumers.sh" "$source" "$libdir"
