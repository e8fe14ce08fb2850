# SPDX-License-Identifier: Apache-2.0
"""Pictures: layout, scale, parts, sizes and borders. (height, width, channel), most also for batches of them.

The gradients are the true ones. MXNet passes head gradients through unchanged, also where the picture was turned over.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import Mode, op
from ..params import Range, Shape
from ..shapes import Shapes, join_shapes
from ._numeric import convert
from ._resample import resize
from .random import key_of

Floats = tuple[float, ...]


def to_integers(x: jax.Array, dtype: Any) -> jax.Array:
    """Float results in the dtype of the picture: integers are cut, uint8 stays within 0 to 255, int8 wraps."""
    if jnp.issubdtype(dtype, jnp.inexact):
        return x.astype(dtype)
    return (jnp.clip(x, 0, 255) if dtype == jnp.uint8 else x.astype(jnp.int32)).astype(dtype)


def check_picture(shape: Shape, dims: tuple[int, ...] = (3, 4)) -> None:
    """Mismatch unless `shape` has one of the numbers of dimensions `dims`."""
    if len(shape) not in dims:
        batch = " or (batch, height, width, channel)" if 4 in dims else ""
        raise Mismatch(f"data must be (height, width, channel){batch}, got {shape}")


@op("_image_to_tensor", dtypes="t -> float32")
def to_tensor(data):
    """Pictures with numbers from 0 to 255 as channel-first float32 with numbers from 0 to 1.

    Args:
        data: (height, width, channel) or (batch, height, width, channel), any dtype.

    Returns:
        (channel, height, width) or (batch, channel, height, width) float32.

    Example:
        >>> mx.nd.image.to_tensor(mx.nd.array([[[0, 51], [255, 102]]], dtype="uint8"))
        [[[0.  1. ]]
        <BLANKLINE>
         [[0.2 0.4]]]
        <NDArray 2x1x2 @cpu(0)>
    """
    return jnp.moveaxis(data, -1, -3).astype(jnp.float32) / jnp.float32(255)


@to_tensor.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if data is None and out is not None:
        data = (*out[:-3], *out[-2:], out[-3]) if len(out) in (3, 4) else data
    if data is None:
        return ins, outs
    check_picture(data)
    *batch, h, w, c = data
    out = join_shapes(out, (*batch, c, h, w), "the output")
    return [join_shapes(data, (*out[:-3], *out[-2:], out[-3]) if out else None, "data")], [out]


@op("_image_normalize", "*s -> *s")
def normalize(data, *, mean: Floats = (0.0, 0.0, 0.0, 0.0), std: Floats = (1.0, 1.0, 1.0, 1.0)):
    """Subtract a mean from every channel and divide by a deviation.

    Args:
        data: (channel, height, width) or (batch, channel, height, width) with 1 or 3 channels.
        mean: one number, or one for each channel.
        std: one number, or one for each channel.

    Example:
        >>> mx.nd.image.normalize(mx.nd.array([[[1, 2], [3, 5]]]), mean=1, std=2)
        [[[0.  0.5]
          [1.  2. ]]]
        <NDArray 1x2x2 @cpu(0)>
    """
    channels = data.shape[-3]
    wide = data.dtype if data.dtype == jnp.float64 else jnp.float32

    def each(values: Floats) -> jax.Array:
        given = values * channels if len(values) == 1 else values
        return jnp.asarray(given, wide).reshape(channels, 1, 1)

    return convert((data.astype(wide) - each(mean)) / each(std), data.dtype)  # integers wrap, uint8 too


@normalize.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = join_shapes(ins[0], outs[0], "data")
    if shape is None:
        return ins, outs
    if len(shape) not in (3, 4):
        raise Mismatch(f"data must be (channel, height, width) or (batch, channel, height, width), got {shape}")
    channels = shape[-3]
    if channels not in (0, 1, 3):
        raise Mismatch(f"data must have 1 or 3 channels, got {channels} in {shape}")
    for name, values in (("mean", p.mean), ("std", p.std)):
        if channels and len(values) not in (1, channels):
            raise Mismatch(f"{name}={values} must have 1 or {channels} numbers, one for each channel")
    return [shape], [shape]


def _flip(name: str, axis: int, what: str) -> None:
    def rule(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        shape = join_shapes(ins[0], outs[0], "data")
        if shape is not None:
            check_picture(shape, (3,))
        return [shape], [shape]

    def flip(data):
        return jnp.flip(data, axis)

    def random_flip(data, *, env: Mode):
        heads = jax.random.bernoulli(key_of(env, f"_image_random_flip_{name}"))
        return jnp.where(heads, jnp.flip(data, axis), data)

    flip.__doc__ = f"A (height, width, channel) picture with {what} exchanged."
    random_flip.__doc__ = f"A (height, width, channel) picture with {what} exchanged, or not, at even chances."
    op(f"_image_flip_{name}", "*s -> *s")(flip).infer(rule)
    op(f"_image_random_flip_{name}", "*s -> *s", random=True)(random_flip).infer(rule)


_flip("left_right", 1, "left and right")
_flip("top_bottom", 0, "top and bottom")


@op("_image_crop")
def crop(data, *, x: int, y: int, width: int, height: int):
    """A rectangle of a picture.

    Args:
        data: (height, width, channel) or (batch, height, width, channel).
        x: its left column.
        y: its top row.
        width: its width, at least 1.
        height: its height, at least 1.

    Example:
        >>> mx.nd.image.crop(mx.nd.array([[[1], [2], [3]], [[4], [5], [6]]]), x=1, y=1, width=2, height=1)
        [[[5.]
          [6.]]]
        <NDArray 1x2x1 @cpu(0)>
    """
    return data[..., y : y + height, x : x + width, :]


@crop.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    for name, begin, size, axis in (("x", p.x, p.width, -2), ("y", p.y, p.height, -3)):
        extent = "width" if name == "x" else "height"
        if size < 1:
            raise Mismatch(f"{extent}={size} must be at least 1")
        if begin < 0:
            raise Mismatch(f"{name}={begin} must not be negative")
        if data is not None and len(data) in (3, 4) and data[axis] and begin + size > data[axis]:
            raise Mismatch(f"{name}={begin} and {extent}={size} reach beyond the {extent} {data[axis]} of data {data}")
    if data is None:
        return ins, outs
    check_picture(data)
    return [data], [join_shapes((*data[:-3], p.height, p.width, data[-1]), outs[0], "the output")]


def _target(size: Shape, keep_ratio: bool, data: Shape) -> tuple[int, int]:
    """Height and width of the result of a resize; 0 where they depend on an unknown size."""
    if len(size) == 2:
        return size[1], size[0]
    (n,) = size
    h, w = data[-3:-1]
    if not keep_ratio:
        return n, n
    if not h or not w:
        return 0, 0
    return (int(h * n / w), n) if h > w else (n, int(w * n / h))


@op("_image_resize")
def image_resize(data, *, size: Shape = (), keep_ratio: bool = False, interp: Literal[0, 1, 2, 3, 4] = 1):
    """A picture in another size, as OpenCV resizes it; uint8 to the bit.

    Args:
        data: (height, width, channel) or (batch, height, width, channel); uint8, float32 or float64.
        size: (width, height), or one number for both.
        keep_ratio: one number is the length of the shorter side, and the other side keeps the ratio.
        interp: 0 nearest, 1 bilinear, 2 bicubic, 3 area, 4 Lanczos over 8x8 pixels.

    Example:
        >>> mx.nd.image.resize(mx.nd.array([[[0], [10]], [[20], [30]]]), size=(1, 1))
        [[[15.]]]
        <NDArray 1x1x1 @cpu(0)>
    """
    return resize(data, *_target(size, keep_ratio, data.shape), interp)


@image_resize.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if len(p.size) not in (1, 2) or min(p.size) < 1:
        raise Mismatch(f"size={p.size} must be one positive number or two, (width, height)")
    data = ins[0]
    if data is None:
        return ins, outs
    check_picture(data)
    return [data], [join_shapes((*data[:-3], *_target(p.size, p.keep_ratio, data), data[-1]), outs[0], "the output")]


@op("_cvimresize")
def cv_resize(
    src,
    *,
    w: Annotated[int, Range(low=1)],
    h: Annotated[int, Range(low=1)],
    interp: Literal[0, 1, 2, 3, 4] = 1,
):
    """`image.resize` for one (height, width, channel) picture, by width `w` and height `h` (`mx.image.imresize`).

    Example:
        >>> picture = mx.nd.zeros((2, 2, 3), dtype="uint8")
        >>> mx.nd._internal._cvimresize(picture, w=4, h=3).shape
        (3, 4, 3)
    """
    return resize(src, h, w, interp)


@cv_resize.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    check_picture(ins[0], (3,))
    return ins, [join_shapes((p.h, p.w, ins[0][2]), outs[0], "the output")]


_BORDERS = ("constant", "edge", "symmetric", "wrap", "reflect")
Rows = Annotated[int, Range(low=0)]


@op("_cvcopyMakeBorder")
def make_border(
    src,
    *,
    top: Rows,
    bot: Rows,
    left: Rows,
    right: Rows,
    type: Literal[0, 1, 2, 3, 4] = 0,
    value: float = 0.0,
    values: Floats = (),
):
    """A picture with a border (`mx.image.copyMakeBorder`).

    Args:
        src: (height, width, channel).
        top, bot, left, right: rows and columns to add.
        type: what is in them: 0 a constant, 1 the edge, 2 the picture mirrored with its edge, 3 the picture again
            from its other side, 4 mirrored without its edge.
        value: the constant.
        values: or one for each channel.

    Example:
        >>> picture = mx.nd.zeros((2, 2, 3), dtype="uint8")
        >>> mx.nd._internal._cvcopyMakeBorder(picture, top=1, bot=1, left=0, right=0).shape
        (4, 2, 3)
    """
    pads = ((top, bot), (left, right), (0, 0))
    if type:
        return jnp.pad(src, pads, mode=_BORDERS[type])
    inside = jnp.pad(jnp.ones((*src.shape[:2], 1), bool), pads)
    fill = np.asarray(values or (value,))
    if not jnp.issubdtype(src.dtype, jnp.inexact):  # OpenCV rounds and limits
        limits = jnp.iinfo(src.dtype)
        fill = np.clip(np.rint(fill), limits.min, limits.max)
    return jnp.where(inside, jnp.pad(src, pads), fill.astype(src.dtype))


@make_border.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    check_picture(ins[0], (3,))
    h, w, c = ins[0]
    if p.values and c and len(p.values) != c:
        raise Mismatch(f"values={p.values} must have one number for each of the {c} channels")
    out = (h + p.top + p.bot if h else 0, w + p.left + p.right if w else 0, c)
    return ins, [join_shapes(out, outs[0], "the output")]
