# SPDX-License-Identifier: MIT
"""The module against docs/api.json: nothing is missing, and the status codes have their classes."""
import ast
import ctypes
import json
import os
import pathlib
import unittest

import dirac
from dirac import _api, errors

API = json.loads(pathlib.Path(os.environ["DIRAC_SOURCE"], "docs", "api.json").read_text(encoding="utf-8"))
SIZES = {"float": 4, "double": 8, "size_t": ctypes.sizeof(ctypes.c_size_t), "uint8_t": 1, "int32_t": 4, "int64_t": 8,
         "uint64_t": 8}
# Functions that no class uses, and why.
LEFT_OUT = {"dirac_node_get_int": "Node.get() reads attributes of one and of several integers alike, with get_ints"}


class Interface(unittest.TestCase):
    def test_prototypes_are_those_of_the_description(self):
        self.assertEqual(list(_api.PROTOTYPES), [function["name"] for function in API["functions"]])
        for function in API["functions"]:
            made = getattr(dirac.C, function["name"])
            self.assertEqual(len(made.argtypes), len(function["arguments"]), function["name"])
            for argument, kind in zip(function["arguments"], made.argtypes):
                pointer = "*" in argument["type"] or argument["type"].endswith("_fn")
                size = ctypes.sizeof(ctypes.c_void_p) if pointer else SIZES[argument["type"]]
                self.assertEqual(ctypes.sizeof(kind), size, (function["name"], argument["name"]))
            self.assertEqual(made.restype is None, function["returns"]["type"] == "void")
            self.assertEqual(made.raises, function["returns"]["meaning"] == "status")

    def test_constants_are_those_of_the_description(self):
        for constant in API["statuses"] + API["constants"]:
            self.assertEqual(getattr(_api, constant["name"]), constant["value"])

    def test_every_function_is_used_by_the_layer_above(self):
        package = pathlib.Path(dirac.__file__).parent
        used = {node.attr for path in package.glob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "C"}
        missing = {function["name"] for function in API["functions"]} - used
        self.assertEqual(missing, set(LEFT_OUT))
        readme = (package.parent / "README.md").read_text(encoding="utf-8")
        for name, reason in LEFT_OUT.items():
            self.assertTrue(reason and callable(getattr(dirac.C, name)))
            self.assertIn(f"`dirac.C.{name}`", readme)

    def test_every_status_has_its_class(self):
        codes = {status["value"] for status in API["statuses"]} - {0}
        self.assertEqual(set(errors.BY_STATUS), codes)
        self.assertEqual(len(errors.DiracError.__subclasses__()), len(codes))
        for code, kind in errors.BY_STATUS.items():
            made = errors.from_status(code, "the message")
            self.assertIs(type(made), kind)
            self.assertEqual((made.status, str(made)), (code, "the message"))
            self.assertTrue(getattr(dirac, kind.__name__) is kind and kind.__doc__)

    def test_version(self):
        self.assertEqual(dirac.version(), API["version"])
        project = pathlib.Path(dirac.__file__).parents[1] / "pyproject.toml"
        self.assertIn(f'version = "{API["version"]}"', project.read_text(encoding="utf-8"))
        major, minor, patch = map(int, API["version"].split("."))
        self.assertEqual(dirac.version_number(), major * 1000000 + minor * 1000 + patch)
        self.assertEqual(dirac.status_name(-3), "DIRAC_ERR_SHAPE")
        self.assertEqual(dirac.status_string(-3), next(s["doc"] for s in API["statuses"] if s["value"] == -3))
        self.assertIn("kernels:", dirac.build_features())


if __name__ == "__main__":
    unittest.main()
