# SPDX-License-Identifier: MIT
"""Writes the ctypes prototypes, dirac/_api.py of the Python binding, from the description of the API."""

SCALARS = {"float": "c_float", "double": "c_double", "size_t": "c_size_t", "uint8_t": "c_uint8",
           "int32_t": "c_int32", "int64_t": "c_int64", "uint64_t": "c_uint64"}

HEAD = '''# SPDX-License-Identifier: MIT
# Made from the public headers by tools/api/generate.py; do not edit.
"""The C interface of libdirac as ctypes sees it: opaque types, callback types, constants and prototypes."""
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8,
                    c_uint64, c_void_p)
'''


def ctype(spelled):
    """The ctypes expression of a C type."""
    words = spelled.replace("const", " ").replace("*", " * ").split()
    base, stars = words[0], words.count("*")
    if base == "void":
        if stars == 0:
            return "None"
        inner, stars = "c_void_p", stars - 1
    elif base == "char":
        inner, stars = "c_char_p", stars - 1
    else:
        inner = SCALARS.get(base, base)
    for _ in range(stars):
        inner = f"POINTER({inner})"
    return inner


def prototype(name, result, arguments, names):
    """One row of a table, broken where it would be too long."""
    text = f"    \"{name}\": ({result}, ({''.join(a + ', ' for a in arguments).rstrip()}), \"{names}\"),"
    if len(text) <= 120:
        return text
    lines, line = [f"    \"{name}\": ({result}, ("], "       "
    for argument in arguments:
        if len(line) + len(argument) > 116:
            lines.append(line)
            line = "       "
        line += f" {argument},"
    return "\n".join(lines + [line + "),", f"        \"{names}\"),"])


def module(api):
    """The text of the module."""
    out = [HEAD, f"ABI_VERSION = {api['abi_version']}\n"]
    out += [f"\nclass {handle['name']}(Structure):\n    pass\n" for handle in api["handles"]]
    out.append("")
    for callback in api["callbacks"]:
        types = [callback["returns"]["type"]] + [argument["type"] for argument in callback["arguments"]]
        out.append(f"{callback['name']} = CFUNCTYPE({', '.join(map(ctype, types))})")
    out.append("")
    out += [f"{constant['name']} = {constant['value']}" for constant in api["statuses"] + api["constants"]]
    out.append("\n# name: (result, types of arguments, their names). STATUS marks a result that tells whether the call "
               "failed.\n"
               "STATUS = \"status\"\nPROTOTYPES = {")
    for function in api["functions"]:
        returns = function["returns"]
        result = "STATUS" if returns["meaning"] == "status" else ctype(returns["type"])
        out.append(prototype(function["name"], result, [ctype(a["type"]) for a in function["arguments"]],
                             " ".join(a["name"] for a in function["arguments"])))
    out.append("}")
    return "\n".join(out) + "\n"
