#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds twice, in folders of other names and depths, at other times, in another locale and time zone, with another
# number of jobs, and compares what is installed byte for byte. Usage: reproducible.sh SOURCE BUILDS OPTIMIZATION
set -eu
source=$1
work=$2/reproducible
level=$3
rm -rf "$work"
export CCACHE_DISABLE=1 # meson uses ccache where it is, which would hand out the first build's objects again

# once SOURCE-FOLDER BUILD-FOLDER STAGE JOBS
once() {
    sh "$source/tests/install/copy.sh" "$source" "$work/$1"
    {
        meson setup "$work/$2" "$work/$1" --prefix=/usr -Doptimization="$level" -Dtests=disabled -Dexamples=disabled &&
            ninja -C "$work/$2" -j "$4" &&
            meson install -C "$work/$2" --no-rebuild --destdir "$work/$3"
    } >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}

(umask 022 && unset SOURCE_DATE_EPOCH && LC_ALL=C TZ=UTC once one/dirac one/dirac/build stage-1 1)
(umask 077 && LC_ALL=C.UTF-8 TZ=Asia/Kathmandu SOURCE_DATE_EPOCH=86400 \
    once another/and/deeper/libdirac-with-a-longer-name elsewhere stage-2 3)
diff -r "$work/stage-1" "$work/stage-2" || { echo "the two builds differ"; exit 1; }
find "$work/stage-1" -type f | grep -q 'libdirac\.so' || { echo "nothing was installed"; exit 1; }
echo "$(find "$work/stage-1" -type f | wc -l) files alike"
