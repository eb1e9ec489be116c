#!/bin/sh
# SPDX-License-Identifier: MIT
# What is made from the headers (docs/api.json and the lowest layers of the bindings) is what the headers say, names
# exactly what the library exports, and agrees with a C compiler; and the check sees a header that has changed.
# Usage: description.sh SOURCE LIBRARY
set -eu
source=$1
library=$2
python=/usr/bin/python3
"$python" -c 'import pycparser' 2>/dev/null || { echo "no python3-pycparser here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONDONTWRITEBYTECODE=1
generate="$source/tools/api/generate.py"

"$python" "$generate" --check "$source"

# The names against the library's own list.
"$python" -c 'import json, sys
for function in json.load(open(sys.argv[1]))["functions"]: print(function["name"])' "$source/docs/api.json" |
    sort >"$scratch/described"
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$scratch/exported"
diff "$scratch/described" "$scratch/exported"

# Every prototype, callback type and constant once more, as C beside the headers: the compiler refuses what differs.
"$python" "$source/tests/api/description.py" "$source/docs/api.json" >"$scratch/twin.c"
compile() { cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -I "$source/include" "$1"; }
compile "$scratch/twin.c"
for change in 's/^int32_t dirac_net_fold(/int64_t dirac_net_fold(/' 's/DIRAC_ERR_IO == -6/DIRAC_ERR_IO == -7/' \
    's/const float \*values, const int32_t \*labels/float *values, const int32_t *labels/'; do
    sed "$change" "$scratch/twin.c" >"$scratch/wrong.c"
    ! cmp -s "$scratch/twin.c" "$scratch/wrong.c" || { echo "nothing to change for $change"; exit 1; }
    ! compile "$scratch/wrong.c" 2>/dev/null || { echo "the compiler took $change"; exit 1; }
done

# A header that changed is seen, and the message says what to do.
mkdir -p "$scratch/changed"
cp -r "$source/include" "$source/docs" "$source/examples" "$scratch/changed"
sed -i 's/^DIRAC_API int64_t dirac_session_batch(/&int32_t more, /' "$scratch/changed/include/dirac/session.h"
if "$python" "$generate" --check "$scratch/changed" >"$scratch/said"; then
    echo "a changed header went unseen"
    exit 1
fi
grep -q 'generate.py to regenerate' "$scratch/said"
grep -q '"more"' "$scratch/said"
echo "$(wc -l <"$scratch/exported") functions described"
