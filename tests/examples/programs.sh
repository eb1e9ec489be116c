#!/bin/sh
# SPDX-License-Identifier: MIT
# The example programs as a user runs them: train on a tree of PNG and JPEG files, stop with Ctrl-C at any moment and go on
# with another number of threads, fold, inspect, classify; then their mistakes.
# Usage: programs.sh EXAMPLES MAKE_IMAGES
set -eu
examples=$(realpath "$1")
make_images=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
    echo "programs.sh: $*" >&2
    exit 1
}
# `exec`, so that in the background the process is the program's own and takes the signal.
train() {
    exec "$examples/train" --data images:pets --depth 16 --epochs 8 --drops 5 --batch 16 --seed 7 "$@"
}
# Lines of the log without the one number that may differ.
timeless() { sed 's/, "seconds": [^}]*//' "$1"; }

"$make_images" pets
(train --threads 1 --save whole.safetensors --log whole.jsonl) >whole.out 2>&1 || fail "training: $(cat whole.out)"
[ "$(wc -l <whole.jsonl)" = 8 ] || fail "the log has not a line an epoch"
grep -q '"test_accuracy": 100' whole.jsonl || fail "bars and checks were not told apart: $(cat whole.jsonl)"

# Stopped and gone on with, again and again, each time a little later, with 1, 2 and 3 threads; the last time to its end.
resume=
stops=0
for delay in 0.3 0.4 0.35 0.5 0.45 0.6 0.4 0.8 never; do
    threads=$((stops % 3 + 1))
    train --threads $threads --save parts.safetensors --log parts.jsonl --checkpoint c $resume >parts.out 2>&1 &
    pid=$!
    killer=
    if [ $delay != never ]; then
        (sleep $delay && kill -INT $pid 2>/dev/null) >/dev/null 2>&1 &
        killer=$!
    fi
    wait $pid || fail "a part of the training: $(cat parts.out)"
    [ -z "$killer" ] || kill "$killer" 2>/dev/null || true
    [ ! -f c ] || resume="--resume c"
    [ ! -f parts.safetensors ] || break
    stops=$((stops + 1))
done
[ -f parts.safetensors ] || fail "the training in parts did not end"
[ $stops -gt 0 ] || fail "the training was never stopped"
echo "training was stopped $stops times"
cmp whole.safetensors parts.safetensors || fail "the models differ"
timeless whole.jsonl >a
timeless parts.jsonl >b
cmp a b || fail "the logs differ: $(cat a b)"

"$examples/fold" whole.safetensors folded.safetensors >fold.out || fail "fold"
"$examples/inspect" whole.safetensors | tail -1 | grep -q '^parameters [0-9][0-9]*$' || fail "inspect"
"$examples/inspect" --model diracnet-cifar --depth 34 | tail -1 | grep -qx 'parameters 466394' || fail "inspect --model"
for model in whole folded; do
    "$examples/classify" $model.safetensors pets/test/bars/000.png pets/test/checks/001.jpg >classify.out || fail "classify"
    sed -n 2p classify.out | grep -q bars || fail "$model: the first image is no bars: $(cat classify.out)"
    sed -n 5p classify.out | grep -q checks || fail "$model: the second image is no checks: $(cat classify.out)"
done

# refuse TEXT COMMAND...: it fails with 1 or 2, and its message names the place.
refuse() {
    text=$1
    shift
    code=0
    "$@" >refused.out 2>&1 || code=$?
    [ $code = 1 ] || [ $code = 2 ] || fail "$*: ended with $code"
    grep -q -- "$text" refused.out || fail "$*: the message does not name $text: $(cat refused.out)"
}
mkdir -p empty/train empty/test
refuse empty "$examples/train" --data images:empty
refuse nowhere "$examples/train" --data cifar10:nowhere
refuse depth "$examples/train" --data images:pets --depth 11
echo nonsense >pets/test/bars/zz.jpg
refuse zz.jpg "$examples/train" --data images:pets --depth 10
refuse zz.jpg "$examples/classify" whole.safetensors pets/test/bars/zz.jpg
head -c 100 whole.safetensors >cut.safetensors
refuse cut.safetensors "$examples/fold" cut.safetensors out.safetensors
refuse cut.safetensors "$examples/inspect" cut.safetensors
[ ! -f out.safetensors ] || fail "a refused fold left a file"
