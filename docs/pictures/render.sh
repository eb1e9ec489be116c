#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the .svg of every .dot here, and notes in it which source it was made from. With --check: only says whether each
# was made from its source as that is now. Rendering needs Graphviz and the DejaVu fonts.
set -eu
cd "$(dirname "$0")"
for source in *.dot; do
    picture=${source%.dot}.svg
    mark="<!-- Made from $source $(sha256sum "$source" | cut -c1-16) by render.sh. SPDX-License-Identifier: MIT -->"
    if [ "${1:-}" = --check ]; then
        grep -qF -e "$mark" "$picture" || { echo "docs/pictures/$picture is not that of $source: run render.sh"; exit 1; }
        continue
    fi
    # Graphviz's version and the nodes' names, its comments, say nothing to a reader.
    dot -Tsvg "$source" | sed -e '/^<!--.*-->$/d' -e '/^<!--/,/-->$/d' | sed -e "1a $mark" >"$picture.new"
    mv "$picture.new" "$picture"
done
echo "$(ls ./*.dot | wc -l) pictures"
