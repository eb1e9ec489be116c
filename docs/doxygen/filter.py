#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Doxygen reads in place of a public header or of a page of Markdown. The comments are written for readers of the
header; this turns the fields of a comment ("Errors: ARGUMENT." and so on, explained in dirac.h) into Doxygen's commands,
adds what goes without saying in a header, and writes out the status codes, which the header makes by a macro. Links of a
page to what is no web page become text.

    filter.py FILE        prints the file for Doxygen
"""
import os
import re
import sys

CODES = ("ARGUMENT|MEMORY|SHAPE|STATE|BUSY|IO|FORMAT|NOT_FOUND|MISMATCH|NOT_FINITE|CANCELLED|CALLBACK|UNSUPPORTED|"
         "LIMIT|THREAD")

# A parameter of these names and types needs no words in a header: it is the handle that the call is about.
HANDLES = {"context": "the context.", "net": "the net.", "node": "the node.", "session": "the session.",
           "sgd": "the optimizer.", "dataset": "the data set.", "batches": "the stream.",
           "checkpoint": "the checkpoint.", "kind": "the kind.", "layer": "the layer, as the callback got it."}


def fields(comment):
    """The fields of one comment as commands, each at the start of a line."""
    comment = re.sub(r"Errors(?: (\([a-z, ]*\)))?:[\s*]+(\w)",
                     lambda m: "@par Errors %s\n * %s" % (m.group(1) or "", m.group(2).upper()), comment)
    comment = re.sub(r"(Threads|Paper):[\s*]+(\w)", lambda m: "@par %s\n * %s" % (m.group(1), m.group(2).upper()), comment)
    comment = re.sub(r"Since[\s*]+(\d+\.\d+)\.", r"@since \1", comment)
    comment = re.sub(r"(?<![A-Z_])(%s)(?![A-Z_])" % CODES, r"#DIRAC_ERR_\1", comment)
    comment = re.sub(r"\n \* ((Parameters|Attributes?|Initialisers|Output size|Block|Names)\b)", r"\n *\n * \1", comment)
    return re.sub(r"(?<! \*)\s+@(param|return|par|since)\b", r"\n * @\1", comment)


def with_handle(comment, prototype):
    """Documents the first parameter where it is a handle and the comment says nothing about it."""
    first = re.match(r".*?\((?:const )?dirac_\w+ \*(\w+)\b", prototype, re.S)
    name = first.group(1) if first else None
    documented = re.findall(r"\w+", " ".join(re.findall(r"@param (\w+(?:, \w+)*)", comment)))
    if name not in HANDLES or name in documented:
        return comment
    line = "@param %s %s\n * " % (name, HANDLES[name])
    at = re.search(r"@(param|return|par|since)\b", comment)
    return comment[:at.start()] + line + comment[at.start():] if at else comment


def document(match):
    comment, prototype = match.group(1), match.group(2)
    same = re.search(r"\bAs (dirac_\w+)\(\)", comment)
    if same and "Since" not in comment:
        return "%s @copydetails %s() */\n%s" % (comment.rstrip(" */\n"), same.group(1), prototype)
    return with_handle(fields(comment), prototype) + "\n" + prototype


def sections(text):
    """Rulers become Doxygen's named groups of members."""
    open_group = ["//! @name Types\n//! @{\n"]

    def group(match):
        title = match.group(1)
        return "//! @}\n//! @name %s\n//! @{\n" % (title[0].upper() + title[1:])

    text, count = re.subn(r"/\* -+ (.*?) -+ \*/\n", group, text)
    if count == 0:
        return text
    text = text.replace("DIRAC_BEGIN\n", "DIRAC_BEGIN\n" + open_group[0], 1)
    return text.replace("DIRAC_END\n", "//! @}\nDIRAC_END\n", 1)


def status_codes(text):
    """The enumeration that the header makes with DIRAC_STATUS_MAP, in full."""
    rows = re.findall(r'X\((\w+), (-?\d+), +"([^"]*)"\)', text)
    values = "".join("    DIRAC_%s = %s, /**< %s */\n" % row for row in rows)
    return re.sub(r"enum \{\n#define DIRAC_STATUS_ENTRY.*?\};", lambda _: "enum {\n" + values + "};", text, flags=re.S)


def web_links(text, page):
    """Without links that no web page has an end for: other files of the repository, and headings."""
    def link(match):
        target = match.group(2).split("#")[0]
        path = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(page)), target))
        folder = path.split(os.sep)[-3:-1]
        is_page = path.endswith(".md") and (folder[-1] == "docs" or folder in (["docs", "guide"], ["docs", "paper"]))
        return match.group(0) if ":" in target or (target and is_page) else match.group(1)

    text = re.sub(r"\]\((\.\./)?pictures/", "](", text)  # Doxygen knows the folder
    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", link, text)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    if sys.argv[1].endswith(".md"):
        sys.stdout.write(web_links(text, sys.argv[1]))
        return
    text = sections(status_codes(text))
    text = re.sub(r"(/\*\*(?:(?!\*/).)*\*/)\s*\n(DIRAC_API[^;]*;)", document, text, flags=re.S)
    text = re.sub(r"(?<![A-Z_])DIRAC_API ", "", text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
