#!/bin/sh
# SPDX-License-Identifier: MIT
# A sweep loses nothing: a run killed before each call that makes something durable, with torn lines in its log, on a full or
# read-only disk, or beside a second program, ends with the log of a run that nothing happened to.
# Usage: sweep.sh EXAMPLES MAKE_IMAGES [CALLS]    CALLS: the library of durable_calls.c, where it can be preloaded
set -eu
depth=$(realpath "$1")/paper/paper-depth
make_images=$(realpath "$2")
calls=${3:-}
[ -z "$calls" ] || calls=$(realpath "$calls")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
trap '' XFSZ # what is too large for a limit is an error of write(), not a signal

fail() {
    echo "sweep.sh: $*" >&2
    exit 1
}
run=depth-plain-10-1-seed1
limit= # bytes that a file may have
# sweep FOLDER [OPTION]...: the run, with its log in FOLDER/log and its state in FOLDER/state.
sweep() {
    folder=$1
    shift
    ${limit:+prlimit --fsize=$limit} "$depth" --data images:pets --epochs 2 --only $run --threads 1 --out "$folder/log" \
        --state "$folder/state" "$@" >"$folder/out" 2>&1
}
timeless() { sed 's/, "seconds": [^,}]*//; s/, "images_per_second": [^,}]*//' "$1"; }
# ended FOLDER: the log is the one of the undisturbed run, and nothing is left beside it and the model.
ended() {
    timeless whole/log/$run.jsonl >a
    timeless "$1/log/$run.jsonl" | cmp - a || fail "$1: another log: $(cat "$1/log/$run.jsonl")"
    cmp "$1/state/$run.safetensors" whole/state/$run.safetensors || fail "$1: another model"
    [ "$(ls "$1/log" "$1/state" | grep -c .)" = 4 ] || fail "$1: left over: $(ls "$1/log" "$1/state")"
}
# refused FOLDER TEXT COMMAND...: the command fails with exit code 1, and says TEXT and the name of the run.
refused() {
    folder=$1 text=$2 code=0
    shift 2
    "$@" || code=$?
    [ $code = 1 ] || fail "$*: exit code $code: $(cat "$folder/out")"
    grep -q "$run.*$text" "$folder/out" || fail "$*: no \"$text\": $(cat "$folder/out")"
}
# started FOLDER: a run with an epoch in its checkpoint, stopped in the second one.
started() {
    mkdir "$1"
    code=0
    sweep "$1" --stop-after 7 || code=$?
    grep -q 'stopped in epoch 2' "$1/out" || fail "$1: $(cat "$1/out")"
}

"$make_images" pets
mkdir whole
CALLS=$scratch/order LD_PRELOAD=$calls sweep whole || fail "$(cat whole/out)"
ended whole
[ "$(wc -l <whole/log/$run.jsonl)" = 4 ] || fail "$(cat whole/log/$run.jsonl)"

if [ -n "$calls" ]; then
    # A log is on the disk before its checkpoint is written, and before the last one goes.
    log="fsync $run.jsonl.new,rename $run.jsonl,fsync log"
    checkpoint="fsync temporary,rename $run.checkpoint,fsync state"
    model="fsync temporary,rename $run.safetensors,fsync state"
    end="unlink $run.checkpoint,unlink $run.checkpoint.lock,unlink $run.jsonl.lock"
    echo "$log,$log,$checkpoint,$log,$checkpoint,$model,$log,$end" | tr ',' '\n' >wanted
    cmp order wanted || fail "calls: $(cat order)"

    # Killed before each of these calls.
    for n in $(seq "$(wc -l <wanted)"); do
        mkdir killed
        code=0
        KILL_AT=$n LD_PRELOAD=$calls sweep killed || code=$?
        [ $code = 137 ] || fail "kill $n: exit code $code: $(cat killed/out)"
        sweep killed || fail "after kill $n: $(cat killed/out)"
        rm -f killed/state/.dirac-*
        ended killed
        rm -r killed
    done
fi

