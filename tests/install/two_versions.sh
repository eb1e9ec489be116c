#!/bin/sh
# SPDX-License-Identifier: MIT
# Two ABI versions of the library in one process: each plugin gets its own, linked and loaded by dlopen, in either
# order. The second version is this library with another soname and version node, as docs/abi.md says a break is made. To
# show that the nodes do it, a third one keeps the first one's node: there the plugins must get mixed up.
# Usage: two_versions.sh SOURCE BUILDS; the builds are kept there.
set -eu
source=$1
builds=$2
work=$builds/two-versions
mkdir -p "$work"
cd "$work"
options="-Dtests=false -Dexamples=false -Dblas=disabled -Ddefault_library=shared -Doptimization=0"

# library NUMBER: the sources as they are (0), or with the next ABI version and minor release (1), in work/NUMBER.
library() {
    rm -rf "source-$1"
    sh "$source/tests/install/copy.sh" "$source" "$work/source-$1"
    if [ "$1" = 1 ]; then
        sed -i "s/^\(#define DIRAC_ABI_VERSION\).*/\1 $((abi + 1))/
            s/^\(#define DIRAC_VERSION_MINOR\).*/\1 $((minor + 1))/" source-1/include/dirac/version.h
        printf 'DIRAC_%s.%s {\n    global: dirac_[a-z]*;\n    local: *;\n};\n' "$major" $((minor + 1)) \
            >source-1/lib/dirac.map
    fi
    # shellcheck disable=SC2086
    [ -d "build-$1" ] || meson setup "build-$1" "source-$1" $options >"$1.log" 2>&1 || { cat "$1.log"; exit 1; }
    ninja -C "build-$1" >"$1.log" 2>&1 || { cat "$1.log"; exit 1; }
}

number() { sed -n "s/^#define DIRAC_$1 //p" "$source/include/dirac/version.h"; }
abi=$(number ABI_VERSION)
major=$(number VERSION_MAJOR)
minor=$(number VERSION_MINOR)
patch=$(number VERSION_PATCH)
library 0
library 1

for n in 0 1; do
    cc -std=c11 -Wall -Wextra -Werror -fPIC -shared -DPLUGIN=plugin_$n "$source/tests/install/plugin.c" \
        -I source-$n/include -L build-$n/lib -ldirac -o libplugin-$n.so
done
strict="-std=c11 -Wall -Wextra -Werror"
plugins="-L . -Wl,-rpath-link,build-0/lib:build-1/lib"
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
export LD_LIBRARY_PATH=$work:$work/build-0/lib:$work/build-1/lib
./host-01 >linked
./host-10 >linked-back
./host-dlopen ./libplugin-0.so plugin_0 ./libplugin-1.so plugin_1 >loaded
./host-dlopen ./libplugin-1.so plugin_1 ./libplugin-0.so plugin_0 | tac >loaded-back
for found in linked linked-back loaded loaded-back; do
    diff expected $found || { echo "$found: a plugin got the other's library"; exit 1; }
done

# The counter-check: with one node for both libraries the first one loaded serves both plugins.
cp source-0/lib/dirac.map source-1/lib/dirac.map
ninja -C build-1 >1.log 2>&1 || { cat 1.log; exit 1; }
cc -std=c11 -fPIC -shared -DPLUGIN=plugin_1 "$source/tests/install/plugin.c" -I source-1/include -L build-1/lib -ldirac \
    -o libplugin-1.so
./host-01 >mixed
if diff -q expected mixed >/dev/null; then
    echo "the counter-check failed: with equal nodes nothing was mixed up, so this test proves nothing"
    exit 1
fi
echo "two ABI versions in one process: linked and loaded, in either order"
