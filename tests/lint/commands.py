# SPDX-License-Identifier: MIT
"""Makes a compilation database for clang-tidy and cppcheck: each file of lib/ and examples/ as it is compiled, the kernels
for one instruction set. Prints the files of the given folders (default: all).

Usage: commands.py COMPILE_COMMANDS FOLDER [lib/base ...]
"""
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def macro(command, name):
    found = re.search(r"-D%s=(\S+)" % name, command)
    return found.group(1) if found else ""


def for_clang(entry):
    """Without GCC's flag that clang does not know."""
    return dict(entry, command=entry["command"].replace(" -fexcess-precision=fast", ""))


def choose(entries):
    """One entry a file and size of Winograd's tiles: that of x86-64-v4, or else of the first instruction set."""
    chosen = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        key = path, macro(entry["command"], "WINOGRAD_OUT")
        if path.startswith(("lib/", "examples/")) and path.endswith(".c"):
            if key not in chosen or macro(entry["command"], "DIRAC_VARIANT") == "v4":
                chosen[key] = for_clang(entry)
    return chosen


def main(source, folder, *asked):
    with open(source, encoding="utf-8") as file:
        chosen = choose(json.load(file))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(list(chosen.values()), file, indent=1)
    for path in sorted({path for path, _ in chosen}):
        if not asked or os.path.dirname(path) in asked:
            print(os.path.join(ROOT, path))


main(*sys.argv[1:])
