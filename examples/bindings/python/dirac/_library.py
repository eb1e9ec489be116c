# SPDX-License-Identifier: MIT
"""Finds and opens the shared library, and gives its functions their prototypes.

The library is the file that the environment variable LIBDIRAC names, else what the system's loader finds.
"""
import ctypes
import ctypes.util
import os

from . import _api, _callbacks, errors


def _raise_on_failure(status, function, arguments):
    """Runs after every function that returns a status: what a callback raised on this thread goes first."""
    raised = _callbacks.take()
    if raised is not None:
        raise raised
    if status != _api.DIRAC_OK:
        raise errors.from_status(status, C.dirac_error_message().decode("utf-8", "replace"))
    return status


def _open() -> ctypes.CDLL:
    named = os.environ.get("LIBDIRAC")
    names = [named] if named else [f"libdirac.so.{_api.ABI_VERSION}", ctypes.util.find_library("dirac")]
    problems = []
    for name in filter(None, names):
        try:
            return ctypes.CDLL(name)
        except OSError as problem:
            problems.append(str(problem))
    raise ImportError("libdirac was not found: set LIBDIRAC to the path of libdirac.so, or install it where the "
                      f"loader looks ({'; '.join(problems)})")


class Functions:
    """Every function of the C interface, by its name. Those that return a status raise a DiracError instead."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library  # CDLL lets other threads run Python during a call
        for name, (result, arguments) in _api.PROTOTYPES.items():
            try:
                function = getattr(library, name)
            except AttributeError:
                raise ImportError(f"{library._name} has no {name}: it is older than this module") from None
            function.argtypes = arguments
            function.restype = ctypes.c_int32 if result is _api.STATUS else result
            if result is _api.STATUS:
                function.errcheck = _raise_on_failure
            setattr(self, name, function)


C = Functions(_open())
if C.dirac_abi_version() != _api.ABI_VERSION:
    raise ImportError(f"{C._library._name} has the binary interface {C.dirac_abi_version()}, "
                      f"this module is for {_api.ABI_VERSION}")
