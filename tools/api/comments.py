# SPDX-License-Identifier: MIT
"""The documentation comments of a header: which one belongs to which name, and what they say about arguments."""
import re

# Comments and string literals: whichever begins first.
TOKEN = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', re.S)
NULLABLE = re.compile(r"\bmay (?:both |each |all )?be NULL\b|\bNULL (?:is accepted|for|removes)\b|\bor NULL for\b")
# Where the text of an argument ends: what follows is about the call.
STOP = re.compile(r"\bErrors(?: \([a-z, ]*\))?:|\bThreads:|\bPaper:|\bSince \d")


class Header:
    """One header's text with its comments found, so that a name's comment can be looked up."""

    def __init__(self, text):
        self.comments = [m for m in TOKEN.finditer(text) if m[0].startswith("/*")]
        self.code = TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
        self.text = text

    def file_comment(self):
        text = next((clean(m[0]) for m in self.comments if "@file" in m[0]), "")
        return re.sub(r"^@file \S+\s*", "", text)

    def before(self, line):
        """The comment that ends right above `line` (from 1)."""
        start = sum(len(part) for part in self.text.splitlines(True)[:line - 1])
        for match in self.comments:
            if match.end() <= start and not self.text[match.end():start].strip():
                return clean(match[0]) if match[0].startswith("/**") else ""
        return ""

    def after(self, name):
        """The comment that follows an enumerator: "NAME = 1, /**< this */"."""
        place = re.search(rf"\b{name}\b[^,}}]*,?[ \t]*", self.code)
        for match in self.comments:
            if match[0].startswith("/**<") and place.start() < match.start():
                between = self.code[place.start():match.start()]
                return clean(match[0]) if "\n" not in between and len(re.findall(r"\bDIRAC_", between)) == 1 else ""
        return ""


def clean(comment):
    """The text of a comment: no stars, no empty lines at its ends, paragraphs kept."""
    body = re.sub(r"^/\*+<?|\*+/$", "", comment)
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() for line in body.split("\n")]
    return "\n".join(lines).strip()


def sections(text):
    """(what precedes the tags, {argument: text}, text of @return). "@param a, b its...": one text for both."""
    head, *rest = re.split(r"@(param|return)\b", text)
    parameters, returned, waiting = {}, "", []
    for tag, tail in zip(rest[::2], rest[1::2]):
        tail = plain(STOP.split(plain(tail))[0])
        if tag == "return":
            returned = tail
            continue
        names, tail = re.match(r"((?:\w+, )*\w+),?\s*(.*)", tail).groups()
        waiting += names.split(", ")
        if tail: # "@param loss, @param accuracy receive ...": the text comes with the last name
            parameters.update((name, tail) for name in waiting)
            waiting = []
    return plain(head), parameters, returned


def plain(text):
    """One paragraph."""
    return re.sub(r"\s+", " ", text).strip()


def errors(text, names):
    """The status codes a comment lists in its field "Errors", in the order of `names`, without ERR_."""
    found = set()
    for part in re.findall(r"\bErrors(?: \([a-z, ]*\))?:(.*?)(?=@param|\bThreads:|\Z)", text, re.S):
        found |= {word for word in re.findall(r"\b[A-Z_]+\b", part)}
    return [name for name in names if name in found]


def since(*texts):
    """The release since which something is there, from the first text that says."""
    for text in texts:
        match = re.search(r"\b[Ss]ince\s+(\d+\.\d+(?:\.\d+)?)", text)
        if match:
            return match[1]
    return None
