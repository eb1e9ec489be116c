# SPDX-License-Identifier: MIT
"""The context: threads, kernels, seed, log, progress, allocator. See dirac/context.h."""
from __future__ import annotations

import ctypes
import threading
from typing import Callable, Optional, Protocol

from . import _api, _callbacks, _checks, errors
from ._handle import Handle, create
from ._library import C

Progress = Callable[[int, int], Optional[bool]]
"""progress(done, total): a true result stops the call, which then raises CancelledError."""


class Allocator(Protocol):
    """Where the library's memory comes from. Both may be called from any thread."""

    def allocate(self, size: int, alignment: int) -> int:
        """The address of `size` bytes at a multiple of `alignment`, or 0."""

    def release(self, address: int, size: int) -> None:
        """Takes back what allocate() gave."""


class Context(Handle):
    """What every other handle is made on. Options are fixed once something was made on it, but for log and progress.

    threads: 1 to 64, how many work on one call. seed: of nets, sessions and batches. kernels: a name, None for the
    best. blas: whether OpenBLAS may be used. load_limit: the most bytes one load may ask for.
    log(level, message), log_level: see set_log(). progress: see set_progress(). allocator: for every byte.
    """

    def __init__(self, *, threads: int = 1, seed: int = 0, kernels: Optional[str] = None, blas: Optional[bool] = None,
                 load_limit: Optional[int] = None, log: Optional[Callable[[int, str], None]] = None,
                 log_level: int = _api.DIRAC_LOG_INFO, progress: Optional[Progress] = None,
                 allocator: Optional[Allocator] = None) -> None:
        if allocator is None:
            self._owner = create(_api.dirac_context, C.dirac_context_destroy, (), C.dirac_context_create)
        else:
            adapter = _Adapter(allocator)
            self._owner = create(_api.dirac_context, adapter.destroy_context, (), C.dirac_context_create_with_allocator,
                                 _allocate, _release, adapter.number)
        # The entries of callbacks live in the owner: any handle made on the context may still call them.
        self._owner.parents = {}
        if threads != 1:
            C.dirac_context_set_threads(self._c, threads)
        if seed != 0:
            C.dirac_context_set_seed(self._c, seed)
        if kernels is not None:
            C.dirac_context_set_kernels(self._c, kernels.encode())
        if blas is not None:
            C.dirac_context_set_blas(self._c, int(blas))
        if load_limit is not None:
            C.dirac_context_set_load_limit(self._c, load_limit)
        if log is not None:
            self.set_log(log, log_level)
        self.set_progress(progress)

    def _set(self, name: str, call, setter, trampoline, kind, *more) -> None:
        entry = _callbacks.Entry(call) if call is not None else None
        owner = self._c
        setter(owner, trampoline if entry else kind(), entry.number if entry else None, *more)
        owner.parents[name] = entry

    def set_log(self, log: Optional[Callable[[int, str], None]], level: int = _api.DIRAC_LOG_INFO) -> None:
        """Calls log(level, message) for messages up to `level` (LOG_*); None for nobody. It must not call back."""
        self._set("log", log, C.dirac_context_set_log, _callbacks.log, _api.dirac_log_fn, level)

    def set_progress(self, progress: Optional[Progress]) -> None:
        """Calls progress(done, total) with bytes read or written; a true result stops the call (CancelledError).

        An exception stops it too, and comes out of the call. None for nobody.
        """
        self._set("progress", progress or _callbacks.go_on, C.dirac_context_set_progress, _callbacks.progress,
                  _api.dirac_progress_fn)

    def set_runner(self, runner: Optional[Callable[[Callable[[int], None], int], None]], width: int = 1) -> None:
        """Runs parallel work by runner(task, count), which calls task(i) once for each i below count, on any threads,
        and returns when all have returned; about `width` at a time are useful. None for the library's own threads.
        """
        self._set("runner", runner, C.dirac_context_set_runner, _callbacks.runner, _api.dirac_runner_fn, width)

    def _described(self) -> str:
        return f"{self.threads} threads, kernels {self.kernels}"

    @property
    def threads(self) -> int:
        """The number of threads in use, or the width of the runner."""
        return C.dirac_context_threads(self._c)

    @property
    def kernels(self) -> str:
        """The name of the kernels in use."""
        return C.dirac_context_kernels(self._c).decode()


class _Adapter:
    """An Allocator behind the two C callbacks. It is found by its number until all that it gave has come back."""

    all = {}

    def __init__(self, allocator: Allocator) -> None:
        self.allocator = allocator
        self.blocks = 0
        self.closed = False
        self.lock = threading.RLock()  # a finalizer that runs in count() may come here again
        self.number = _callbacks.new_number()
        self.all[self.number] = self

    def destroy_context(self, pointer) -> None:
        C.dirac_context_destroy(pointer)
        self.count(0, closed=True)

    def count(self, change: int, closed: bool = False) -> None:
        with self.lock:
            self.blocks += change
            self.closed = self.closed or closed
            done = self.closed and self.blocks == 0
        if done:
            self.all.pop(self.number, None)


_address = _checks.integer(8 * ctypes.sizeof(ctypes.c_void_p), False)


@_api.dirac_alloc_fn
def _allocate(user, size, alignment):
    adapter = _Adapter.all[user]
    try:
        address = _address("allocate()", adapter.allocator.allocate(size, alignment) or 0)
        if address % alignment != 0:
            raise errors.ArgumentError(f"allocate() gave {address:#x}, not a multiple of {alignment}")
    except BaseException as raised:
        _callbacks.keep(raised)
        return None
    if address:
        adapter.count(1)
    return address or None


@_api.dirac_free_fn
def _release(user, address, size):
    adapter = _Adapter.all[user]
    try:
        adapter.allocator.release(address, size)
    except BaseException as raised:
        _callbacks.report(raised, adapter.allocator.release)
    adapter.count(-1)


def version() -> str:
    """The release of the library that is running."""
    return C.dirac_version_string().decode()


def version_number() -> int:
    """The same as a number: major * 1000000 + minor * 1000 + patch."""
    return C.dirac_version_number()


def build_features() -> str:
    """What was built in, as words."""
    return C.dirac_build_features().decode()


def status_name(status: int) -> str:
    """The name of a status code: "DIRAC_ERR_SHAPE"."""
    return C.dirac_status_name(status).decode()


def status_string(status: int) -> str:
    """What a status code means."""
    return C.dirac_status_string(status).decode()
