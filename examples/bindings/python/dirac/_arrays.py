# SPDX-License-Identifier: MIT
"""numpy arrays to and from C: contiguous inputs, checked shapes, views of the library's memory.

What goes in is passed where it lies if it is of the right kind and contiguous. What comes out is a view wherever the C
interface gives a pointer, and is read into an array where it does not.
"""
from __future__ import annotations

import ctypes
from typing import Optional, Sequence, Tuple

import numpy as np

from . import _api, _checks, errors


def floats(value, what: str, shape: Optional[Sequence[Optional[int]]] = None) -> np.ndarray:
    """`value` as contiguous float32; it is copied only if it is not that already. None in `shape` is any size."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what}: real numbers are needed, not {array.dtype}")
    with np.errstate(over="ignore"):  # it is looked at below, and raises in every version of numpy
        single = np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype != np.float32 and np.isinf(single).any() and (np.isinf(single) & np.isfinite(array)).any():
        raise errors.ArgumentError(f"{what}: a value is larger than a float32 can be")
    return _checked(single, what, shape)


def labels(value, count: int) -> np.ndarray:
    """`value` as `count` contiguous int32; it is copied only if it is not that already."""
    array = np.asarray(value)
    if array.dtype.kind not in "iub":
        raise TypeError(f"labels are integers, not {array.dtype}")
    if array.dtype != np.int32 and array.size and (int(array.min()) < -2**31 or int(array.max()) >= 2**31):
        raise errors.ArgumentError("a label does not fit into 32 bits")
    return _checked(np.ascontiguousarray(array, dtype=np.int32), "labels", (count,))


def target(out: Optional[np.ndarray], what: str, shape: Sequence[int]) -> np.ndarray:
    """Where values are read into: `out`, which must be as C writes it, or a new array."""
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        raise TypeError(f"{what}: values are read into an array of float32")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"{what}: values are read into a contiguous and writable array")
    return _checked(out, what, shape)


def content(source) -> Tuple[ctypes.c_void_p, int]:
    """(data, size) of a bytes-like object; nothing is copied, unless its bytes do not lie together."""
    held = memoryview(source)
    array = np.frombuffer(held if held.c_contiguous else held.tobytes(), np.uint8)
    return array.ctypes.data_as(ctypes.c_void_p), array.size


def _checked(array: np.ndarray, what: str, shape) -> np.ndarray:
    if shape is not None and (array.ndim != len(shape)
                              or any(s is not None and s != d for s, d in zip(shape, array.shape))):
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        raise errors.ShapeError(f"{what}: the shape is {array.shape}, must be ({wanted})")
    return array


def pointer(array: np.ndarray, kind=ctypes.c_float):
    """A C pointer to an array's first element; it keeps the array alive."""
    return array.ctypes.data_as(ctypes.POINTER(kind))


def dims(shape: Sequence[int]) -> Tuple[ctypes.Array, int]:
    """A shape as C takes it."""
    sizes = [_checks.int64("a size or a step", size) for size in shape]
    return (ctypes.c_int64 * max(len(sizes), 1))(*sizes), len(sizes)


def read_dims(call, *arguments) -> Tuple[int, ...]:
    """The shape that a C function gives: call(*arguments, dims, rank)."""
    room, rank = (ctypes.c_int64 * _api.DIRAC_MAX_RANK)(), ctypes.c_int32()
    call(*arguments, room, ctypes.byref(rank))
    return tuple(room[:rank.value])


class _Memory:
    """Memory of the library as numpy takes it; the array made from it keeps the owner alive."""

    __slots__ = ("__array_interface__", "owner", "__weakref__")

    def __init__(self, address: int, shape, kind: str, owner, writable: bool) -> None:
        self.__array_interface__ = {"version": 3, "data": (address, not writable), "shape": tuple(shape),
                                    "typestr": kind}
        self.owner = owner


def memory(start, shape: Sequence[int], owner, writable: bool = False, kind: str = "=f4") -> _Memory:
    """What view() makes an array of."""
    kind = np.dtype(kind).str
    return _Memory(ctypes.cast(start, ctypes.c_void_p).value, shape, kind, owner, writable)


def view(start, shape: Sequence[int], owner, writable: bool = False, kind: str = "=f4") -> np.ndarray:
    """An array over the library's memory from `start` on. Nothing is copied; `owner` lives as long as the array."""
    return np.asarray(memory(start, shape, owner, writable, kind))
