#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every block of code in the Markdown pages, against the library installed into a scratch place.

    blocks.py SOURCE BUILD [--all]        --all: those marked slow too

A comment before a block says what it is, else its language does. Blocks of one page share a folder, in order.

    <!-- block: program halves.c -->      C: a whole program, compiled without a warning, run; kept under that name
    <!-- block: in mistake.c -->          C: stands in docs/examples/mistake.c in place of the line with BLOCK
    <!-- block: output -->                what the block before it printed, exactly
    <!-- block: run -->                   sh or Python, run in the page's folder; /usr/local means the scratch place
    <!-- block: slow run in source -->    the same in a copy of the source, with --all only
    <!-- block: file meson.build -->      saved under that name for the blocks that follow
    <!-- block: part of lib/layers/elu.c -->          the lines stand so in that file
    <!-- block: part of the header of x.safetensors --> JSON whose members stand so in that file's header
    <!-- block: not run: why -->          nothing is done; the reason is printed
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
LIMIT = 300  # seconds for a block


class Block:
    def __init__(self, page, line, language, text, marker):
        self.page, self.line, self.language, self.text = page, line, language, text
        self.action = marker or self.default_action()

    def default_action(self):
        if self.language == "c" and "int main(" in self.text:
            return "program program.c"
        return {"sh": "run", "python": "run"}.get(self.language, "unmarked")

    def __str__(self):
        return "%s:%d" % (self.page, self.line)


def pages_of(source):
    found = []
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "build")))
        found += [os.path.relpath(os.path.join(folder, f), source) for f in sorted(files) if f.endswith(".md")]
    return found


def blocks_of(source, page):
    with open(os.path.join(source, page), encoding="utf-8") as file:
        lines = file.read().split("\n")
    marker, start, found = None, None, []
    for number, line in enumerate(lines):
        if start is not None:
            if line.strip() == "```":
                found.append(Block(page, start + 1, language, "\n".join(lines[start + 1:number]) + "\n", marker))
                start = marker = None
        elif line.startswith("```"):
            start, language = number, line[3:].strip()
        elif line.startswith("<!-- block:"):
            marker = line[len("<!-- block:"):].replace("-->", "").strip()
        elif line.strip():
            marker = None
            if line.startswith("    ") and not lines[number - 1].strip():
                sys.exit("%s:%d: code is fenced, so that it can be marked" % (page, number + 1))
    if start is not None:
        sys.exit("%s: the block of line %d has no end" % (page, start + 1))
    return found


class Place:
    """The scratch installation, and one folder a page."""

    def __init__(self, source, build, scratch):
        self.source, self.scratch = source, scratch
        root = os.path.join(scratch, "root")
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root], check=True,
                       stdout=subprocess.DEVNULL)
        pc = [os.path.join(folder, "dirac.pc") for folder, _, files in os.walk(root) if "dirac.pc" in files][0]
        with open(pc, encoding="utf-8") as file:
            text = file.read()
        prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
        write(os.path.dirname(pc), "dirac.pc", text.replace("prefix=" + prefix, "prefix=" + root + prefix, 1))
        library = os.path.dirname(os.path.dirname(pc))
        self.environment = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc), LD_LIBRARY_PATH=library,
                                LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1",
                                PYTHONPATH=os.path.join(source, "examples/bindings/python"))
        self.flags = self.run(["pkg-config", "--cflags", "--libs", "dirac"], scratch).split()
        self.prefix = os.path.join(scratch, "prefix")
        self.environment["HOME"] = os.path.join(scratch, "home")

    def run(self, command, folder, environment=None):
        done = subprocess.run(command, cwd=folder, env=environment or self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
        if done.returncode != 0:
            raise RuntimeError("%s\nends with %d:\n%s" % (" ".join(command)[:300], done.returncode, done.stdout))
        return done.stdout

    def copy_of_source(self):
        copy = os.path.join(self.scratch, "source")
        if not os.path.exists(copy):
            shutil.copytree(self.source, copy, ignore=lambda folder, names: [
                n for n in names if folder == self.source and n.startswith((".git", "build"))])
        return copy


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def compile_and_run(place, folder, name, text, more=()):
    write(folder, name, text)
    program = os.path.splitext(name)[0]
    place.run(["cc", *WARNINGS, *more, name, *place.flags, "-lm", "-o", program], folder)
    return place.run(["./" + program], folder)


def run_script(place, folder, block):
    text = block.text.replace("/usr/local", place.prefix)
    if block.language == "python":
        return place.run(["/usr/bin/python3", write(folder, "block.py", text)], folder)
    if block.action.endswith("in source"):
        folder = place.copy_of_source()
    return place.run(["sh", "-eu", "-c", text], folder)  # like a shell of its own: what it exports ends with it


def wrapped(place, block, wrapper):
    with open(os.path.join(place.source, "docs/examples", wrapper), encoding="utf-8") as file:
        text = file.read()
    if len(re.findall(r"^.*\bBLOCK\b.*$", text, re.M)) != 1:
        raise RuntimeError("docs/examples/%s needs one line with BLOCK" % wrapper)
    return re.sub(r"^( *).*\bBLOCK\b.*$", lambda at: textwrap.indent(block.text.rstrip("\n"), at.group(1)), text, count=1,
                  flags=re.M)


def part_of_file(place, block, path):
    with open(os.path.join(place.source, path), encoding="utf-8") as file:
        if block.text not in file.read():
            raise RuntimeError("these lines do not stand in %s" % path)


def contains(whole, part):
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and contains(whole[k], v) for k, v in part.items())
    return whole == part


