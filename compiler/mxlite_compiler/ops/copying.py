# SPDX-License-Identifier: Apache-2.0
"""Operators that pass numbers on: identity, casts, sums, and those that only change the gradient."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from ..op import op
from ..params import DType
from ..shapes import DTypes
from ._numeric import convert, is_float, scalar_like


@op("_copy", "*s -> *s", alias=("identity",))
def copy(data):
    """`data` itself.

    Example:
        >>> mx.nd.identity(mx.nd.array([1, 2]))
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    return data


@op("_copyto", "*s -> *s")
def copyto(data):
    """`data` itself, on the device and in the array that ``out`` names.

    Example:
        >>> mx.nd._internal._copyto(mx.nd.array([1, 2]), out=mx.nd.zeros(2))
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    return data


@op("BlockGrad", "*s -> *s", alias=("stop_gradient",), loss=True)
def block_grad(data):
    """`data`, through which no gradient flows back.

    Example:
        >>> mx.nd.BlockGrad(mx.nd.array([1, 2]))
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    return jax.lax.stop_gradient(data)


@op("Cast", "*s -> *s", dtypes="a -> {dtype}", alias=("cast",))
def cast(data, *, dtype: DType):
    """`data` as `dtype`: floats are truncated to integers, what does not fit wraps as in C on x86.

    Example:
        >>> mx.nd.cast(mx.nd.array([-1.5, 0.9, 2.1]), dtype="int32")
        [-1  0  2]
        <NDArray 3 @cpu(0)>
    """
    return convert(data, dtype)


@op("add_n", lambda p: ", ".join(["*s"] * p.num_args) + " -> *s", alias=("ElementWiseSum",))
def add_n(*args, num_args: int):
    """The sum of `num_args` arrays of one shape.

    Example:
        >>> mx.nd.add_n(mx.nd.array([1, 2]), mx.nd.array([3, 4]), mx.nd.array([5, 6]))
        [ 9. 12.]
        <NDArray 2 @cpu(0)>
    """
    total = args[0]
    for x in args[1:]:
        total = total + x
    return total


@op("_grad_add", "*s, *s -> *s")
def grad_add(lhs, rhs):
    """``lhs + rhs``: how MXNet adds up gradients.

    Example:
        >>> mx.nd._internal._grad_add(mx.nd.array([1, 2]), mx.nd.array([3, 4]))
        [4. 6.]
        <NDArray 2 @cpu(0)>
    """
    return lhs + rhs


@op("_identity_with_attr_like_rhs", "*s, *s -> *s")
def identity_like_rhs(lhs, rhs):
    """`lhs`, which has the shape and dtype of `rhs`."""
    return lhs


@op("clip", "*s -> *s", dynamic=("a_min", "a_max"))
def clip(data, *, a_min: float, a_max: float):
    """`data` limited to [`a_min`, `a_max`]; nan stays. The gradient passes inside and on both limits.

    Example:
        >>> mx.nd.clip(mx.nd.array([-3, 0.5, 7]), a_min=-1, a_max=2)
        [-1.   0.5  2. ]
        <NDArray 3 @cpu(0)>
    """
    low, high = scalar_like(a_min, data), scalar_like(a_max, data)
    if not is_float(data):
        # A limit that the dtype cannot hold limits nothing: MXNet compares in C, which promotes.
        low, high = _limit(a_min, data), _limit(a_max, data)
    return jnp.where(data > high, high, jnp.where(data < low, low, data))  # in this order, if they cross


def _limit(value: Any, data: jax.Array) -> Any:
    info = jnp.iinfo(data.dtype)
    # The largest int64 is no float: staying below keeps the conversion in range.
    top = info.max if info.bits < 64 else 2**63 - 1024
    if isinstance(value, jax.Array):
        return scalar_like(jnp.clip(value, info.min, top), data)
    return scalar_like(min(max(value, info.min), info.max), data)


@clip.grad
def _(p, g, data, out):
    low, high = scalar_like(p.a_min, data), scalar_like(p.a_max, data)
    return (jnp.where((data < low) | (data > high), 0, g),)


@op("hard_sigmoid", "*s -> *s", floats=True)
def hard_sigmoid(data, *, alpha: float = 0.2, beta: float = 0.5):
    """``alpha * data + beta`` limited to [0, 1]; the derivative is 0 on the limits.

    Example:
        >>> mx.nd.hard_sigmoid(mx.nd.array([-4, 0, 1, 4]))
        [0.  0.5 0.7 1. ]
        <NDArray 4 @cpu(0)>
    """
    return jnp.clip(alpha * data + beta, 0, 1).astype(data.dtype)


@hard_sigmoid.grad
def _(p, g, data, out):
    return (jnp.where((out > 0) & (out < 1), g * p.alpha, 0),)


@op("smooth_l1", "*s -> *s")
def smooth_l1(data, *, scalar: float = 1.0):
    """``0.5 * (scalar * data)**2`` where ``abs(data) < 1 / scalar**2``, else ``abs(data) - 0.5 / scalar**2``.

    Example:
        >>> mx.nd.smooth_l1(mx.nd.array([-3, 0.5, 1, 2]), scalar=1)
        [2.5   0.125 0.5   1.5  ]
        <NDArray 4 @cpu(0)>
    """
    square = scalar * scalar
    x = data if is_float(data) else data.astype(jnp.float32)
    border = _border(square)
    out = jnp.where(jnp.abs(x) > border, jnp.abs(x) - 0.5 * border, 0.5 * square * x * x)
    return convert(out, data.dtype)


@smooth_l1.grad
def _(p, g, data, out):
    square = p.scalar * p.scalar
    return (g * jnp.where(jnp.abs(data) > _border(square), jnp.sign(data), square * data),)


def _border(square: float) -> float:
    """Where `smooth_l1` becomes linear: nowhere for the scalar 0."""
    return 1 / square if square else math.inf


_NARROW = ("float16", "bfloat16", "float32")


@op("amp_cast", "*s -> *s", dtypes="a -> {dtype}")
def amp_cast(data, *, dtype: DType):
    """An array of float32 or fewer bits as `dtype`; any other array, float64 among them, stays what it is."""
    return data.astype(dtype) if data.dtype.name in _NARROW else data


@amp_cast.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    return ins, [(p.dtype if ins[0] in _NARROW else ins[0]) if ins[0] else outs[0]]


@op(
    "amp_multicast",
    lambda p: (
        ", ".join(f"*s{i}" for i in range(p.num_outputs)) + " -> " + ", ".join(f"*s{i}" for i in range(p.num_outputs))
    ),
    outputs=lambda p: tuple(f"output{i}" for i in range(p.num_outputs)),
    count="num_outputs",
    arg_prefix="data_",
)
def amp_multicast(*data, num_outputs: int, cast_narrow: bool = False):
    """Float arrays in one dtype: the widest that is among them, or the narrowest with `cast_narrow`."""
    wanted = _common_float([x.dtype.name for x in data], cast_narrow)
    return tuple(x.astype(wanted) if is_float(x) else x for x in data)


def _common_float(dtypes: list[str], narrow: bool) -> str:
    order = ["float16", "bfloat16", "float32", "float64"]
    ranks = [order.index(d) for d in dtypes if d in order]
    return order[(min if narrow else max)(ranks, default=2)]


@amp_multicast.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    known = [d for d in ins if d]
    if len(known) < len(ins):
        return ins, outs
    wanted = _common_float(known, p.cast_narrow)
    return ins, [wanted if "float" in d else d for d in known]
