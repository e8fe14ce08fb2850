# SPDX-License-Identifier: Apache-2.0
"""Operators that keep the elements in order and change the shape.

Their shape rules are blocks: some axes of the data and some of the output whose sizes have the same product. A block
with one unknown size fills it in, on whichever side it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join, join_shapes, known
from ._axes import axes_of, axis_of, without

#: (axes of the data, axes of the output) with equal products.
Block = tuple[tuple[int, ...], tuple[int, ...]]


def balance(data: list[int], out: list[int], blocks: Sequence[Block]) -> None:
    """Fill in, in place, each size that is the only unknown (0) one of a block. Mismatch when products differ."""
    changed = True
    while changed:
        changed = False
        for left, right in blocks:
            sides = ((data, left), (out, right))
            unknown = [(sizes, i) for sizes, axes in sides for i in axes if not sizes[i]]
            if len(unknown) > 1:
                continue
            a, b = (math.prod(sizes[i] or 1 for i in axes) for sizes, axes in sides)
            if not unknown:
                if a != b:
                    raise Mismatch(f"{a} elements cannot become {b}: {_sizes(data, left)} against {_sizes(out, right)}")
                continue
            sizes, i = unknown[0]
            whole, part = (b, a) if sizes is data else (a, b)
            if whole % part:
                raise Mismatch(
                    f"{whole} elements cannot be divided by {part}: {_sizes(data, left)}, {_sizes(out, right)}"
                )
            sizes[i] = whole // part
            changed = True


def _sizes(shape: Sequence[int], axes: Sequence[int]) -> Shape:
    return tuple(shape[i] for i in axes)


def decode(codes: Sequence[int], ndim: int) -> tuple[list[int], list[Block]]:
    """What `codes` say about reshaping `ndim` axes: the sizes of the output (0: unknown), and the blocks.

    A positive number is a size. 0 copies an axis, -1 is what remains, -2 copies all remaining axes, -3 merges two axes,
    -4 splits an axis into the two numbers that follow. Mismatch when the codes need axes that are not there.
    """
    out: list[int] = []
    blocks: list[Block] = []
    i = k = remains = 0

    def take(code: int, count: int) -> tuple[int, ...]:
        if i + count > ndim:
            raise Mismatch(f"code {code} at position {k} of shape={tuple(codes)} needs axis {i + count - 1} of {ndim}")
        return tuple(range(i, i + count))

    while k < len(codes):
        code, j = codes[k], len(out)
        if code == 0 or code == -3:
            axes = take(code, 1 if code == 0 else 2)
            blocks.append((axes, (j,)))
            out.append(0)
            i += len(axes)
        elif code == -2:
            blocks += [((axis,), (j + n,)) for n, axis in enumerate(range(i, ndim))]
            out += [0] * (ndim - i)
            i = ndim
        elif code == -4:
            pair = codes[k + 1 : k + 3]
            if len(pair) < 2 or min(pair) < -1 or 0 in pair or max(pair) == -1:
                raise Mismatch(f"code -4 of shape={tuple(codes)} needs two sizes after it, one of which may be -1")
            blocks.append((take(code, 1), (j, j + 1)))
            out += [max(n, 0) for n in pair]
            i, k = i + 1, k + 2
        elif code > 0 or code == -1:
            remains += code == -1
            out.append(max(code, 0))
            i += 1
        else:
            raise Mismatch(f"shape={tuple(codes)} has the code {code}; legal are sizes and 0, -1, -2, -3, -4")
        k += 1
    if remains > 1:
        raise Mismatch(f"shape={tuple(codes)} has more than one -1")
    blocks.append((tuple(range(ndim)), tuple(range(len(out)))))
    return out, blocks


def reshaped(codes: Shape, reverse: bool, data: Shape, out: Shape | None = None) -> tuple[Shape, Shape]:
    """The shapes of data and output when `data` is reshaped by `codes` and the output is known to be `out`."""
    step = -1 if reverse else 1
    sizes = list(data)[::step]
    new, blocks = decode(codes[::step], len(data))
    new = list(join_shapes(tuple(new), out[::step] if out is not None else None, "the output") or ())
    balance(sizes, new, blocks)
    return tuple(sizes[::step]), tuple(new[::step])


def _codes(shape: Shape, target_shape: Shape, keep_highest: bool) -> Shape:
    if shape or not target_shape:
        return shape
    codes = tuple(n or -1 for n in target_shape)  # how 0.8 wrote it: 0 is what remains
    return (0, *codes[1:]) if keep_highest else codes


@op("Reshape", alias=("reshape",))
def reshape(data, *, shape: Shape = (), reverse: bool = False, target_shape: Shape = (), keep_highest: bool = False):
    """`data` in another shape, the elements in the same order.

    Args:
        data: array of any shape.
        shape: the new sizes. 0 copies the axis of `data` at the same place, -1 stands for what remains, -2 copies all
            remaining axes, -3 merges two axes, -4 splits an axis into the two numbers after it (one may be -1).
        reverse: read `shape` and the shape of `data` from the right; the two numbers then stand before the -4.
        target_shape: what `shape` was before 0.9, with 0 for what remains.
        keep_highest: with `target_shape`, keep the first axis.

    Returns:
        An array with the dtype of `data`.

    Example:
        >>> mx.nd.reshape(mx.nd.zeros((2, 3, 4)), shape=(0, -1)).shape
        (2, 12)
    """
    return data.reshape(reshaped(_codes(shape, target_shape, keep_highest), reverse, data.shape)[1])


@reshape.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    codes = _codes(p.shape, p.target_shape, p.keep_highest)
    if not codes:
        raise Mismatch("shape is missing")
    if ins[0] is None:
        return ins, outs
    data, out = reshaped(codes, p.reverse, ins[0], outs[0])
    return [data], [out]


@op("Flatten", "n *k -> n (*k)", alias=("flatten",))
def flatten(data):
    """All axes but the first as one.

    Args:
        data: (batch, ...).

    Returns:
        (batch, product of the rest); (batch, 1) for one axis.

    Example:
        >>> mx.nd.flatten(mx.nd.zeros((2, 3, 4))).shape
        (2, 12)
    """
    return data.reshape(data.shape[0], -1)


@op("expand_dims")
def expand_dims(data, *, axis: int):
    """`data` with an axis of size 1 inserted that becomes number `axis` of the result, counted from either end.

    Example:
        >>> mx.nd.expand_dims(mx.nd.array([1, 2]), axis=1)
        [[1.]
         [2.]]
        <NDArray 2x1 @cpu(0)>
    """
    at = axis_of(axis, data.ndim + 1)
    return data.reshape(*data.shape[:at], 1, *data.shape[at:])


@expand_dims.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if data is None and out is None:
        return ins, outs
    at = axis_of(p.axis, len(data) + 1 if data is not None else len(out or ()))
    if data is not None:
        out = join_shapes((*data[:at], 1, *data[at:]), out, "the output")
    assert out is not None  # one of the two was known
    return [without(out, (at,))], [out]


@op("squeeze")
def squeeze(data, *, axis: Shape | None = None):
    """`data` without axes of size 1.

    Args:
        data: array of any shape.
        axis: the axes to remove; None for all of size 1.

    Returns:
        An array with the dtype of `data`; of shape (1,) when nothing is left.

    Example:
        >>> mx.nd.squeeze(mx.nd.array([[1], [2]]), axis=1)
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    return data.reshape(_squeezed(axis, data.shape))


