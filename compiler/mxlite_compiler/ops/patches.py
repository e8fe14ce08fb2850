# SPDX-License-Identifier: Apache-2.0
"""The windows of a convolution as columns of a matrix, and back."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes


def _counts(size: Shape, kernel: Shape, stride: Shape, dilate: Shape, pad: Shape) -> Shape:
    """How many windows fit along each axis of pictures of `size`; 0 where the size is unknown."""
    out = []
    for i, (n, k) in enumerate(zip(size, kernel, strict=True)):
        extent = (dilate[i] if dilate else 1) * (k - 1) + 1
        span = n + 2 * (pad[i] if pad else 0) - extent
        if n and span < 0:
            raise Mismatch(f"the kernel {kernel} spans {extent}, more than axis {i} of the padded picture {size}")
        out.append(span // (stride[i] if stride else 1) + 1 if n else 0)
    return tuple(out)


def _columns(data: jax.Array, kernel: Shape, stride: Shape, dilate: Shape, pad: Shape) -> jax.Array:
    size = data.shape[2:]
    counts = _counts(size, kernel, stride, dilate, pad)
    x = jnp.pad(data, [(0, 0), (0, 0), *((p, p) for p in pad or (0,) * len(kernel))])
    steps = stride or (1,) * len(kernel)
    windows = []
    for place in itertools.product(*map(range, kernel)):
        start = [p * d for p, d in zip(place, dilate or (1,) * len(kernel), strict=True)]
        stop = [s + (c - 1) * t + 1 for s, c, t in zip(start, counts, steps, strict=True)]
        windows.append(jax.lax.slice(x, (0, 0, *start), (*x.shape[:2], *stop), (1, 1, *steps)))
    return jnp.stack(windows, 2).reshape(data.shape[0], -1, math.prod(counts))


def _check_lengths(p: Any) -> None:
    if min(p.kernel, default=0) < 1:
        raise Mismatch(f"kernel={p.kernel} must have sizes of at least 1")
    for name in ("stride", "dilate", "pad"):
        if getattr(p, name) and len(getattr(p, name)) != len(p.kernel):
            raise Mismatch(f"{name}={getattr(p, name)} must have a number for each axis of kernel={p.kernel}")


@op("im2col")
def im2col(data, *, kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = ()):
    """Every window of pictures as a column.

    Args:
        data: (batch, channel, *size).
        kernel: size of the window.
        stride: distance between windows, by default 1.
        dilate: distance between the elements of a window, by default 1.
        pad: zeros added on both sides, by default none.

    Returns:
        (batch, channel * elements of the window, windows).

    Example:
        >>> x = mx.nd.array([[[[1, 2, 3], [4, 5, 6]]]])
        >>> mx.nd.im2col(x, kernel=(2, 2))
        [[[1. 2.]
          [2. 3.]
          [4. 5.]
          [5. 6.]]]
        <NDArray 1x4x2 @cpu(0)>
    """
    return _columns(data, kernel, stride, dilate, pad)


@im2col.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    _check_lengths(p)
    data = ins[0]
    if data is None:
        return ins, outs
    if len(data) != len(p.kernel) + 2:
        raise Mismatch(f"kernel={p.kernel} needs data of {len(p.kernel) + 2} dimensions, got {data}")
    counts = _counts(data[2:], p.kernel, p.stride, p.dilate, p.pad)
    return ins, [join_shapes((data[0], data[1] * math.prod(p.kernel), math.prod(counts)), outs[0], "the output")]


@op("col2im")
def col2im(
    data, *, output_size: Shape, kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = ()
):  # fmt: skip
    """Pictures from columns: each element is the sum of its copies in `im2col`, whose gradient this is.

    Args:
        data: (batch, channel * elements of the window, windows).
        output_size: size of the pictures.
        kernel: size of the window.
        stride: distance between windows, by default 1.
        dilate: distance between the elements of a window, by default 1.
        pad: zeros that `im2col` added on both sides, by default none.

    Returns:
        (batch, channel, *output_size).

    Example:
        >>> x = mx.nd.ones((1, 4, 2))
        >>> mx.nd.col2im(x, output_size=(2, 3), kernel=(2, 2))
        [[[[1. 2. 1.]
           [1. 2. 1.]]]]
        <NDArray 1x1x2x3 @cpu(0)>
    """
    shape = (data.shape[0], data.shape[1] // math.prod(kernel), *output_size)
    picture = jax.ShapeDtypeStruct(shape, data.dtype)
    return jax.linear_transpose(lambda x: _columns(x, kernel, stride, dilate, pad), picture)(data)[0]


@col2im.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    _check_lengths(p)
    data, window = ins[0], math.prod(p.kernel)
    if len(p.output_size) != len(p.kernel):
        raise Mismatch(f"output_size={p.output_size} and kernel={p.kernel} must have one length")
    counts = math.prod(_counts(p.output_size, p.kernel, p.stride, p.dilate, p.pad))
    data = join_shapes(data, (0, 0, counts), "data")
    if data is None or data[1] % window:
        raise Mismatch(f"axis 1 of data {data} must be a multiple of the {window} elements of kernel={p.kernel}")
    out = join_shapes((data[0], data[1] // window, *p.output_size), outs[0], "the output")
    return [(out[0], out[1] * window, counts) if out else data], [out]
