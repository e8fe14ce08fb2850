# SPDX-License-Identifier: Apache-2.0
"""Operators that take a part of an array, or write one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes
from ._axes import at, axis_of
from ._numeric import scalar_like

Bounds = tuple[int | None, ...]


def _slices(begin: Bounds, end: Bounds, step: Bounds, shape: Shape) -> tuple[slice, ...]:
    """Python slices for the leading axes of `shape`. Mismatch when they do not fit."""
    if len(begin) != len(end) or (step and len(step) != len(begin)):
        raise Mismatch(f"begin={begin}, end={end} and step={step} must have one length")
    if len(begin) > len(shape):
        raise Mismatch(f"begin={begin} has {len(begin)} axes, the array has {len(shape)}")
    if 0 in step:
        raise Mismatch(f"step={step} must not have a 0")
    for i, (b, n) in enumerate(zip(begin, shape, strict=False)):
        if b is not None and n and b < -n:
            raise Mismatch(f"begin={begin} is before the start of axis {i}, which has {n}")
    return tuple(slice(*s) for s in zip(begin, end, step or (None,) * len(begin), strict=True))


def _sliced(slices: tuple[slice, ...], shape: Shape) -> Shape:
    """The shape of ``x[slices]``; what is unknown stays so."""
    sizes = [len(range(*s.indices(n))) if n else 0 for s, n in zip(slices, shape, strict=False)]
    return (*sizes, *shape[len(slices) :])


def _fill_whole(slices: tuple[slice, ...], data: Shape, out: Shape | None) -> Shape:
    """`data` with the sizes that `out` knows of the axes that are taken whole."""
    for i, n in enumerate(out or ()):
        if i >= len(slices) or (
            slices[i].start in (None, 0) and slices[i].stop is None and slices[i].step in (None, 1)
        ):
            data = at(data, i, data[i] or n)
    return data


@op("slice", alias=("crop",))
def slice_(data, *, begin: Bounds, end: Bounds, step: Bounds = ()):
    """``data[begin:end:step]`` on the leading axes, as Python slices.

    Args:
        data: array of any shape.
        begin: where to start on each axis; None for the first element, or the last one when the step is negative.
        end: where to stop on each axis, not included; None for the end.
        step: the stride on each axis, by default 1; it may be negative.

    Returns:
        An array with the dtype of `data`.

    Example:
        >>> mx.nd.slice(mx.nd.array([[1, 2, 3], [4, 5, 6]]), begin=(0, 1), end=(None, 3))
        [[2. 3.]
         [5. 6.]]
        <NDArray 2x2 @cpu(0)>
    """
    return data[_slices(begin, end, step, data.shape)]


@slice_.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    slices = _slices(p.begin, p.end, p.step, ins[0])
    out = join_shapes(_sliced(slices, ins[0]), outs[0], "the output")
    return [_fill_whole(slices, ins[0], out)], [out]


@op("slice_axis")
def slice_axis(data, *, axis: int, begin: int, end: int | None):
    """The elements `begin` to `end` (not included, None for all) of one axis; negative numbers count from its end.

    Example:
        >>> mx.nd.slice_axis(mx.nd.array([[1, 2, 3], [4, 5, 6]]), axis=1, begin=1, end=None)
        [[2. 3.]
         [5. 6.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jax.lax.slice_in_dim(data, *_axis_bounds(axis, begin, end, data.shape), axis=axis_of(axis, data.ndim))


def _axis_bounds(axis: int, begin: int, end: int | None, shape: Shape) -> tuple[int, int]:
    n = shape[axis_of(axis, len(shape))]
    first = begin + n if begin < 0 else begin
    last = n if end is None else end + n if end < 0 else end
    if not 0 <= first < last <= n:
        raise Mismatch(f"begin={begin}, end={end} take nothing or too much of axis {axis}, which has {n}")
    return first, last


@slice_axis.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    axis = axis_of(p.axis, len(data))
    size = 0
    if data[axis]:
        first, last = _axis_bounds(axis, p.begin, p.end, data)
        size = last - first
    elif p.end is not None and (p.begin < 0) == (p.end < 0):
        size = max(p.end - p.begin, 0)  # MXNet does not know this one
    out = join_shapes(at(data, axis, size), outs[0], "the output")
    return [tuple(n if i == axis else m for i, (n, m) in enumerate(zip(data, out or data, strict=True)))], [out]


@op("slice_like", dtypes="t, u -> t")
def slice_like(data, shape_like, *, axes: Shape = ()):
    """The leading part of `data` that has the sizes of `shape_like` on `axes`.

    Args:
        data: array of any shape.
        shape_like: array whose shape is read; it gets no gradient.
        axes: the axes to cut; all by default.

    Returns:
        An array with the dtype of `data`.

    Example:
        >>> mx.nd.slice_like(mx.nd.array([[1, 2, 3], [4, 5, 6]]), mx.nd.zeros((1, 2)))
        [[1. 2.]]
        <NDArray 1x2 @cpu(0)>
    """
    return jax.lax.slice(data, (0,) * data.ndim, _like(axes, data.shape, shape_like.shape))


def _like(axes: Shape, data: Shape, like: Shape) -> Shape:
    if not axes and len(data) != len(like):
        raise Mismatch(f"data {data} and shape_like {like} must have as many dimensions when axes is empty")
    out = data
    for a in axes or range(len(data)):
        i, n = axis_of(a, len(data), "axes"), like[axis_of(a, len(like), "axes")]
        if data[i] and n > data[i]:
            raise Mismatch(f"axis {a} of data {data} is shorter than that of shape_like {like}")
        out = at(out, i, n)
    return out


@slice_like.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None or ins[1] is None:
        return ins, outs
    return ins, [join_shapes(_like(p.axes, ins[0], ins[1]), outs[0], "the output")]


@op("_slice_assign", alias=("_crop_assign",))
def slice_assign(lhs, rhs, *, begin: Bounds, end: Bounds, step: Bounds = ()):
    """`lhs` with ``lhs[begin:end:step]`` replaced by `rhs`, which has the shape of that slice.

    Example:
        >>> x = mx.nd.array([[1, 2, 3], [4, 5, 6]])
        >>> mx.nd._internal._slice_assign(x, mx.nd.array([[9], [9]]), begin=(0, 1), end=(2, 2))
        [[1. 9. 3.]
         [4. 9. 6.]]
        <NDArray 2x3 @cpu(0)>
    """
    return _write(lhs, _slices(begin, end, step, lhs.shape), rhs)


def _write(data: jax.Array, slices: tuple[slice, ...], values: jax.Array) -> jax.Array:
    bounds = [s.indices(n) for s, n in zip(slices, data.shape, strict=False)]
    if all(step == 1 for _, _, step in bounds):  # a copy of memory; the general form is a scatter
        starts = [b for b, _, _ in bounds] + [0] * (data.ndim - len(bounds))
        return jax.lax.dynamic_update_slice(data, values, starts)
    return data.at[slices].set(values)


@slice_assign.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], outs[0], "lhs")
    if data is None:
        return ins, outs
    slices = _slices(p.begin, p.end, p.step, data)
    return [data, join_shapes(_sliced(slices, data), ins[1], "rhs")], [data]


