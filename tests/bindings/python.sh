#!/bin/sh
# SPDX-License-Identifier: MIT
# The Python binding: its tests, its digits.py beside the C program.
# Usage: python.sh SOURCE LIBRARY DIGITS_PROGRAM
set -eu
source=$1
LIBDIRAC=$(realpath "$2")
digits=$(realpath "$3")
python=/usr/bin/python3
"$python" -c 'import numpy' 2>/dev/null || { echo "no python3-numpy here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LIBDIRAC DIRAC_SOURCE="$source" PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$source/examples/bindings/python"

"$python" -W error -m unittest discover -s "$source/tests/bindings/python"

# The same calls in two languages: the same words and, bit for bit, the same model.
cd "$scratch"
"$digits" "$source/examples/data/digits.csv" c.safetensors 2>err | sed 's/c\.safetensors//; /^trained/d' >c.txt ||
    { cat err; exit 1; }
"$python" "$PYTHONPATH/digits.py" "$source/examples/data/digits.csv" python.safetensors |
    sed 's/python\.safetensors//' >python.txt
diff c.txt python.txt
cmp c.safetensors python.safetensors
tail -3 python.txt

# README's program.
awk '/^```python$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$PYTHONPATH/README.md" >halves.py
"$python" halves.py | tee halves.txt
grep -q ', 100% right$' halves.txt

# Without LIBDIRAC the loader decides; a library that is not there is said in words.
library=$(dirname "$LIBDIRAC")
env -u LIBDIRAC LD_LIBRARY_PATH="$library" "$python" -c 'import dirac; dirac.Context()'
if LIBDIRAC=/no/such/library "$python" -c 'import dirac' 2>err; then
    exit 1
fi
grep -q 'ImportError: libdirac was not found: set LIBDIRAC' err
