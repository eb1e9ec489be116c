# SPDX-License-Identifier: MIT
"""Checkpoints: what is saved and restored as one. See dirac/file.h."""
from __future__ import annotations

import ctypes
import os
from typing import Union

from . import _api
from ._arrays import content
from ._handle import Handle, create
from ._library import C
from .context import Context
from .data import Batches
from .net import Net, Source, path_or_content, taken_memory
from .session import Session
from .sgd import SGD


class Checkpoint(Handle):
    """Add handles and blobs under names of your choice, then save, or load all of it or nothing:

        checkpoint = dirac.Checkpoint(context).add("net", net).add("sgd", sgd).add("stream", batches)
        checkpoint.save("run.checkpoint")
    """

    def __init__(self, context: Context) -> None:
        owner = context._c
        self._names = []
        self._owner = create(_api.dirac_checkpoint, C.dirac_checkpoint_destroy, (owner,), C.dirac_checkpoint_create, owner)

    def add(self, name: str, handle: Union[Net, SGD, Session, Batches]) -> "Checkpoint":
        """Adds a net, an optimizer, a prepared training session or a stream of batches. Returns the checkpoint."""
        kinds = ((Net, C.dirac_checkpoint_add_net), (SGD, C.dirac_checkpoint_add_sgd),
                 (Session, C.dirac_checkpoint_add_session), (Batches, C.dirac_checkpoint_add_batches))
        for kind, add in kinds:
            if isinstance(handle, kind):
                add(self._c, name.encode(), handle._c)
                self._c.parents += (handle._c,)
                self._names.append(name)
                return self
        raise TypeError(f"a checkpoint holds no {type(handle).__name__}")

    def _described(self) -> str:
        return ", ".join(map(repr, self._names)) or "empty"

    def __setitem__(self, name: str, value: bytes) -> None:
        """Bytes of your own, saved along."""
        C.dirac_checkpoint_set_blob(self._c, name.encode(), *content(value))

    def __getitem__(self, name: str) -> bytes:
        """The bytes set or loaded, copied: setting them anew frees what the library holds."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        C.dirac_checkpoint_blob(self._c, name.encode(), ctypes.byref(data), ctypes.byref(size))
        return ctypes.string_at(data, size.value) if size.value else b""

    def save(self, path) -> None:
        """Saves everything added, replacing the file atomically."""
        C.dirac_checkpoint_save(self._c, os.fsencode(path))

    def to_bytes(self) -> bytes:
        """The content of the file that save() would write."""
        return bytes(self.to_memory())

    def to_memory(self) -> memoryview:
        """The same without a copy: read-only, the library's buffer, which is freed with the last view of it."""
        return taken_memory(self._c.parents[0], C.dirac_checkpoint_save_memory, self._c)

    def load(self, source: Source) -> None:
        """Restores everything added, all or nothing, from a file or its content."""
        path, held = path_or_content(source)
        if path is not None:
            C.dirac_checkpoint_load(self._c, path)
        else:
            C.dirac_checkpoint_load_memory(self._c, *held)
