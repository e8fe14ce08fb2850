# SPDX-License-Identifier: Apache-2.0
"""Sparse arrays for tests.

Random values come from numpy's global generator; row_sparse arrays are drawn in MXNet's order. MXNet lets scipy choose
the places of a csr matrix, which needs no scipy here: as many are stored, at other places.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ..base import as_dtype
from ..ndarray import array
from ..ndarray.sparse import CSRNDArray, csr_matrix, row_sparse_array
from ..ndarray.sparse import zeros as sparse_zeros
from .arrays import assign_each, default_dtype

Modifier = Callable[[Any], Any] | None


def rand_sparse_ndarray(
    shape: Any,
    stype: str,
    density: float | None = None,
    dtype: Any = None,
    distribution: str | None = None,
    data_init: float | None = None,
    rsp_indices: Any = None,
    modifier_func: Modifier = None,
    shuffle_csr_indices: bool = False,
    ctx: Any = None,
) -> tuple[Any, tuple[Any, ...]]:
    """A random sparse array and its parts.

    Args:
        shape: its shape; two sizes for csr.
        stype: "csr" or "row_sparse".
        density: the part of the rows, or of the elements of a csr matrix, that is stored; random by default.
        dtype: float32 by default.
        distribution: "uniform" (default); for csr also "powerlaw": twice as many values in every further row.
        data_init: one value for all that is stored.
        rsp_indices: the stored rows of a row_sparse array, instead of random ones.
        modifier_func: applied to each stored value.
        shuffle_csr_indices: columns of a row in random order.
        ctx: the device.

    Returns (array, (values, indices)) for row_sparse, as numpy; (array, (indptr, indices, data)) for csr, as NDArrays.

    Raises:
        AssertionError: an unknown storage or distribution, as in MXNet.
        ValueError: the density is not between 0 and 1, or too low for the power law.
    """
    share = float(np.random.rand()) if density is None else density
    wanted = default_dtype() if dtype is None else dtype
    if stype not in ("csr", "row_sparse"):
        raise AssertionError(f"unknown storage type {stype!r}; there are 'csr' and 'row_sparse'")
    if not 0 <= share <= 1:
        raise ValueError(f"the density must be between 0 and 1, got {share}")
    kind = distribution or "uniform"
    if kind not in ("uniform", "powerlaw") or (kind != "uniform" and stype == "row_sparse"):
        raise AssertionError(f"distribution {kind!r} is not there for {stype}")
    if stype == "row_sparse":
        return _row_sparse(tuple(shape), share, wanted, data_init, rsp_indices, modifier_func, ctx)
    rows, columns = shape
    if rows <= 0 or columns <= 0:
        raise ValueError(f"a csr matrix for tests needs rows and columns, not shape {tuple(shape)}")
    made = (
        _uniform(rows, columns, share, wanted, data_init, shuffle_csr_indices, ctx)
        if kind == "uniform"
        else _powerlaw(rows, columns, share, wanted, ctx)
    )
    if modifier_func is not None:
        values = assign_each(made.data.asnumpy(), modifier_func)
        made = csr_matrix((values, made.indices, made.indptr), shape=tuple(shape), ctx=ctx, dtype=wanted)
    return made, (made.indptr, made.indices, made.data)


def _row_sparse(
    shape: tuple[int, ...], share: float, dtype: Any, value: float | None, given: Any, modify: Modifier, ctx: Any
) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    if given is not None:
        indices = np.asarray(given)
        if len(indices) > shape[0]:
            raise AssertionError(f"{len(indices)} rows of {shape[0]} cannot be stored")
    else:
        indices = np.flatnonzero(np.random.rand(shape[0]) < share)
    if not len(indices):
        made = sparse_zeros("row_sparse", shape, dtype=dtype, ctx=ctx)
        return made, (np.array([], dtype=dtype), np.array([]))
    values = np.random.rand(len(indices), *shape[1:])
    if value is not None:
        values.fill(value)
    if modify is not None:
        values = assign_each(values, modify)
    values = values.astype(as_dtype(dtype))
    return row_sparse_array((values, indices), shape=shape, dtype=dtype, ctx=ctx), (values, indices)


def _uniform(
    rows: int, columns: int, share: float, dtype: Any, value: float | None, shuffled: bool, ctx: Any
) -> CSRNDArray:
    count = int(share * rows * columns)
    places = np.sort(np.random.permutation(rows * columns)[:count])
    values = np.full(count, value, np.float64) if value is not None else np.random.rand(count)
    made = csr_matrix((values, (places // columns, places % columns)), shape=(rows, columns), ctx=ctx, dtype=dtype)
    return shuffle_csr_column_indices(made) if shuffled else made


def _powerlaw(rows: int, columns: int, share: float, dtype: Any, ctx: Any) -> CSRNDArray:
    count = int(rows * columns * share)
    if count < 2 * rows:
        raise ValueError(
            f"a power law needs at least two values a row on average: density {share} of shape {(rows, columns)} "
            f"gives {count}"
        )
    lengths = np.minimum(2 ** np.minimum(np.arange(1, rows + 1), 40), columns)
    lengths = np.diff(np.minimum(np.concatenate([[0], np.cumsum(lengths)]), count))
    at = np.repeat(np.arange(rows), lengths)
    inside = np.arange(len(at)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    values = 1 + np.random.uniform(0.001, 2, len(at))
    return csr_matrix((values, (at, inside)), shape=(rows, columns), ctx=ctx, dtype=dtype)


def shuffle_csr_column_indices(csr: Any) -> CSRNDArray:
    """A csr matrix, of scipy or a CSRNDArray, with the columns of every row in random order.

    The values stay where they are, so that each of them gets another column, as in MXNet.
    """
    indptr, indices = (np.array(x.asnumpy() if hasattr(x, "asnumpy") else x) for x in (csr.indptr, csr.indices))
    for begin, end in pairwise(indptr):
        np.random.shuffle(indices[begin:end])
    return csr_matrix((csr.data, indices, indptr), shape=csr.shape, dtype=csr.dtype)


def create_sparse_array(
    shape: Any,
    stype: str,
    data_init: float | None = None,
    rsp_indices: Any = None,
    dtype: Any = None,
    modifier_func: Modifier = None,
    density: float = 0.5,
    shuffle_csr_indices: bool = False,
) -> Any:
    """A random sparse array; arguments and errors as for `rand_sparse_ndarray`."""
    if stype == "row_sparse" and rsp_indices is not None:
        rsp_indices = np.asarray(rsp_indices)
    return rand_sparse_ndarray(
        shape, stype, density, dtype, None, data_init, rsp_indices, modifier_func, shuffle_csr_indices
    )[0]


def create_sparse_array_zd(
    shape: Any,
    stype: str,
    density: float,
    data_init: float | None = None,
    rsp_indices: Any = None,
    dtype: Any = None,
    modifier_func: Modifier = None,
    shuffle_csr_indices: bool = False,
) -> Any:
    """As `create_sparse_array`, for densities down to 0: a row_sparse array then stores `rsp_indices`, or nothing."""
    if stype == "row_sparse":
        density = 0.0
    return create_sparse_array(shape, stype, data_init, rsp_indices, dtype, modifier_func, density, shuffle_csr_indices)


def rand_ndarray(
    shape: Any,
    stype: str = "default",
    density: float | None = None,
    dtype: Any = None,
    modifier_func: Modifier = None,
    shuffle_csr_indices: bool = False,
    distribution: str | None = None,
    ctx: Any = None,
) -> Any:
    """A random NDArray: standard normal when it is dense, else as `rand_sparse_ndarray` makes it.

    Args:
        shape: its shape.
        stype: "default", "csr" or "row_sparse".
        density, modifier_func, shuffle_csr_indices, distribution: only for sparse storage.
        dtype: float32 by default; integers are cut towards zero.
        ctx: the device, by default the current one.

    Raises AssertionError for any other storage.
    """
    if stype == "default":
        values = np.array(np.random.randn(*shape), dtype=default_dtype())
        return array(values, ctx=ctx, dtype=default_dtype() if dtype is None else dtype)
    return rand_sparse_ndarray(
        shape, stype, density, dtype, distribution, None, None, modifier_func, shuffle_csr_indices, ctx
    )[0]
