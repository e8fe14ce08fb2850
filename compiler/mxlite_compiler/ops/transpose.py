# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements about without making or dropping any: permutations and diagonals."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Op, op
from ..params import Shape
from ..shapes import Shapes, join, join_shapes
from ._axes import axes_of, axis_of, without


def _permutation(p: Any, ndim: int) -> tuple[int, ...]:
    axes = axes_of(p.axes, ndim, "axes") if p.axes else tuple(reversed(range(ndim)))
    if len(axes) != ndim:
        raise Mismatch(f"axes={p.axes} must name each of the {ndim} axes once")
    return axes


def _swap(p: Any, ndim: int) -> tuple[int, ...]:
    a, b = axis_of(p.dim1, ndim, "dim1"), axis_of(p.dim2, ndim, "dim2")
    return tuple(b if i == a else a if i == b else i for i in range(ndim))


def _infer_permutation(new: Op, find: Any) -> None:
    """Give `new` the rule that axis i of the output is axis ``find(p, ndim)[i]`` of the data."""

    def rule(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        known = ins[0] if ins[0] is not None else outs[0]
        if known is None:
            return ins, outs
        axes = find(p, len(known))
        out = join_shapes(None if ins[0] is None else tuple(ins[0][i] for i in axes), outs[0], "the output")
        assert out is not None  # one of the two was known
        return [tuple(out[axes.index(i)] for i in range(len(axes)))], [out]

    new.infer(rule)


@op("transpose")
def transpose(data, *, axes: Shape = ()):
    """`data` with its axes in the order `axes`, or reversed.

    Example:
        >>> mx.nd.transpose(mx.nd.array([[1, 2], [3, 4]]))
        [[1. 3.]
         [2. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jnp.transpose(data, axes or None)


_infer_permutation(transpose, _permutation)


@op("SwapAxis", alias=("swapaxes",))
def swap_axis(data, *, dim1: int = 0, dim2: int = 0):
    """`data` with the axes `dim1` and `dim2` exchanged.

    Example:
        >>> mx.nd.swapaxes(mx.nd.zeros((2, 3, 4)), dim1=0, dim2=2).shape
        (4, 3, 2)
    """
    return jnp.swapaxes(data, dim1, dim2)


_infer_permutation(swap_axis, _swap)


@op("reverse", alias=("flip",))
def reverse(data, *, axis: Shape):
    """`data` with the order of the elements reversed along each of `axis`.

    Example:
        >>> mx.nd.reverse(mx.nd.array([[1, 2], [3, 4]]), axis=1)
        [[2. 1.]
         [4. 3.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jax.lax.rev(data, axes_of(axis, data.ndim))


@reverse.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    both = join_shapes(ins[0], outs[0], "the output")
    if both is not None:
        axes_of(p.axis, len(both))
    return [both], [both]


@op("depth_to_space")
def depth_to_space(data, *, block_size: int):
    """Blocks of the channel axis spread over height and width.

    Args:
        data: (batch, channel, height, width); channel is a multiple of ``block_size ** 2``.
        block_size: height and width of a block.

    Returns:
        (batch, channel / block_size ** 2, height * block_size, width * block_size).

    Example:
        >>> x = mx.nd.array([1, 2, 3, 4]).reshape((1, 4, 1, 1))
        >>> mx.nd.depth_to_space(x, block_size=2)
        [[[[1. 2.]
           [3. 4.]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    n, c, h, w = data.shape
    b = block_size
    x = data.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // (b * b), h * b, w * b)


@op("space_to_depth")
def space_to_depth(data, *, block_size: int):
    """The inverse of `depth_to_space`.

    Args:
        data: (batch, channel, height, width); height and width are multiples of `block_size`.
        block_size: height and width of a block.

    Returns:
        (batch, channel * block_size ** 2, height / block_size, width / block_size).

    Example:
        >>> mx.nd.space_to_depth(mx.nd.zeros((1, 1, 4, 6)), block_size=2).shape
        (1, 4, 2, 3)
    """
    n, c, h, w = data.shape
    b = block_size
    x = data.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return x.reshape(n, c * b * b, h // b, w // b)


def _infer_blocks(deep: int, wide: int) -> Any:
    """The rule of the two operators above; input `deep` (0: the data, 1: the output) has the many channels."""

    def rule(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        b, shapes = p.block_size, [ins[0], outs[0]]
        if b < 1:
            raise Mismatch(f"block_size={b} must be at least 1")
        for s in shapes:
            if s is not None and len(s) != 4:
                raise Mismatch(f"expected (batch, channel, height, width), got {s}")
        d, w = shapes[deep], shapes[wide]
        if d is not None and d[1] % (b * b):
            raise Mismatch(f"channel size {d[1]} must be a multiple of block_size ** 2 = {b * b}")
        if w is not None and (w[2] % b or w[3] % b):
            raise Mismatch(f"height and width {w[2:]} must be multiples of block_size = {b}")
        if d is not None:
            w = join_shapes((d[0], d[1] // (b * b), d[2] * b, d[3] * b), w)
        if w is not None:
            d = (w[0], w[1] * b * b, w[2] // b, w[3] // b)
        return ([d], [w]) if deep == 0 else ([w], [d])

    return rule


depth_to_space.infer(_infer_blocks(0, 1))
space_to_depth.infer(_infer_blocks(1, 0))


@op("diag")
def diag(data, *, k: int = 0, axis1: int = 0, axis2: int = 1):
    """A diagonal, or a matrix with a given diagonal.

    Args:
        data: (n,) or an array of at least two dimensions.
        k: which diagonal; 1 is the one above the main diagonal, -1 the one below.
        axis1: the axis that counts the rows.
        axis2: the axis that counts the columns.

    Returns:
        Of one dimension: (n + abs(k), n + abs(k)), zero elsewhere. Of more: the diagonals of the two axes, along the
        last axis.

    Example:
        >>> mx.nd.diag(mx.nd.array([[1, 2], [3, 4]]))
        [1. 4.]
        <NDArray 2 @cpu(0)>
    """
    if data.ndim == 1:
        i = jnp.arange(data.size, dtype=jnp.int32)
        n = data.size + abs(k)
        return jnp.zeros((n, n), data.dtype).at[i + max(-k, 0), i + max(k, 0)].set(data)
    x = jnp.moveaxis(data, (axis1, axis2), (-2, -1))
    i = jnp.arange(min(x.shape[-2] - max(-k, 0), x.shape[-1] - max(k, 0)), dtype=jnp.int32)
    return x[..., i + max(-k, 0), i + max(k, 0)]


@diag.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if data is None:
        return ins, outs
    if len(data) == 1:
        n = data[0] + abs(p.k) if data[0] else 0
        out = join_shapes((n, n), out, "the output")
        n = join(out[0], out[1], "the size of the output") if out else 0
        return [(n - abs(p.k) if n else 0,)], [(n, n)]
    a, b = axis_of(p.axis1, len(data), "axis1"), axis_of(p.axis2, len(data), "axis2")
    if a == b:
        raise Mismatch(f"axis1={p.axis1} and axis2={p.axis2} are the same axis")
    rows, columns = data[a] - max(-p.k, 0), data[b] - max(p.k, 0)
    if data[a] and data[b] and min(rows, columns) <= 0:
        raise Mismatch(f"a matrix of {data[a]} x {data[b]} has no diagonal k={p.k}")
    size = min(rows, columns) if data[a] and data[b] else 0
    return ins, [join_shapes((*without(data, (a, b)), size), out, "the output")]
