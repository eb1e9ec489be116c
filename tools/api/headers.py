# SPDX-License-Identifier: MIT
"""Parses the public headers: the C compiler preprocesses, pycparser parses. Knows C, and nothing of comments.

pycparser takes standard C, so the two standard headers that the public ones include are stood in for by the few
typedefs they use; a header that needs more fails to parse, with its name and line.
"""
import os
import re
import subprocess
import tempfile

from pycparser import c_ast, c_parser

STANDARD_HEADERS = {
    "stddef.h": "#ifndef STDDEF_H\n#define STDDEF_H\ntypedef unsigned long size_t;\n#define NULL ((void *)0)\n#endif\n",
    "stdint.h": "#ifndef STDINT_H\n#define STDINT_H\n"
                + "".join(f"typedef {c} {'u' * u}int{bits}_t;\n"
                          for bits, name in ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))
                          for u, c in ((0, "signed " + name), (1, "unsigned " + name)))
                + "#define INT32_MAX 2147483647\n#endif\n",
}
# The visibility attribute is no standard C.
PREPROCESS = [os.environ.get("CC", "cc"), "-E", "-nostdinc", "-U__GNUC__", "-std=c11"]


class Source:
    """The public headers, preprocessed and parsed as one translation unit."""

    def __init__(self, include):
        self.include = include
        self.names = self._order()
        self.unit = self._parse("#include <dirac/dirac.h>\n")

    def _order(self):
        """The headers in the order of dirac.h, which is the order a reader should learn them."""
        with open(os.path.join(self.include, "dirac", "dirac.h"), encoding="utf-8") as file:
            return re.findall(r'^#include "(.*)"$', file.read(), re.M)

    def _preprocess(self, text, *options):
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in STANDARD_HEADERS.items():
                with open(os.path.join(scratch, name), "w", encoding="utf-8") as file:
                    file.write(content)
            command = PREPROCESS + ["-I", self.include, "-I", scratch, *options, "-x", "c", "-"]
            return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    def _parse(self, text):
        return c_parser.CParser().parse(self._preprocess(text), "probe.c")

    def declarations(self):
        """(header, declaration) for everything declared in the public headers, in order."""
        for node in self.unit.ext:
            folder, name = os.path.split(node.coord.file if node.coord else "")
            if os.path.basename(folder) == "dirac":
                yield name, node

    def macros(self):
        """{name: parameters, or None for a macro without}, of all macros the headers define."""
        found = {}
        for line in self._preprocess("#include <dirac/dirac.h>\n", "-dM").splitlines():
            match = re.match(r"#define (DIRAC_\w+)(?:\(([^)]*)\))?( .*)?$", line)
            if match:
                found[match[1]] = [p.strip() for p in match[2].split(",")] if match[2] is not None else None
        return found

    def macro_value(self, name):
        """The integer a macro stands for, or None for one that is no integer."""
        try:
            unit = self._parse(f"#include <dirac/dirac.h>\nenum {{ PROBE = ({name}) }};\n")
            return integer(unit.ext[-1].type.values.enumerators[0].value)
        except (c_parser.ParseError, ValueError):
            return None

    def status_rows(self):
        """(name, number, meaning) of every row of DIRAC_STATUS_MAP."""
        probe = ("#include <dirac/status.h>\n#define ROW(name, number, meaning) {#name, number, meaning},\n"
                 "struct row rows[] = { DIRAC_STATUS_MAP(ROW) };\n")
        for row in self._parse(probe).ext[-1].init.exprs:
            name, number, meaning = row.exprs
            yield name.value.strip('"'), integer(number), meaning.value.strip('"')


def integer(node, known=None):
    """The value of a constant expression of integers and of earlier enumerators."""
    if isinstance(node, c_ast.Constant) and node.type.endswith("int"):
        return int(node.value.rstrip("uUlL"), 0)
    if isinstance(node, c_ast.ID) and known and node.name in known:
        return known[node.name]
    if isinstance(node, c_ast.UnaryOp) and node.op in "+-":
        return integer(node.expr, known) * (-1 if node.op == "-" else 1)
    raise ValueError(f"{node.coord}: no integer constant")


def enumerators(declaration):
    """(name, value) of an enum."""
    known, following = {}, 0
    for entry in declaration.values.enumerators:
        known[entry.name] = following if entry.value is None else integer(entry.value, known)
        following = known[entry.name] + 1
    return known.items()


def spell(node):
    """A type as C text: "const float *"."""
    if isinstance(node, c_ast.PtrDecl):
        inner = spell(node.type)
        own = " const" if "const" in node.quals else ""
        return inner + ("" if inner.endswith("*") else " ") + "*" + own
    if isinstance(node, c_ast.TypeDecl):
        return " ".join([q for q in node.quals] + [spell(node.type)])
    if isinstance(node, c_ast.IdentifierType):
        return " ".join(node.names)
    raise ValueError(f"{node.coord}: a type that no binding knows: {type(node).__name__}")


def function_pointer(node):
    """The function behind a pointer to a function, or None."""
    return node.type if isinstance(node, c_ast.PtrDecl) and isinstance(node.type, c_ast.FuncDecl) else None


def arguments(function):
    """(name, type node) of each argument."""
    for argument in function.args.params if function.args else []:
        if isinstance(argument, c_ast.EllipsisParam):
            raise ValueError(f"{function.coord}: variable arguments cannot be bound")
        if not function_pointer(argument.type) and spell(argument.type) == "void":
            return
        yield argument.name, argument.type
