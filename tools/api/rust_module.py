# SPDX-License-Identifier: MIT
"""Writes the declarations, src/sys.rs of the Rust binding, from the description of the API."""

SCALARS = {"float": "f32", "double": "f64", "size_t": "usize", "uint8_t": "u8", "int32_t": "i32", "int64_t": "i64",
           "uint64_t": "u64", "void": "c_void", "char": "c_char"}

HEAD = '''// SPDX-License-Identifier: MIT
// Made from the public headers by tools/api/generate.py; do not edit.
//! The C interface of libdirac as it is: opaque types, callback types, constants and functions.
#![allow(non_camel_case_types)]
use std::os::raw::{c_char, c_void};
'''


def rust_type(spelled, callbacks):
    """The Rust spelling of a C type. A callback may be NULL wherever C takes one, and so is an Option."""
    words = spelled.replace("*", " * ").split()
    if words[-1] in callbacks:
        return f"Option<{words[-1]}>"
    constant, made = False, None
    for word in words:
        if word == "const":
            constant = True
        elif word == "*":
            made = ("*const " if constant else "*mut ") + made
            constant = False
        else:
            made = SCALARS.get(word, word)
    return made


def signature(function, callbacks):
    """ "(name: type, ...) -> type" """
    arguments = ", ".join(f"{a['name']}: {rust_type(a['type'], callbacks)}" for a in function["arguments"])
    result = function["returns"]["type"]
    return f"({arguments})" + ("" if result == "void" else f" -> {rust_type(result, callbacks)}")


def wrapped(text, indent=""):
    """A declaration, broken after its opening bracket where it would be too long."""
    if len(indent + text) <= 120:
        return indent + text
    head, rest = text.split("(", 1)
    arguments, tail = rest.rsplit(")", 1)
    lines = [head + "("] + ["    " + argument + "," for argument in arguments.split(", ")] + [")" + tail]
    return "\n".join(indent + line for line in lines)


def module(api):
    """The text of the module."""
    callbacks = {callback["name"] for callback in api["callbacks"]}
    out = [HEAD, f"pub const ABI_VERSION: i32 = {api['abi_version']};\n"]
    for handle in api["handles"]:
        out.append(f"#[repr(C)]\npub struct {handle['name']} {{\n    _opaque: [u8; 0],\n}}\n")
    for callback in api["callbacks"]:
        out.append(wrapped(f"pub type {callback['name']} = unsafe extern \"C\" fn{signature(callback, callbacks)};"))
    out.append("")
    for constant in api["statuses"] + api["constants"]:
        out.append(f"pub const {constant['name']}: i32 = {constant['value']};")
    out.append("\n#[link(name = \"dirac\")]\nextern \"C\" {")
    for function in api["functions"]:
        out.append(wrapped(f"pub fn {function['name']}{signature(function, callbacks)};", "    "))
    out.append("}")
    return "\n".join(out) + "\n"