@op("_slice_assign_scalar", alias=("_crop_assign_scalar",), dynamic=("scalar",))
def slice_assign_scalar(data, *, scalar: float = 0.0, begin: Bounds, end: Bounds, step: Bounds = ()):
    """`data` with every element of ``data[begin:end:step]`` replaced by `scalar`.

    Example:
        >>> x = mx.nd.array([[1, 2, 3], [4, 5, 6]])
        >>> mx.nd._internal._slice_assign_scalar(x, scalar=9, begin=(0, 1), end=(2, 2))
        [[1. 9. 3.]
         [4. 9. 6.]]
        <NDArray 2x3 @cpu(0)>
    """
    slices = _slices(begin, end, step, data.shape)
    return _write(data, slices, jnp.full(_sliced(slices, data.shape), scalar_like(scalar, data), data.dtype))


@slice_assign_scalar.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], outs[0], "data")
    if data is not None:
        _slices(p.begin, p.end, p.step, data)
    return [data], [data]


@op("Crop")
def crop(*data, num_args: int, offset: Shape = (0, 0), h_w: Shape = (0, 0), center_crop: bool = False):
    """A rectangle of each picture.

    Args:
        data: (batch, channel, height, width), and with two inputs one whose height and width the result gets.
        num_args: how many inputs there are, 1 or 2.
        offset: the upper left corner.
        h_w: height and width of the result, with one input.
        center_crop: take the middle; the corner is rounded down.

    Returns:
        (batch, channel, new height, new width).

    Example:
        >>> mx.nd.Crop(mx.nd.zeros((1, 1, 6, 6)), h_w=(2, 3), offset=(1, 1), num_args=1).shape
        (1, 1, 2, 3)
    """
    x = data[0]
    h, w = data[1].shape[2:] if num_args == 2 else h_w
    y0, x0 = ((x.shape[2] - h) // 2, (x.shape[3] - w) // 2) if center_crop else offset
    return x[:, :, y0 : y0 + h, x0 : x0 + w]


@crop.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if len(ins) not in (1, 2):
        raise Mismatch(f"num_args={p.num_args} must be 1 or 2")
    for s in ins:
        if s is not None and len(s) != 4:
            raise Mismatch(f"expected (batch, channel, height, width), got {s}")
    data, like = ins[0], (0, 0, *p.h_w) if len(ins) == 1 else ins[1]
    if data is None or like is None:
        return ins, outs
    for n, m, o in zip(data[2:], like[2:], (0, 0) if p.center_crop else p.offset, strict=True):
        if n and m and m + o > n:
            raise Mismatch(f"a rectangle of {like[2:]} at offset {p.offset} does not fit into {data[2:]}")
    out = join_shapes((*data[:2], *like[2:]), outs[0], "the output") or ()
    return [(*out[:2], *data[2:]), *ins[1:]], [out]
