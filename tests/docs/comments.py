#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every exported function has a comment with all its fields, and the errors that its code in lib/api names are among
those that the comment lists.

    comments.py XML SOURCE [LIBRARY]     XML is what Doxygen wrote; LIBRARY is the shared library (none: not looked at)
"""
import glob
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

THREADS = ("Any", "One", "Caller", "Reader", "Writer", "Inside a callback")

# What a call in lib/api says about the status it may end with.
IMPLIED = {"CHECK_HANDLE": {"ARGUMENT"}, "dirac__check_built": {"ARGUMENT", "STATE"}, "dirac__session_enter": {"BUSY"},
           "dirac__net_begin_read": {"BUSY"}, "dirac__net_begin_write": {"BUSY"}, "dirac__fail_memory": {"MEMORY"}}


def text_of(element):
    return "" if element is None else " ".join("".join(element.itertext()).split())


def section(member, kind, title=None):
    """The text of a section of a member; None if there is none."""
    for found in member.find("detaileddescription").iter("simplesect"):
        if found.get("kind") == kind and (title is None or text_of(found.find("title")).startswith(title)):
            return " ".join(text_of(para) for para in found.findall("para"))
    return None


def functions(xml):
    """Documented functions by name."""
    found = {}
    for path in sorted(glob.glob(os.path.join(xml, "*_8h.xml"))):
        for member in ElementTree.parse(path).getroot().iter("memberdef"):
            if member.get("kind") == "function":
                found[member.findtext("name")] = member
    return found


def check_parameters(member):
    described = {}
    for item in member.find("detaileddescription").iter("parameteritem"):
        for name in item.iter("parametername"):
            described[text_of(name)] = text_of(item.find("parameterdescription"))
    names = [text_of(p.find("declname")) for p in member.findall("param") if p.find("declname") is not None]
    return ["parameter %s is not described" % name for name in names if not described.get(name)]


def check_fields(member):
    faults = check_parameters(member)
    errors, threads = section(member, "par", "Errors"), section(member, "par", "Threads")
    if not text_of(member.find("briefdescription")):
        faults.append("it has no first sentence")
    if not errors:
        faults.append("Errors is missing")
    elif re.search(r"(?<![\w])[A-Z]{4,}", errors.replace("NULL", "")) and not re.search(r"DIRAC_", errors):
        faults.append("Errors names a code that does not exist: " + errors)
    if not (threads or "").startswith(THREADS):
        faults.append("Threads is missing or is none of %s: %s" % (", ".join(THREADS), threads))
    if not re.fullmatch(r"\d+\.\d+", (section(member, "since") or "").strip()):
        faults.append("Since is missing")
    kind = text_of(member.find("type"))
    status = kind == "int32_t" and errors and not errors.startswith("None")
    if kind != "void" and not status and not section(member, "return"):
        faults.append("what it returns is not described")
    said = text_of(member.find("detaileddescription")) + text_of(member.find("briefdescription"))
    if re.search(r"\beq\. \d|the paper's formula", said) and section(member, "par", "Paper") is None:
        faults.append("it speaks of an equation, but has no field Paper")
    return faults


def bodies(path):
    """The functions of a C file: name to body."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r'"(\\.|[^"\\\n])*"', '""', file.read())  # a message may speak of other calls
    found = {}
    for match in re.finditer(r"^[a-z][\w *]*?\b(\w+)\(([^;{}]*)\)\n\{\n(.*?)^\}", text, re.S | re.M):
        found[match.group(1)] = match.group(3)
    return found


def errors_in_code(source):
    """For each function of lib/api the codes that its code names, through the functions of its own file."""
    result = {}
    for path in glob.glob(os.path.join(source, "lib/api/*.c")):
        code = bodies(path)
        named = {}
        for name, body in code.items():
            named[name] = set(re.findall(r"dirac__fail\(\s*DIRAC_ERR_(\w+)", body))
            for call, codes in IMPLIED.items():
                if re.search(r"\b%s\(" % call, body):
                    named[name] |= codes
        changed = True
        while changed:
            changed = False
            for name, body in code.items():
                for called in set(re.findall(r"\b(\w+)\(", body)) & set(code) - {name}:
                    if not named[called] <= named[name]:
                        named[name] |= named[called]
                        changed = True
        result.update(named)
    return result


def exported(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[2].split("@")[0] for line in out.splitlines() if line.split()[1] != "A"}


def main():
    xml, source = sys.argv[1], sys.argv[2]
    documented, code = functions(xml), errors_in_code(source)
    faults = {name: check_fields(member) for name, member in documented.items()}
    for name, member in documented.items():
        errors = section(member, "par", "Errors") or ""
        for missing in sorted(code.get(name, set())):
            if not re.search(r"DIRAC_ERR_%s\b" % missing, errors) and not re.match("Those of|The common", errors) \
                    and text_of(member.find("type")) == "int32_t":
                faults[name].append("its code ends with %s, which Errors does not list" % missing)
    for name in sorted(exported(sys.argv[3]) ^ set(documented) if len(sys.argv) > 3 else []):
        faults.setdefault(name, []).append("it is exported without a comment, or has one and is not exported")
    for name, list_ in sorted(faults.items()):
        for fault in list_:
            print("%s: %s" % (name, fault))
    print("%d functions, %d fields wanting" % (len(documented), sum(map(len, faults.values()))))
    if len(documented) < 100 or len(code) < 100:
        sys.exit("too few functions found: the check has lost its way")
    sys.exit(any(faults.values()))


if __name__ == "__main__":
    main()
