#!/bin/sh
# SPDX-License-Identifier: MIT
# The Rust binding: its tests, what its types must refuse, and its digits beside the C program. rustc alone, no crates.
# Usage: rust.sh SOURCE LIBRARY DIGITS_PROGRAM
set -eu
source=$1
library=$(dirname "$(realpath "$2")")
digits=$(realpath "$3")
binding=$source/examples/bindings/rust
rustc=${RUSTC:-/usr/bin/rustc}
[ -x "$rustc" ] || { echo "no rustc here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
DIRAC_VERSION=$(sed -n 's/^#define DIRAC_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' "$source/include/dirac/version.h" |
    paste -sd.)
export DIRAC_VERSION
grep -qx "version = \"$DIRAC_VERSION\"" "$binding/Cargo.toml"

compile() { "$rustc" --edition 2021 -D warnings -L "native=$library" -L "$scratch" --out-dir "$scratch" "$@"; }
compile --crate-name dirac --crate-type rlib -O "$binding/src/lib.rs"

# The safe layer reaches every function of the C interface.
sed -n 's/.*pub fn \(dirac_[a-z0-9_]*\).*/\1/p' "$binding/src/sys.rs" >"$scratch/functions"
[ "$(wc -l <"$scratch/functions")" -gt 200 ]
find "$binding/src" -name '*.rs' ! -name sys.rs -exec cat {} + >"$scratch/layer.rs"
while read -r name; do
    grep -qw "$name" "$scratch/layer.rs" || { echo "$name is not used by the safe layer"; exit 1; }
done <"$scratch/functions"

for test in nets training callbacks; do
    compile --test --extern dirac "$binding/tests/$test.rs"
    "$scratch/$test" >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
    grep '^test ' "$scratch/out"
done

# Each of these must not compile, for the reason its second line gives, and for no other.
for wrong in "$source"/tests/bindings/rust/refused/*.rs; do
    reason=$(sed -n '2s/^\/\/ \(error\[E[0-9]*\]\).*/\1/p' "$wrong")
    if compile --extern dirac --emit metadata "$wrong" 2>"$scratch/why"; then
        echo "the compiler took $wrong"
        exit 1
    fi
    if [ "$(grep -c '^error\[' "$scratch/why")" != 1 ] || ! grep -qF "$reason" "$scratch/why"; then
        echo "$wrong was refused, but not for $reason:"
        cat "$scratch/why"
        exit 1
    fi
done

# README's program.
awk '/^```rust$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$binding/README.md" >"$scratch/halves.rs"
compile --extern dirac "$scratch/halves.rs"
(cd "$scratch" && ./halves | tee halves.txt && grep -q ', 64 of 64 right$' halves.txt)

# The same calls in two languages: the same words and, bit for bit, the same model.
compile --extern dirac -O "$binding/examples/digits.rs"
cd "$scratch"
"$digits" "$source/examples/data/digits.csv" c.safetensors 2>err | sed 's/c\.safetensors//; /^trained/d' >c.txt
"$scratch/digits" "$source/examples/data/digits.csv" rust.safetensors | sed 's/rust\.safetensors//' >rust.txt
diff c.txt rust.txt
cmp c.safetensors rust.safetensors
tail -3 rust.txt
