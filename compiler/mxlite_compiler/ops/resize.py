# SPDX-License-Identifier: Apache-2.0
"""Pictures of another size: BilinearResize2D and AdaptiveAvgPooling2D."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import op
from ..params import Range, Shape
from ..shapes import Shapes
from ._floats import floats
from ._pixels import wide
from .window import agree

#: So many parts of a picture are averaged one by one.
_UNROLL = 32

Mode2D = Literal["like", "odd_scale", "size", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up"]


def _resized(p: Any, axis: int, size: int) -> int:
    """The new size of an axis (0: height, 1: width); 0 where `size` is unknown."""
    wanted, scale = (p.height, p.width)[axis], (p.scale_height, p.scale_width)[axis]
    if (p.mode == "odd_scale" and scale is None) or (p.scale_height is None) != (p.scale_width is None):
        raise Mismatch(f"mode={p.mode!r} needs scale_height and scale_width, or neither where it takes a size")
    if p.mode == "size" and scale is None:
        return wanted
    if not size:
        return 0
    new = size
    if p.mode in ("size", "odd_scale"):
        # MXNet multiplies in float32.
        even = p.mode == "size" or size % 2 == 0
        new = int(np.float32(size) * np.float32(scale)) if even else int(np.float32(size - 1) * np.float32(scale)) + 1
    elif p.mode != "like":
        _, parity, direction = p.mode.split("_")
        if size % 2 != (parity == "odd"):
            new += 1 if direction == "up" else -1
    if new < 1:
        raise Mismatch(f"mode={p.mode!r} makes {new} of the size {size}; a size must be at least 1")
    return new


def _stretch(x: jax.Array, axis: int, size: int, align_corners: bool) -> jax.Array:
    """`x` with `size` places along `axis`, bilinear between its own."""
    n = x.shape[axis]
    if n == size:
        return x
    i = np.arange(size, dtype=np.float32)
    if align_corners:
        at = i * (np.float32(n - 1) / np.float32(size - 1) if size > 1 else np.float32(0))
    else:
        at = np.maximum((i + np.float32(0.5)) * (np.float32(n) / np.float32(size)) - np.float32(0.5), 0)
    low = np.minimum(at.astype(np.int32), n - 1)
    share = (at - low).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    before, after = (_take(x, index, axis) for index in (low, np.minimum(low + 1, n - 1)))
    return before * jnp.asarray(1 - share, x.dtype) + after * jnp.asarray(share, x.dtype)


def _take(x: jax.Array, index: np.ndarray, axis: int) -> jax.Array:
    return jnp.take(x, jnp.asarray(index, jnp.int32), axis, mode="clip")


@op("_contrib_BilinearResize2D", drop={"like": lambda p: p.mode != "like"})
def bilinear_resize(
    data,
    like=None,
    *,
    height: Annotated[int, Range(low=1)] = 1,
    width: Annotated[int, Range(low=1)] = 1,
    scale_height: float | None = None,
    scale_width: float | None = None,
    mode: Mode2D = "size",
    align_corners: bool = True,
):
    """Pictures of another size, bilinear between pixels.

    Args:
        data: (batch, channel, height, width).
        like: for mode ``like``, an array whose last two sizes are taken; it gets no gradient.
        height: the new height, for mode ``size`` without scales.
        width: the new width.
        scale_height: factor of the height, for ``size`` and ``odd_scale``; both are given or none.
        scale_width: factor of the width.
        mode: ``size`` takes `height` and `width`, or multiplies with the scales and rounds down; ``odd_scale`` does so
            with even sizes, and of an odd size n makes ``(n - 1) * scale + 1``; ``like`` takes the size of `like`;
            ``to_even_down``, ``to_even_up``, ``to_odd_down`` and ``to_odd_up`` change a size of the wrong parity by 1.
        align_corners: the centres of the corner pixels stay where they are; otherwise the edges do.

    Returns:
        (batch, channel, new height, new width).

    Example:
        >>> x = mx.nd.array([[[[0, 2], [4, 6]]]])
        >>> mx.nd.contrib.BilinearResize2D(x, height=3, width=3)
        [[[[0. 1. 2.]
           [2. 3. 4.]
           [4. 5. 6.]]]]
        <NDArray 1x1x3x3 @cpu(0)>
    """
    p = bilinear_resize.params(
        height=height, width=width, scale_height=scale_height, scale_width=scale_width, mode=mode,
        align_corners=align_corners,
    )  # fmt: skip
    sizes = like.shape[2:] if like is not None else [_resized(p, i, n) for i, n in enumerate(data.shape[2:])]
    x = wide(data)
    for axis in sorted((2, 3), key=lambda a: sizes[a - 2] / x.shape[a]):  # what shrinks most comes first
        x = _stretch(x, axis, sizes[axis - 2], align_corners)
    return x.astype(data.dtype)


@bilinear_resize.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0] or (0,) * 4, outs[0] or (0,) * 4
    data = agree("data", data, (out[0], out[1], 0, 0))
    if p.mode == "like":
        sizes = agree("like", ins[1], (0,) * 4)[2:]
    else:
        sizes = tuple(_resized(p, i, n) for i, n in enumerate(data[2:]))
    return [data if ins[0] or outs[0] else None, *ins[1:]], [agree("output", outs[0], (*data[:2], *sizes))]


def _average(x: jax.Array, axis: int, bins: int) -> jax.Array:
    """The averages of `bins` overlapping parts of `axis`, from ``floor(i n / bins)`` to ``ceil((i + 1) n / bins)``."""
    n = x.shape[axis]
    if bins and n % bins == 0:
        return jnp.mean(x.reshape(*x.shape[:axis], bins, n // bins, *x.shape[axis + 1 :]), axis + 1)
    i = np.arange(bins)
    begin, end = i * n // bins, -(-(i + 1) * n // bins)
    if bins <= _UNROLL:  # 4 times faster than a gather, and its gradient needs no scatter
        parts = [jax.lax.slice_in_dim(x, a, b, axis=axis) for a, b in zip(begin.tolist(), end.tolist(), strict=True)]
        return jnp.concatenate([jnp.mean(part, axis, keepdims=True) for part in parts], axis)
    index = begin[:, None] + np.arange(max(end - begin))
    tail = (1,) * (x.ndim - axis - 1)
    parts = _take(x, np.minimum(index, n - 1), axis)
    parts = jnp.where((index < end[:, None]).reshape(*index.shape, *tail), parts, 0)
    return jnp.sum(parts, axis + 1) / jnp.asarray((end - begin).reshape(-1, *tail), x.dtype)


def _parts(p: Any) -> Shape:
    """The two output sizes: none given means 1, one holds for both."""
    sizes = p.output_size or (1,)
    if len(sizes) > 2 or min(sizes) < 1:
        raise Mismatch(f"output_size={p.output_size} must be one or two sizes of at least 1, (height, width)")
    return (sizes * 2)[:2]


@op("_contrib_AdaptiveAvgPooling2D")
def adaptive_avg_pooling(data, *, output_size: Shape = ()):
    """Averages over as many parts of a picture as the output has elements.

    Part i along an axis of size n cut into k reaches from ``floor(i * n / k)`` to ``ceil((i + 1) * n / k)``.

    Args:
        data: (batch, channel, height, width).
        output_size: (height, width), or one number for both; by default 1, the average of the whole picture.

    Returns:
        (batch, channel, *output_size).

    Example:
        >>> x = mx.nd.arange(9).reshape((1, 1, 3, 3))
        >>> mx.nd.contrib.AdaptiveAvgPooling2D(x, output_size=2)
        [[[[2. 3.]
           [5. 6.]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    sizes = (output_size or (1,)) * 2
    x = wide(data)
    for axis in (3, 2):
        x = _average(x, axis, sizes[axis - 2])
    return x.astype(data.dtype)


@adaptive_avg_pooling.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0] or (0,) * 4, outs[0] or (0,) * 4
    data = agree("data", data, (out[0], out[1], 0, 0))
    return [data if ins[0] or outs[0] else None], [agree("output", outs[0], (*data[:2], *_parts(p)))]


for _op in (bilinear_resize, adaptive_avg_pooling):
    _op.infer_dtypes(floats)
