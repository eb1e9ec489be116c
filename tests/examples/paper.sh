#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs of examples/paper on a small tree of images: a sweep that is stopped and gone on with writes the logs of
# one that never stopped, and finished runs are skipped.
# Usage: paper.sh EXAMPLES MAKE_IMAGES
set -eu
paper=$(realpath "$1")/paper
sources=$(realpath "$(dirname "$0")/../..")
make_images=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
    echo "paper.sh: $*" >&2
    exit 1
}
# Lines of a log without the numbers that may differ.
timeless() { sed 's/, "seconds": [^,}]*//; s/, "images_per_second": [^,}]*//; s/, "threads": [^,}]*//' "$1"; }

"$make_images" pets
for split in train test; do
    for class in bars checks; do
        mkdir -p few/$split/$class
        for i in 000.png 001.jpg 002.png 003.jpg 004.png 005.jpg 006.png 007.jpg; do
            cp pets/$split/$class/$i few/$split/$class/
        done
    done
done
depth() { exec "$paper/paper-depth" --data images:pets --epochs 3 --only 'depth-*-10-1-seed1' "$@"; }

[ "$("$paper/paper-depth" --list | wc -l)" = 41 ] || fail "not 41 runs"
(depth --out whole --state state1 --threads 1) >whole.out 2>&1 || fail "$(cat whole.out)"
for kind in dirac plain resnet; do
    log=whole/depth-$kind-10-1-seed1.jsonl
    [ "$(wc -l <"$log")" = 5 ] || fail "$log has not 5 lines: $(cat "$log")"
    tail -1 "$log" | grep -q '^{"event": "end", "outcome": "done", "test_accuracy": [0-9.]*}$' ||
        fail "$(tail -1 "$log")"
    [ -f "state1/depth-$kind-10-1-seed1.safetensors" ] || fail "no model of $kind"
    [ ! -f "state1/depth-$kind-10-1-seed1.checkpoint" ] || fail "a checkpoint was left"
done
grep -q '"kind": "resnet", "depth": 10, "width": 1, "parameters": ' whole/depth-resnet-10-1-seed1.jsonl || fail "resnet"

