# SPDX-License-Identifier: Apache-2.0
"""Sparse arrays from Python: `csr_matrix`, `row_sparse_array`, `zeros`, `empty`, `array`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base import MXNetError, as_dtype, explain, integer_types
from ...context import Context, as_context
from .. import creation
from .._convert import from_python
from ..ndarray import NDArray
from . import storage
from .array import BaseSparseNDArray, CSRNDArray, RowSparseNDArray, converted, wrap
from .storage import Csr, Rows

Shape = tuple[int, ...]


def _host(values: Any) -> np.ndarray:
    return values.asnumpy() if isinstance(values, NDArray) else np.asarray(values)


def _dtype(values: Any, dtype: Any) -> np.dtype:
    """The dtype of the result: that asked for, else that of an array, else float32."""
    if dtype is not None:
        return as_dtype(dtype, "array")
    found = getattr(values, "dtype", None)
    return as_dtype(np.float32 if found is None else found, "array")


def _indices(values: Any, what: str) -> np.ndarray:
    found = _host(values)
    if found.ndim != 1:
        raise ValueError(f"{what} must have one dimension, not shape {found.shape}")
    return found.astype(np.int64)


def _is_scipy(value: Any) -> bool:
    """Whether this is a scipy matrix in csr format; nothing of scipy is imported."""
    return type(value).__module__.startswith("scipy.sparse") and getattr(value, "format", "") == "csr"


def _shape_only(arg: Any) -> bool:
    return isinstance(arg, tuple) and bool(arg) and all(isinstance(n, integer_types) for n in arg)


def _checked(made: NDArray, shape: Any) -> Any:
    if shape is not None and tuple(shape) != made.shape:
        raise ValueError(f"the source has shape {made.shape}, shape={tuple(shape)} was asked for")
    return made


def csr_matrix(arg1: Any, shape: Any = None, ctx: Context | None = None, dtype: Any = None) -> CSRNDArray:
    """A matrix in compressed sparse rows.

    Args:
        arg1: one of: a dense matrix (a list, numpy array or NDArray); a CSRNDArray or a scipy csr matrix; a shape
            ``(rows, columns)`` of a matrix of zeros; ``(data, indices, indptr)``; ``(data, (row, column))``, where
            values of one place add up.
        shape: of the matrix; by default what the source has, or the smallest that holds all indices.
        ctx: the device; the current one by default.
        dtype: by default that of an array, float32 for lists, float64 for places of lists, as in MXNet.

    Raises:
        ValueError: the source is no matrix, or has another shape than `shape`.
        TypeError: the source is no array of numbers.
    """
    where = as_context(ctx, "csr_matrix")
    if _shape_only(arg1) and len(arg1) == 2:
        return _checked(zeros("csr", arg1, where, dtype), shape)
    if isinstance(arg1, tuple) and len(arg1) == 2:
        return _from_places(*arg1, shape, where, dtype)
    if isinstance(arg1, tuple) and len(arg1) == 3:
        return _from_rows(*arg1, shape, where, dtype)
    if isinstance(arg1, tuple):
        forms = "(rows, columns), (data, (row, column)) or (data, indices, indptr)"
        raise ValueError(f"csr_matrix takes {forms}, not a tuple of {len(arg1)} parts")
    if isinstance(arg1, RowSparseNDArray):
        raise ValueError("csr_matrix takes no RowSparseNDArray; tostype('default') makes it dense")
    if isinstance(arg1, CSRNDArray) or _is_scipy(arg1):
        return _checked(array(arg1, where, dtype), shape)
    return _checked(converted(_dense(arg1, where, dtype), "csr"), shape)


def _dense(source: Any, ctx: Context, dtype: Any) -> NDArray:
    made = creation.array(source, ctx, _dtype(source, dtype))
    return made if made.shape else made.reshape((1,))


def _from_rows(data: Any, indices: Any, indptr: Any, shape: Any, ctx: Context, dtype: Any) -> CSRNDArray:
    values = from_python(_host(data), _dtype(data, dtype))
    columns, starts = _indices(indices, "indices"), _indices(indptr, "indptr")
    if values.ndim != 1:
        raise ValueError(f"data must have one dimension, not shape {values.shape}")
    if len(values) != len(columns):
        raise MXNetError(explain(f"{len(values)} values for {len(columns)} indices", op="csr_matrix"))
    if shape is None:
        shape = len(starts) - 1, int(columns.max()) + 1 if len(columns) else 0
    made: Any = wrap(Csr(storage.on_device(values, ctx.jax_device), columns, starts, _matrix(shape)), ctx)
    made.check_format(full_check=False)
    return made


def _from_places(data: Any, places: Any, shape: Any, ctx: Context, dtype: Any) -> CSRNDArray:
    values = _host(data)
    values = from_python(values, as_dtype(dtype or values.dtype, "csr_matrix"))
    if not isinstance(places, tuple | list) or len(places) != 2:
        raise ValueError("csr_matrix: the places are a pair (row, column) of arrays")
    rows, columns = _indices(places[0], "row"), _indices(places[1], "column")
    if not values.shape == rows.shape == columns.shape:
        raise ValueError(f"{values.shape} values for {rows.shape} rows and {columns.shape} columns")
    if shape is None:
        shape = (int(rows.max()) + 1, int(columns.max()) + 1) if len(rows) else (0, 0)
    shape = _matrix(shape)
    if len(rows) and not (min(rows.min(), columns.min()) >= 0 and rows.max() < shape[0] and columns.max() < shape[1]):
        raise ValueError(f"csr_matrix: a place is outside of shape {shape}")
    found, at = np.unique(rows * shape[1] + columns, return_inverse=True)
    summed = np.zeros(len(found), values.dtype)
    np.add.at(summed, at, values)
    parts = Csr.at(storage.on_device(summed, ctx.jax_device), found // shape[1], found % shape[1], shape)
    return wrap(parts, ctx)  # pyright: ignore[reportReturnType]


def _matrix(shape: Any) -> Shape:
    sizes = tuple(int(n) for n in shape)
    if len(sizes) != 2:
        raise ValueError(f"a csr matrix has two dimensions, not shape {sizes}")
    return sizes


def row_sparse_array(arg1: Any, shape: Any = None, ctx: Context | None = None, dtype: Any = None) -> RowSparseNDArray:
    """An array of which some rows are stored.

    Args:
        arg1: one of: a dense array (a list, numpy array or NDArray); a RowSparseNDArray; a shape of an array of zeros;
            ``(data, indices)``, rows and their places.
        shape: of the array; by default what the source has, or the smallest that holds all indices.
        ctx: the device; the current one by default.
        dtype: by default that of an array, float32 for lists.

    Raises:
        ValueError: the source has another shape than `shape`.
        TypeError: the source is no array of numbers.
        MXNetError: rows of another shape, or not as many as indices.
    """
    where = as_context(ctx, "row_sparse_array")
    if _shape_only(arg1):
        return _checked(zeros("row_sparse", arg1, where, dtype), shape)
    if isinstance(arg1, tuple) and len(arg1) == 2:
        return _from_indices(*arg1, shape, where, dtype)
    if isinstance(arg1, tuple):
        raise ValueError(f"row_sparse_array takes a shape or (data, indices), not a tuple of {len(arg1)} parts")
    if isinstance(arg1, CSRNDArray):
        raise ValueError("row_sparse_array takes no CSRNDArray; tostype('default') makes it dense")
    if isinstance(arg1, RowSparseNDArray):
        return _checked(array(arg1, where, dtype), shape)
    if arg1 is None:
        raise MXNetError(explain("takes an array, not None", op="row_sparse_array"))
    return _checked(converted(_dense(arg1, where, dtype), "row_sparse"), shape)


def _from_indices(data: Any, indices: Any, shape: Any, ctx: Context, dtype: Any) -> RowSparseNDArray:
    values, places = from_python(_host(data), _dtype(data, dtype)), _indices(indices, "indices")
    if shape is None:
        if not len(places):
            raise ValueError("row_sparse_array: without indices the shape must be given")
        shape = int(places.max()) + 1, *values.shape[1:]
    shape = tuple(int(n) for n in shape)
    if not len(places) and not values.size:
        values = values.reshape(0, *shape[1:])
    if values.shape != (len(places), *shape[1:]):
        problem = f"rows of shape {values.shape} for {len(places)} indices and an array of shape {shape}"
        raise MXNetError(explain(problem, op="row_sparse_array"))
    return wrap(Rows(storage.on_device(values, ctx.jax_device), places, shape), ctx)  # pyright: ignore[reportReturnType]


def zeros(stype: str, shape: Any, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> Any:
    """An array of zeros in a storage.

    Args:
        stype: "default", "csr" or "row_sparse".
        shape: a tuple of positive integers.
        ctx: the device; the current one by default.
        dtype: float32 by default.
        **kwargs: `out`, an array to write into, for dense arrays.

    Raises ValueError for another storage, TypeError for a sparse shape that is no tuple, MXNetError for an illegal
    shape, dtype or device.
    """
    if stype == "default":
        return creation.zeros(shape, ctx, dtype, **kwargs)
    if stype not in ("csr", "row_sparse"):
        raise ValueError(f"unknown storage type {stype!r}; there are 'default', 'csr' and 'row_sparse'")
    if not isinstance(shape, tuple | list):
        raise TypeError(f"the shape of a sparse array is a tuple, not {shape!r:.80}")
    sizes, where = creation.checked_shape(shape, "zeros"), as_context(ctx, "zeros")
    if stype == "csr" and len(sizes) != 2:
        raise MXNetError(explain(f"a csr matrix has two dimensions, not shape {sizes}", op="zeros"))
    wanted = as_dtype("float32" if dtype is None else dtype, "zeros")
    return wrap(storage.empty(stype, sizes, wanted, where.jax_device), where)


def empty(stype: str, shape: Any, ctx: Context | None = None, dtype: Any = None) -> Any:
    """An array whose values do not matter yet (they are zeros); arguments and errors as for `zeros`."""
    return zeros(stype, shape, ctx, dtype)


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> Any:
    """A copy of a sparse array.

    Args:
        source_array: a CSRNDArray, a RowSparseNDArray or a scipy csr matrix.
        ctx: the device; the current one by default.
        dtype: by default that of the source.

    Raises AssertionError for a dense NDArray, ValueError for anything else, as MXNet does.
    """
    if isinstance(source_array, BaseSparseNDArray):
        made = source_array.copyto(as_context(ctx, "array"))
        return made if dtype is None else made.astype(dtype, copy=False)
    if isinstance(source_array, NDArray):
        raise AssertionError("sparse.array takes sparse arrays; tostype makes one of a dense NDArray")
    if not _is_scipy(source_array):
        kind = type(source_array).__name__
        raise ValueError(f"sparse.array takes sparse arrays, not {kind}; mx.nd.array takes dense ones")
    ordered = source_array if source_array.has_sorted_indices else source_array.sorted_indices()
    parts = ordered.data, ordered.indices, ordered.indptr
    return _from_rows(*parts, source_array.shape, as_context(ctx, "array"), dtype)
