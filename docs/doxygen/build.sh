#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes OUTPUT/html, OUTPUT/xml and OUTPUT/man3 anew. Usage: build.sh DOXYGEN PYTHON DOXYFILE VERSION OUTPUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$5/html" "$5/xml" "$5/man3"
"$1" "$3"
"$2" -B "$here/man.py" "$5/xml" "$4" "$5/man3"
