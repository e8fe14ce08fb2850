# SPDX-License-Identifier: Apache-2.0
"""Correlation: how well patches of one picture match shifted patches of another."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Range
from ..shapes import Shapes, join_shapes
from ._floats import floats
from ._pixels import wide
from .precision import precision
from .window import agree

Count = Annotated[int, Range(low=0)]
Positive = Annotated[int, Range(low=1)]


def _geometry(p: Any, size: int) -> tuple[int, int]:
    """How many patches fit along an axis of `size`, and by how many steps they shift to each side."""
    if p.kernel_size % 2 == 0:
        raise Mismatch(f"kernel_size={p.kernel_size} must be odd")
    span = size + 2 * p.pad_size - 2 * (p.max_displacement + p.kernel_size // 2)
    if size and span < 1:
        raise Mismatch(
            f"kernel_size={p.kernel_size} and max_displacement={p.max_displacement} do not fit in the size {size} with "
            f"pad_size={p.pad_size}"
        )
    return -(-span // p.stride1) if size else 0, p.max_displacement // p.stride2


def _cut(x: jax.Array, axis: int, start: Any, count: int, stride: int) -> jax.Array:
    """`count` elements of `axis`, `stride` apart, from `start`, which may be traced."""
    x = jax.lax.dynamic_slice_in_dim(x, start, (count - 1) * stride + 1, axis)
    return jax.lax.slice_in_dim(x, 0, None, stride, axis)


def _products(a: jax.Array, b: jax.Array, shifts: int, stride1: int, stride2: int) -> jax.Array:
    """For every shift along x the sum over channels of ``a * b``: (N, h, w, C) and (N, h, W, C) to (N, h, w, shifts).

    One matrix product a row matches all w positions of `a` with all W of `b`; the shifts are its diagonals, which
    padding every row by `stride1` turns into columns.
    """
    n, h, w, _ = a.shape
    across = b.shape[2]
    match = jnp.einsum("nhwc,nhvc->nhwv", a, b, precision=precision(a)).reshape(n, h, w * across)
    match = jnp.pad(match, [(0, 0), (0, 0), (0, w * stride1)]).reshape(n, h, w, across + stride1)
    return match[..., : (shifts - 1) * stride2 + 1 : stride2]


@jax.custom_jvp
def _distance(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.abs(a - b)


@_distance.defjvp
def _(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    a, b = primals
    change = tangents[0] - tangents[1]
    return _distance(a, b), jnp.where(a >= b, change, -change)  # MXNet's slope for equal values too


def _distances(a: jax.Array, b: jax.Array, shifts: int, stride1: int, stride2: int) -> jax.Array:
    """As `_products`, with ``abs(a - b)``. The signs, which the gradient needs, are computed again, not kept."""

    @jax.checkpoint
    def shifted(_: None, k: jax.Array) -> tuple[None, jax.Array]:
        return None, jnp.sum(_distance(a, _cut(b, 2, k * stride2, a.shape[2], stride1)), 3)

    _, out = jax.lax.scan(shifted, None, jnp.arange(shifts, dtype=jnp.int32))
    return jnp.moveaxis(out, 0, 3)


@op("Correlation")
def correlation(
    data1,
    data2,
    *,
    kernel_size: Positive = 1,
    max_displacement: Count = 1,
    stride1: Positive = 1,
    stride2: Positive = 1,
    pad_size: Count = 0,
    is_multiply: bool = True,
):
    """Compare patches of one picture with the shifted patches of another (Dosovitskiy et al. 2015, FlowNet).

    Args:
        data1: (batch, channel, height, width).
        data2: like `data1`.
        kernel_size: size of the square patches, odd.
        max_displacement: how far patches of `data2` are shifted, in both directions along both axes.
        stride1: distance between patches of `data1`.
        stride2: distance between shifts.
        pad_size: zeros added around both.
        is_multiply: patches are multiplied; otherwise absolute differences are taken.

    Returns:
        (batch, shifts * shifts, h, w) with ``shifts = 2 * (max_displacement // stride2) + 1`` and, along each axis,
        ``ceil((size + 2 * pad_size - 2 * (max_displacement + kernel_size // 2)) / stride1)`` patches: averages over
        patch and channels. Shifts along y come first.

    Example:
        >>> x, y = mx.nd.array([[[[1, 2, 3]]]]), mx.nd.array([[[[4, 5, 6]]]])
        >>> mx.nd.Correlation(x, y, max_displacement=0)
        [[[[ 4. 10. 18.]]]]
        <NDArray 1x1x1x3 @cpu(0)>
    """
    dtype = data1.dtype
    a, b = (
        wide(jnp.pad(x, [(0, 0), (0, 0), *[(pad_size, pad_size)] * 2]).transpose(0, 2, 3, 1)) for x in (data1, data2)
    )
    border = max_displacement + kernel_size // 2
    counts = [-(-(size - 2 * border) // stride1) for size in a.shape[1:3]]
    radius = max_displacement // stride2
    shifts = 2 * radius + 1
    # A patch is compared pixel by pixel, so with larger ones every pixel is, and the patches are summed in the end.
    step = stride1 if kernel_size == 1 else 1
    h, w = ((n - 1) * (stride1 // step) + kernel_size for n in counts)
    first = max_displacement - radius * stride2
    across = (w - 1) * step + 1 + (shifts - 1) * stride2
    a = _cut(_cut(a, 1, max_displacement, h, step), 2, max_displacement, w, step)
    b = jax.lax.slice_in_dim(b, first, first + across, 1, 2)
    compare = _products if is_multiply else _distances

    def row(_: None, k: jax.Array) -> tuple[None, jax.Array]:
        return None, compare(a, _cut(b, 1, first + k * stride2, h, step), shifts, step, stride2)

    _, out = jax.lax.scan(row, None, jnp.arange(shifts, dtype=jnp.int32))  # (shifts y, N, h, w, shifts x)
    for axis, count in ((2, counts[0]), (3, counts[1])) if kernel_size > 1 else ():
        out = functools.reduce(jnp.add, (_cut(out, axis, i, count, stride1) for i in range(kernel_size)))
    out = out.transpose(1, 0, 4, 2, 3).reshape(a.shape[0], shifts * shifts, *counts)
    return (out / (kernel_size * kernel_size * a.shape[3])).astype(dtype)


@correlation.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], ins[1], "data1 and data2")
    if data is None:
        return ins, outs
    data = agree("data1", data, (outs[0][0] if outs[0] else 0, 0, 0, 0))
    (h, radius), (w, _) = _geometry(p, data[2]), _geometry(p, data[3])
    return [data, data], [agree("output", outs[0], (data[0], (2 * radius + 1) ** 2, h, w))]


correlation.infer_dtypes(floats)
