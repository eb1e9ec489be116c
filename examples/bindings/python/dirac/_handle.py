# SPDX-License-Identifier: MIT
"""Handles: who destroys a C object, and when.

An Owner destroys its C object when nothing refers to the Owner any more: neither the Python handle, nor a handle made
from it, nor a numpy view of its memory, nor a call in progress (ctypes holds the arguments of a call). So close()
means "I am done with it", and memory that somebody can still see stays.
"""
import atexit
import ctypes
import threading
import weakref
from typing import Optional

from . import _signals, errors


_ended = threading.Event()
_threads = weakref.WeakKeyDictionary()  # {owner of what runs a thread: what destroys it}


class Single:
    """Base of what stands for one thing of the library's: there is no second of it, nor one in a file."""

    __slots__ = ()

    def __reduce_ex__(self, protocol):
        raise TypeError(f"a {type(self).__name__} is neither copied nor pickled; what can be is made by clone() and save()")


class Owner(Single):
    """Holds a C object and destroys it once. ctypes passes it as the pointer it holds."""

    __slots__ = ("_as_parameter_", "parents", "in_use", "__weakref__")

    def __init__(self, pointer, destroy, *parents, threaded: bool = False) -> None:
        self._as_parameter_ = pointer
        self.parents = parents
        self.in_use = threading.Lock()
        finalizer = weakref.finalize(self, destroy, pointer)
        finalizer.atexit = False  # at the interpreter's end memory goes by itself
        if threaded:
            _threads[self] = finalizer

    def alone(self, what: str, call, *arguments):
        """call(*arguments), where the library leaves it to the caller that one thread calls at a time."""
        deferred = _signals.defer()  # so that Control-C cannot leave it taken
        if not self.in_use.acquire(blocking=False):
            _signals.resume(deferred)
            if _ended.is_set() and threading.current_thread().daemon:
                threading.Event().wait()  # it goes no further, as with everything at the end of Python
            raise errors.BusyError(f"{what}: another thread is using it")
        try:
            return call(*arguments)
        finally:
            self.in_use.release()
            _signals.resume(deferred)


@atexit.register
def _stop_threads() -> None:
    """What runs a thread, which may call Python, is stopped before Python is gone. What a daemon thread is still in is left
    to it: its memory is in use, and that thread will not come back to Python."""
    _ended.set()
    for owner, finalizer in list(_threads.items()):
        if owner.in_use.acquire(blocking=False):
            finalizer()
            owner._as_parameter_ = None


def create(kind, destroy, parents, make, *arguments, threaded: bool = False) -> Owner:
    """The owner of what make(out, *arguments) makes, a handle of the type `kind`. It is there first: whatever comes out
    of the call, Control-C when it is done among it, what was made goes."""
    made = ctypes.POINTER(kind)()
    owner = Owner(made, destroy, *parents, threaded=threaded)
    make(ctypes.byref(made), *arguments)
    return owner


class Handle(Single):
    """Base of all handles: a context manager, closed at the end of `with` or when it is forgotten."""

    _owner: Optional[Owner] = None

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

    def _described(self) -> str:
        """What it is like now, for repr()."""
        return "open"

    def __repr__(self) -> str:
        try:
            text = self._described() if not self.closed else "closed"
        except errors.DiracError as refused:  # such as: another thread is using it
            text = str(refused)
        except ValueError:  # another thread has closed it meanwhile
            text = "closed"
        return f"<dirac.{type(self).__name__}: {text}>"

    def __enter__(self):
        self._c
        return self

    def __exit__(self, *exception) -> None:
        self.close()
