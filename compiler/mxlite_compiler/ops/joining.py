# SPDX-License-Identifier: Apache-2.0
"""Operators that join several arrays into one, or split one into several."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes
from ._axes import at, axis_of, without


def _infer_concat(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if not ins:
        raise Mismatch("needs at least one array")
    rank = next((len(s) for s in (*ins, *outs) if s is not None), None)
    if rank is None:
        return ins, outs
    axis = axis_of(p.dim, rank, "dim")
    common: Shape | None = None
    for i, s in enumerate([*ins, *outs]):
        if s is not None and len(s) != rank:
            raise Mismatch(f"arrays of {rank} and of {len(s)} dimensions cannot be joined")
        common = join_shapes(common, None if s is None else at(s, axis, 0), f"array {i} beside axis {axis}")
    assert common is not None  # one array has a rank
    sizes = [s[axis] if s is not None else 0 for s in ins]
    total = outs[0][axis] if outs[0] is not None else 0
    if all(sizes):
        if total and total != sum(sizes):
            raise Mismatch(f"sizes {sizes} of axis {axis} make {sum(sizes)}, not {total}")
        total = sum(sizes)
    elif total and sizes.count(0) == 1:
        if total <= sum(sizes):
            raise Mismatch(f"sizes {sizes} of axis {axis} leave nothing of {total} for the unknown one")
        sizes[sizes.index(0)] = total - sum(sizes)
    return [at(common, axis, n) for n in sizes], [at(common, axis, total)]


@op("Concat", alias=("concat",))
def concat(*data, num_args: int, dim: int = 1):
    """The arrays one after the other along an axis.

    Args:
        data: `num_args` arrays that differ at most in the size of axis `dim`.
        num_args: how many there are.
        dim: the axis, negative from the end.

    Returns:
        An array whose axis `dim` is as long as those of all arrays together.

    Example:
        >>> mx.nd.concat(mx.nd.array([[1], [2]]), mx.nd.array([[3], [4]]), dim=1)
        [[1. 3.]
         [2. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jnp.concatenate(data, dim)


concat.infer(_infer_concat)


@op("_rnn_param_concat")
def rnn_param_concat(*data, num_args: int, dim: int = 1):
    """`Concat`, under the name that Gluon's recurrent layers use for their parameters.

    Example:
        >>> mx.nd._internal._rnn_param_concat(mx.nd.array([1, 2]), mx.nd.array([3]), dim=0)
        [1. 2. 3.]
        <NDArray 3 @cpu(0)>
    """
    return jnp.concatenate(data, dim)


rnn_param_concat.infer(_infer_concat)


@op("stack")
def stack(*data, axis: int = 0, num_args: int):
    """The arrays side by side along a new axis.

    Args:
        data: `num_args` arrays of one shape.
        axis: where the new axis is in the result, negative from the end.
        num_args: how many there are.

    Returns:
        An array with one axis more, of size `num_args`.

    Example:
        >>> mx.nd.stack(mx.nd.array([1, 2]), mx.nd.array([3, 4]), axis=1)
        [[1. 3.]
         [2. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jnp.stack(data, axis)


@stack.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if not ins:
        raise Mismatch("needs at least one array")
    common: Shape | None = None
    for i, s in enumerate(ins):
        common = join_shapes(common, s, f"array {i}")
    if outs[0] is not None:
        axis = axis_of(p.axis, len(outs[0]))
        common = join_shapes(common, without(outs[0], (axis,)), "the output")
    if common is None:
        return ins, outs
    axis = axis_of(p.axis, len(common) + 1)
    return [common] * len(ins), [join_shapes((*common[:axis], len(ins), *common[axis:]), outs[0], "the output")]


def _numbered(n: int) -> tuple[str, ...]:
    return tuple(f"output{i}" for i in range(n))


@op("SliceChannel", alias=("split",), outputs=lambda p: _numbered(p.num_outputs))
def slice_channel(data, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False):
    """Equal parts of an axis.

    Args:
        data: array whose axis `axis` is a multiple of `num_outputs`.
        num_outputs: how many parts to make.
        axis: the axis to cut, negative from the end.
        squeeze_axis: drop the axis; it must have `num_outputs` elements.

    Returns:
        `num_outputs` arrays.

    Example:
        >>> first, second = mx.nd.split(mx.nd.array([[1, 2, 3, 4]]), num_outputs=2)
        >>> second
        [[3. 4.]]
        <NDArray 1x2 @cpu(0)>
    """
    parts = jnp.split(data, num_outputs, axis)
    return tuple(jnp.squeeze(x, axis) for x in parts) if squeeze_axis else tuple(parts)


@slice_channel.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    n, data = p.num_outputs, ins[0]
    if n < 1:
        raise Mismatch(f"num_outputs={n} must be at least 1")
    part: Shape | None = None
    for i, s in enumerate(outs):
        part = join_shapes(part, s, f"output {i}")
    if part is not None:
        axis = axis_of(p.axis, len(part) + p.squeeze_axis)
        whole = (*part[:axis], n, *part[axis:]) if p.squeeze_axis else at(part, axis, part[axis] * n)
        data = join_shapes(data, whole, "data")
    if data is None:
        return ins, outs
    axis = axis_of(p.axis, len(data))
    if data[axis] % n:
        raise Mismatch(f"axis {axis} of {data} cannot be cut into num_outputs={n} equal parts")
    if p.squeeze_axis and data[axis] not in (0, n):
        raise Mismatch(f"squeeze_axis needs an axis {axis} of size num_outputs={n}, got {data}")
    if p.squeeze_axis:
        data = at(data, axis, n)
    return [data], [without(data, (axis,)) if p.squeeze_axis else at(data, axis, data[axis] // n)] * n


def _count_v2(p: Any) -> int:
    return p.sections if p.sections > 0 else len(p.indices)


@op("_split_v2", outputs=lambda p: _numbered(_count_v2(p)) if _count_v2(p) > 1 else ("output",))
def split_v2(data, *, indices: Shape, axis: int = 1, squeeze_axis: bool = False, sections: int = 0):
    """Parts of an axis, equal ones or at given places.

    Args:
        data: array of any shape.
        indices: where each part begins; the first is 0.
        axis: the axis to cut, negative from the end.
        squeeze_axis: drop the axis; every part must have one element.
        sections: how many equal parts to make, instead of `indices`.

    Returns:
        One array a part.

    Example:
        >>> first, second = mx.nd._internal._split_v2(mx.nd.array([1, 2, 3]), indices=(0, 1), axis=0)
        >>> second
        [2. 3.]
        <NDArray 2 @cpu(0)>
    """
    where = axis_of(axis, data.ndim)
    bounds = _bounds_v2(indices, sections, data.shape[where])
    parts = tuple(jax.lax.slice_in_dim(data, a, b, axis=where) for a, b in bounds)
    return tuple(jnp.squeeze(x, where) for x in parts) if squeeze_axis else parts


def _bounds_v2(indices: Shape, sections: int, size: int) -> list[tuple[int, int]]:
    if sections > 0:
        if size % sections:
            raise Mismatch(f"an axis of size {size} cannot be cut into sections={sections} equal parts")
        starts = [i * (size // sections) for i in range(sections)]
    else:
        starts = list(indices)
    ends = [*starts[1:], size]
    if any(not 0 <= a <= b <= size for a, b in zip(starts, ends, strict=True)):
        raise Mismatch(f"indices={indices} must ascend and not exceed the size {size} of the axis")
    return list(zip(starts, ends, strict=True))


@split_v2.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if _count_v2(p) < 1:
        raise Mismatch("indices or sections must name at least one part")
    if data is None:
        return ins, outs
    axis = axis_of(p.axis, len(data))
    if data[axis]:
        sizes = [b - a for a, b in _bounds_v2(p.indices, p.sections, data[axis])]
    else:
        sizes = [0] * len(outs)
    if p.squeeze_axis:
        if any(n not in (0, 1) for n in sizes):
            raise Mismatch(f"squeeze_axis needs parts of size 1, got {sizes}")
        return ins, [join_shapes(without(data, (axis,)), o, "an output") for o in outs]
    return ins, [join_shapes(at(data, axis, n), o, "an output") for n, o in zip(sizes, outs, strict=True)]
