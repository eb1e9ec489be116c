#!/bin/sh
# SPDX-License-Identifier: MIT
# Copies what a release holds of the sources, without builds and history, with new times. TO may be inside SOURCE: the
# folder there that leads to it is one of builds, whatever its name, and copying it would never end.
# Usage: copy.sh SOURCE TO
set -eu
mkdir -p "$2"
source=$(realpath "$1")
to=$(realpath "$2")
inside=./build
case $to in "$source"/*) inside=${to#"$source"/} inside=./${inside%%/*} ;; esac
(cd "$source" && tar cf - --exclude='./build*' --exclude="$inside" --exclude='./.git' --exclude=__pycache__ .) |
    tar xmf - -C "$to"
