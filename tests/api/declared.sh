#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the functions that the public headers declare: the name before the first parenthesis of every prototype that
# begins with DIRAC_API. Usage: declared.sh INCLUDE
cat "$1"/dirac/*.h | awk '
    /^DIRAC_API/ { open = 1; text = "" }
    open { text = text " " $0 }
    open && /;/ { sub(/\(.*/, "", text); n = split(text, word, /[ *]+/); print word[n]; open = 0 }
' | sort
