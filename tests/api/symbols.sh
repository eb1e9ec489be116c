#!/bin/sh
# SPDX-License-Identifier: MIT
# The shared library exports the functions its headers declare, no more and no less, imports nothing that prints, exits
# or changes the state of the process, and each of its functions is in the test of NULL arguments, in that of watched
# calls, and among the calls of the fuzzer. Usage: symbols.sh LIBRARY INCLUDE TEST...
set -eu
library=$1
include=$2
shift 2
command -v nm >/dev/null || { echo "no nm here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

sh "$(dirname "$0")/declared.sh" "$include" >"$scratch/declared"
[ "$(wc -l <"$scratch/declared")" -gt 100 ] || { echo "the prototypes were not found"; exit 1; }
[ -z "$(uniq -d "$scratch/declared")" ] || { echo "declared twice:"; uniq -d "$scratch/declared"; exit 1; }

# "A" is the version node itself.
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$scratch/exported"
if ! diff "$scratch/declared" "$scratch/exported" >"$scratch/difference"; then
    echo "declared (<) and exported (>) functions differ:"
    cat "$scratch/difference"
    failed=1
fi

nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u >"$scratch/imported"
for name in exit _exit _Exit quick_exit abort atexit printf vprintf puts putchar fputs fputc fprintf vfprintf perror \
    dprintf __printf_chk __fprintf_chk __vprintf_chk __vfprintf_chk stdout stderr stdin getenv secure_getenv setenv \
    setlocale uselocale signal sigaction raise srand rand random chdir umask; do
    if grep -qx "$name" "$scratch/imported"; then
        echo "the library uses $name"
        failed=1
    fi
done

cat "$(dirname "$0")"/../fuzz/api*.c "$(dirname "$0")"/../fuzz/fuzz.h >"$scratch/fuzzed"
while read -r name; do
    grep -qw "$name" "$scratch/fuzzed" || { echo "$name is not in tests/fuzz/api*.c"; failed=1; }
    for test in "$@"; do
        grep -q "\<$name(" "$test" || { echo "$name is not in $(basename "$test")"; failed=1; }
    done
done <"$scratch/declared"
echo "$(wc -l <"$scratch/exported") functions"
exit $failed
