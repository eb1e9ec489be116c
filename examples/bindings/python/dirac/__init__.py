# SPDX-License-Identifier: MIT
"""libdirac for Python: build, train, fold and run DiracNets.

    import dirac
    context = dirac.Context(threads=2)

The classes follow the C headers: Context, Net and Node, Session, SGD, Dataset and Batches, Checkpoint, LayerKind,
models. A failed call raises a DiracError with the library's message; there is a class for each status code.
dirac.C has every function of the C interface under its own name.
"""
from . import _api, models
from ._library import C
from .checkpoint import Checkpoint
from .context import Allocator, Context, build_features, status_name, status_string, version, version_number
from .data import Batches, Dataset
from .errors import (ArgumentError, BusyError, CallbackError, CancelledError, DiracError, FileError, FormatError,
                     LimitError, MismatchError, NotFiniteError, NotFoundError, OutOfMemoryError, ShapeError, StateError,
                     ThreadError, UnsupportedError)
from .layer import Layer, LayerKind
from .net import Net
from .node import FilterSummary, Node
from .session import Session
from .sgd import SGD

FORM_PLAIN = _api.DIRAC_FORM_PLAIN
FORM_DELTA = _api.DIRAC_FORM_DELTA
FORM_NORMALIZED_DELTA = _api.DIRAC_FORM_NORMALIZED_DELTA
FORM_FIXED_DELTA = _api.DIRAC_FORM_FIXED_DELTA
FILTER_ALPHA = _api.DIRAC_FILTER_ALPHA
FILTER_BETA = _api.DIRAC_FILTER_BETA
FILTER_NORM = _api.DIRAC_FILTER_NORM
FILTER_IDENTITY = _api.DIRAC_FILTER_IDENTITY
INIT_ZEROS = _api.DIRAC_INIT_ZEROS
INIT_CONSTANT = _api.DIRAC_INIT_CONSTANT
INIT_NORMAL = _api.DIRAC_INIT_NORMAL
INIT_KAIMING_NORMAL = _api.DIRAC_INIT_KAIMING_NORMAL
INIT_UNIFORM = _api.DIRAC_INIT_UNIFORM
INIT_ORTHOGONAL = _api.DIRAC_INIT_ORTHOGONAL
INIT_DELTA = _api.DIRAC_INIT_DELTA
LOG_WARNING = _api.DIRAC_LOG_WARNING
LOG_INFO = _api.DIRAC_LOG_INFO
LOG_DEBUG = _api.DIRAC_LOG_DEBUG
NAMES_OWN = _api.DIRAC_NAMES_OWN
NAMES_PUBLISHED = _api.DIRAC_NAMES_PUBLISHED
NAMES_FOLDED = _api.DIRAC_NAMES_FOLDED

__version__ = version()