def _squeezed(axis: Shape | None, shape: Shape) -> Shape:
    axes = [i for i, n in enumerate(shape) if n == 1] if axis is None else axes_of(axis, len(shape))
    for i in axes:
        join(shape[i], 1, f"axis {i}, which is squeezed,")
    return without(shape, axes) or (1,)


@squeeze.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if data is None or (p.axis is None and not known(data)):
        return ins, outs
    out = join_shapes(_squeezed(p.axis, data), out, "the output")
    if p.axis and len(p.axis) < len(data):
        axes, rest = axes_of(p.axis, len(data)), iter(out or ())
        data = tuple(1 if i in axes else next(rest) for i in range(len(data)))
    return [data], [out]


@op("reshape_like", dtypes="t, u -> t")
def reshape_like(
    lhs, rhs, *, lhs_begin: int | None = None, lhs_end: int | None = None, rhs_begin: int | None = None,
    rhs_end: int | None = None,
):  # fmt: skip
    """`lhs` in the shape of `rhs`, or with some of its axes replaced by some of those of `rhs`.

    Args:
        lhs: array of any shape.
        rhs: array whose shape is read; it gets no gradient.
        lhs_begin: first axis of `lhs` to replace, by default 0.
        lhs_end: the axis after the last one to replace, by default all.
        rhs_begin: first axis of `rhs` to take, by default 0.
        rhs_end: the axis after the last one to take, by default all.

    Returns:
        An array with the dtype of `lhs`.

    Example:
        >>> mx.nd.reshape_like(mx.nd.array([1, 2, 3, 4]), mx.nd.zeros((2, 2)))
        [[1. 2.]
         [3. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    a, b = _span(lhs_begin, lhs_end, lhs.ndim), _span(rhs_begin, rhs_end, rhs.ndim)
    return lhs.reshape(*lhs.shape[: a.start], *rhs.shape[b], *lhs.shape[a.stop :])


def _span(begin: int | None, end: int | None, ndim: int) -> slice:
    first, last = (v if v is None or v >= 0 else v + ndim for v in (begin, end))
    found = slice(0 if first is None else first, ndim if last is None else last)
    if not 0 <= found.start < found.stop <= ndim:
        raise Mismatch(f"axes {begin} to {end} are not in an array of {ndim} dimensions")
    return found


@reshape_like.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    lhs, rhs = ins
    if lhs is None or rhs is None:
        return ins, outs
    a, b = _span(p.lhs_begin, p.lhs_end, len(lhs)), _span(p.rhs_begin, p.rhs_end, len(rhs))
    out = join_shapes((*lhs[: a.start], *rhs[b], *lhs[a.stop :]), outs[0], "the output")
    data, sizes, n = list(lhs), list(out or ()), b.stop - b.start
    same: list[Block] = [((i,), (i,)) for i in range(a.start)]
    same += [((i,), (i - a.stop + a.start + n,)) for i in range(a.stop, len(lhs))]
    balance(data, sizes, [(tuple(range(a.start, a.stop)), tuple(range(a.start, a.start + n))), *same])
    return [tuple(data), rhs], [tuple(sizes)]
