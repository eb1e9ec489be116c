# SPDX-License-Identifier: MIT
"""What a failed call raises: a class for each status code, with the library's own message.

Each class is also the built-in exception that Python programs would expect in its place.
"""
from . import _api


class DiracError(Exception):
    """A call failed. `status` is the code (dirac.STATUS names are in the class), the text is the library's message."""

    status = 0

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class ArgumentError(DiracError, ValueError):
    """An argument is out of range or does not belong here."""

    status = _api.DIRAC_ERR_ARGUMENT


class OutOfMemoryError(DiracError, MemoryError):
    """Out of memory."""

    status = _api.DIRAC_ERR_MEMORY


class ShapeError(DiracError, ValueError):
    """Shapes do not fit together."""

    status = _api.DIRAC_ERR_SHAPE


class StateError(DiracError, RuntimeError):
    """The call comes too early or too late in the life of the handle."""

    status = _api.DIRAC_ERR_STATE


class BusyError(DiracError, RuntimeError):
    """Another thread is using the handle."""

    status = _api.DIRAC_ERR_BUSY


class FileError(DiracError, OSError):
    """A file could not be opened, read or written."""

    status = _api.DIRAC_ERR_IO


class FormatError(DiracError, ValueError):
    """A file or buffer is not what it should be."""

    status = _api.DIRAC_ERR_FORMAT


class NotFoundError(DiracError, KeyError):
    """No such name."""

    status = _api.DIRAC_ERR_NOT_FOUND


class MismatchError(DiracError, ValueError):
    """Tensors are missing, unused or of another shape."""

    status = _api.DIRAC_ERR_MISMATCH


class NotFiniteError(DiracError, ArithmeticError):
    """A value is NaN or infinite."""

    status = _api.DIRAC_ERR_NOT_FINITE


class CancelledError(DiracError):
    """A callback asked to stop. After an epoch, `loss` and `accuracy` are those of the batches that were done."""

    status = _api.DIRAC_ERR_CANCELLED
    loss = float("nan")
    accuracy = float("nan")


class CallbackError(DiracError, RuntimeError):
    """A callback failed. An exception that a Python callback raised comes through as itself instead."""

    status = _api.DIRAC_ERR_CALLBACK


class UnsupportedError(DiracError, NotImplementedError):
    """This build or this machine cannot do it."""

    status = _api.DIRAC_ERR_UNSUPPORTED


class LimitError(DiracError, ValueError):
    """A stated limit would be passed."""

    status = _api.DIRAC_ERR_LIMIT


class ThreadError(DiracError, RuntimeError):
    """A thread could not be started."""

    status = _api.DIRAC_ERR_THREAD


BY_STATUS = {kind.status: kind for kind in DiracError.__subclasses__()}


def from_status(status: int, message: str) -> DiracError:
    """The exception for a status code."""
    kind = BY_STATUS.get(status, DiracError)
    made = kind(message)
    made.status = status
    return made
