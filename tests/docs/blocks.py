#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every block of code in the Markdown pages, against the library installed into a scratch place.

    blocks.py SOURCE BUILD [--all]        --all: those marked slow too, which build the library as a user does

A new user's way is README, block by block: what it installs is what the blocks below that compile and run with, in an
empty folder; getting-started goes the same way with a place of its own.

A comment before a block says what it is, else its language does. Blocks of one page share a folder, in order.

    <!-- block: program halves.c -->      C: a whole program, compiled without a warning, run; kept under that name
    <!-- block: in mistake.c -->          C: stands in docs/examples/mistake.c in place of the line with BLOCK
    <!-- block: output -->                what the block before it printed, exactly
    <!-- block: run -->                   sh or Python, run in the page's folder; /usr/local means the scratch place
    <!-- block: run in source -->         the same in a copy of the source; build/ there is made by an earlier block
    <!-- block: slow run -->              any of these, with --all only
    <!-- block: file meson.build -->      saved under that name for the blocks that follow
    <!-- block: part of lib/layers/elu.c -->          the lines stand so in that file
    <!-- block: part of the header of x.safetensors --> JSON whose members stand so in that file's header
    <!-- block: not run: why -->          nothing is done; the reason is printed
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading

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


def is_source(source, path, build):
    """Not the history, nor a folder of builds."""
    name = os.path.relpath(path, source)
    return not name.startswith((".git", "build")) and not (build + "/").startswith(path + "/")


def pages_of(source, build):
    found = []
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(f for f in folders
                            if is_source(source, os.path.join(folder, f), build) and not f.startswith("."))
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
    """The scratch installation, and a copy of the source."""

    def __init__(self, source, build, scratch):
        self.source, self.build, self.scratch = source, build, scratch
        self.copying = threading.Lock()
        root = os.path.join(scratch, "root")
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root], check=True,
                       stdout=subprocess.DEVNULL)
        pc = [os.path.join(folder, "dirac.pc") for folder, _, files in os.walk(root) if "dirac.pc" in files][0]
        with open(pc, encoding="utf-8") as file:
            text = file.read()
        prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
        write(os.path.dirname(pc), "dirac.pc", text.replace("prefix=" + prefix, "prefix=" + root + prefix, 1))
        self.library = os.path.dirname(os.path.dirname(pc))
        self.library_in_prefix = os.path.relpath(self.library, root + prefix)

    def copy_of_source(self):
        copy = os.path.join(self.scratch, "source")
        with self.copying:
            if not os.path.exists(copy):
                shutil.copytree(self.source, copy, ignore=lambda folder, names: [
                    n for n in names if not is_source(self.source, os.path.join(folder, n), self.build)])
        return copy


class Page:
    """A page's folder, its /usr/local, and the environment that its blocks leave for the next."""

    def __init__(self, place, number):
        self.place = place
        self.folder = os.path.join(place.scratch, "page%d" % number)
        self.prefix = os.path.join(place.scratch, "prefix%d" % number)
        os.mkdir(self.folder)
        # As for /usr/local after ldconfig: what is installed there is found, and comes first.
        libraries = [os.path.join(self.prefix, place.library_in_prefix), place.library]
        self.environment = dict(os.environ, PKG_CONFIG_PATH=":".join(path + "/pkgconfig" for path in libraries),
                                LD_LIBRARY_PATH=":".join(libraries), HOME=os.path.join(place.scratch, "home"),
                                LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1",
                                PYTHONPATH=os.path.join(place.source, "examples/bindings/python"))

    def run(self, command, folder=None):
        done = subprocess.run(command, cwd=folder or self.folder, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
        if done.returncode != 0:
            raise RuntimeError("%s\nends with %d:\n%s" % (" ".join(command)[:300], done.returncode, done.stdout))
        return done.stdout

    def run_shell(self, text, folder):
        """What a block exports lasts, as in the terminal that a reader stays in."""
        after = os.path.join(self.place.scratch, os.path.basename(self.folder) + ".environment")
        printed = self.run(["sh", "-eu", "-c", text + "\nenv -0 >'%s'" % after], folder)
        with open(after, encoding="utf-8") as file:
            self.environment = dict(variable.split("=", 1) for variable in file.read().split("\0") if variable)
        return printed


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def compile_and_run(page, name, text, more=()):
    write(page.folder, name, text)
    program = os.path.splitext(name)[0]
    flags = page.run(["pkg-config", "--cflags", "--libs", "dirac"]).split()
    page.run(["cc", *WARNINGS, *more, name, *flags, "-lm", "-o", program])
    return page.run(["./" + program])


def run_script(page, block):
    text = block.text.replace("/usr/local", page.prefix)
    if block.language == "python":
        return page.run(["/usr/bin/python3", write(page.folder, "block.py", text)])
    return page.run_shell(text, page.place.copy_of_source() if block.action.endswith("in source") else page.folder)


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


def carry_out(page, block, printed):
    """Does what the marker says; returns what was printed."""
    action = block.action.replace("slow ", "")
    first, _, rest = action.partition(" ")
    if action.startswith("part of the header of "):
        part_of_header(page.folder, block, action[len("part of the header of "):])
    elif action.startswith("part of "):
        part_of_file(page.place, block, action[len("part of "):])
    elif first == "program":
        return compile_and_run(page, rest, block.text)
    elif first == "in":
        return compile_and_run(page, "block.c", wrapped(page.place, block, rest), ["-Wno-unused"])
    elif first == "file":
        write(page.folder, rest, block.text)
    elif first == "output":
        expect(block, printed)
    elif first == "run":
        return run_script(page, block)
    else:
        raise RuntimeError("a block needs a marker; this one says \"%s\"" % block.action)
    return printed


def zip_with_next(blocks):
    """Each block with the action of the one that follows it."""
    return zip(blocks, [block.action for block in blocks[1:]] + [""])


def run_page(page, blocks, everything):
    """Returns how many blocks were run, left and failed, and what is to be said."""
    run, left, failed, said, printed = 0, 0, 0, [], None
    for block, following in zip_with_next(blocks):
        reason = re.match(r"not run: (.+)", block.action)
        if reason or (block.action.startswith("slow ") and not everything):
            said.append("%s: not run: %s" % (block, reason.group(1) if reason else "slow, see --all"))
            left += 1
            continue
        try:
            printed = carry_out(page, block, printed)
            if block.action.startswith("in ") and printed and not following.startswith("output"):
                raise RuntimeError("it printed what the page does not show:\n%s" % printed)
            run += 1
        except (RuntimeError, OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            said.append("%s: %s\n%s" % (block, block.action, error))
            failed += 1
    return run, left, failed, said


def main():
    source, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    everything = "--all" in sys.argv
    pages = [blocks_of(source, page) for page in pages_of(source, build)]
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        place = Place(source, build, scratch)
        # Those that build in the copy of the source, one after the other; the others beside them.
        builders = [n for n, blocks in enumerate(pages) if any(block.action.startswith("slow ") for block in blocks)]
        groups = [builders] + [[n] for n in range(len(pages)) if n not in builders]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = pool.map(lambda group: [(n, run_page(Page(place, n), pages[n], everything)) for n in group], groups)
            results = [result for _, result in sorted(pair for group in done for pair in group)]
    for *_, said in results:
        print("\n".join(said), end="\n" if said else "")
    run, left, failed = (sum(result[i] for result in results) for i in range(3))
    print("%d blocks run, %d not run, %d failed" % (run, left, failed))
    sys.exit(failed > 0 or run == 0)


if __name__ == "__main__":
    main()
