# SPDX-License-Identifier: MIT
"""Writes docs/api.json back as C: a second declaration of everything, for a compiler to compare with the headers."""
import json
import sys


def parameters(function):
    return ", ".join(f"{a['type']} {a['name']}".replace("* ", "*") for a in function["arguments"]) or "void"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        api = json.load(file)
    print("#include <dirac/dirac.h>\n")
    for callback in api["callbacks"]:
        print(f"typedef {callback['returns']['type']} (*{callback['name']})({parameters(callback)});")
    for function in api["functions"]:
        print(f"{function['returns']['type']} {function['name']}({parameters(function)});".replace("* dirac", "*dirac"))
    for constant in api["statuses"] + api["constants"] + [m for m in api["macros"] if "value" in m]:
        print(f"_Static_assert({constant['name']} == {constant['value']}, \"{constant['name']}\");")
    for handle in api["handles"]:
        print(f"extern {handle['name']} *one_{handle['name']};")


main()
