#!/bin/sh
# SPDX-License-Identifier: MIT
# From a fresh Debian 12 to a trained network: installs what the build needs, builds, runs the program `digits`.
# Where it may not install, it prints the one line to run first. Usage: examples/quickstart.sh [BUILD DIRECTORY]
set -eu

packages="gcc meson ninja-build pkg-config libopenblas-dev libjpeg-dev libpng-dev libxxhash-dev"
top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$top/build}

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done

if [ -n "$missing" ]; then
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        echo "Packages are missing, and only root may install them. Run this line, then this script again:"
        echo "apt-get update && apt-get install -y --no-install-recommends$missing"
        exit 1
    fi
    $as_root apt-get update
    # shellcheck disable=SC2086 # one word a package
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi

if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" "$top" -Dtests=disabled
fi
meson compile -C "$build"

cd "$build"
exec examples/digits
