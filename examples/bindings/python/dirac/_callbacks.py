# SPDX-License-Identifier: MIT
"""Python functions as callbacks of the library.

The C functions made here live as long as the module; what they call is found by the number that the library hands back
as `user`. So nothing that the library might still call is ever freed: a callback whose owner has gone does nothing.

An exception cannot cross C. It is kept, the callback reports failure, and when the library's call returns on that
thread the exception is raised there. Callbacks that run on another thread keep it in their entry.
"""
import itertools
import sys
import threading
import types
import weakref

from . import _api

_thread = threading.local()
_entries = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


def new_number() -> int:
    """A number that was never used as `user` before."""
    return next(_numbers)


class Entry:
    """A Python function that the library may call. It is called as long as this object lives."""

    def __init__(self, call) -> None:
        self.call = call
        self.failure = None
        self.number = new_number()
        _entries[self.number] = self

    def take_failure(self):
        """What the callback raised since the last time, or None."""
        failure, self.failure = self.failure, None
        return failure


def keep(raised: BaseException) -> None:
    """Remembers an exception until the library's call returns on this thread; the first one wins."""
    if getattr(_thread, "raised", None) is None:
        _thread.raised = raised


def take():
    """The exception kept on this thread, or None; forgets it."""
    raised = getattr(_thread, "raised", None)
    if raised is not None:
        _thread.raised = None
    return raised


def report(raised: BaseException, where) -> None:
    """For callbacks that no call waits for: tells sys.unraisablehook."""
    sys.unraisablehook(types.SimpleNamespace(
        exc_type=type(raised), exc_value=raised, exc_traceback=raised.__traceback__,
        err_msg="Exception ignored in a callback", object=where))


@_api.dirac_progress_fn
def progress(user, done, total):
    """Progress: a true result stops the call."""
    entry = _entries.get(user)
    try:
        return 1 if entry is not None and entry.call(done, total) else 0
    except BaseException as raised:
        keep(raised)
        return 1


@_api.dirac_compare_fn
def compare(user, node, difference, largest):
    """One row of a comparison. It cannot stop the call; what it raises is raised at the end."""
    entry = _entries.get(user)
    try:
        if entry is not None and getattr(_thread, "raised", None) is None:
            entry.call(node.decode(), difference, largest)
    except BaseException as raised:
        keep(raised)


@_api.dirac_log_fn
def log(user, level, message):
    """A message. It may come on any thread, so what is raised goes to sys.unraisablehook."""
    entry = _entries.get(user)
    if entry is None:
        return
    try:
        entry.call(level, message.decode("utf-8", "replace"))
    except BaseException as raised:
        report(raised, entry.call)


@_api.dirac_sample_fn
def sample(user, index, values, label):
    """A sample of a data set. It may run on the prefetching thread: what is raised is kept in the entry."""
    entry = _entries.get(user)
    if entry is None:
        return 1
    try:
        label[0] = entry.call(index, values)
        return 0
    except BaseException as raised:
        entry.failure = raised
        return 1


@_api.dirac_runner_fn
def runner(user, task, task_data, count):
    """Runs the tasks of a job as the host likes; see Context.set_runner()."""
    entry = _entries.get(user)
    if entry is None:
        return 1
    left = set(range(count))

    def run(index: int) -> None:
        left.remove(index)  # KeyError for a task that ran already
        task(task_data, index)

    try:
        entry.call(run, count)
    except BaseException as raised:
        keep(raised)
        if len(left) == count:
            return 1  # none was started: the library runs them
    for index in sorted(left):
        task(task_data, index)  # every task must have run when this returns
    return 0
