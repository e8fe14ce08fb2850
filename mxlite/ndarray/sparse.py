# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.sparse`: the operators whose name begins with ``_sparse_``, and functions that make arrays, all of them dense.

Sparse storage is not in mxlite: what asks for it is an error that says so.
"""

from __future__ import annotations

from typing import Any

from ..base import MXNetError, explain
from ..context import Context
from . import creation, register
from .arithmetic import add as add
from .arithmetic import divide as divide
from .arithmetic import multiply as multiply
from .arithmetic import subtract as subtract
from .creation import array as array
from .ndarray import NDArray

#: What MXNet has for arrays that are stored sparsely, and only for those.
ONLY_SPARSE = (
    "BaseSparseNDArray", "CSRNDArray", "RowSparseNDArray", "adagrad_update", "csr_matrix", "retain", "row_sparse_array",
)  # fmt: skip


def zeros(stype: str, shape: Any, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """An array of zeros.

    Args:
        stype: "default", the dense storage.
        shape: an integer or a tuple of positive integers.
        ctx: the device; the current one by default.
        dtype: float32 by default.
        **kwargs: `out`, an array to write into.

    Raises MXNetError for another storage, an illegal shape, dtype or device.
    """
    if stype != "default":
        problem = f"stype={stype!r} is not in mxlite"
        raise MXNetError(explain(problem, op="zeros", hint="arrays are dense here; use stype='default'"))
    return creation.zeros(shape, ctx, dtype, **kwargs)


def empty(stype: str, shape: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """An array whose values do not matter yet (they are zeros); arguments and errors as for `zeros`."""
    return zeros(stype, shape, ctx, dtype)


register.install(globals(), ("_sparse_",), __name__)


def __getattr__(name: str) -> Any:
    if name in ONLY_SPARSE:
        raise AttributeError(f"{name} needs sparse storage, which is not in mxlite: use dense arrays, mx.nd.array(...)")
    raise register.unknown(__name__, name, globals())
