#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs of examples/paper on a small tree of images: a sweep that is stopped and gone on with writes the logs of one
# that never stopped, and finished runs are skipped.
# Usage: paper.sh EXAMPLES MAKE_IMAGES
set -eu
paper=$(realpath "$1")/paper
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
depth() { exec "$paper/paper-depth" --data images:pets --epochs 3 --only 'depth-*-10-1-seed1' "$@"; }

[ "$("$paper/paper-depth" --list | wc -l)" = 37 ] || fail "not 37 runs"
(depth --out whole --state state1 --threads 1) >whole.out 2>&1 || fail "$(cat whole.out)"
for kind in dirac plain resnet; do
    log=whole/depth-$kind-10-1-seed1.jsonl
    [ "$(wc -l <"$log")" = 5 ] || fail "$log has not 5 lines: $(cat "$log")"
    tail -1 "$log" | grep -q '^{"event": "end", "outcome": "done", "test_accuracy": [0-9.]*}$' || fail "$(tail -1 "$log")"
    [ -f "state1/depth-$kind-10-1-seed1.safetensors" ] || fail "no model of $kind"
    [ ! -f "state1/depth-$kind-10-1-seed1.checkpoint" ] || fail "a checkpoint was left"
done
grep -q '"kind": "resnet", "depth": 10, "width": 1, "parameters": ' whole/depth-resnet-10-1-seed1.jsonl || fail "resnet"

# In parts: stopped after ever longer times, each part with another number of threads.
stops=0
done=0
for delay in 0.1 0.2 0.3 0.25 0.4 0.35 0.5 0.6 0.7 0.8 60 60 60; do
    depth --out parts --state state2 --threads $((stops % 3 + 1)) >parts.out 2>&1 &
    pid=$!
    (sleep $delay && kill -INT $pid 2>/dev/null) >/dev/null 2>&1 &
    killer=$!
    code=0
    wait $pid || code=$?
    kill $killer 2>/dev/null || true
    [ $code = 0 ] && done=1 && break
    # 130: the signal came before the program listened
    [ $code = 130 ] || grep -q 'the same command goes on' parts.out || fail "a part: $(cat parts.out)"
    stops=$((stops + 1))
done
[ $done = 1 ] && [ $stops -gt 0 ] || fail "the sweep was stopped $stops times and did not end"
for log in whole/*.jsonl; do
    timeless "$log" >a
    timeless "parts/$(basename "$log")" >b
    cmp a b || fail "the logs differ: $(cat a b)"
done

# What is finished stays as it is.
cksum whole/* >before
(depth --out whole --state state1) >again.out 2>&1 || fail "$(cat again.out)"
[ ! -s again.out ] || fail "a finished run was done again: $(cat again.out)"
cksum whole/* | cmp - before || fail "a finished log was touched"
[ "$("$paper/paper-depth" --list --out whole | grep -c finished)" = 3 ] || fail "--list"
code=0
"$paper/paper-depth" --budget huge 2>err || code=$?
[ $code = 2 ] && grep -q huge err || fail "a wrong budget"
