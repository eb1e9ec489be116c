# SPDX-License-Identifier: MIT
"""Data sets and streams of batches. See dirac/data.h."""
from __future__ import annotations

import contextlib
import ctypes
import operator
import os
from typing import Callable, Iterator, Optional, Sequence, Tuple

import numpy as np

from . import _api, _callbacks, _checks, errors
from ._arrays import content, dims, floats, labels, pointer, read_dims, view
from ._handle import Handle, Owner, create
from ._library import C
from .context import Context

Batch = Tuple[np.ndarray, np.ndarray]
"""(samples (n, C, spatial...) float32, labels (n) int32)"""


class Dataset(Handle):
    """Samples of one shape and a label each. Filled, then only read: batches fix it.

        images = dirac.Dataset.images(context, (3, 32, 32)).add(pixels, labels)   # uint8
        numbers = dirac.Dataset.floats(context, (100,)).add(values, labels)       # float32
        lazy = dirac.Dataset.callback(context, (3, 32, 32), 50000, lambda index: (values, label))
    """

    def __init__(self) -> None:
        raise TypeError("make a data set with Dataset.images(), .floats(), .callback() or one of the load_ methods")

    @classmethod
    def _made(cls, context: Context, make, *arguments, entry=None) -> "Dataset":
        self, owner = cls.__new__(cls), context._c
        self._owner = create(_api.dirac_dataset, C.dirac_dataset_destroy, (owner, entry), make, owner, *arguments)
        self._bytes = make not in (C.dirac_dataset_create_floats, C.dirac_dataset_create_callback)
        return self

    @classmethod
    def images(cls, context: Context, shape: Sequence[int]) -> "Dataset":
        """An empty set of byte images of shape (C, height, width)."""
        channels, height, width = shape
        return cls._made(context, C.dirac_dataset_create_images, channels, height, width)

    @classmethod
    def floats(cls, context: Context, shape: Sequence[int]) -> "Dataset":
        """An empty set of float samples of shape (C, spatial...)."""
        return cls._made(context, C.dirac_dataset_create_floats, *dims(shape))

    @classmethod
    def callback(cls, context: Context, shape: Sequence[int], count: int,
                 sample: Callable[[int], Tuple[np.ndarray, int]]) -> "Dataset":
        """`count` samples that sample(index) gives, as (values, label), when they are needed: on the thread that asks
        for a batch, or on the prefetching thread. What it raises comes out of the call that wanted the batch."""
        shape = tuple(map(operator.index, shape))

        def fill(index: int, values) -> int:
            array, label = sample(index)
            np.ctypeslib.as_array(values, shape)[...] = floats(array, f"sample {index}", shape)
            return _checks.int32(f"the label of sample {index}", label)

        entry = _callbacks.Entry(fill)
        return cls._made(context, C.dirac_dataset_create_callback, *dims(shape), count, _callbacks.sample, entry.number,
                         entry=entry)

    @classmethod
    def load_cifar10(cls, context: Context, directory, test: bool = False) -> "Dataset":
        """Reads CIFAR-10's binary version from a folder."""
        return cls._made(context, C.dirac_dataset_load_cifar10, os.fsencode(directory), _split(test))

    @classmethod
    def load_cifar100(cls, context: Context, directory, test: bool = False) -> "Dataset":
        """Reads CIFAR-100's binary version, fine labels, from a folder."""
        return cls._made(context, C.dirac_dataset_load_cifar100, os.fsencode(directory), _split(test))

    @classmethod
    def load_cifar_bytes(cls, context: Context, records: bytes, classes: int) -> "Dataset":
        """CIFAR-10 (classes 10) or CIFAR-100 (100) records."""
        return cls._made(context, C.dirac_dataset_load_cifar_memory, *content(records), classes)

    @classmethod
    def load_idx(cls, context: Context, images, labels) -> "Dataset":
        """Reads IDX files (MNIST's format)."""
        return cls._made(context, C.dirac_dataset_load_idx, os.fsencode(images), os.fsencode(labels))

    @classmethod
    def load_idx_bytes(cls, context: Context, images: bytes, labels: bytes) -> "Dataset":
        """The same from the files' contents."""
        return cls._made(context, C.dirac_dataset_load_idx_memory, *content(images), *content(labels))

    def add(self, samples, targets, *, interleaved: bool = False) -> "Dataset":
        """Copies n samples (n, C, spatial...) and n labels in; interleaved: byte images (n, height, width, C).
        Returns the set."""
        array, wanted = np.asarray(samples), self.shape
        if self._bytes:
            if array.dtype != np.uint8:
                raise TypeError(f"a set of byte images takes uint8, not {array.dtype}")
            wanted = (*wanted[1:], wanted[0]) if interleaved else wanted
            array = np.ascontiguousarray(array)
        else:
            array = floats(array, "samples")
        if array.shape[1:] != wanted or array.ndim != len(wanted) + 1:
            raise errors.ShapeError(f"samples: the shape is {array.shape}, must be (n, {', '.join(map(str, wanted))})")
        target = labels(targets, len(array))
        if self._bytes:
            layout = _api.DIRAC_LAYOUT_INTERLEAVED if interleaved else _api.DIRAC_LAYOUT_PLANAR
            C.dirac_dataset_add_images(self._c, pointer(array, ctypes.c_uint8), layout,
                                       pointer(target, ctypes.c_int32), len(array))
        else:
            C.dirac_dataset_add_floats(self._c, pointer(array), pointer(target, ctypes.c_int32), len(array))
        return self

    def set_class_name(self, label: int, name: str) -> None:
        """Names a class."""
        C.dirac_dataset_set_class_name(self._c, label, name.encode())

    def class_name(self, label: int) -> Optional[str]:
        """The name of a class, or None."""
        name = C.dirac_dataset_class_name(self._c, label)
        return None if name is None else name.decode("utf-8", "replace")

    @property
    def classes(self) -> int:
        """One more than the largest label or named class; 0 where unknown."""
        return C.dirac_dataset_classes(self._c)

    @property
    def shape(self) -> Tuple[int, ...]:
        """The shape of a sample."""
        return read_dims(C.dirac_dataset_shape, self._c)

    def label(self, index: int) -> int:
        """The label of a sample, or -1."""
        return C.dirac_dataset_label(self._c, index)

    def __len__(self) -> int:
        return C.dirac_dataset_count(self._c)

    def _described(self) -> str:
        return f"{len(self)} samples {self.shape}, {self.classes or 'unknown'} classes"

    def __getitem__(self, index: int) -> Tuple[np.ndarray, int]:
        """(a copy of the sample, bytes as 0 to 255; its label)."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        values = np.empty(self.shape, np.float32)
        with sample_failures(self._c):
            C.dirac_dataset_read(self._c, index, pointer(values), values.size)
        return values, self.label(index)


def _split(test: bool) -> int:
    return _api.DIRAC_SPLIT_TEST if test else _api.DIRAC_SPLIT_TRAIN


@contextlib.contextmanager
def sample_failures(dataset: Owner) -> Iterator[None]:
    """Raises what a sample callback raised in place of the library's CallbackError."""
    try:
        yield
    except errors.CallbackError as failed:
        entry = dataset.parents[1]
        raised = entry.take_failure(str(failed)) if entry is not None else None
        if raised is None:
            raise
        raise raised from failed


