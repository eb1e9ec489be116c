#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the Debian source package of docs/packaging/debian, builds the packages from what it unpacks to, has lintian look
# at source and packages, unpacks these and builds programs from what they hold. Usage: debian.sh SOURCE BUILDS check|nocheck
set -eu
source=$1
work=$2/packaging
rm -rf "$work"
release=$(sed -n 's/^#define DIRAC_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' "$source/include/dirac/version.h" | paste -sd.)
abi=$(sed -n 's/^#define DIRAC_ABI_VERSION //p' "$source/include/dirac/version.h")
copy=$work/libdirac-$release
sh "$source/tests/install/copy.sh" "$source" "$copy"
tar cJf "$work/libdirac_$release.orig.tar.xz" -C "$work" "libdirac-$release"
cp -r "$source/docs/packaging/debian" "$copy/debian"

cd "$copy"
packaged=$(dpkg-parsechangelog -S Version)
[ "${packaged%-*}" = "$release" ] || { echo "debian/changelog: $packaged, the release is $release"; exit 1; }
cd "$work"
{ dpkg-source -b "$copy" && rm -rf "$copy" && dpkg-source -x "libdirac_$packaged.dsc" "$copy"; } >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
(cd "$copy" && DEB_BUILD_OPTIONS=$([ "$3" = check ] || echo nocheck) dpkg-buildpackage -us -uc) >"$work/log" 2>&1 ||
    { tail -60 "$work/log"; exit 1; }
for package in libdirac$abi libdirac-dev libdirac-doc; do
    ls ${package}_"$packaged"_*.deb >/dev/null || { echo "$package was not built"; exit 1; }
done

lintian --fail-on error,warning,info,pedantic --display-info --pedantic --allow-root ./*.changes >lintian.txt 2>&1 ||
    { cat lintian.txt; exit 1; }
cat lintian.txt

# As installed, without touching the system.
for deb in ./*.deb; do
    case $deb in *dbgsym*) ;; *) dpkg-deb -x "$deb" root ;; esac
done
libdir=$(dirname "$(dirname "$(find "$work/root" -name dirac.pc)")")
PKG_CONFIG_SYSROOT_DIR="$work/root" PKG_CONFIG_PATH="$libdir/pkgconfig" \
    sh "$source/tests/install/consumers.sh" "$source" "$libdir"
dpkg-deb -f "libdirac${abi}_${packaged}"_*.deb Depends | grep -q libopenblas ||
    { echo "libdirac$abi does not depend on OpenBLAS"; exit 1; }
