#!/bin/sh
# SPDX-License-Identifier: MIT
# Copies what a release holds of the sources, without builds and history, with new times. Usage: copy.sh SOURCE TO
set -eu
mkdir -p "$2"
(cd "$1" && tar cf - --exclude='./build*' --exclude='./.git' --exclude=__pycache__ .) | tar xmf - -C "$2"
