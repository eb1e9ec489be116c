#!/bin/sh
# SPDX-License-Identifier: MIT
# All quick runs of the paper, the most important ones first; the same command again goes on where it was stopped.
# Usage: all.sh BUILD DATA [OPTION]...      BUILD is a build directory; DATA, like images:data/cifar10, and further
#                                           options (--threads 2, --budget full) are handed to every program
set -eu
[ $# -ge 2 ] || { sed -n '4,5p' "$0"; exit 2; }
paper=$1/examples/paper
data=$2
shift 2
run() {
    program=$1
    only=$2
    shift 2
    "$paper/$program" --data "$data" --only "$only" "$@"
}
run paper-depth 'depth-*-34-1-seed1,depth-*-100-1-seed1' "$@"
run paper-identity 'identity-eq8-normal-1e-08-seed1,identity-eq8-normal-1e-05-seed1,identity-eq8-normal-0.01-seed1' "$@"
run paper-scales 'scales-dirac-34-*' "$@"
run paper-identity 'identity-eq8-normal-?-seed1,identity-eq8-zeros-*,identity-plain-*' "$@"
run paper-depth 'depth-*-seed1' "$@"
run paper-ablations '*' "$@"
run paper-depth '*' "$@"
run paper-identity '*' "$@"
