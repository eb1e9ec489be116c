#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes what is made from the public headers: docs/api.json and the lowest layer of the language bindings.

Usage: generate.py [--check] [ROOT]
  --check  writes nothing; fails, naming the files, if one of them is not what it would write
"""
import argparse
import difflib
import json
import os
import sys

import description
import python_module
import rust_module

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = "/usr/bin/python3 tools/api/generate.py"


def products(root):
    """{path: text} of everything made."""
    api = description.describe(os.path.join(root, "include"))
    return {
        "docs/api.json": as_json(api) + "\n",
        "examples/bindings/python/dirac/_api.py": python_module.module(api),
        "examples/bindings/rust/src/sys.rs": rust_module.module(api),
    }


def as_json(value, depth=0):
    """JSON with a line for each thing that has no list inside, so that a change of one shows as one line."""
    nested = isinstance(value, (dict, list)) and any(
        isinstance(v, dict) or (isinstance(v, list) and v and isinstance(v[0], dict))
        for v in (value.values() if isinstance(value, dict) else value))
    if not nested:
        return json.dumps(value, ensure_ascii=False)
    space = "  " * (depth + 1)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    items = [f"{json.dumps(key)}: {as_json(v, depth + 1)}" for key, v in value.items()] if isinstance(value, dict) \
        else [as_json(v, depth + 1) for v in value]
    return opening + "\n" + ",\n".join(space + item for item in items) + "\n" + space[2:] + closing


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def check(root, made):
    """The number of files that differ, each shown."""
    stale = 0
    for path, text in made.items():
        found = read(os.path.join(root, path))
        if found != text:
            stale += 1
            print(f"{path} is not what the headers say:")
            lines = list(difflib.unified_diff(found.splitlines(), text.splitlines(), "found", "made", lineterm="", n=1))
            print("\n".join(lines[:40]))
    if stale:
        print(f"run {COMMAND} to regenerate")
    return stale


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("root", nargs="?", default=ROOT)
    options = parser.parse_args()
    made = products(options.root)
    if options.check:
        return 1 if check(options.root, made) else 0
    for path, text in made.items():
        with open(os.path.join(options.root, path), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
