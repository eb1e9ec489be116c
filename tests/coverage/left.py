#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the tests do not reach, by class: left.py ROOT GCOVR.JSON CLASSES [--page PAGE]

Reads gcovr's JSON and finds for each line of lib/ that is not reached, and for each branch that is never taken, its
class in CLASSES (tests/coverage/classes.txt has the form). Prints the table of classes; fails where something has no
class, or where a pattern of CLASSES matches nothing any more. --page writes the table into PAGE between its two marks.
"""
import argparse
import fnmatch
import json
import pathlib
import re
import sys

BEGIN, END = "<!-- coverage: the table of tests/coverage/left.py -->", "<!-- coverage: end -->"


class Gap:
    """A line that is not reached, with the branches in it, or a line reached of which branches are never taken."""

    def __init__(self, file, number, function, text, kind, branches):
        self.file, self.number, self.function, self.text = file, number, function, text
        self.kind, self.branches = kind, branches

    def __str__(self):
        what = "not reached" if self.kind == "line" else f"{self.branches} branches never taken"
        return f"{self.file}:{self.number}: {self.function}: {what}: {self.text}"


class Pattern:
    """Which lines or branches: kind, file, function, a piece of the line's text (* for any)."""

    def __init__(self, line, number):
        kind, self.file, self.function, self.text = line.split(None, 3)
        self.kind, self.optional = kind.rstrip("?"), kind.endswith("?")
        self.number, self.used = number, False
        if self.kind not in ("line", "branch", "any"):
            raise ValueError(f"'{kind}' is none of line, branch and any, nor with '?'")

    def matches(self, gap):
        return (self.kind in ("any", gap.kind) and fnmatch.fnmatchcase(gap.file, self.file)
                and fnmatch.fnmatchcase(gap.function, self.function) and (self.text == "*" or self.text in gap.text))


class Class:
    def __init__(self, name):
        self.name, self.reason, self.patterns, self.lines, self.branches = name, "", [], 0, 0

    def row(self):
        return f"| {self.name} | {self.lines} | {self.branches} | {self.reason} |"


def read_classes(path):
    classes = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        try:
            if text.startswith("["):
                classes.append(Class(text[1:-1]))
            elif text and not text.startswith("#") and line[0].isspace():
                classes[-1].patterns.append(Pattern(text, number))
            elif text and not text.startswith("#"):
                classes[-1].reason = f"{classes[-1].reason} {text}".lstrip()
        except (IndexError, ValueError) as error:
            raise SystemExit(f"{path}:{number}: {error}: {text}") from error
    return classes


def functions_of(lines):
    """For each line the function that it is in: the last one whose head began in the first column."""
    name, names = "", []
    for line in lines:
        head = re.match(r"(?:[A-Za-z_][\w \t]*[ \t*]+)?(\w+)(?:\((\w+)\))?\(", line)
        if head and not line.endswith(";"):
            name = head.group(2) or head.group(1)
        names.append(name)
    return names


def gaps_of(root, entry):
    """Of one file. A line that is compiled more than once counts once, with the branches of all copies."""
    source = (root / entry["file"]).read_text().splitlines()
    functions = functions_of(source)
    for line in entry["lines"]:
        number = line["line_number"]
        never = sum(branch["count"] == 0 for branch in line["branches"])
        if not line.get("gcovr/noncode") and (line["count"] == 0 or never > 0):
            kind = "line" if line["count"] == 0 else "branch"
            yield Gap(entry["file"], number, functions[number - 1], source[number - 1].strip(), kind, never)


def sort_in(gap, classes):
    """The first pattern that matches gives the class; all that match are in use. False: there is none."""
    fitting = [(one, pattern) for one in classes for pattern in one.patterns if pattern.matches(gap)]
    for _, pattern in fitting:
        pattern.used = True
    for one, _ in fitting[:1]:
        one.lines += gap.kind == "line"
        one.branches += gap.branches
    return bool(fitting)


def table(classes):
    lines, branches = sum(one.lines for one in classes), sum(one.branches for one in classes)
    return "\n".join(["| class | lines | branches | why |", "|---|---|---|---|", *(one.row() for one in classes),
                      f"| all | {lines} | {branches} | |"])


def write_page(path, text):
    before, rest = path.read_text().split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("classes", type=pathlib.Path)
    parser.add_argument("--page", type=pathlib.Path)
    options = parser.parse_args()
    classes = read_classes(options.classes)
    unknown = [gap for entry in json.loads(options.report.read_text())["files"]
               for gap in gaps_of(options.root, entry) if not sort_in(gap, classes)]
    stale = [pattern for one in classes for pattern in one.patterns if not pattern.used and not pattern.optional]
    print(table(classes))
    for gap in unknown:
        print(f"no class: {gap}")
    for pattern in stale:
        print(f"stale: {options.classes}:{pattern.number}: nothing is left of {pattern.file} {pattern.function} "
              f"{pattern.text}")
    print(f"{len(unknown)} without a class, {len(stale)} stale patterns")
    if options.page and not unknown and not stale:
        write_page(options.page, table(classes))
    return 1 if unknown or stale else 0


if __name__ == "__main__":
    sys.exit(main())
