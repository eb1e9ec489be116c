#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages are sound: no warning of mandoc nor of groff, every function of a group has a page with its prototype,
# `man FUNCTION` shows it, and `man -k` and apropos find it.
# Usage: manual.sh MAN3
set -eu
man3=$1
command -v mandoc >/dev/null && command -v man >/dev/null && command -v groff >/dev/null ||
    { echo "no mandoc, man or groff here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$man3/.."

pages=$(echo man3/*.3)
# mandoc looks for the other pages where they will be installed; that they exist is looked at below.
# shellcheck disable=SC2086
mandoc -Tlint -W style $pages | grep -v 'STYLE: referenced manual not found' >"$scratch/lint" || true
[ ! -s "$scratch/lint" ] || { cat "$scratch/lint"; exit 1; }
# As man does it, but all in one go.
# shellcheck disable=SC2086
groff -k -Tutf8 -z -ww -mandoc $pages 2>"$scratch/warnings"
[ ! -s "$scratch/warnings" ] || { cat "$scratch/warnings"; exit 1; }
for page in $pages; do
    for other in $(sed -n 's/^\.Xr \([a-z_]*\) 3.*/\1/p' "$page"); do
        [ -f "man3/$other.3" ] || { echo "$page names $other(3), which is not there"; exit 1; }
    done
done

# A group's page has the whole text, and its functions pages of their own.
functions=0
for group in $(grep -l '^\.Sh FUNCTIONS' man3/*.3); do
    for name in $(sed -n 's/^\.It Ft .* Fn \(dirac_[a-z0-9_]*\).*/\1/p' "$group"); do
        [ "$(grep -c "^\.Fn $name " "$group" "man3/$name.3" | cut -d: -f2 | tr '\n' ' ')" = '1 1 ' ] ||
            { echo "$name is not in the synopsis of $group or has no page of its own"; exit 1; }
        functions=$((functions + 1))
    done
done
[ "$functions" -gt 100 ] || { echo "only $functions functions"; exit 1; }

# NAME has what the page describes: its own name, then each function, as man's own index reads them.
# shellcheck disable=SC2086
lexgrog $pages | sed 's|^man3/\(.*\)\.3: "\([a-z0-9_]*\) - .*|\1 \2|' | LC_ALL=C sort >"$scratch/named"
for page in $pages; do
    name=$(basename "$page" .3)
    { echo "$name"; sed -n 's/^\.It Ft .* Fn \(dirac_[a-z0-9_]*\).*/\1/p' "$page"; } | sed "s/^/$name /"
done | LC_ALL=C sort >"$scratch/described"
diff "$scratch/named" "$scratch/described" || { echo "NAME of a page is not what it describes"; exit 1; }
mkdir "$scratch/man"
cp -r man3 "$scratch/man"
chmod -R a+rX "$scratch"
mandb --create --quiet --user-db "$scratch/man"
names=$(cut -d' ' -f2 "$scratch/named" | LC_ALL=C sort -u)
# shellcheck disable=SC2086
found=$(LC_ALL=C apropos -M "$scratch/man" --exact $names | cut -d' ' -f1 | LC_ALL=C sort -u)
[ "$found" = "$names" ] || { echo "apropos does not find each name"; exit 1; }
MANPATH="$PWD" LC_ALL=C.UTF-8 man -P cat dirac_net_fold >"$scratch/text"
grep -q 'dirac_net_fold(dirac_net \*\*out, const dirac_net \*net)' "$scratch/text"
[ "$(wc -l <"$scratch/text")" -lt 80 ] || { echo "the page of one function is long"; exit 1; }
echo "$(echo "$pages" | wc -w) pages, $functions functions"
