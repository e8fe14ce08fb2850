# SPDX-License-Identifier: Apache-2.0
"""Operators without inputs, and those that read only a shape."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch, MXNetError, explain
from ..op import Op, op
from ..params import DType, Shape
from ..shapes import Shapes, join_shapes, known
from ._numeric import convert


def whole(name: str, shape: Shape | None) -> Shape:
    """`shape` when every size is known. MXNetError in a graph whose shapes were not inferred, and in an eager call."""
    if not shape or not known(shape):
        raise MXNetError(explain(f"shape={shape or ()} has unknown sizes", op=name, hint="give every size"))
    return shape


def infer_shape_parameter(new: Op) -> None:
    """Give `new` the rule that the output has the shape of the parameter `shape`, where 0 and () are unknown."""
    new.infer(lambda p, ins, outs: (ins, [join_shapes(p.shape or None, o, "shape") for o in outs]))


@op("_zeros", dtypes="-> {dtype}")
def zeros(*, shape: Shape = (), ctx: str = "", dtype: DType = "float32"):
    """Zeros of a given shape. In a graph a size of 0 is unknown and found by shape inference.

    Example:
        >>> mx.nd._internal._zeros(shape=(2, 2))
        [[0. 0.]
         [0. 0.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jnp.zeros(whole("_zeros", shape), dtype)


@op("_ones", dtypes="-> {dtype}")
def ones(*, shape: Shape = (), ctx: str = "", dtype: DType = "float32"):
    """Ones of a given shape. In a graph a size of 0 is unknown and found by shape inference.

    Example:
        >>> mx.nd._internal._ones(shape=(2, 2))
        [[1. 1.]
         [1. 1.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jnp.ones(whole("_ones", shape), dtype)


@op("_full", dtypes="-> {dtype}", dynamic=("value",))
def full(*, shape: Shape = (), ctx: str = "", dtype: DType = "float32", value: float):
    """`value` in every element of a given shape. In a graph a size of 0 is unknown and found by shape inference.

    Example:
        >>> mx.nd._internal._full(shape=(2, 2), value=7)
        [[7. 7.]
         [7. 7.]]
        <NDArray 2x2 @cpu(0)>
    """
    x = (
        jnp.asarray(value)
        if isinstance(value, jax.Array)
        else jnp.asarray(value, jnp.float32 if dtype != "float64" else dtype)
    )
    return jnp.broadcast_to(convert(x, dtype), whole("_full", shape))


for _new in (zeros, ones, full):
    infer_shape_parameter(_new)


@op("_arange", dtypes="-> {dtype}")
def arange(
    *, start: float, stop: float | None = None, step: float = 1.0, repeat: int = 1, infer_range: bool = False,
    ctx: str = "", dtype: DType = "float32",
):  # fmt: skip
    """Numbers at equal distances.

    Args:
        start: the first number; without `stop` the sequence goes from 0 to here.
        stop: the end, not included.
        step: the distance, negative to count down.
        repeat: how often each number comes.
        infer_range: take the length from the other side of the graph; not supported here.
        ctx: device, set by the caller.
        dtype: dtype of the numbers.

    Returns:
        One axis.

    Example:
        >>> mx.nd._internal._arange(start=0, stop=6, step=2)
        [0. 2. 4.]
        <NDArray 3 @cpu(0)>
    """
    first, n = (0.0 if stop is None else start), _arange_size(start, stop, step)
    x = _line(first, step, n, dtype)
    return x if repeat == 1 else jnp.broadcast_to(x[:, None], (n, repeat)).reshape(-1)


def _line(start: float, step: float, n: int, dtype: str) -> jax.Array:
    """``start + i * step``, counted in the dtype itself, or in float32 for float16, which cannot count far."""
    wide = jnp.dtype("float32" if dtype in ("float16", "bfloat16") else dtype)
    i = jax.lax.iota(wide, n)
    if jnp.issubdtype(wide, jnp.integer):
        return i * np.asarray(int(step)).astype(wide) + np.asarray(int(start)).astype(wide)
    return (i * wide.type(step) + wide.type(start)).astype(dtype)


def _arange_size(start: float, stop: float | None, step: float) -> int:
    if step == 0:
        raise Mismatch("step must not be 0")
    low, high = (0.0, start) if stop is None else (start, stop)
    n = math.ceil((high - low) / step)
    if n < 1:
        raise Mismatch(f"there is nothing from {low} to {high} in steps of {step}")
    return n


@arange.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.infer_range and p.stop is None:
        raise Mismatch("infer_range=True is not supported: give stop")
    if p.repeat < 1:
        raise Mismatch(f"repeat={p.repeat} must be at least 1")
    return ins, [join_shapes((_arange_size(p.start, p.stop, p.step) * p.repeat,), outs[0], "the output")]


@op("_linspace", "-> num", dtypes="-> {dtype}")
def linspace(*, start: float, stop: float, num: int, endpoint: bool = True, ctx: str = "", dtype: DType = "float32"):
    """`num` numbers at equal distances from `start` to `stop`, which is the last one with `endpoint`.

    Example:
        >>> mx.nd._internal._linspace(start=0, stop=1, num=5)
        [0.   0.25 0.5  0.75 1.  ]
        <NDArray 5 @cpu(0)>
    """
    step = (stop - start) / max(num - bool(endpoint), 1)
    if jnp.issubdtype(jnp.dtype(dtype), jnp.integer):
        return convert(_line(start, step, num, "float32"), dtype)
    return _line(start, step, num, dtype)


@op("_eye", dtypes="-> {dtype}")
def eye(*, N: int, M: int = 0, k: int = 0, ctx: str = "", dtype: DType = "float32"):
    """A matrix of `N` rows and `M` (0: as many) columns with ones on diagonal `k`, zeros elsewhere.

    Example:
        >>> mx.nd._internal._eye(N=2, M=3, k=1)
        [[0. 1. 0.]
         [0. 0. 1.]]
        <NDArray 2x3 @cpu(0)>
    """
    row, column = (jax.lax.broadcasted_iota(jnp.int32, (N, M or N), axis) for axis in (0, 1))
    return (row + k == column).astype(dtype)


@eye.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.N < 0 or p.M < 0:
        raise Mismatch(f"N={p.N} and M={p.M} must not be negative")
    return ins, [join_shapes((p.N, p.M or p.N), outs[0], "the output")]


@op("shape_array", dtypes="a -> int64")
def shape_array(data):
    """The shape of `data` as int64 numbers.

    Example:
        >>> mx.nd.shape_array(mx.nd.zeros((2, 3)))
        [2 3]
        <NDArray 2 @cpu(0)>
    """
    return jnp.asarray(data.shape, jnp.int64)


@shape_array.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [join_shapes((len(ins[0]),), outs[0], "the output") if ins[0] is not None else outs[0]]


@op("size_array", "*s -> 1", dtypes="a -> int64")
def size_array(data):
    """How many elements `data` has, as one int64 number of shape (1,).

    Example:
        >>> mx.nd.size_array(mx.nd.zeros((2, 3)))
        [6]
        <NDArray 1 @cpu(0)>
    """
    return jnp.asarray([data.size], jnp.int64)