# in_parts OUT COMMAND...: the same with --out OUT, stopped again and again, each part with another number of threads.
in_parts() {
    out=$1
    shift
    stops=0
    while ! ("$@" --out "$out" --state "state-$out" --threads $((stops % 3 + 1)) --stop-after $((stops % 4 * 3 + 2))) \
        >parts.out 2>&1; do
        grep -q 'the same command goes on' parts.out || fail "a part: $(cat parts.out)"
        stops=$((stops + 1))
        [ $stops -lt 100 ] || fail "$*: does not end"
    done
    [ $stops -gt 1 ] || fail "$*: was stopped $stops times"
}
same_logs() {
    for log in "$1"/*.jsonl; do
        timeless "$log" >a
        timeless "$2/$(basename "$log")" >b
        cmp a b || fail "the logs differ: $(cat a b)"
    done
}
in_parts parts depth
same_logs whole parts

# Killed again and again, ever later: the same logs, and nothing beside them.
kills=0
until timeout -s KILL "$((kills / 25)).$(printf %02d $((kills % 25 * 4 + 3)))" "$paper/paper-depth" --data images:pets --epochs 3 \
    --only 'depth-*-10-1-seed1' --out killed --state state-killed --threads 2 >killed.out 2>&1; do
    kills=$((kills + 1))
    [ $kills -lt 250 ] || fail "killed $kills times: does not end: $(cat killed.out)"
done
[ $kills -gt 3 ] || fail "was killed $kills times"
same_logs whole killed
[ "$(ls killed | grep -vc 'jsonl$')" = 0 ] || fail "$(ls killed)"
[ "$(ls state-killed | grep -c checkpoint)" = 0 ] || fail "$(ls state-killed)"

# No place for the log: an error that names it, and nothing trained is lost.
mkdir -p full/depth-plain-10-1-seed1.jsonl.new
code=0
(exec "$paper/paper-depth" --data images:pets --epochs 3 --only 'depth-plain-10-1-seed1' --out full --state state-full) \
    >full.out 2>&1 || code=$?
[ $code = 1 ] && grep -q 'full/depth-plain-10-1-seed1.jsonl: ' full.out || fail "a full folder: $code $(cat full.out)"
rmdir full/depth-plain-10-1-seed1.jsonl.new
(exec "$paper/paper-depth" --data images:pets --epochs 3 --only 'depth-plain-10-1-seed1' --out full --state state-full) \
    >full.out 2>&1 || fail "$(cat full.out)"
timeless whole/depth-plain-10-1-seed1.jsonl >a
timeless full/depth-plain-10-1-seed1.jsonl | cmp - a || fail "the logs differ after a full folder"

# What is finished stays as it is.
cksum whole/* >before
(depth --out whole --state state1) >again.out 2>&1 || fail "$(cat again.out)"
[ ! -s again.out ] || fail "a finished run was done again: $(cat again.out)"
cksum whole/* | cmp - before || fail "a finished log was touched"
[ "$("$paper/paper-depth" --list --out whole | grep -c finished)" = 3 ] || fail "--list"
code=0
"$paper/paper-depth" --budget huge 2>err || code=$?
[ $code = 2 ] && grep -q huge err || fail "a wrong budget"

# Figure 2: the log tells of the six layers, from where they start.
scales() { exec "$paper/paper-scales" --data images:pets --epochs 4 --only 'scales-dirac-10-*' "$@"; }
(scales --out scales --state state3 --threads 2) >scales.out 2>&1 || fail "$(cat scales.out)"
log=scales/scales-dirac-10-1-seed1.jsonl
sed -n 2p "$log" | grep -q '^{"event": "layers", "names": \["group0.block0.conv", .*"group2.block1.conv"\]}$' ||
    fail "layers"
sed -n 3p "$log" | grep -q '"batches": 0, .*"alpha": \[1, 1, 1, 1, 1, 1\], "beta": \[0.1, ' ||
    fail "$(sed -n 3p "$log")"
[ "$(grep -c '"event": "filters"' "$log")" = 6 ] || fail "filters"
[ "$(grep '"event": "scales"' "$log" | sed 's/.*"alpha"//' | sort -u | wc -l)" -gt 10 ] ||
    fail "alpha and beta stand still"
in_parts scales-parts scales
same_logs scales scales-parts

# Section 3.4 and the ablations: what their names say is what is trained.
identity() { exec "$paper/paper-identity" --data images:few --epochs 1 --out identity --state state4 --only "$1"; }
(identity 'identity-eq8-normal-1e-08-seed1,identity-eq8-zeros-all-0-seed1') >identity.out 2>&1 ||
    fail "$(cat identity.out)"
grep -q '"net": "resnet-fixed-delta 28-1, normal(1e-08) in the blocks"' identity/*1e-08-seed1.jsonl || fail "identity"
[ "$("$paper/paper-identity" --list | sort -u | wc -l)" = 39 ] || fail "not 39 runs"
(exec "$paper/paper-ablations" --data images:few --epochs 1 --out ablations --state state5 \
    --only 'ablation-decayed-34-*') >ablations.out 2>&1 || fail "$(cat ablations.out)"
grep -q '"net": "dirac 34-1, alpha and beta decay by 0.0005"' ablations/*.jsonl || fail "ablations"

# Tables: every network has a name, some take their step, and large images are read as the recipe says.
[ "$("$paper/paper-networks" --list | wc -l)" = 20 ] || fail "not 20 networks"
"$paper/paper-networks" --only 'nin*,diracnet-28-5' --log networks.jsonl >networks.out || fail "$(cat networks.out)"
[ "$(grep -c 'as it must .* learns' networks.out)" = 3 ] || fail "$(cat networks.out)"
table3() { exec "$paper/paper-table3" --data few --size 32 --epochs 4 --batch 8 --only 'table3-diracnet-18*' "$@"; }
(table3 --out table3 --state state6 --threads 1) >table3.out 2>&1 || fail "$(cat table3.out)"
in_parts table3-parts table3
same_logs table3 table3-parts

# What is made from logs: of these, and of those in docs/paper.
if [ -x /usr/bin/python3 ]; then
    export PYTHONDONTWRITEBYTECODE=1
    /usr/bin/python3 "$sources/examples/paper/results.py" whole results.md || fail "results.py"
    [ "$(grep -c '^| \(dirac\|plain\|resnet\) 10-1 | 1 | 3 |' results.md)" = 3 ] || fail "$(cat results.md)"
    /usr/bin/python3 "$sources/examples/paper/results.py" --check || fail "docs/paper/results.md is old"
fi
"$paper/paper-costs" --depth 10 --batch 8 --rounds 2 --log costs.jsonl >costs.out || fail "$(cat costs.out)"
[ "$(wc -l <costs.jsonl)" = 4 ] || fail "$(cat costs.jsonl)"
