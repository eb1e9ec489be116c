#!/bin/sh
# SPDX-License-Identifier: MIT
# A machine with nothing optional on it, as pkg-config shows it: the library can be configured there, without tests
# where CMocka is missing; a feature that is asked for, and what the library cannot do without (the scalar kernels too),
# are errors that name what is missing. Usage: least.sh SOURCE BUILDS
set -eu
source=$1
work=$2/least
rm -rf "$work"
mkdir -p "$work/nothing" "$work/least" "$work/cmocka"
ln -s "$(pkg-config --variable=pcfiledir libxxhash)/libxxhash.pc" "$work/least/"
cp -P "$work/least/libxxhash.pc" "$(pkg-config --variable=pcfiledir cmocka)/cmocka.pc" "$work/cmocka/"
printf "[binaries]\ncmake = '/nonexistent'\n" >"$work/native.ini" # meson would ask it next

# configure NAME PACKAGES [meson options]: with the packages in that folder alone. Leaves what it says in NAME.log.
configure() {
    name=$1 packages=$2
    shift 2
    PKG_CONFIG_PATH="" PKG_CONFIG_LIBDIR="$work/$packages" meson setup "$work/$name" "$source" \
        --native-file "$work/native.ini" -Ddocs=disabled "$@" >"$work/$name.log" 2>&1
}
fails() {
    wanted=$1
    shift
    ! configure "$@" || { echo "$1: configured without $wanted"; exit 1; }
    grep -q "ERROR: Dependency \"$wanted\" not found" "$work/$1.log" || { cat "$work/$1.log"; exit 1; }
}
tests_of() { meson introspect --tests "$work/$1" | grep -o '"name": ' | wc -l; }

for name in without-cmocka:least with-cmocka:cmocka; do
    configure "${name%:*}" "${name#*:}" || { cat "$work/${name%:*}.log"; exit 1; }
done
[ "$(tests_of without-cmocka)" = 0 ] || { echo "tests without CMocka"; exit 1; }
[ "$(tests_of with-cmocka)" -gt 50 ] || { echo "no tests though there is CMocka"; exit 1; }
fails cmocka tests-enabled least -Dtests=enabled
fails openblas blas-enabled least -Dblas=enabled
fails libxxhash no-xxhash nothing
! configure no-scalar least -Dkernels=x86-64-v3 || { echo "configured without kernels that every machine can run"; exit 1; }
grep -q 'the option "kernels" must name "scalar"' "$work/no-scalar.log" || { cat "$work/no-scalar.log"; exit 1; }
echo "configured with xxHash alone, and $(tests_of with-cmocka) tests where CMocka is found"
