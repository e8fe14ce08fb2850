# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.array`, `mx.nd.zeros` and `mx.nd.empty`, which know every storage; `creation` has the dense forms."""

from __future__ import annotations

from typing import Any

from . import creation
from .sparse import creation as sparse


def array(source_array: Any, ctx: Any = None, dtype: Any = None) -> Any:
    """An array with the values of a list, a numpy array, a number, another NDArray or a scipy csr matrix.

    Args:
        source_array: the values.
        ctx: the device; the current one by default.
        dtype: float32 by default, whatever a list or numpy array holds; an NDArray or scipy matrix keeps its own.

    Returns an array of the shape and the storage of the source.
    Raises TypeError for a source that is no array of numbers or a dtype that does not exist, MXNetError for a dtype
    that MXNet does not have, ValueError for another format of scipy.
    """
    make = sparse.array if type(source_array).__module__.startswith("scipy.sparse") else creation.array
    return make(source_array, ctx, dtype)


def zeros(shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None, **kwargs: Any) -> Any:
    """An array of zeros.

    Args:
        shape: an integer or a tuple of positive integers; for sparse storage a tuple.
        ctx: the device; the current one by default.
        dtype: float32 by default.
        stype: None or "default", "csr", "row_sparse".
        **kwargs: `out`, an array to write into.

    Raises MXNetError for an illegal shape, dtype or device, ValueError for another storage.
    """
    return sparse.zeros(stype or "default", shape, ctx, dtype, **kwargs)


def empty(shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None) -> Any:
    """An array whose values do not matter yet (they are zeros); arguments and errors as for `zeros`."""
    return zeros(shape, ctx, dtype, stype)
