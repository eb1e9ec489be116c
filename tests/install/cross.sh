#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds for another architecture with Debian's cross compiler and runs the tests under QEMU; then files change hands
# between this machine and that one: what one writes the other reads, and writes again byte for byte.
# The other architecture's CMocka and xxHash are unpacked in a folder of their own; nothing of the system is changed.
# armel has no 64-bit numbers in registers and no atomic operations on them.
# Usage: cross.sh SOURCE BUILDS s390x|arm64|armel short|long
set -eu
source=$1
builds=$2
arch=$3
form=$4
atomic=""
case $arch in
s390x) cpu=s390x family=s390x endian=big qemu=qemu-s390x triplet=s390x-linux-gnu ;;
arm64) cpu=aarch64 family=aarch64 endian=little qemu=qemu-aarch64 triplet=aarch64-linux-gnu ;;
armel) cpu=armv5te family=arm endian=little qemu=qemu-arm triplet=arm-linux-gnueabi atomic=-latomic ;;
*) echo "no such architecture here: $arch"; exit 2 ;;
esac
work=$builds/cross-$arch
root=$work/root
mkdir -p "$work"

# The packages of the other architecture, from the same sources that apt uses here.
fetch() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$root.new"
    : >"$work/apt/status"
    apt="apt-get -qq -o APT::Architecture=$arch -o APT::Architectures=$arch -o Dir::State=$work/apt
        -o Dir::State::status=$work/apt/status -o Dir::Cache=$work/apt/cache -o APT::Sandbox::User=root"
    $apt update
    (cd "$work/apt" && $apt download "$@" && for deb in *.deb; do dpkg -x "$deb" "$root.new"; done)
    rm -rf "$work/apt"
    mv "$root.new" "$root"
}
[ -d "$root" ] || fetch libcmocka-dev libcmocka0 libxxhash-dev libxxhash0

cat >"$work/cross.ini" <<END
[binaries]
c = '$triplet-gcc'
ar = '$triplet-ar'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['$qemu', '-L', '/usr/$triplet', '-E', 'LD_LIBRARY_PATH=$root/usr/lib/$triplet']
[properties]
sys_root = '$root'
pkg_config_libdir = '$root/usr/lib/$triplet/pkgconfig:$root/usr/share/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$family'
cpu = '$cpu'
endian = '$endian'
END
if [ ! -f "$work/build/build.ninja" ]; then
    meson setup "$work/build" "$source" --cross-file "$work/cross.ini" --werror -Dblas=disabled -Djpeg=disabled \
        -Dpng=disabled -Dexamples=disabled -Dtests=enabled >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
fi
# Emulated code runs twenty times slower. The short form takes what touches bytes, files and the kernels and
# is done in a few seconds.
if [ "$form" = long ]; then
    programs=""
    chosen="--suite unit --suite layers --suite reference"
else
    chosen="half data_files dataset random names elements update"
    programs="lib/libdirac.a $(for name in $chosen; do echo "tests/test_$name"; done)"
fi
# shellcheck disable=SC2086
ninja -C "$work/build" $programs >"$work/log" 2>&1 || { grep -v '^\[' "$work/log" | tail -40; exit 1; }
# shellcheck disable=SC2086
meson test -C "$work/build" --no-rebuild --print-errorlogs -t 20 $chosen >"$work/tests.log" 2>&1 ||
    { cat "$work/tests.log"; exit 1; }
echo "$arch: $(sed -n 's/^Ok: *\([0-9]*\).*/\1/p' "$work/tests.log") programs passed"

# The library of this machine, from its own build.
native=$builds/cross-native
if [ ! -f "$native/build.ninja" ]; then
    meson setup "$native" "$source" -Dblas=disabled -Dexamples=disabled -Dtests=disabled -Ddefault_library=static \
        -Doptimization=0 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
fi
ninja -C "$native" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

here() { "$work/here-$@"; }
there() { $qemu -L "/usr/$triplet" "$work/there-$@"; }
for program in exchange consumer; do
    cc -std=c11 -Wall -Wextra -Werror "$source/tests/install/$program.c" -I "$source/include" "$native/lib/libdirac.a" \
        -lm -pthread -o "$work/here-$program"
    "$triplet-gcc" -std=c11 -Wall -Wextra -Werror "$source/tests/install/$program.c" -I "$source/include" \
        "$work/build/lib/libdirac.a" $atomic -lm -pthread -o "$work/there-$program"
done

there consumer "$work/trained.safetensors" >/dev/null
echo "$arch: trained, folded, saved, loaded"
for folder in here there here-there there-here; do
    rm -rf "${work:?}/$folder"
    mkdir "$work/$folder"
done
here exchange write "$work/here"
there exchange write "$work/there"
there exchange copy "$work/here" "$work/here-there"
here exchange copy "$work/there" "$work/there-here"
diff -r "$work/here" "$work/there"
diff -r "$work/here" "$work/here-there"
diff -r "$work/there" "$work/there-here"
[ "$(ls "$work/here" | wc -l)" = 3 ] || { echo "the files to exchange were not written"; exit 1; }
echo "$arch: $(ls "$work/here" | wc -l) files read and written alike on both machines"
