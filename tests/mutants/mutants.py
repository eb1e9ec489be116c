# SPDX-License-Identifier: MIT
"""Faults sown one at a time: each fault of list.txt is written into a copy of the program text, built, and the tests are
run until one fails: the one that the list names, then all of the suites unit, layers, api and fault.

    python3 tests/mutants/mutants.py ROOT BUILDS [N ...]      the N-th faults alone

Prints a table, one row a fault. Fails if no test fails and the list does not explain why.
"""
import json
import pathlib
import shutil
import subprocess
import sys

SUITES = ["unit", "layers", "api", "fault"]
TEST = ["meson", "test", "--no-rebuild", "-t", "10"]  # a busy machine must not make a slow test one that notices


def read_list(path):
    """[(file, test, old, new, reason)]"""
    faults = []
    for block in path.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines:
            continue
        name, test = lines[0].split()
        marked = {line[0]: line[2:] for line in lines[1:]}
        faults.append((name, test, marked["-"], marked["+"], marked.get("=")))
    return faults


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def copy_tree(root, copy):
    shutil.rmtree(copy, ignore_errors=True)
    for name in ["lib", "include", "tests", "docs", "examples", "tools"]:
        shutil.copytree(root / name, copy / name, symlinks=True)
    for path in root.iterdir():
        if path.is_file():
            shutil.copy(path, copy)


def configure(root, builds):
    copy, build = builds / "mutants-source", builds / "mutants"
    copy_tree(root, copy)
    shutil.rmtree(build, ignore_errors=True)
    made = run("meson", "setup", str(build), str(copy), "-Doptimization=1", "-Dexamples=disabled", "-Dtests=enabled",
               "-Db_ndebug=true")
    if made.returncode != 0:
        sys.exit(made.stdout)
    return copy, build


def programs(build):
    """The file of each test, by the test's name."""
    tests = json.loads(run("meson", "introspect", "--tests", str(build)).stdout)
    return {t["name"]: pathlib.Path(t["cmd"][0]).relative_to(build).as_posix() for t in tests
            if t["cmd"][0].startswith(str(build))}


def ask(build, program, test):
    """Whether the test, or the compiler, notices."""
    made = run("ninja", "-C", str(build), program)
    if made.returncode != 0:
        sys.exit("a fault must be a program:\n" + made.stdout[-2000:])
    return run(*TEST, "-C", str(build), test).returncode != 0


def ask_all(build):
    """The first test of all that notices, or None."""
    run("ninja", "-C", str(build))
    out = run(*TEST, "-C", str(build), "--maxfail", "1", *[word for suite in SUITES for word in ("--suite", suite)])
    failed = [line for line in out.stdout.splitlines() if " FAIL " in line or " TIMEOUT " in line]
    return failed[0].split("/ ")[-1].split()[0] if failed else None


def sow(copy, fault, judge):
    name, _, old, new, _ = fault
    path = copy / name
    text = path.read_text()
    path.write_text(text.replace(old, new, 1))
    try:
        return judge()
    finally:
        path.write_text(text)


def main():
    root, builds = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    faults = read_list(root / "tests/mutants/list.txt")
    gone = [f"{name}: {old}" for name, _, old, _, _ in faults if old not in (root / name).read_text()]
    if gone:
        sys.exit("lines of list.txt that are no longer there:\n" + "\n".join(gone))
    chosen = [int(n) for n in sys.argv[3:]] or range(1, len(faults) + 1)
    copy, build = configure(root, builds)
    files = programs(build)
    unknown = sorted({faults[n - 1][1] for n in chosen} - files.keys())
    if unknown:
        sys.exit("list.txt names what is no test: " + ", ".join(unknown))
    for test in sorted({faults[n - 1][1] for n in chosen}):
        if ask(build, files[test], test):
            sys.exit(f"{test} fails without a fault")
    unseen = 0
    for n in chosen:
        name, test, old, new, reason = fault = faults[n - 1]
        found = sow(copy, fault, lambda: test if ask(build, files[test], test) else ask_all(build))
        unseen += found is None and reason is None
        verdict = f"`{found}`" if found else f"explained: {reason}" if reason else "NONE"
        print(f"| {n} | `{name[4:]}` | `{old}` | `{new}` | {verdict} |", flush=True)
    print(f"{len(list(chosen))} faults, {unseen} neither seen nor explained")
    return unseen > 0


if __name__ == "__main__":
    sys.exit(main())
