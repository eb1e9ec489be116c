#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages are sound: no warning of mandoc nor of groff, every alias leads to a page, and `man FUNCTION` shows it.
# Usage: manual.sh MAN3
set -eu
man3=$1
command -v mandoc >/dev/null && command -v man >/dev/null || { echo "no mandoc or man here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$man3/.."

pages=$(grep -L '^\.so ' man3/*.3)
# mandoc looks for the other pages where they will be installed; that they exist is looked at below.
# shellcheck disable=SC2086
mandoc -Tlint -W style $pages | grep -v 'STYLE: referenced manual not found' >"$scratch/lint" || true
[ ! -s "$scratch/lint" ] || { cat "$scratch/lint"; exit 1; }
for page in $pages; do
    LC_ALL=C.UTF-8 man -P cat --warnings -l "$page" >"$scratch/text" 2>"$scratch/warnings"
    [ ! -s "$scratch/warnings" ] || { echo "$page:"; cat "$scratch/warnings"; exit 1; }
    for other in $(sed -n 's/^\.Xr \([a-z_]*\) 3.*/\1/p' "$page"); do
        [ -f "man3/$other.3" ] || { echo "$page names $other(3), which is not there"; exit 1; }
    done
done

aliases=0
for alias in $(grep -l '^\.so ' man3/*.3); do
    target=$(sed -n 's/^\.so //p' "$alias")
    name=$(basename "$alias" .3)
    grep -q "^\.It Ft .* Fn $name\( \|$\)" "$target" || { echo "$alias leads to $target, which has no $name"; exit 1; }
    aliases=$((aliases + 1))
done
MANPATH="$PWD" LC_ALL=C.UTF-8 man -P cat dirac_net_fold | grep -q 'dirac_net_fold(dirac_net \*\*out, const dirac_net \*net)'
[ "$aliases" -gt 100 ] || { echo "only $aliases aliases"; exit 1; }
echo "$(echo "$pages" | wc -l) pages, $aliases aliases"
