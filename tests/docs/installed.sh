#!/bin/sh
# SPDX-License-Identifier: MIT
# What a user gets of the reference: web pages, and a manual page for each public function and each header where man
# looks for them, which man shows without a warning. Usage: installed.sh SOURCE BUILD
set -eu
source=$1
build=$2
command -v man >/dev/null && command -v groff >/dev/null || { echo "no man or groff here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
meson install -C "$build" --no-rebuild --destdir "$scratch/root" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }

html=$(find "$scratch/root" -path '*/share/doc/dirac/html' -type d)
[ -s "$html/index.html" ] || { echo "share/doc/dirac/html/index.html is not installed"; exit 1; }
grep -q '<title>libdirac' "$html/index.html" || { echo "index.html is another page"; exit 1; }

# In the prefix, where `man` finds share/man by itself: one page under each name, the page of that name.
manual=$(find "$scratch/root" -path '*/share/man' -type d)
/usr/bin/python3 -c 'import json, sys
for function in json.load(open(sys.argv[1]))["functions"]: print(function["name"])' \
    "$source/docs/api.json" >"$scratch/names"
[ "$(wc -l <"$scratch/names")" -gt 200 ] || { echo "docs/api.json names few functions"; exit 1; }
for header in "$source"/include/dirac/*.h; do
    name=$(basename "$header" .h)
    case $name in
    dirac) echo dirac ;;
    export) ;;
    *) echo "dirac_$name" ;;
    esac
done >>"$scratch/names"
while read -r name; do
    [ -f "$manual/man3/$name.3" ] || { echo "man3/$name.3 is not installed"; exit 1; }
done <"$scratch/names"
# shellcheck disable=SC2046
found=$(man -M "$manual" -w $(cat "$scratch/names") | sort -u | wc -l)
[ "$found" = "$(sort -u "$scratch/names" | wc -l)" ] || { echo "man finds $found of those pages"; exit 1; }
for name in dirac dirac_net dirac_net_fold; do
    LC_ALL=C.UTF-8 MANWIDTH=100 man -M "$manual" --warnings -P cat "$name" >"$scratch/text" 2>"$scratch/warnings"
    [ ! -s "$scratch/warnings" ] || { echo "man $name:"; cat "$scratch/warnings"; exit 1; }
    grep -q "$name" "$scratch/text" || { echo "man $name shows something else"; exit 1; }
done
grep -q 'dirac_net_fold(dirac_net \*\*out, const dirac_net \*net)' "$scratch/text"
echo "$found manual pages installed and found by man"
