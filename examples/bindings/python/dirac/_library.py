# SPDX-License-Identifier: MIT
"""Finds and opens the shared library, and gives its functions their prototypes.

The library is the file that the environment variable LIBDIRAC names, else what the system's loader finds.
"""
import ctypes
import ctypes.util
import os

from . import _api, _callbacks, _checks, _signals, errors


def _raise_kept(result, function, arguments):
    """Runs after every function that may call back: raises what a callback raised on this thread."""
    raised = _callbacks.take()
    if raised is not None:
        raise raised
    return result


def _raise_on_failure(status, function, arguments):
    """Runs after every function that returns a status: what a callback raised goes first."""
    _raise_kept(status, function, arguments)
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


class Function:
    """A function of the C interface, whose arguments are looked at before C sees them."""

    __slots__ = ("_call", "_name", "_checks", "_may_call_back")

    def __init__(self, call, name: str, result, types, names: str) -> None:
        call.argtypes = types
        call.restype = ctypes.c_int32 if result is _api.STATUS else result
        # Those that look something up call nobody.
        self._may_call_back = result in (_api.STATUS, None, ctypes.POINTER(_api.dirac_node))
        if self._may_call_back:
            call.errcheck = _raise_on_failure if result is _api.STATUS else _raise_kept
        self._call, self._name = call, name
        self._checks = tuple((place, f"{name}: {argument}", _checks.BY_TYPE[kind])
                             for place, (kind, argument) in enumerate(zip(types, names.split()))
                             if kind in _checks.BY_TYPE)

    def __call__(self, *arguments):
        if len(arguments) != len(self._call.argtypes):  # ctypes lets more of them pass
            raise TypeError(f"{self._name} takes {len(self._call.argtypes)} arguments, {len(arguments)} were given")
        for place, what, check in self._checks:
            check(what, arguments[place])
        if not self._may_call_back:
            return self._called(arguments)
        deferred = _signals.defer()
        kept = _callbacks.exchange(None)
        try:
            return self._called(arguments)
        finally:
            _callbacks.exchange(kept)
            _signals.resume(deferred)

    def _called(self, arguments):
        try:
            return self._call(*arguments)
        except ctypes.ArgumentError as refused:
            raise TypeError(f"{self._name}: {refused}") from None

    def __repr__(self) -> str:
        return f"<{self._name} of libdirac>"

    @property
    def argtypes(self):
        """The ctypes of the arguments."""
        return self._call.argtypes

    @property
    def restype(self):
        """The ctype of the result."""
        return self._call.restype

    @property
    def raises(self) -> bool:
        """Whether it returns a status: it raises a DiracError instead of returning another than DIRAC_OK."""
        return self._call.errcheck is _raise_on_failure


class Functions:
    """Every function of the C interface, by its name. Those that return a status raise a DiracError instead."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library  # CDLL lets other threads run Python during a call
        for name, (result, types, names) in _api.PROTOTYPES.items():
            try:
                call = getattr(library, name)
            except AttributeError:
                raise ImportError(f"{library._name} has no {name}: it is older than this module") from None
            setattr(self, name, Function(call, name, result, types, names))


C = Functions(_open())
if C.dirac_abi_version() != _api.ABI_VERSION:
    raise ImportError(f"{C._library._name} has the binary interface {C.dirac_abi_version()}, "
                      f"this module is for {_api.ABI_VERSION}")
