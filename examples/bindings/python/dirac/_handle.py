# SPDX-License-Identifier: MIT
"""Handles: who destroys a C object, and when.

An Owner destroys its C object when nothing refers to the Owner any more: neither the Python handle, nor a handle made
from it, nor a numpy view of its memory, nor a call in progress (ctypes holds the arguments of a call). So close()
means "I am done with it", and memory that somebody can still see stays.
"""
import ctypes
import weakref


class Owner:
    """Holds a C object and destroys it once. ctypes passes it as the pointer it holds."""

    __slots__ = ("_as_parameter_", "parents", "__weakref__")

    def __init__(self, pointer, destroy, *parents, at_exit: bool = False) -> None:
        self._as_parameter_ = pointer
        self.parents = parents
        # At the interpreter's end memory goes by itself; only what runs a thread has to be stopped.
        weakref.finalize(self, destroy, pointer).atexit = at_exit


def create(kind, destroy, parents, make, *arguments, at_exit: bool = False) -> Owner:
    """The owner of what make(out, *arguments) makes, a handle of the type `kind`. It is there first: whatever comes out
    of the call, Control-C when it is done among it, what was made goes."""
    made = ctypes.POINTER(kind)()
    owner = Owner(made, destroy, *parents, at_exit=at_exit)
    make(ctypes.byref(made), *arguments)
    return owner


class Handle:
    """Base of all handles: a context manager, closed at the end of `with` or when it is forgotten."""

    _owner = None

    @property
    def _c(self) -> Owner:
        """What is passed to C. Raises ValueError when closed, like a file."""
        owner = self._owner
        if owner is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return owner

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._owner is None

    def close(self) -> None:
        """Lets go of the object. Its memory goes with the last view of it and the last thing made from it."""
        self._owner = None

    def __enter__(self):
        self._c
        return self

    def __exit__(self, *exception) -> None:
        self.close()
