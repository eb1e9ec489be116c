# SPDX-License-Identifier: MIT
"""Signals during a call of the library, such as Control-C.

Python runs the handlers of signals on the main thread, before the next step of a Python program. During a call of the
library that may be the first step of a callback, where what a handler raises is lost: no `try` is open yet, and an
exception cannot cross C. So while the main thread is in a call, a handler of Python only notes its signal. It is run as
soon as it can raise: where a callback begins to run the caller's own function, at once within that, or when the call
returns. The handlers are the caller's again by then.
"""
import signal
import sys
import threading

try:
    import _signal as _raw  # what `signal` wraps, without its enumerations, which take longer than all the rest
except ImportError:
    _raw = signal

_NUMBERS = [int(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2")
            if hasattr(signal, name)]

# All of the main thread's alone.
_handlers = {}  # {signal: its handler of before}, while they are deferred
_noted = []  # signals that came
_inside = False  # whether a function of the caller is running inside a call


def _note(number, frame):
    if _inside:
        _handlers[number](number, frame)
    elif number not in _noted:
        _noted.append(number)


def _deliver() -> None:
    """Runs the handlers of what was noted; each runs, whatever the one before raises."""
    if _noted:
        number = _noted.pop(0)
        handler = _handlers.get(number) or _raw.getsignal(number)
        try:
            if callable(handler):
                handler(number, sys._getframe())
        finally:
            _deliver()


def _on_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def defer():
    """Handlers note their signals from here to resume(), which gets the result."""
    global _inside
    if not _on_main_thread():
        return None
    if _handlers:  # from a callback
        outer, _inside = _inside, False
        return outer
    try:
        for number in _NUMBERS:
            handler = _raw.getsignal(number)
            if callable(handler) and handler is not _note:
                _handlers[number] = handler
                _raw.signal(number, _note)
    except ValueError:  # not the main interpreter: no signals here
        _handlers.clear()
        return None
    except BaseException:  # a handler that was not replaced yet
        _put_back()
        raise
    return _put_back


def _put_back() -> None:
    global _inside
    _inside = False
    try:
        _set_handlers()
    finally:  # of several handlers one that is back may have raised
        _set_handlers()
        _handlers.clear()
        _deliver()


def _set_handlers() -> None:
    for number, handler in _handlers.items():
        if _raw.getsignal(number) is _note:  # else a callback has set another
            _raw.signal(number, handler)


def resume(deferred) -> None:
    """Ends what defer() began, and runs the handlers of what came meanwhile."""
    global _inside
    if deferred is _put_back:
        _put_back()
    elif deferred is not None:
        _inside = deferred
        if _inside:
            _deliver()


def run(call, *arguments):
    """call(*arguments), a function of the caller inside a callback: handlers run, and may raise, as anywhere else."""
    global _inside
    if not _handlers or not _on_main_thread():
        return call(*arguments)
    try:
        _inside = True
        _deliver()
        return call(*arguments)
    finally:
        _inside = False
