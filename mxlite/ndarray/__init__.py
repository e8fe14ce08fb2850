# SPDX-License-Identifier: Apache-2.0
"""`mx.nd`: arrays, the functions that make them, and one function per operator."""

from __future__ import annotations

from typing import Any

from . import _internal as _internal
from . import contrib as contrib
from . import fluent, register, slicing
from . import image as image
from . import linalg as linalg
from . import ndarray as ndarray
from . import op as op
from . import random as random
from . import sparse as sparse
from . import tracing as tracing
from . import utils as utils
from .arithmetic import add as add
from .arithmetic import divide as divide
from .arithmetic import equal as equal
from .arithmetic import greater as greater
from .arithmetic import greater_equal as greater_equal
from .arithmetic import lesser as lesser
from .arithmetic import lesser_equal as lesser_equal
from .arithmetic import logical_and as logical_and
from .arithmetic import logical_or as logical_or
from .arithmetic import logical_xor as logical_xor
from .arithmetic import maximum as maximum
from .arithmetic import minimum as minimum
from .arithmetic import modulo as modulo
from .arithmetic import multiply as multiply
from .arithmetic import not_equal as not_equal
from .arithmetic import power as power
from .arithmetic import subtract as subtract
from .cell import Cell as Cell
from .creation import arange as arange
from .creation import eye as eye
from .creation import from_dlpack as from_dlpack
from .creation import from_numpy as from_numpy
from .creation import full as full
from .creation import linspace as linspace
from .creation import ones as ones
from .creation import to_dlpack_for_read as to_dlpack_for_read
from .creation import to_dlpack_for_write as to_dlpack_for_write
from .functions import concatenate as concatenate
from .functions import histogram as histogram
from .functions import imdecode as imdecode
from .functions import moveaxis as moveaxis
from .functions import onehot_encode as onehot_encode
from .functions import split_v2 as split_v2
from .ndarray import NDArray as NDArray
from .ndarray import from_host as from_host
from .ndarray import from_jax as from_jax
from .ndarray import from_stored as from_stored
from .ndarray import invoke as invoke
from .ndarray import waitall as waitall
from .slicing import slice_axis as slice_axis
from .storages import array as array
from .storages import empty as empty
from .storages import zeros as zeros

true_divide = divide
crop = slice = slicing.slice_

register.install(globals(), ("",), __name__)
fluent.install()

# Where MXNet has them, and scripts import them from.
for _name in (
    "add arange array concatenate divide empty equal eye from_dlpack from_numpy full greater greater_equal histogram "
    "imdecode lesser lesser_equal linspace logical_and logical_or logical_xor maximum minimum modulo moveaxis multiply "
    "not_equal onehot_encode ones power split_v2 subtract to_dlpack_for_read to_dlpack_for_write true_divide zeros"
).split():
    setattr(ndarray, _name, globals()[_name])


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