# Lines behind the checkpoint's and torn ones are gone as soon as the run goes on: the limit on sizes stops its next log.
started torn
cp torn/log/$run.jsonl good
printf '{"event": "epoch", "epoch": 9}\n{"event": "end", "outcome": "do' >>torn/log/$run.jsonl
limit=$(($(wc -c <good) + 16))
refused torn 'File too large' sweep torn
limit=
cmp torn/log/$run.jsonl good || fail "a torn log was not repaired: $(cat torn/log/$run.jsonl)"
printf '{"event": "end", "outc' >>torn/log/$run.jsonl
sweep torn || fail "$(cat torn/out)"
ended torn

# A finished log keeps its bytes; what stands behind its end goes.
cp torn/log/$run.jsonl good
printf '{"event": "ep' >>torn/log/$run.jsonl
sweep torn || fail "$(cat torn/out)"
cmp torn/log/$run.jsonl good || fail "a torn line behind the end: $(cat torn/log/$run.jsonl)"
[ ! -s torn/out ] || fail "trained again: $(cat torn/out)"
head -c -1 good >torn/log/$run.jsonl
sweep torn || fail "$(cat torn/out)"
cmp torn/log/$run.jsonl good || fail "an end without its newline: $(cat torn/log/$run.jsonl)"
ended torn

# Another program at the run, with the same logs or with the same state.
for lock in "log/$run.jsonl.lock" "state/$run.checkpoint.lock"; do
    started shared
    cksum "shared/log/$run.jsonl" "shared/state/$run.checkpoint" >before
    flock "shared/$lock" "$depth" --data images:pets --epochs 2 --only $run --out shared/log --state shared/state \
        >shared/out 2>&1 || fail "$(cat shared/out)"
    grep -q "$run: another program is at it" shared/out || fail "$lock: $(cat shared/out)"
    cksum "shared/log/$run.jsonl" "shared/state/$run.checkpoint" | cmp - before || fail "$lock: it was touched"
    sweep shared || fail "$(cat shared/out)"
    ended shared
    rm -r shared
done
mkdir both
sweep both & first=$!
code=0
"$depth" --data images:pets --epochs 2 --only $run --threads 1 --out both/log --state both/state >second 2>&1 || code=$?
wait $first || fail "$(cat both/out)"
[ $code = 0 ] || fail "two at once: $(cat second)"
ended both

# A log that cannot be read is not begun anew, and one that cannot be written stops the run before it trains.
mkdir -p unread/log/$run.jsonl
refused unread 'Is a directory' sweep unread
! grep -q epoch unread/out || fail "trained without a log: $(cat unread/out)"
mkdir small
limit=100
refused small 'File too large' sweep small
! grep -q epoch small/out || fail "trained without a log: $(cat small/out)"
[ ! -e small/log/$run.jsonl.new ] || fail "half a log was left"
limit=

# No room for a checkpoint: the one before stays, and the run goes on from it.
started full
cp "full/state/$run.checkpoint" good
limit=100000
refused full 'File too large' sweep full
limit=
cmp "full/state/$run.checkpoint" good || fail "the checkpoint was touched"
sweep full || fail "$(cat full/out)"
ended full

# The same on disks that are full and read-only, where this account may mount some.
if unshare -Urm true 2>/dev/null; then
    export depth run
    mkdir -p disk/state disk/log
    unshare -Urm sh -euc '
        sweep() { "$depth" --data images:pets --epochs 2 --only $run --threads 1 --out disk/log --state disk/state 2>"$1"; }
        mount -t tmpfs -o size=64k none disk/state
        sweep disk/first && exit 1
        mount -o remount,size=8m disk/state
        mount -o remount,ro disk/state
        sweep disk/second && exit 1
        mount -o remount,rw disk/state
        sweep disk/third
        rm -f disk/state/.dirac-*
        mkdir disk/kept
        cp disk/state/* disk/kept' >disk/out || fail "$(cat disk/first disk/second disk/third)"
    grep -q "$run.*No space left on device" disk/first || fail "a full disk: $(cat disk/first)"
    grep -q "$run.*Read-only file system" disk/second || fail "a read-only disk: $(cat disk/second)"
    rmdir disk/state
    mv disk/kept disk/state
    ended disk
fi
