#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a program where a locale with decimal commas can be set, made in a scratch place if the system has none.
# Usage: locale.sh PROGRAM
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if ! locale -a 2>/dev/null | grep -qi '^de_DE\.utf-\{0,1\}8$'; then
    command -v localedef >/dev/null || exit 77
    localedef -i de_DE -f UTF-8 "$scratch/de_DE.UTF-8" >/dev/null 2>&1 || true
    [ -e "$scratch/de_DE.UTF-8/LC_NUMERIC" ] || exit 77
    export LOCPATH="$scratch"
fi
"$1" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
cat "$scratch/log"
if grep -q 'SKIPPED.*test_locale' "$scratch/log"; then
    exit 77
fi
