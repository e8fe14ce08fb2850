# SPDX-License-Identifier: Apache-2.0
"""Sorting and the largest elements. Of equal elements the first comes first, in either direction."""

from __future__ import annotations

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from ..errors import Mismatch
from ..op import op
from ..params import DType, Shape
from ..shapes import DTypes, Shapes, join_shapes, known
from ._axes import at, axis_of


def _sorted(x: jax.Array, axis: int, ascending: bool) -> tuple[jax.Array, jax.Array]:
    """The elements in order and their former places (int32)."""
    places = lax.broadcasted_iota(jnp.int32, x.shape, axis)
    if ascending:
        values, places = lax.sort((x, places), dimension=axis, num_keys=1, is_stable=True)
    else:  # turning the array twice keeps equal elements in their order
        flipped = lax.sort((lax.rev(x, (axis,)), lax.rev(places, (axis,))), dimension=axis, num_keys=1, is_stable=True)
        values, places = (lax.rev(y, (axis,)) for y in flipped)
    return values, places


def _line(x: jax.Array, axis: int | None) -> tuple[jax.Array, int]:
    """The array and axis to sort: without an axis the flattened array."""
    return (x.reshape(-1), 0) if axis is None else (x, axis_of(axis, x.ndim))


def _infer(axis: int | None, data: Shape | None, out: Shape | None) -> tuple[Shape | None, Shape | None]:
    if axis is None:
        size = math.prod(data) if data is not None and known(data) else 0
        return data, join_shapes((size,), out, "the output")
    both = join_shapes(data, out, "the output")
    if both is not None:
        axis_of(axis, len(both))
    return both, both


@op("sort", outputs=("output0", "output1"), visible=lambda p: 1)
def sort(data, *, axis: int | None = -1, is_ascend: bool = True):
    """`data` sorted along an axis.

    Args:
        data: array of any shape.
        axis: the axis, negative from the end; None for the flattened array.
        is_ascend: the smallest first.

    Returns:
        An array like `data`, (size of data,) without an axis. A second, hidden output has the indices.

    Example:
        >>> mx.nd.sort(mx.nd.array([[3, 1, 2]]), is_ascend=False)
        [[3. 2. 1.]]
        <NDArray 1x3 @cpu(0)>
    """
    x, at_ = _line(data, axis)
    values, places = _sorted(x, at_, is_ascend)
    return values, lax.stop_gradient(places.astype(data.dtype))


@sort.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = _infer(p.axis, ins[0], join_shapes(outs[0], outs[1], "the outputs"))
    return [data], [out, out]


@op("argsort", dtypes="a -> {dtype}")
def argsort(data, *, axis: int | None = -1, is_ascend: bool = True, dtype: DType = "float32"):
    """The indices that sort `data`.

    Args:
        data: array of any shape.
        axis: the axis, negative from the end; None for the flattened array.
        is_ascend: the smallest first.
        dtype: dtype of the indices.

    Returns:
        Indices in the shape of `data`, (size of data,) without an axis.

    Example:
        >>> mx.nd.argsort(mx.nd.array([[3, 1, 2]]))
        [[1. 2. 0.]]
        <NDArray 1x3 @cpu(0)>
    """
    x, at_ = _line(lax.stop_gradient(data), axis)
    return _sorted(x, at_, is_ascend)[1].astype(dtype)


@argsort.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = _infer(p.axis, ins[0], outs[0])
    return [data], [out]


_TWO = ("output0", "output1")


@op("topk", outputs=lambda p: _TWO if p.ret_typ in ("value", "both") else ("output",),
    visible=lambda p: 2 if p.ret_typ == "both" else 1)  # fmt: skip
def topk(
    data, *, axis: int | None = -1, k: int = 1, ret_typ: Literal["both", "indices", "mask", "value"] = "indices",
    is_ascend: bool = False, dtype: DType = "float32",
):  # fmt: skip
    """The largest elements along an axis, or the smallest.

    Args:
        data: array of any shape.
        axis: the axis, negative from the end; None for the flattened array.
        k: how many; less than 1 for all.
        ret_typ: "indices"; "value" for the elements; "both" for the elements and the indices; "mask" for an array like
            `data` with 1 at the elements that were chosen and 0 elsewhere.
        is_ascend: the smallest elements, the smallest first.
        dtype: dtype of the indices.

    Returns:
        The shape of `data` with size k at `axis`, (k,) without an axis.

    Example:
        >>> mx.nd.topk(mx.nd.array([[3, 1, 2]]), k=2, ret_typ="value")
        [[3. 2.]]
        <NDArray 1x2 @cpu(0)>
    """
    x, at_ = _line(data, axis)
    n = x.shape[at_]
    count = k if k > 0 else n
    if not is_ascend and count < n:  # a heap, cheaper than sorting all
        values, places = lax.top_k(jnp.moveaxis(x, at_, -1), count)
        values, places = jnp.moveaxis(values, -1, at_), jnp.moveaxis(places, -1, at_)
    else:
        values, places = (lax.slice_in_dim(y, 0, count, axis=at_) for y in _sorted(x, at_, is_ascend))
    if ret_typ == "mask":
        grid = [lax.broadcasted_iota(jnp.int32, places.shape, i) for i in range(x.ndim)]
        grid[at_] = places
        return jnp.zeros(x.shape, data.dtype).at[tuple(grid)].set(1, mode="clip").reshape(data.shape)
    indices = places.astype(dtype)
    return indices if ret_typ == "indices" else (values, indices)


@topk.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], outs[0], "the mask") if p.ret_typ == "mask" else ins[0]
    if data is None:
        return ins, outs
    line: Shape = data if p.axis is not None else (math.prod(data) if known(data) else 0,)
    axis = axis_of(p.axis, len(data)) if p.axis is not None else 0
    if line[axis] and p.k > line[axis]:
        raise Mismatch(f"k={p.k} is more than the {line[axis]} elements of axis {p.axis} of {data}")
    if p.ret_typ == "mask":
        return [data], [data]
    out = join_shapes(at(line, axis, p.k if p.k > 0 else line[axis]), outs[0], "the output")
    if p.axis is not None and out is not None:
        data = tuple(n if i == axis else m for i, (n, m) in enumerate(zip(data, out, strict=True)))
    return [data], [out] * len(outs)


@topk.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    if p.ret_typ == "indices":
        return ins, [p.dtype]
    dtype = ins[0] or outs[0]
    return [dtype], [dtype] if p.ret_typ == "mask" else [dtype, p.dtype]
