#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the architecture of a dump, by which its record is named: x86_64 for elf-amd-x86_64.
# Usage: architecture.sh DUMP
sed -n "s/^<abi-corpus.* architecture='[^']*-\([^'-]*\)'.*/\1/p" "$1"