def part_of_header(folder, block, path):
    with open(os.path.join(folder, path), "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    for key, value in header.get("__metadata__", {}).items():
        if value.startswith(("{", "[")):
            header["__metadata__"][key] = json.loads(value)
    if not contains(header, json.loads(block.text)):
        raise RuntimeError("the header is\n%s" % json.dumps(header, indent=1)[:3000])


def expect(block, printed):
    if block.text.rstrip() != (printed or "").rstrip():
        raise RuntimeError("the block before it printed:\n%s" % printed)


def carry_out(place, folder, block, printed):
    """Does what the marker says; returns what was printed."""
    action = block.action.replace("slow ", "")
    first, _, rest = action.partition(" ")
    if action.startswith("part of the header of "):
        part_of_header(folder, block, action[len("part of the header of "):])
    elif action.startswith("part of "):
        part_of_file(place, block, action[len("part of "):])
    elif first == "program":
        return compile_and_run(place, folder, rest, block.text)
    elif first == "in":
        return compile_and_run(place, folder, "block.c", wrapped(place, block, rest), ["-Wno-unused"])
    elif first == "file":
        write(folder, rest, block.text)
    elif first == "output":
        expect(block, printed)
    elif first == "run":
        return run_script(place, folder, block)
    else:
        raise RuntimeError("a block needs a marker; this one says \"%s\"" % block.action)
    return printed


def zip_with_next(blocks):
    """Each block with the action of the one that follows it."""
    return zip(blocks, [block.action for block in blocks[1:]] + [""])


def main():
    source, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    everything, run, left, failed = "--all" in sys.argv, 0, 0, 0
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        place = Place(source, build, scratch)
        for number, page in enumerate(pages_of(source)):
            folder, printed = os.path.join(scratch, "page%d" % number), None
            os.mkdir(folder)
            for block, following in zip_with_next(blocks_of(source, page)):
                reason = re.match(r"not run: (.+)", block.action)
                if reason or (block.action.startswith("slow ") and not everything):
                    print("%s: not run: %s" % (block, reason.group(1) if reason else "slow, see --all"))
                    left += 1
                    continue
                try:
                    printed = carry_out(place, folder, block, printed)
                    if block.action.startswith("in ") and printed and not following.startswith("output"):
                        raise RuntimeError("it printed what the page does not show:\n%s" % printed)
                    run += 1
                except (RuntimeError, OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
                    print("%s: %s\n%s" % (block, block.action, error))
                    failed += 1
    print("%d blocks run, %d not run, %d failed" % (run, left, failed))
    sys.exit(failed > 0 or run == 0)


if __name__ == "__main__":
    main()
