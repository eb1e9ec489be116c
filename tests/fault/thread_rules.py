# SPDX-License-Identifier: MIT
"""Every function whose rule lets other threads in ("Threads: any", "caller", "reader", "writer") is called by
test_thread_rules.c. Usage: thread_rules.py docs/api.json test_thread_rules.c"""
import json
import re
import sys


def rule(function):
    """What stands after "Threads:", as one line; none where the doc says "as" another function."""
    found = re.search(r"Threads: (.*?) Since ", " ".join(function["doc"].split()))
    return found.group(1) if found else ""


with open(sys.argv[1], encoding="utf-8") as file:
    functions = json.load(file)["functions"]
with open(sys.argv[2], encoding="utf-8") as file:
    test = file.read()
shared = [f["name"] for f in functions if re.search(r"\b(any|caller|reader|writer)\b", rule(f))]
missing = [name for name in shared if name + "(" not in test]
for name in missing:
    print(name, "is not in", sys.argv[2])
print(len(shared), "functions may meet others")
sys.exit(1 if missing or len(shared) < 100 else 0)