class Batches(Handle):
    """A stream of batches over a data set; iterating gives the rest of the epoch:

        for images, labels in batches: ...

    size: images a batch. seed: of shuffling and augmentation. shuffle, drop_last, flip: as they say. crop: pad by so
    many pixels and cut at random; pad_reflect: by reflection instead of zeros. mean, deviation: a number a channel, in
    the units of the data. prefetch: how many batches a background thread prepares ahead.
    """

    def __init__(self, dataset: Dataset, *, size: int = 128, seed: Optional[int] = None, shuffle: bool = False,
                 drop_last: bool = False, crop: int = 0, pad_reflect: bool = False, flip: bool = False,
                 mean: Optional[Sequence[float]] = None, deviation: Optional[Sequence[float]] = None,
                 prefetch: int = 0) -> None:
        owner = dataset._c
        self._owner = create(_api.dirac_batches, C.dirac_batches_destroy, (owner,), C.dirac_batches_create, owner,
                             threaded=prefetch > 0)
        self._shape = dataset.shape
        C.dirac_batches_set_size(self._c, size)
        if seed is not None:
            C.dirac_batches_set_seed(self._c, seed)
        C.dirac_batches_set_shuffle(self._c, int(shuffle))
        C.dirac_batches_set_drop_last(self._c, int(drop_last))
        if crop != 0:
            C.dirac_batches_set_crop(self._c, crop, _api.DIRAC_PAD_REFLECT if pad_reflect else _api.DIRAC_PAD_ZERO)
        if flip:
            C.dirac_batches_set_flip(self._c, 1)
        if (mean is None) != (deviation is None):
            raise TypeError("mean and deviation come together")
        if mean is not None:
            means = floats(mean, "mean", (None,))
            deviations = floats(deviation, "deviation", means.shape)
            C.dirac_batches_set_normalization(self._c, pointer(means), pointer(deviations), len(means))
        if prefetch != 0:
            C.dirac_batches_set_prefetch(self._c, prefetch)

    def _described(self) -> str:
        epoch, batch = self.position
        return f"epoch {epoch}, {batch} of {self.per_epoch} batches taken"

    def sample_failures(self):
        """Context manager: what a sample callback raises comes out as itself."""
        return sample_failures(self._c.parents[0])

    def next(self) -> Optional[Batch]:
        """The next batch, or None once at the end of an epoch. Both arrays are read-only views of the stream's memory,
        valid until the next batch is asked for (copies last)."""
        samples, targets = ctypes.POINTER(ctypes.c_float)(), ctypes.POINTER(ctypes.c_int32)()
        n = ctypes.c_int64()
        owner = self._c
        with self.sample_failures():
            owner.alone("batches", C.dirac_batches_next, owner, *map(ctypes.byref, (samples, targets, n)))
        if n.value == 0:
            return None
        return view(samples, (n.value, *self._shape), owner), view(targets, (n.value,), owner, kind="=i4")

    def __iter__(self) -> Iterator[Batch]:
        while (batch := self.next()) is not None:
            yield batch

    def seek(self, epoch: int, batch: int = 0) -> None:
        """Goes to a batch of an epoch, both from 0."""
        owner = self._c
        owner.alone("batches", C.dirac_batches_seek, owner, epoch, batch)

    @property
    def position(self) -> Tuple[int, int]:
        """(epoch, batches of it consumed)."""
        epoch, batch = ctypes.c_int64(), ctypes.c_int64()
        C.dirac_batches_position(self._c, ctypes.byref(epoch), ctypes.byref(batch))
        return epoch.value, batch.value

    @property
    def per_epoch(self) -> int:
        """The number of batches an epoch."""
        return C.dirac_batches_per_epoch(self._c)
