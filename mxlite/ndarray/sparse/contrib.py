# SPDX-License-Identifier: Apache-2.0
"""Functions of `mx.nd.contrib` that look at the structure of a csr matrix: `getnnz`, `edge_id`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base import MXNetError, explain
from ..ndarray import NDArray, from_host
from .array import CSRNDArray
from .storage import bucket, gather_rows, padded


def _csr(data: Any, op: str) -> CSRNDArray:
    if not isinstance(data, CSRNDArray):
        kind = getattr(data, "stype", type(data).__name__)
        raise MXNetError(explain(f"takes a csr matrix, not {kind}", op=op, hint="tostype('csr') makes one"))
    return data


def getnnz(data: NDArray, axis: int | None = None, out: NDArray | None = None, name: str | None = None) -> NDArray:
    """How many values a csr matrix stores, explicit zeros included.

    Args:
        data: a csr matrix.
        axis: None for all of them, shape (1,); 1 for each row, shape (rows,).
        out: an int64 array to write into.
        name: not used.

    Returns int64. Raises MXNetError for another storage or axis.
    """
    stored = _csr(data, "getnnz")._stored
    if axis not in (None, 1):
        raise MXNetError(explain(f"axis={axis} is neither None nor 1", op="getnnz"))
    counts = np.array([stored.count]) if axis is None else np.diff(stored.indptr)
    made = from_host(counts.astype(np.int64), data.context)
    return made if out is None else made.copyto(out)


def edge_id(data: NDArray, u: NDArray, v: NDArray, out: NDArray | None = None, name: str | None = None) -> NDArray:
    """The values of a csr matrix at places ``(u[i], v[i])``, -1 where nothing is stored.

    Args:
        data: a csr matrix, the adjacency matrix of a graph with the numbers of edges as values.
        u, v: (n,), rows and columns.
        out: an array to write into.
        name: not used.

    Returns (n,) in the dtype of `data`. Raises MXNetError for another storage.
    """
    stored = _csr(data, "edge_id")._stored
    rows, columns = (x.asnumpy().astype(np.int64) for x in (u, v))
    keys = stored.rows * stored.shape[1] + stored.indices
    order = np.argsort(keys, kind="stable")
    wanted = rows * stored.shape[1] + columns
    at = np.searchsorted(keys[order], wanted)
    there = at < stored.count
    there[there] = keys[order[at[there]]] == wanted[there]
    places = padded(order[at[there]], bucket(int(there.sum())), stored.values.shape[0])
    found = np.full(len(wanted), -1, data.dtype)
    found[there] = np.asarray(gather_rows(stored.values, places))[: int(there.sum())]
    made = from_host(found, data.context)
    return made if out is None else made.copyto(out)
