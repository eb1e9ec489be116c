# SPDX-License-Identifier: MIT
"""Makes the description of the API, a tree of plain values, from the parsed headers and their comments."""
import os
import re

from pycparser import c_ast

import comments
import headers

SKIPPED_HEADERS = {"export.h"}  # says of itself that nothing in it is for direct use
USER_DATA = {"user", "task_data"}


def describe(include):
    """The whole API under the folder `include`."""
    return Description(headers.Source(include)).tree()


class Description:
    def __init__(self, source):
        self.source = source
        self.texts = {}
        for name in os.listdir(os.path.join(source.include, "dirac")):
            if name.endswith(".h"):
                with open(os.path.join(source.include, "dirac", name), encoding="utf-8") as file:
                    self.texts[name] = comments.Header(file.read())
        self.status = {name: (number, meaning) for name, number, meaning in source.status_rows()}
        self.codes = [name[len("ERR_"):] for name in self.status if name != "OK"]
        self.handles, self.callbacks, self.constants, self.functions = [], [], [], []
        for header, node in source.declarations():
            self._take(header, node)
        self._link_handles()

    def tree(self):
        macros = list(self._macros())
        value = {macro["name"]: macro.get("value") for macro in macros}
        numbers = [value["DIRAC_VERSION_" + part] for part in ("MAJOR", "MINOR", "PATCH")]
        return {
            "library": "dirac",
            "version": ".".join(map(str, numbers)),
            "abi_version": value["DIRAC_ABI_VERSION"],
            "headers": [{"name": name, "doc": comments.plain(self.texts[name].file_comment())}
                        for name in self.source.names],
            "handles": self.handles,
            "callbacks": self.callbacks,
            "statuses": [{"name": "DIRAC_" + name, "value": number, "doc": meaning}
                         for name, (number, meaning) in self.status.items()],
            "constants": self.constants,
            "macros": macros,
            "functions": self.functions,
        }

    def _take(self, header, node):
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            self.functions.append(self._function(header, node))
        elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.Enum):
            self.constants += self._enum(header, node)
        elif isinstance(node, c_ast.Typedef) and headers.function_pointer(node.type):
            self.callbacks.append(self._callback(header, node))
        elif isinstance(node, c_ast.Typedef) and isinstance(node.type.type, c_ast.Struct):
            if node.type.type.decls is not None:
                raise ValueError(f"{node.coord}: struct {node.name} is not opaque")
            self.handles.append({"name": node.name, "header": header})
        else:
            raise ValueError(f"{node.coord}: a declaration that no binding knows")

    def _enum(self, header, node):
        group = self.texts[header].before(node.coord.line)
        for name, value in headers.enumerators(node.type):
            short = name[len("DIRAC_"):]
            if short in self.status or short == "STATUS_FORCE_INT32":
                continue  # codes have a list of their own
            yield {"name": name, "value": value, "header": header, "doc": self.texts[header].after(name),
                   "group": comments.plain(group)}

    def _macros(self):
        for name, parameters in sorted(self.source.macros().items()):
            header = next(h for h, text in sorted(self.texts.items())
                          if re.search(rf"^#define {name}\b", text.text, re.M))
            if header in SKIPPED_HEADERS or name == self._guard(header):
                continue
            line = self.texts[header].text[:self.texts[header].text.index(f"#define {name}")].count("\n") + 1
            macro = {"name": name, "header": header, "doc": comments.plain(self.texts[header].before(line))}
            if parameters is None:
                macro["value"] = self.source.macro_value(name)
            else:
                macro["parameters"] = parameters
            yield macro

    @staticmethod
    def _guard(header):
        stem = header[:-len(".h")].upper()
        return "DIRAC_H" if stem == "DIRAC" else f"DIRAC_{stem}_H"

    def _callback(self, header, node):
        function = headers.function_pointer(node.type)
        text = self.texts[header].before(node.coord.line)
        head, about, returned = comments.sections(text)
        return {"name": node.name, "header": header, "doc": head,
                "since": self._since(node, header, text),
                "returns": {"type": headers.spell(function.type), "doc": returned},
                "arguments": [self._argument(*a, about, head) for a in headers.arguments(function)]}

    def _function(self, header, node):
        text = self.texts[header].before(node.coord.line)
        if not text:
            raise ValueError(f"{node.coord}: {node.name} has no comment")
        head, about, returned = comments.sections(text)
        made = {"name": node.name, "header": header,
                "since": self._since(node, header, text),
                "doc": text,
                "returns": {"type": headers.spell(node.type.type), "doc": returned},
                "arguments": [self._argument(*a, about, f"{head} {returned}") for a in headers.arguments(node.type)],
                "errors": comments.errors(text, self.codes)}
        unknown = set(about) - {argument["name"] for argument in made["arguments"]}
        if unknown:
            raise ValueError(f"{node.coord}: {node.name} documents arguments it has not: {', '.join(sorted(unknown))}")
        self._judge_return(made)
        return made

    def _since(self, node, header, text):
        since = comments.since(text, self.texts[header].file_comment())
        if since is None:
            raise ValueError(f"{node.coord}: neither {node.name} nor {header} says since when it is there")
        return since

    def _judge_return(self, made):
        """What the returned value means: a status unless nothing could fail."""
        returns, arguments = made["returns"], made["arguments"]
        if returns["type"] == "void":
            returns["meaning"] = "nothing"
        elif returns["type"].endswith("*"):
            returns["meaning"] = "text" if returns["type"] == "const char *" else "pointer"
            returns["nullable"] = not re.search(r'never NULL|"" (?:for|if)', made["doc"])
        else:
            # A call that changes nothing, gives nothing out and reads no text has nothing but its result to tell.
            asks = all(a["direction"] == "in" and (a["type"].startswith("const dirac_") or "*" not in a["type"])
                       for a in arguments)
            returns["meaning"] = "value" if asks or returns["type"] != "int32_t" else "status"
            if returns["meaning"] == "value" and made["errors"]:
                raise ValueError(f"{made['name']}: returns a value, but its comment lists errors")

    def _argument(self, name, node, about, head):
        doc = about.get(name, "")
        if headers.function_pointer(node):
            raise ValueError(f"{node.coord}: {name} is a callback whose type has no name")
        spelled = headers.spell(node)
        direction = self._direction(name, spelled)
        made = {"name": name, "type": spelled, "direction": direction, "doc": doc}
        if "*" in spelled or spelled.endswith("_fn"):
            made["nullable"] = self._nullable(spelled, direction, doc, head)
        return made

    def _base(self, spelled):
        return spelled.replace("const ", "").replace("*", "").replace(" const", "").strip()

    def _direction(self, name, spelled):
        """From the type: what a pointer to something not const points to is written, unless it is a handle."""
        known = {handle["name"] for handle in self.handles}
        if "*" not in spelled:
            return "in"
        if spelled == "void *":
            return "user" if name in USER_DATA else "in"
        if self._base(spelled) in known:
            return "out" if spelled.count("*") == 2 and "const" not in spelled else "in"
        target = spelled[:spelled.rindex("*")].strip()
        constant = target.endswith("const") or ("*" not in target and target.startswith("const "))
        return "in" if constant else "out"

    @staticmethod
    def _nullable(spelled, direction, doc, head):
        if direction == "user" or comments.NULLABLE.search(doc):
            return True
        # Said of the call as a whole, and so of the handle it is about: "NULL is accepted", "0 for NULL".
        about_handle = re.search(r'\bNULL is accepted\b|(?:\d|"") for NULL\b', head) is not None
        return about_handle and spelled.startswith(("dirac_", "const dirac_")) and spelled.count("*") == 1

    def _link_handles(self):
        """Which function destroys a handle, and which ones make it."""
        functions = {function["name"]: function for function in self.functions}
        for handle in self.handles:
            destroy = handle["name"] + "_destroy"
            header = self.texts[handle["header"]]
            line = header.text[:header.text.index(f"typedef struct {handle['name']} ")].count("\n") + 1
            handle["doc"] = comments.plain(header.before(line))
            handle["destroy"] = destroy if destroy in functions else None
            handle["create"] = [f["name"] for f in self.functions
                                if any(a["direction"] == "out" and self._base(a["type"]) == handle["name"]
                                       for a in f["arguments"])]
