# SPDX-License-Identifier: Apache-2.0
"""Operators that read or write elements at places given by another array.

What happens to an index out of range is said everywhere: MXNet mostly clips, JAX would wrap or fill. Fractional indices
are truncated, and no index gets a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Op, op
from ..params import DType, Range, Shape
from ..shapes import DTypes, Shapes, join, join_shapes, known
from ._axes import at, axis_of, without
from ._numeric import convert


def as_index(index: jax.Array, size: int, mode: str) -> jax.Array:
    """Places in an axis of `size`, from the numbers `index`: clipped to it, or counted around it ("wrap")."""
    wide = jnp.int64 if index.dtype.itemsize == 8 else jnp.int32
    whole = convert(index, wide)
    return jnp.mod(whole, size) if mode == "wrap" else jnp.clip(whole, 0, max(size - 1, 0))


@op("take")
def take(a, indices, *, axis: int = 0, mode: Literal["clip", "raise", "wrap"] = "clip"):
    """Slices of `a` along an axis.

    Args:
        a: array of any shape.
        indices: the places, in an array of any shape and number type.
        axis: the axis of `a` to take from, negative from the end.
        mode: "clip" moves an index that is out of range to the nearest end, "wrap" counts around. "raise" makes an
            eager call fail where its result is waited for; in a compiled graph it is like "clip".

    Returns:
        The shape of `a` with axis `axis` replaced by the shape of `indices`.

    Example:
        >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])
        >>> mx.nd.take(x, mx.nd.array([2, 0, 9]))  # what is out of range is clipped
        [[5. 6.]
         [1. 2.]
         [5. 6.]]
        <NDArray 3x2 @cpu(0)>
    """
    at_ = axis_of(axis, a.ndim)
    return jnp.take(a, as_index(indices, a.shape[at_], mode), at_, mode="clip")


@take.check
def _(p):
    """an index is out of bounds, and mode is 'raise'; with mode='clip' or 'wrap' every index is legal"""

    def outside(inputs, outputs):
        a, indices = inputs
        n = a.shape[axis_of(p.axis, a.ndim)]
        return ((indices < 0) | (indices >= n)).any()

    return outside if p.mode == "raise" else None


@take.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    a, indices = ins
    if a is None:
        return ins, outs
    axis = axis_of(p.axis, len(a))
    if indices is None and outs[0] is not None and len(outs[0]) >= len(a) - 1:
        indices = outs[0][axis : axis + len(outs[0]) - len(a) + 1]
    if indices is None:
        return ins, outs
    out = join_shapes((*a[:axis], *indices, *a[axis + 1 :]), outs[0], "the output") or ()
    n = len(indices)
    return [(*out[:axis], a[axis], *out[axis + n :]), out[axis : axis + n]], [out]


def _first_rules_dtype(new: Op, first: int = 0) -> None:
    """Give `new` the rule that the output has the dtype of input `first`, and the others may have any."""

    def rule(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
        dtype = ins[first] or outs[0]
        if ins[first] and outs[0] and ins[first] != outs[0]:
            raise Mismatch(f"the output has the dtype {dtype} of the first input, not {outs[0]}")
        # MXNet makes an index that nobody has given a dtype float32, like everything else.
        return [dtype if i == first else d or dtype for i, d in enumerate(ins)], [dtype] * len(outs)

    new.infer_dtypes(rule)


_first_rules_dtype(take)


@op("pick", alias=("choose_element_0index",))
def pick(data, index, *, axis: int | None = -1, keepdims: bool = False, mode: Literal["clip", "wrap"] = "clip"):
    """One element from each row along an axis.

    Args:
        data: array of any shape.
        index: the place in each row: the shape of `data` without `axis`, or with size 1 there.
        axis: the axis to pick from, negative from the end; None for the flattened array.
        keepdims: keep the axis with size 1.
        mode: "clip" moves an index that is out of range to the nearest end, "wrap" counts around.

    Returns:
        The shape of `data` without `axis`.

    Example:
        >>> mx.nd.pick(mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([1, 0]))
        [2. 3.]
        <NDArray 2 @cpu(0)>
    """
    x = data.reshape(-1) if axis is None else data
    at_ = 0 if axis is None else axis_of(axis, data.ndim)
    shape = at(x.shape, at_, 1)
    places = as_index(index.reshape(shape), x.shape[at_], mode)
    return jnp.take_along_axis(x, places, at_, mode="clip").reshape(_picked(axis, keepdims, data.shape))


def _picked(axis: int | None, keepdims: bool, data: Shape) -> Shape:
    if axis is None:
        return (1,) * len(data) if keepdims else (1,)
    at_ = axis_of(axis, len(data))
    return at(data, at_, 1) if keepdims else without(data, (at_,)) or (1,)


@pick.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, index = ins
    if data is None:
        return ins, outs
    out = join_shapes(_picked(p.axis, p.keepdims, data), outs[0], "the output")
    forms = [_picked(p.axis, keep, data) for keep in (False, True)]
    if index is None:
        index = forms[0]
    elif len(index) == len(forms[1]) and len(index) != len(forms[0]):
        index = join_shapes(forms[1], index, "index")
    else:
        index = join_shapes(forms[0], index, "index")
    return [data, index], [out]


_first_rules_dtype(pick)


@op("batch_take", "n k, n -> n", dtypes="t, int32 -> t")
def batch_take(a, indices):
    """Element ``indices[i]`` of row i of `a`; indices are int32 and clipped.

    Example:
        >>> mx.nd.batch_take(mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([1, 0], dtype="int32"))
        [2. 3.]
        <NDArray 2 @cpu(0)>
    """
    return jnp.take_along_axis(a, as_index(indices, a.shape[1], "clip")[:, None], 1, mode="clip")[:, 0]


@op("fill_element_0index", "n k, n, n -> n k")
def fill_element_0index(lhs, mhs, rhs):
    """`lhs` (n, k) with element ``rhs[i]`` of row i replaced by ``mhs[i]``."""
    return lhs.at[jnp.arange(lhs.shape[0], dtype=jnp.int32), as_index(rhs, lhs.shape[1], "clip")].set(mhs)


@op("_onehot_encode", "n, n k -> n k")
def onehot_encode(lhs, rhs):
    """In the shape of `rhs` (n, k) 1 at column ``lhs[i]`` of row i, else 0."""
    return _one_hot(lhs, rhs.shape[1]).astype(rhs.dtype)


def _one_hot(indices: jax.Array, depth: int) -> jax.Array:
    wide = jnp.int64 if indices.dtype.itemsize == 8 else jnp.int32
    return convert(indices, wide)[..., None] == jnp.arange(depth, dtype=wide)


@op("one_hot", "*s -> *s depth", dtypes="a -> {dtype}")
def one_hot(
    indices,
    *,
    depth: Annotated[int, Range(low=0)],
    on_value: float = 1.0,
    off_value: float = 0.0,
    dtype: DType = "float32",
):
    """A row for each index with `on_value` at that place.

    Args:
        indices: array of any shape. An index out of range makes a row without `on_value`.
        depth: length of the rows.
        on_value: the number at the place of the index.
        off_value: all others.
        dtype: dtype of the result.

    Returns:
        The shape of `indices` with an axis `depth` added at the end.

    Example:
        >>> mx.nd.one_hot(mx.nd.array([1, 0, 5]), depth=3)
        [[0. 1. 0.]
         [1. 0. 0.]
         [0. 0. 0.]]
        <NDArray 3x3 @cpu(0)>
    """
    on, off = (
        convert(jnp.asarray(v, jnp.float32 if dtype != "float64" else dtype), dtype) for v in (on_value, off_value)
    )
    return jnp.where(_one_hot(indices, depth), on, off)


@op("where", dtypes="c, t, t -> t")
def where(condition, x, y):
    """`x` where `condition` is not 0, `y` elsewhere.

    Args:
        condition: the shape of `x`, or (n,) to choose whole rows; nan counts as not 0.
        x: array of any shape.
        y: array like `x`.

    Returns:
        An array like `x`. The condition gets no gradient.

    Example:
        >>> condition = mx.nd.array([1, 0, 1])
        >>> mx.nd.where(condition, mx.nd.array([1, 2, 3]), mx.nd.array([-1, -2, -3]))
        [ 1. -2.  3.]
        <NDArray 3 @cpu(0)>
    """
    chosen = condition != 0
    return jnp.where(chosen if chosen.ndim == x.ndim else chosen.reshape(-1, *(1,) * (x.ndim - 1)), x, y)


@where.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    condition = ins[0]
    data = join_shapes(join_shapes(ins[1], ins[2], "x and y"), outs[0], "the output")
    if data is not None and condition is not None and len(condition) == len(data):
        data = condition = join_shapes(data, condition, "condition")
    elif data is not None and condition is not None:
        if len(condition) != 1:
            raise Mismatch(f"condition {condition} must have the shape of x {data}, or one axis")
        n = join(data[0], condition[0], "the number of rows")
        data, condition = at(data, 0, n), (n,)
    return [condition, data, data], [data]


def _points(indices: jax.Array, shape: Shape) -> tuple[jax.Array, ...]:
    """The places that the rows of `indices` name on the leading axes of `shape`; negative ones count from the end."""
    places = []
    for row, n in zip(indices, shape, strict=False):
        wide = convert(row, jnp.int64 if row.dtype.itemsize == 8 else jnp.int32)
        places.append(jnp.clip(jnp.where(wide < 0, wide + n, wide), 0, n - 1))
    return tuple(places)


@op("gather_nd")
def gather_nd(data, indices):
    """Elements or slices of `data` at points.

    Args:
        data: array of at least M axes.
        indices: (M, ...): a point a column. Negative ones count from the end; what is out of range is clipped.

    Returns:
        The other axes of `indices`, then the axes of `data` after the first M.

    Example:
        >>> x, indices = mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([[1, 0], [0, 1]])
        >>> mx.nd.gather_nd(x, indices)
        [3. 2.]
        <NDArray 2 @cpu(0)>
    """
    return data[_points(indices, data.shape)]


@gather_nd.check
def _(p: Any) -> Any:
    """an index is out of bounds"""

    def outside(inputs: Sequence[jax.Array], outputs: Sequence[jax.Array]) -> jax.Array:
        data, indices = inputs
        bad = [((row < -n) | (row >= n)).any() for row, n in zip(indices, data.shape, strict=False)]
        return jnp.stack(bad).any()

    return outside


@gather_nd.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, indices = ins
    if data is None or indices is None or not indices[0]:
        return ins, outs
    if indices[0] > len(data):
        raise Mismatch(f"indices {indices} name {indices[0]} axes, data {data} has {len(data)}")
    out = join_shapes((*indices[1:], *data[indices[0] :]) or (1,), outs[0], "the output")
    return ins, [out]


_first_rules_dtype(gather_nd)


def _scatter(data: jax.Array, indices: jax.Array, shape: Shape, add: bool) -> jax.Array:
    zeros = jnp.zeros(shape, data.dtype).at[_points(indices, shape)]
    return zeros.add(data) if add else zeros.set(data)


def _infer_scatter(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, indices = ins
    if indices is not None and indices[0]:
        if indices[0] > len(p.shape):
            raise Mismatch(f"indices {indices} name {indices[0]} axes, shape={p.shape} has {len(p.shape)}")
        data = join_shapes((*indices[1:], *p.shape[indices[0] :]), data, "data")
    return [data, indices], [join_shapes(p.shape, outs[0], "the output")]


@op("scatter_nd")
def scatter_nd(data, indices, *, shape: Shape):
    """The inverse of `gather_nd`: zeros with `data` written at points; of several writes to a point one stays.

    Args:
        data: the other axes of `indices`, then the axes of `shape` after the first M.
        indices: (M, ...): a point a column.
        shape: shape of the result.

    Returns:
        An array of shape `shape` with the dtype of `data`.

    Example:
        >>> mx.nd.scatter_nd(mx.nd.array([7, 8]), mx.nd.array([[0, 1], [1, 0]]), shape=(2, 2))
        [[0. 7.]
         [8. 0.]]
        <NDArray 2x2 @cpu(0)>
    """
    return _scatter(data, indices, shape, add=False)


@scatter_nd.grad
def _(p: Any, g: jax.Array, data: jax.Array, indices: jax.Array, out: jax.Array) -> Any:
    return g[_points(indices, p.shape)], None


@op("_backward_gather_nd")
def backward_gather_nd(data, indices, *, shape: Shape):
    """The gradient of `gather_nd`: `scatter_nd` that adds up what is written to one point."""
    return _scatter(data, indices, shape, add=True)


for _new in (scatter_nd, backward_gather_nd):
    _new.infer(_infer_scatter)
    _first_rules_dtype(_new)


def _strides(shape: Shape) -> list[int]:
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


@op("_ravel_multi_index", alias=("ravel_multi_index",))
def ravel_multi_index(data, *, shape: Shape = ()):
    """Points as places in the flattened array.

    Args:
        data: (M, ...): a point a column.
        shape: the M sizes of the array; the first does not matter.

    Returns:
        The other axes of `data`, in its dtype.

    Example:
        >>> mx.nd.ravel_multi_index(mx.nd.array([[0, 1], [2, 1]]), shape=(2, 3))
        [2. 4.]
        <NDArray 2 @cpu(0)>
    """
    strides = jnp.asarray(_strides(shape), data.dtype).reshape(-1, *(1,) * (data.ndim - 1))
    return (data * strides).sum(0, dtype=data.dtype)


@ravel_multi_index.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], (len(p.shape), *outs[0]) if outs[0] is not None else None, "data")
    if data is None:
        return ins, outs
    data = at(data, 0, join(data[0], len(p.shape), "the number of rows of data"))
    return [data], [data[1:] or (1,)]


@op("_unravel_index", lambda p: f"*s -> {len(p.shape)} *s", alias=("unravel_index",))
def unravel_index(data, *, shape: Shape = ()):
    """Places in a flattened array as points.

    Args:
        data: places, in an array of any shape.
        shape: the M sizes of the array; the first does not matter.

    Returns:
        (M, ...) in the dtype of `data`: a point a column.

    Example:
        >>> mx.nd.unravel_index(mx.nd.array([2, 4]), shape=(2, 3))
        [[0. 1.]
         [2. 1.]]
        <NDArray 2x2 @cpu(0)>
    """
    whole = convert(data, jnp.int64 if data.dtype.itemsize == 8 else jnp.int32)
    rows = []
    for i, stride in enumerate(_strides(shape)):
        place = whole // stride
        rows.append(place if i == 0 else place % shape[i])
    return jnp.stack(rows).astype(data.dtype)


@op("_contrib_index_array", dtypes="a -> int64")
def index_array(data, *, axes: Shape | None = None):
    """For each element of `data` its own index, as int64.

    Args:
        data: array of any shape; only the shape is read.
        axes: the axes to tell, by default all.

    Returns:
        The shape of `data` with an axis added that counts the axes.

    Example:
        >>> mx.nd.contrib.index_array(mx.nd.zeros(3))
        [[0]
         [1]
         [2]]
        <NDArray 3x1 @cpu(0)>
    """
    chosen = range(data.ndim) if axes is None else [axis_of(a, data.ndim, "axes") for a in axes]
    return jnp.stack([jax.lax.broadcasted_iota(jnp.int64, data.shape, a) for a in chosen], -1)


@index_array.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    n = len(data) if p.axes is None else len([axis_of(a, len(data), "axes") for a in p.axes])
    out = join_shapes((*data, n), outs[0], "the output") or ()
    return [out[:-1]], [out]


@op("_contrib_arange_like")
def arange_like(
    data,
    *,
    start: float = 0.0,
    step: float = 1.0,
    repeat: Annotated[int, Range(low=1)] = 1,
    ctx: str = "",
    axis: int | None = None,
):
    """Numbers at equal distances, as many as `data` has elements, or as its axis `axis` is long.

    Args:
        data: array of any shape; only the shape and dtype are read.
        start: the first number.
        step: the distance.
        repeat: how often each number comes.
        ctx: device, set by the caller.
        axis: count the elements of this axis instead of all.

    Returns:
        The shape of `data`, or (size of the axis,).
    """
    n = data.size if axis is None else data.shape[axis_of(axis, data.ndim)]
    i = jax.lax.iota(jnp.int32, n) // repeat
    line = (i.astype(data.dtype) * jnp.asarray(step, data.dtype) + jnp.asarray(start, data.dtype)).astype(data.dtype)
    return line.reshape(data.shape) if axis is None else line


@arange_like.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if p.axis is None:
        both = join_shapes(data, outs[0], "the output")
        return [both], [both]
    if data is None or not known(data):
        return ins, outs
    return ins, [join_shapes((data[axis_of(p.axis, len(data))],), outs[0], "the output")]
