# SPDX-License-Identifier: Apache-2.0
"""Operators that repeat elements: broadcasting, tiling, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes, known
from ._axes import at, axes_of, axis_of
from ._numeric import scalar_like


def _stretch(data: Shape, target: Sequence[int]) -> Shape:
    """`data` with every size of 1 stretched to that of `target`, where 0 keeps it."""
    out = []
    for i, (n, want) in enumerate(zip(data, target, strict=True)):
        if want and n not in (0, 1, want):
            raise Mismatch(f"axis {i} of {data} has size {n}, only an axis of size 1 can become {want}")
        out.append(want or n)
    return tuple(out)


@op("broadcast_to")
def broadcast_to(data, *, shape: Shape = ()):
    """`data` with its axes of size 1 repeated to make `shape`, which has as many axes; 0 keeps the size.

    Example:
        >>> mx.nd.broadcast_to(mx.nd.array([[1], [2]]), shape=(2, 3))
        [[1. 1. 1.]
         [2. 2. 2.]]
        <NDArray 2x3 @cpu(0)>
    """
    return jnp.broadcast_to(data, _stretch(data.shape, shape))


@broadcast_to.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    if len(data) != len(p.shape):
        raise Mismatch(f"shape={p.shape} must have as many axes as data {data}")
    return ins, [join_shapes(_stretch(data, p.shape), outs[0], "the output")]


@op("broadcast_axis", alias=("broadcast_axes",))
def broadcast_axis(data, *, axis: Shape = (), size: Shape = ()):
    """`data` with each of the axes `axis`, of size 1, repeated to the size at the same place in `size`.

    Example:
        >>> mx.nd.broadcast_axis(mx.nd.array([[1], [2]]), axis=1, size=3)
        [[1. 1. 1.]
         [2. 2. 2.]]
        <NDArray 2x3 @cpu(0)>
    """
    return jnp.broadcast_to(data, _stretch(data.shape, _targets(axis, size, data.ndim)))


def _targets(axis: Shape, size: Shape, ndim: int) -> Shape:
    if len(axis) != len(size):
        raise Mismatch(f"axis={axis} and size={size} must have one length")
    target = (0,) * ndim
    for a, n in zip(axes_of(axis, ndim), size, strict=True):
        target = at(target, a, n)
    return target


@broadcast_axis.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    target = _targets(p.axis, p.size, len(data))
    for i, n in enumerate(target):
        if n and data[i] > 1:
            raise Mismatch(f"axis {i} of {data} must have size 1 to be repeated")
    return ins, [join_shapes(_stretch(data, target), outs[0], "the output")]


@op("broadcast_like", dtypes="t, u -> t")
def broadcast_like(lhs, rhs, *, lhs_axes: Shape | None = None, rhs_axes: Shape | None = None):
    """`lhs` with axes of size 1 repeated to the size that an axis of `rhs` has.

    Args:
        lhs: array of any shape.
        rhs: array whose shape is read; it gets no gradient.
        lhs_axes: the axes of `lhs` to repeat, by default all.
        rhs_axes: for each of them the axis of `rhs` to read.

    Returns:
        An array with the dtype of `lhs`.

    Example:
        >>> mx.nd.broadcast_like(mx.nd.array([[1], [2]]), mx.nd.zeros((2, 3)))
        [[1. 1. 1.]
         [2. 2. 2.]]
        <NDArray 2x3 @cpu(0)>
    """
    return jnp.broadcast_to(lhs, _stretch(lhs.shape, _like(lhs_axes, rhs_axes, lhs.shape, rhs.shape)))


def _like(lhs_axes: Shape | None, rhs_axes: Shape | None, lhs: Shape, rhs: Shape) -> Shape:
    if lhs_axes is None and rhs_axes is None:
        if len(lhs) != len(rhs):
            raise Mismatch(f"lhs {lhs} and rhs {rhs} must have as many dimensions when no axes are given")
        return rhs
    if lhs_axes is None or rhs_axes is None or len(lhs_axes) != len(rhs_axes) or not lhs_axes:
        raise Mismatch(f"lhs_axes={lhs_axes} and rhs_axes={rhs_axes} must have one length")
    target = (0,) * len(lhs)
    for a, b in zip(axes_of(lhs_axes, len(lhs), "lhs_axes"), rhs_axes, strict=True):
        target = at(target, a, rhs[axis_of(b, len(rhs), "rhs_axes")])
    return target


@broadcast_like.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    lhs, rhs = ins
    if lhs is None or rhs is None:
        return ins, outs
    target = _like(p.lhs_axes, p.rhs_axes, lhs, rhs)
    out = _stretch(lhs, target)
    if not known(rhs):  # an axis of size 1 may still be repeated
        wanted = axes_of(p.lhs_axes, len(lhs)) if p.lhs_axes else range(len(lhs))
        out = tuple(0 if i in wanted and n == 1 and not target[i] else n for i, n in enumerate(out))
    return ins, [join_shapes(out, outs[0], "the output")]


@op("tile")
def tile(data, *, reps: Shape):
    """`data` repeated as a whole.

    Args:
        data: array of any shape.
        reps: how often along each axis; the shorter one of `reps` and the shape of `data` gets 1 in front.

    Returns:
        An array with as many axes as the longer one.

    Example:
        >>> mx.nd.tile(mx.nd.array([[1, 2]]), reps=(2, 2))
        [[1. 2. 1. 2.]
         [1. 2. 1. 2.]]
        <NDArray 2x4 @cpu(0)>
    """
    return jnp.tile(data, reps)


@tile.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if any(r < 1 for r in p.reps):
        raise Mismatch(f"reps={p.reps} must be at least 1")
    if data is None:
        return ins, outs
    n = max(len(data), len(p.reps))
    reps = (1,) * (n - len(p.reps)) + p.reps
    out = join_shapes(tuple(a * b for a, b in zip((1,) * (n - len(data)) + data, reps, strict=True)), out, "the output")
    back = tuple(a // b for a, b in zip(out or (), reps, strict=True))[n - len(data) :]
    return [tuple(a or b for a, b in zip(data, back, strict=True))], [out]


@op("repeat", alias=("_np_repeat",))
def repeat(data, *, repeats: int, axis: int | None = None):
    """Every element repeated.

    Args:
        data: array of any shape.
        repeats: how often.
        axis: the axis along which to repeat; None for the flattened array.

    Returns:
        An array whose axis `axis` is `repeats` times as long.

    Example:
        >>> mx.nd.repeat(mx.nd.array([[1, 2], [3, 4]]), repeats=2, axis=1)
        [[1. 1. 2. 2.]
         [3. 3. 4. 4.]]
        <NDArray 2x4 @cpu(0)>
    """
    x = data.reshape(-1) if axis is None else data
    at_ = 0 if axis is None else axis_of(axis, data.ndim)
    wide = jnp.broadcast_to(jnp.expand_dims(x, at_ + 1), (*x.shape[: at_ + 1], repeats, *x.shape[at_ + 1 :]))
    return wide.reshape(at(x.shape, at_, x.shape[at_] * repeats))


@repeat.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if p.repeats < 0:
        raise Mismatch(f"repeats={p.repeats} must not be negative")
    if p.axis is None:
        size = 0
        if data is not None and known(data):
            size = p.repeats
            for n in data:
                size *= n
        return ins, [join_shapes((size,), outs[0], "the output")]
    if data is None:
        return ins, outs
    axis = axis_of(p.axis, len(data))
    out = join_shapes(at(data, axis, data[axis] * p.repeats), outs[0], "the output") or ()
    if p.repeats:
        data = at(out, axis, data[axis] or out[axis] // p.repeats)
    return [data], [out]


@op("Pad", alias=("pad",))
def pad(data, *, mode: Literal["constant", "edge", "reflect"], pad_width: Shape, constant_value: float = 0.0):
    """`data` with a border.

    Args:
        data: array of any shape; MXNet itself takes four or five axes and pads all but the first two.
        mode: "constant" fills with `constant_value`, "edge" repeats the outermost elements, "reflect" mirrors the
            array without them.
        pad_width: before and after for each axis: ``(before_0, after_0, before_1, ...)``.
        constant_value: what "constant" fills with.

    Returns:
        An array with the dtype of `data`.

    Example:
        >>> x = mx.nd.ones((1, 1, 1, 2))
        >>> mx.nd.pad(x, mode="constant", pad_width=(0, 0, 0, 0, 0, 1, 1, 0), constant_value=9)
        [[[[9. 1. 1.]
           [9. 9. 9.]]]]
        <NDArray 1x1x2x3 @cpu(0)>
    """
    width = tuple(zip(pad_width[::2], pad_width[1::2], strict=True))
    if mode == "constant":
        return jnp.pad(data, width, constant_values=jnp.asarray(scalar_like(constant_value, data)))
    return jnp.pad(data, width, mode)


@pad.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    if len(p.pad_width) != 2 * len(data) or min(p.pad_width) < 0:
        raise Mismatch(
            f"pad_width={p.pad_width} must have a before and an after, not negative, for each axis of {data}"
        )
    extra = [a + b for a, b in zip(p.pad_width[::2], p.pad_width[1::2], strict=True)]
    if p.mode == "reflect":
        for i, n in enumerate(data):
            if n and max(p.pad_width[2 * i : 2 * i + 2]) >= n:
                raise Mismatch(f"pad_width={p.pad_width} reflects axis {i} of {data} farther than its other end")
    out = join_shapes(tuple(n + e if n else 0 for n, e in zip(data, extra, strict=True)), outs[0], "the output") or ()
    return [tuple(n - e if n else 0 for n, e in zip(out, extra, strict=True))], [out]
