# SPDX-License-Identifier: MIT
"""Python functions as callbacks of the library.

The C functions made here live as long as the module; what they call is found by the number that the library hands back
as `user`. So nothing that the library might still call is ever freed: a callback whose owner has gone does nothing.

An exception cannot cross C. It is kept, the callback reports failure, and when the library's call returns on that
thread the exception is raised there. Callbacks that run on another thread keep it in their entry. Each function opens
its `try` first: until then no exception may come, which is what _signals is for.
"""
import itertools
import re
import sys
import threading
import types
import weakref

from . import _api, _signals

_thread = threading.local()
_entries = weakref.WeakValueDictionary()
_numbers = itertools.count(1)
_MOST_FAILURES = 64


def new_number() -> int:
    """A number that was never used as `user` before."""
    return next(_numbers)


class Entry:
    """A Python function that the library may call. It is called as long as this object lives."""

    def __init__(self, call) -> None:
        self.call = call
        self.failures = {}  # {index of a sample: what was raised}; a stream may drop a batch and never ask
        self.number = new_number()
        _entries[self.number] = self

    def keep_failure(self, index: int, raised: BaseException) -> None:
        """Remembers what was raised for a sample until the stream that asked for it comes to it."""
        self.failures[index] = raised
        while len(self.failures) > _MOST_FAILURES:
            self.failures.pop(next(iter(self.failures)), None)

    def take_failure(self, message: str):
        """What was raised for the sample that the library's message names, or None."""
        found = re.search(r" for sample (\d+)", message)
        return self.failures.pop(int(found.group(1)), None) if found else None


def keep(raised: BaseException) -> None:
    """Remembers an exception until the library's call returns on this thread; the first one wins."""
    if getattr(_thread, "raised", None) is None:
        _thread.raised = raised


def take():
    """The exception kept on this thread, or None; forgets it."""
    return exchange(None)


def exchange(raised):
    """Keeps `raised` on this thread instead of the exception kept so far, which is returned. A call inside a call, as that
    of a finalizer that happens to run in a callback, so leaves what is another's."""
    before = getattr(_thread, "raised", None)
    if before is not raised:
        _thread.raised = raised
    return before


def report(raised: BaseException, where) -> None:
    """For callbacks that no call waits for: tells sys.unraisablehook."""
    sys.unraisablehook(types.SimpleNamespace(
        exc_type=type(raised), exc_value=raised, exc_traceback=raised.__traceback__,
        err_msg="Exception ignored in a callback", object=where))


def go_on(done, total) -> bool:
    """The progress callback of who has none: with one there, Control-C stops long calls."""
    return False


@_api.dirac_progress_fn
def progress(user, done, total):
    """Progress: a true result stops the call."""
    try:
        entry = _entries.get(user)
        return 1 if entry is not None and _signals.run(entry.call, done, total) else 0
    except BaseException as raised:
        keep(raised)
        return 1


@_api.dirac_compare_fn
def compare(user, node, difference, largest):
    """One row of a comparison. It cannot stop the call; what it raises is raised at the end."""
    try:
        entry = _entries.get(user)
        if entry is not None and getattr(_thread, "raised", None) is None:
            _signals.run(entry.call, node.decode(), difference, largest)
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
    entry = None
    try:
        entry = _entries.get(user)
        if entry is None:
            return 1
        label[0] = _signals.run(entry.call, index, values)
        entry.failures.pop(index, None)
        return 0
    except BaseException as raised:
        if entry is not None:
            entry.keep_failure(index, raised)
        return 1


@_api.dirac_runner_fn
def runner(user, task, task_data, count):
    """Runs the tasks of a job as the host likes; see Context.set_runner()."""
    try:
        entry = _entries.get(user)
        if entry is None:
            return 1
        job = _Job(task, task_data, count)
        try:
            _signals.run(entry.call, job.run, count)
        except BaseException as raised:
            keep(raised)
        return job.end()
    except BaseException as raised:
        keep(raised)
        return 1


class _Job:
    """The tasks of a runner, each of which runs once, whatever becomes of the function that was to run them."""

    def __init__(self, task, task_data, count: int) -> None:
        self.task, self.task_data, self.count = task, task_data, count
        self.left = set(range(count))  # taking one out is one step, so nobody else gets it
        self.finished = threading.Semaphore(0)

    def run(self, index: int) -> None:
        """What the caller's function gets. KeyError for a task that was started already."""
        deferred = _signals.defer()  # between taking a task and running it nothing may be raised
        try:
            self.left.remove(index)
            try:
                self.task(self.task_data, index)
            finally:
                self.finished.release()
        finally:
            _signals.resume(deferred)
        raised = take()  # on a thread of the caller's, which would come upon it in some other call
        if raised is not None:
            raise raised

    def end(self) -> int:
        """Runs what was not started and waits for what was: 0, or 1 if the library is to run them all."""
        rest = []
        while self.left:
            rest.append(self.left.pop())
        if len(rest) == self.count:
            return 1
        for index in sorted(rest):
            self.task(self.task_data, index)
        for _ in range(self.count - len(rest)):
            self.finished.acquire()
        return 0
