# SPDX-License-Identifier: MIT
"""What ctypes does not look at: it cuts integers to the bits that fit, texts at their first NUL, and lets large numbers
become infinite. Each check takes what the argument is called and its value, and raises if C would see another value."""
from __future__ import annotations

import ctypes
import math
import operator

from . import errors


def integer(bits: int, signed: bool):
    """The check for a C integer."""
    least, most = (-2**(bits - 1), 2**(bits - 1) - 1) if signed else (0, 2**bits - 1)

    def check(what: str, value) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise TypeError(f"{what}: an integer is needed, not {type(value).__name__}") from None
        if not least <= number <= most:
            raise errors.ArgumentError(f"{what} is {number}, must be {least} to {most}")
        return number

    return check


def real(what: str, value) -> float:
    """The check for a double."""
    try:
        return ctypes.c_double(value).value
    except TypeError:
        raise TypeError(f"{what}: a number is needed, not {type(value).__name__}") from None
    except OverflowError:
        raise errors.ArgumentError(f"{what} is larger than a double can be") from None


def single(what: str, value) -> float:
    """The check for a float: infinity passes, what would become infinite does not."""
    number = real(what, value)
    if math.isinf(ctypes.c_float(number).value) and not math.isinf(number):
        raise errors.ArgumentError(f"{what} is {number:g}, larger than a float can be")
    return number


def text(what: str, value) -> None:
    """The check for a text, which is bytes here, or None."""
    if value is None:
        return
    if not isinstance(value, bytes):
        raise TypeError(f"{what}: bytes are needed, not {type(value).__name__}")
    if b"\0" in value:
        raise errors.ArgumentError(f"{what} has a NUL inside, where C would end it")


int32 = integer(32, True)
int64 = integer(64, True)

BY_TYPE = {ctypes.c_int32: int32, ctypes.c_int64: int64, ctypes.c_uint8: integer(8, False),
           ctypes.c_uint64: integer(64, False), ctypes.c_size_t: integer(8 * ctypes.sizeof(ctypes.c_size_t), False),
           ctypes.c_double: real, ctypes.c_float: single, ctypes.c_char_p: text}
