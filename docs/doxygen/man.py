#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manual pages (mdoc) from Doxygen's XML of the public headers: one page a header, and a short one for each function.
Doxygen's own manual pages lack the fields, so they are not used.

    man.py XML VERSION OUTPUT      writes OUTPUT/dirac.3, OUTPUT/dirac_net.3, OUTPUT/dirac_net_fold.3, ...
"""
import glob
import os
import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree

from filter import HANDLES

WIDTH = 78
# Of this version of the pages: what is built must not depend on the day it is built on.
DATE = "November 27, 2026"
PAGES = ["dirac", "dirac_version", "dirac_status", "dirac_context", "dirac_net", "dirac_session", "dirac_sgd",
         "dirac_data", "dirac_file", "dirac_models", "dirac_layer"]
RETURNS = """\
%s, a negative number.
Then \\fBdirac_error_message\\fP() on the same thread tells what is wrong, and unless the function says otherwise nothing has
changed.
"""


# ---- text ----

def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


def inline(element):
    """The text of an element with its tail left out; names of functions bold, names of arguments italic."""
    parts = [escape(element.text or "")]
    for child in element:
        inner = inline(child)
        if child.tag == "ref":
            inner = "\\fB%s\\fP%s" % (inner[:-2], "()") if inner.endswith("()") else inner
        elif child.tag in ("computeroutput", "emphasis"):
            inner = "\\fI%s\\fP" % inner
        elif child.tag == "linebreak":
            inner = " "
        parts.append(inner + escape(child.tail or ""))
    return "".join(parts)


def plain(element):
    """A sentence without markup and full stop."""
    return " ".join("".join(element.itertext()).split()).rstrip(".")


def lines_of(text):
    """A paragraph as lines of input: each sentence begins one, none is long, none begins with a control character."""
    text = re.sub(r"\b(eq\.|[A-Z]\.) (?=[\w(])", r"\1\\~", " ".join(text.split()))  # these end no sentence
    text = re.sub(r"(?<![\\\w])(\w+)\(\)", r"\\fB\1\\fP()", text)
    lines = []
    for sentence in re.split(r"(?<=[.?!]) +", text):
        lines += textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)
    return ["\\&" + line if line[:1] in ".'" else line for line in lines]


def code_lines(text):
    return ["\\&" + line if line[:1] in ".'" else line for line in escape(text).rstrip("\n").split("\n")]


def literal(text):
    return [".Bd -literal -offset indent"] + code_lines(textwrap.dedent(text)) + [".Ed"]


# ---- paragraphs ----

def blocks(element):
    """Splits what is in an element into ("text", string), ("code", string) and ("list", [element]), in order."""
    found = []

    def add(text):
        if not text.strip():
            return
        if found and found[-1][0] == "text":
            found[-1] = ("text", found[-1][1] + text)
        else:
            found.append(("text", text))

    for para in element.findall("para"):
        found.append(("break", None))
        add(escape(para.text or ""))
        for child in para:
            if child.tag == "verbatim":
                found.append(("code", child.text))
            elif child.tag in ("itemizedlist", "orderedlist"):
                found.append(("list", child.findall("listitem")))
            elif child.tag not in ("simplesect", "parameterlist"):
                wrapper = ElementTree.Element("x")
                tail, child.tail = child.tail, None
                wrapper.append(child)
                add(inline(wrapper))
                child.tail = tail
            add(escape(child.tail or ""))
    return found


def render(element):
    out, open_ = [], False  # open_: what follows begins a paragraph
    for kind, value in blocks(element) if element is not None else []:
        if kind == "break":
            open_ = bool(out)
            continue
        if kind == "text":
            out += ([".Pp"] if open_ else []) + lines_of(value)
        elif kind == "code":
            out += literal(value)
            open_ = True
            continue
        else:
            out.append(".Bl -bullet -compact")
            for item in value:
                out += [".It"] + [line for line in render(item) if line != ".Pp"]
            out.append(".El")
        open_ = False
    return out


# ---- functions ----

def argument(text):
    return '"%s"' % escape(text) if " " in text else escape(text)


def prototype(member):
    """The type and the name with arguments, as arguments of Ft and Fn."""
    kind = "".join(member.find("type").itertext())
    arguments = []
    for param in member.findall("param"):
        kind_of, name = "".join(param.find("type").itertext()), param.findtext("declname")
        if name is None:
            arguments.append(kind_of)  # void
        elif "(*" in kind_of:
            arguments.append(kind_of.replace("(*", "(*%s" % name, 1) + (param.findtext("array") or ""))
        else:
            arguments.append((kind_of + " " + name).replace("* ", "*"))
    return argument(kind.strip()), "%s %s" % (member.findtext("name"), " ".join(map(argument, arguments)))


def synopsis(members):
    return [line for member in members for line in (".Ft " + prototype(member)[0], ".Fn " + prototype(member)[1])]


def fields(member):
    """The parameters and the fields of a function as one list."""
    out, detail = [], member.find("detaileddescription")
    for item in detail.iter("parameteritem"):
        names = [name.text for name in item.iter("parametername")]
        if " ".join("".join(item.find("parameterdescription").itertext()).split()) == HANDLES.get(names[0]):
            continue
        out += [".It Fa " + " , ".join(names)] + [line for line in render(item.find("parameterdescription"))]
    for section in detail.iter("simplesect"):
        title = section.findtext("title") or {"return": "Returns", "since": "Since"}[section.get("kind")]
        out += [".It Em " + escape(" ".join(title.split()))] + render(section)
    return [".Bl -tag -width 9n -compact"] + out + [".El"] if out else []


def stands_in_for(member):
    """The function of a brief "As other() ...", with which the rest stands; else None."""
    found = re.match(r"As (\w+)\(\)", plain(member.find("briefdescription")))
    return found.group(1) if found else None


def describe(member):
    brief = render(member.find("briefdescription"))
    return brief if stands_in_for(member) else brief + render(member.find("detaileddescription")) + fields(member)


def function(member):
    return [".It Ft %s Fn %s" % prototype(member)] + describe(member)


# ---- types and constants ----

def enumeration(member):
    out = [".Pp"] + render(member.find("briefdescription")) + render(member.find("detaileddescription"))
    out.append(".Bl -tag -width Ds -compact")
    for value in member.findall("enumvalue"):
        initial = (value.findtext("initializer") or "").replace("= ", "")
        out.append(".It Dv %s No ( %s )" % (value.findtext("name"), escape(initial)))
        out += render(value.find("briefdescription")) + render(value.find("detaileddescription"))
    return out + [".El"]


def declaration(member):
    """A type or macro."""
    if member.get("kind") == "define":
        names = [p.findtext("defname") for p in member.findall("param")]
        head = ".It Dv %s" % member.findtext("name") + (" No ( %s )" % ", ".join(names) if names else "")
    else:
        text = " ".join((member.findtext("definition") or "").split())
        head = ".It Vt %s" % argument(re.sub(r"typedef struct (\w+) \1$", r"typedef struct \1", text))
    return [head] + render(member.find("briefdescription")) + render(member.find("detaileddescription"))


# ---- pages ----

def page_name(header):
    stem = header[:-2]
    return "dirac" if stem == "dirac" else "dirac_" + stem


def head(name, header, brief, version, members):
    """Up to the synopsis, which ends with the functions or, on a page without, with how to compile. NAME has the functions
    too: man -k and apropos look through nothing else."""
    names = list(dict.fromkeys([name] + [member.findtext("name") for member in members]))
    return [".\\\" Made from %s by Doxygen and man.py. SPDX-License-Identifier: MIT" % header,
            ".Dd " + DATE,
            ".Dt %s 3" % name.upper(), ".Os libdirac %s" % version,
            ".Sh NAME"] + [".Nm %s ," % other for other in names[:-1]] + [".Nm " + names[-1],
            ".Nd " + escape(brief), ".Sh SYNOPSIS", ".In dirac/%s" % header] + synopsis(members) + [
            ".Pp", ".Dl cc \\-std=c11 file.c $(pkg\\-config \\-\\-cflags \\-\\-libs dirac)"]


def see_also(others):
    others = sorted(others)
    return [".Sh SEE ALSO"] + [".Xr %s 3 ," % other for other in others[:-1]] + [".Xr %s 3" % others[-1]]


def function_page(member, group, header, version):
    """One function's page; what is common to its group stands on the group's."""
    name, like = member.findtext("name"), stands_in_for(member)
    brief = re.split(r"[:;](?: |$)", plain(member.find("briefdescription")))[0]
    out = head(name, header, brief, version, [member]) + [".Sh DESCRIPTION"] + describe(member)
    if any(plain(title) == "Errors" for title in member.iter("title")) and "int32_t" in prototype(member)[0]:
        out += [".Sh RETURN VALUES"] + lines_of(RETURNS % "DIRAC_OK (0) or one of the codes above")
    return out + see_also([group, "dirac"] + ([like] if like else []))


def write(output, name, lines):
    with open(os.path.join(output, name + ".3"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def page(root, version):
    """The page of a header, its name, and its functions."""
    compound = root.find("compounddef")
    header = compound.findtext("compoundname")
    name = page_name(header)
    brief = plain(compound.find("briefdescription"))
    types, constants, calls, functions = [], [], [], []
    for section in compound.findall("sectiondef"):
        members = section.findall("memberdef")
        own = [m for m in members if m.get("kind") == "function"]
        title = section.findtext("header") or "Functions"
        if own:
            calls += [".Ss " + escape(title), ".Bl -tag -width Ds"]
            for member in own:
                calls += function(member)
            functions += own
            calls.append(".El")
        for member in members:
            if member.get("kind") == "enum":
                constants += enumeration(member)
            elif member.get("kind") in ("typedef", "define"):
                types += declaration(member)
    out = head(name, header, brief, version, functions) + [".Sh DESCRIPTION"]
    out += render(compound.find("detaileddescription"))
    if types:
        out += [".Sh TYPES", ".Bl -tag -width Ds"] + types + [".El"]
    if constants:
        out += [".Sh CONSTANTS"] + constants[1:]
    if calls:
        out += [".Sh FUNCTIONS"] + calls + [".Sh RETURN VALUES"] + lines_of(
            RETURNS % "Functions of type int32_t that list errors return DIRAC_OK (0) or one of these codes")
    return name, functions, out + see_also(other for other in PAGES if other != name)


def main():
    xml, version, output = sys.argv[1:4]
    os.makedirs(output, exist_ok=True)
    for path in sorted(glob.glob(os.path.join(xml, "*_8h.xml"))):
        root = ElementTree.parse(path).getroot()
        name, functions, lines = page(root, version)
        if name not in PAGES:
            sys.exit("%s has no page in PAGES" % name)
        write(output, name, lines)
        for member in functions:
            write(output, member.findtext("name"),
                  function_page(member, name, root.find("compounddef").findtext("compoundname"), version))


if __name__ == "__main__":
    main()
