# SPDX-License-Identifier: Apache-2.0
"""Reductions: a row of a table each for the common ones. A full reduction has shape (1,), as in MXNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import Op, op, register_op
from ..params import DType, Shape
from ..shapes import DTypes, Shapes, join, join_shapes, known
from ._axes import at, axes_of, axis_of, without
from ._examples import example, table
from ._numeric import convert, is_float, sign

_DOC = """{doc}

Args:
    data: array of any shape.
    axis: the axis or axes to reduce, negative ones from the end; None or () for all.
    keepdims: keep a reduced axis with size 1.
    exclude: reduce all axes but those in `axis`.

Returns:
    An array with the dtype of `data`; of shape (1,) when nothing is left.
{example}"""
#: What the documentation shows: operator | data | its reduction over axis 0 as MXNet prints it.
EXAMPLES = table("""
sum     | [[1, 2], [3, 4]]            | [4. 6.]
mean    | [[1, 2], [3, 4]]            | [2. 3.]
prod    | [[1, 2], [3, 4]]            | [3. 8.]
nansum  | [[1, 2], [float("nan"), 4]] | [1. 6.]
nanprod | [[1, 2], [float("nan"), 4]] | [1. 8.]
max     | [[1, 2], [3, 4]]            | [3. 4.]
min     | [[1, 2], [3, 4]]            | [1. 2.]
argmax  | [[1, 9, 3], [7, 2, 5]]      | [1. 0. 1.]
argmin  | [[1, 9, 3], [7, 2, 5]]      | [0. 1. 0.]
""")


class Axes(NamedTuple):
    """The parameters of a reduction."""

    axis: Shape | None = None
    keepdims: bool = False
    exclude: bool = False


def reduced_axes(p: Any, ndim: int) -> tuple[int, ...]:
    """The axes that parameters with `axis` and perhaps `exclude` reduce, in ascending order."""
    axes = axes_of(p.axis or (), ndim)
    if not axes:
        return tuple(range(ndim))
    return tuple(i for i in range(ndim) if (i in axes) != getattr(p, "exclude", False))


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape of a reduction over `axes`."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape)) if keepdims else without(shape, axes) or (1,)


def infer_reduction(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """The rule of every reduction: forward, and the sizes that were not reduced backward."""
    if ins[0] is None:
        return ins, outs
    axes = reduced_axes(p, len(ins[0]))
    shapes = [join_shapes(reduced_shape(ins[0], axes, p.keepdims), o, "the output") for o in outs]
    data = ins[0]
    if shapes[0] is not None and not known(data) and len(axes) < len(data):
        kept = [i for i in range(len(data)) if i not in axes]
        for i, n in zip(kept, without(shapes[0], axes) if p.keepdims else shapes[0], strict=True):
            data = at(data, i, n)
    return [data], shapes


def expand(x: jax.Array, data: jax.Array, axes: Sequence[int]) -> jax.Array:
    """A result of reducing `data` over `axes` in a shape that broadcasts with `data`."""
    return x.reshape(reduced_shape(data.shape, axes, True))


def _example(name: str) -> str:
    values, printed = EXAMPLES[name]
    return example(f"mx.nd.{name}(mx.nd.array({values}), axis=0)", printed)


def reduction(
    name: str, f: Callable[..., jax.Array], doc: str, *, alias: Sequence[str] = (),
    df: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
) -> Op:  # fmt: skip
    """Register the reduction `name`, ``f(data, axes)``.

    `df(data, out)` is the derivative where it is not JAX's own; `out` broadcasts with `data`.
    """

    def kernel(data, *, axis: Shape | None = None, keepdims: bool = False, exclude: bool = False):
        axes = reduced_axes(Axes(axis, exclude=exclude), data.ndim)
        return convert(f(data, axes), data.dtype).reshape(reduced_shape(data.shape, axes, keepdims))

    kernel.__name__ = kernel.__qualname__ = name
    kernel.__doc__ = _DOC.format(doc=doc, example=_example(name))
    new = register_op(Op(name, kernel, alias=alias))
    new.infer(infer_reduction)

    if df is not None:

        def gradient(p: Any, g: jax.Array, data: jax.Array, out: jax.Array) -> tuple[jax.Array]:
            axes = reduced_axes(p, data.ndim)
            return (expand(g, data, axes) * df(data, expand(out, data, axes)),)

        new.grad(gradient)
    return new


def _sum(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    return jnp.sum(x, axes, dtype=x.dtype if x.dtype != jnp.bool_ else jnp.int32)


def _prod(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    return jnp.prod(x, axes, dtype=x.dtype if x.dtype != jnp.bool_ else jnp.int32)


def _mean(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    count = int(np.prod([x.shape[i] for i in axes], dtype=np.int64))
    total = _sum(x, axes)
    if is_float(x):
        return total / count  # nan of nothing
    if x.dtype == jnp.bool_:
        return total  # as MXNet: true when one element is
    return jax.lax.div(total, jnp.asarray(max(1, count)).astype(total.dtype))  # truncates towards 0


def _fill(value: int) -> Callable[[jax.Array], jax.Array]:
    return lambda x: jnp.where(jnp.isnan(x), value, x) if is_float(x) else x


_no_nan_sum, _no_nan_prod = _fill(0), _fill(1)

reduction("sum", _sum, "The sum; integers wrap.", alias=("sum_axis",))
reduction("mean", _mean, "The mean; of integers it is truncated.")
reduction("prod", _prod, "The product. Its gradient divides by the element, so it is nan at 0.", df=lambda x, y: y / x)
reduction("nansum", lambda x, axes: _sum(_no_nan_sum(x), axes), "The sum of what is not nan.",
          df=lambda x, y: (~jnp.isnan(x)).astype(x.dtype))  # fmt: skip
reduction("nanprod", lambda x, axes: _prod(_no_nan_prod(x), axes), "The product of what is not nan.",
          df=lambda x, y: jnp.where(jnp.isnan(x), 0, y / x))  # fmt: skip
reduction("max", lambda x, axes: jnp.max(x, axes), "The maximum. Every element that equals it gets the whole gradient.",
          alias=("max_axis",), df=lambda x, y: (x == y).astype(x.dtype))  # fmt: skip
reduction("min", lambda x, axes: jnp.min(x, axes), "The minimum. Every element that equals it gets the whole gradient.",
          alias=("min_axis",), df=lambda x, y: (x == y).astype(x.dtype))  # fmt: skip


@op("norm")
def norm(data, *, ord: int = 2, axis: Shape | None = None, out_dtype: DType | None = None, keepdims: bool = False):
    """The 1-norm or 2-norm over axes of `data`.

    Args:
        data: array of any shape.
        ord: 1 for the sum of absolute values, 2 for the root of the sum of squares.
        axis: the axis or axes to reduce; None or () for all.
        out_dtype: dtype of the result, by default that of `data`.
        keepdims: keep a reduced axis with size 1.

    Returns:
        An array of shape (1,) when nothing is left. The gradient of the 2-norm at 0 is nan.

    Example:
        >>> mx.nd.norm(mx.nd.array([[3, 4], [6, 8]]), axis=1)
        [ 5. 10.]
        <NDArray 2 @cpu(0)>
    """
    axes = reduced_axes(Axes(axis), data.ndim)
    x = data if is_float(data) else data.astype(jnp.float32)
    out = jnp.sum(jnp.abs(x), axes) if ord == 1 else jnp.sqrt(jnp.sum(x * x, axes))
    return convert(out, out_dtype or data.dtype).reshape(reduced_shape(data.shape, axes, keepdims))


@norm.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.ord not in (1, 2):
        raise Mismatch(f"ord={p.ord} must be 1 or 2")
    return infer_reduction(p, ins, outs)


@norm.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    if p.out_dtype:
        return ins, [p.out_dtype]
    dtype = ins[0] or outs[0]
    return [dtype], [dtype]


@norm.grad
def _(p: Any, g: jax.Array, data: jax.Array, out: jax.Array) -> Any:
    axes = reduced_axes(p, data.ndim)
    g, out = expand(g, data, axes).astype(data.dtype), expand(out, data, axes).astype(data.dtype)
    return (g * (sign(data) if p.ord == 1 else data / out),)


def _index_of(name: str, f: Callable[..., jax.Array], doc: str) -> None:
    """Register an operator that returns the place of an extreme value in the dtype of `data`."""

    def kernel(data, *, axis: int | None = None, keepdims: bool = False):
        axes = tuple(range(data.ndim)) if axis is None else (axis_of(axis, data.ndim),)
        x, at_ = (data.reshape(-1), 0) if axis is None else (data, axes[0])
        shape = reduced_shape(data.shape, axes, keepdims)
        return f(x, at_, jnp.int32).astype(data.dtype).reshape(shape)

    kernel.__name__ = kernel.__qualname__ = name
    kernel.__doc__ = (
        f"{doc} Of equal ones the first counts, and nan counts as extreme.\n\n"
        "Args:\n    data: array of any shape.\n    axis: the axis to search; None for the flattened array.\n"
        "    keepdims: keep the axis with size 1.\n\n"
        "Returns:\n    The indices, in the dtype of `data` (float32 for float32); of shape (1,) when nothing is left.\n"
        + _example(name)
    )
    new = register_op(Op(name, kernel))
    new.infer(lambda p, i, o: infer_reduction(Axes(None if p.axis is None else (p.axis,), p.keepdims), i, o))
    new.grad(lambda p, g, data, out: (None,))


_index_of("argmax", jax.lax.argmax, "The index of the maximum.")
_index_of("argmin", jax.lax.argmin, "The index of the minimum.")


@op("argmax_channel")
def argmax_channel(data):
    """The index of the maximum along axis 1, in the dtype of `data`.

    Args:
        data: (batch, channel, ...).

    Returns:
        (batch, ...).

    Example:
        >>> mx.nd.argmax_channel(mx.nd.array([[1, 9, 3], [7, 2, 5]]))
        [1. 0.]
        <NDArray 2 @cpu(0)>
    """
    return jax.lax.argmax(data, 1, jnp.int32).astype(data.dtype)


@argmax_channel.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if data is None:
        return ins, outs
    if len(data) < 2:
        raise Mismatch(f"data must have at least 2 dimensions, got {data}")
    n = join(data[0], out[0] if out else 0, "axis 0")
    return [(n, *data[1:])], [join_shapes((n, *data[2:]), out, "the output")]


@argmax_channel.grad
def _(p: Any, g: Any, data: jax.Array, out: jax.Array) -> Any:
    return (None,)


@op("moments", outputs=("output0", "output1"))
def moments(data, *, axes: Shape | None = None, keepdims: bool = False):
    """Mean and variance over `axes`.

    Args:
        data: array of any shape.
        axes: the axes to reduce; None for all.
        keepdims: keep a reduced axis with size 1.

    Returns:
        The mean and the population variance, both in the dtype of `data`.

    Example:
        >>> mean, variance = mx.nd.moments(mx.nd.array([[1, 3], [2, 6]]), axes=1)
        >>> variance
        [1. 4.]
        <NDArray 2 @cpu(0)>
    """
    over = reduced_axes(Axes(axes), data.ndim)
    shape = reduced_shape(data.shape, over, keepdims)
    mean = _mean(data, over)
    delta = data - expand(mean, data, over)
    return mean.reshape(shape), _mean(delta * delta, over).reshape(shape)


@moments.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    both = join_shapes(outs[0], outs[1], "the outputs")
    return infer_reduction(Axes(p.axes, p.keepdims), ins, [both, both])


@op("_np_cumsum", alias=("cumsum",))
def cumsum(a, *, axis: int | None = None, dtype: DType | None = None):
    """Sums of the elements up to each one.

    Args:
        a: array of any shape.
        axis: the axis to sum along; None for the flattened array.
        dtype: dtype of the sums, by default that of `a` (int64 for bool).

    Returns:
        An array with the shape of `a`, or (size of a,) without `axis`.
    """
    x = a.astype(dtype or ("int64" if a.dtype == jnp.bool_ else a.dtype))
    return jnp.cumsum(x.reshape(-1) if axis is None else x, axis or 0)


@cumsum.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.axis is None:
        size = int(np.prod(ins[0])) if known(ins[0]) else 0  # type: ignore[arg-type]
        return ins, [join_shapes((size,), outs[0], "the output")]
    both = join_shapes(ins[0], outs[0])
    if both is not None:
        axis_of(p.axis, len(both))
    return [both], [both]


@cumsum.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    if p.dtype:
        return ins, [p.dtype]
    return (ins, ["int64"]) if ins[0] == "bool" else ([ins[0] or outs[0]], [ins[0] or outs[0]])


@op("_histogram", drop={"bins": lambda p: p.bin_cnt is not None}, outputs=("output0", "output1"))
def histogram(data, bins=None, *, bin_cnt: int | None = None, range: tuple[float, ...] | None = None):
    """How many elements fall into each bin; the last bin includes its right edge.

    Args:
        data: array of any shape.
        bins: (n + 1,) ascending edges. Left out when `bin_cnt` is given.
        bin_cnt: how many bins of equal width `range` is cut into.
        range: lower and upper edge.

    Returns:
        The int64 counts (n,), and the edges (n + 1,) in the dtype of `data`.

    Example:
        >>> counts, edges = mx.nd._internal._histogram(mx.nd.array([1, 2, 2, 9]), bin_cnt=2, range=(0, 10))
        >>> counts
        [3 1]
        <NDArray 2 @cpu(0)>
    """
    x = data.reshape(-1)
    if bins is None:
        low, high = range  # type: ignore[misc]
        edges = low + (high - low) / bin_cnt * np.arange(bin_cnt + 1)  # type: ignore[operator]
        bins = convert(jnp.asarray(edges, data.dtype if is_float(data) else jnp.float32), data.dtype)
    place = jnp.searchsorted(bins, x, side="right").astype(jnp.int32) - 1
    n = bins.shape[0] - 1
    place = jnp.where(x == bins[-1], n - 1, jnp.where((place < 0) | (place >= n), n, place))
    return jnp.zeros(n, jnp.int64).at[place].add(1, mode="drop"), bins


@histogram.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.bin_cnt is not None:
        if p.range is None or len(p.range) != 2 or p.range[0] >= p.range[1]:
            raise Mismatch(f"range={p.range} must be (low, high) with low < high when bin_cnt is given")
        n = p.bin_cnt
    else:
        edges = join_shapes(ins[1], outs[1], "bins")
        if edges is not None and len(edges) != 1:
            raise Mismatch(f"bins must have one dimension, got {edges}")
        n = edges[0] - 1 if edges and edges[0] else 0
        ins = [ins[0], edges]
    return ins, [join_shapes((n,), outs[0]), join_shapes((n + 1 if n else 0,), outs[1])]


@histogram.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    found = {d for d in [*ins, outs[1]] if d}
    if len(found) > 1:
        raise Mismatch(f"data and bins must have one dtype, got {' and '.join(sorted(found))}")
    dtype = found.pop() if found else None
    return [dtype] * len(ins), ["int64", dtype]


@histogram.grad
def _(p: Any, g: Any, data: jax.Array, *rest: Any) -> Any:
    return (None,) * len(rest)
