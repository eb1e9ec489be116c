#!/bin/sh
# SPDX-License-Identifier: MIT
# Two ABI versions of the library in one process: each plugin gets its own, linked and loaded by dlopen, in either
# order. The second version is this library with another soname and version node, as docs/abi.md says a break is made. To
# show that the nodes do it, a third one keeps the first one's node: there the plugins must get mixed up.
# Usage: two_versions.sh SOURCE BUILDS
set -eu
source=$1
work=$2/two-versions
rm -rf "$work"
mkdir -p "$work"
cd "$work"
sh "$source/tests/install/copy.sh" "$source" "$work/source"

number() { sed -n "s/^#define DIRAC_$1 //p" "$source/include/dirac/version.h"; }
abi=$(number ABI_VERSION)
major=$(number VERSION_MAJOR)
minor=$(number VERSION_MINOR)
patch=$(number VERSION_PATCH)

# library NUMBER: builds source/ as it stands; its headers and libraries go to NUMBER/.
library() {
    mkdir "$1"
    again=$([ ! -d build ] || echo --reconfigure)
    # shellcheck disable=SC2086
    meson setup $again build source -Dtests=disabled -Dexamples=disabled -Dblas=disabled -Ddefault_library=shared \
        -Ddocs=disabled -Dkernels=scalar -Doptimization=0 >"$1.log" 2>&1 &&
        ninja -C build >>"$1.log" 2>&1 || { cat "$1.log"; exit 1; }
    find build/lib -maxdepth 1 ! -type d -name 'libdirac.so*' -exec cp -P {} "$1/" \;
    cp -r source/include "$1/"
}
library 0
cp source/lib/dirac.map 0.map
# The next ABI version and minor release.
sed -i "s/^\(#define DIRAC_ABI_VERSION\).*/\1 $((abi + 1))/
    s/^\(#define DIRAC_VERSION_MINOR\).*/\1 $((minor + 1))/" source/include/dirac/version.h
printf 'DIRAC_%s.%s {\n    global: dirac_[a-z]*;\n    local: *;\n};\n' "$major" $((minor + 1)) >source/lib/dirac.map
library 1

# plugin NUMBER: a plugin linked with that library.
plugin() {
    cc -std=c11 -Wall -Wextra -Werror -fPIC -shared "-DPLUGIN=plugin_$1" "$source/tests/install/plugin.c" \
        -I "$1/include" -L "$1" -ldirac -o "libplugin-$1.so"
}
plugin 0
plugin 1
strict="-std=c11 -Wall -Wextra -Werror"
plugins="-L . -Wl,-rpath-link,0:1"
host=$source/tests/install/host.c
# shellcheck disable=SC2086
{
    cc $strict "$host" -ldl -o host-dlopen
    cc $strict -DLINKED "$host" $plugins -l:libplugin-0.so -l:libplugin-1.so -o host-01
    cc $strict -DLINKED "$host" $plugins -l:libplugin-1.so -l:libplugin-0.so -o host-10
}

cat >expected <<END
$major.$minor.$patch $abi
$major.$((minor + 1)).$patch $((abi + 1))
END
export LD_LIBRARY_PATH=$work:$work/0:$work/1
./host-01 >linked
./host-10 >linked-back
./host-dlopen ./libplugin-0.so plugin_0 ./libplugin-1.so plugin_1 >loaded
./host-dlopen ./libplugin-1.so plugin_1 ./libplugin-0.so plugin_0 | tac >loaded-back
for found in linked linked-back loaded loaded-back; do
    diff expected $found || { echo "$found: a plugin got the other's library"; exit 1; }
done

# The counter-check: with one node for both libraries the first one loaded serves both plugins.
cp 0.map source/lib/dirac.map
rm -r 1
library 1
plugin 1
./host-01 >mixed
if diff -q expected mixed >/dev/null; then
    echo "the counter-check failed: with equal nodes nothing was mixed up, so this test proves nothing"
    exit 1
fi
echo "two ABI versions in one process: linked and loaded, in either order"
