# SPDX-License-Identifier: Apache-2.0
"""Small elementwise operators of `mx.nd.contrib`."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from ..op import op
from ..shapes import Shapes, join_shapes
from ._numeric import convert, is_float, sign, through_float


@op("_contrib_div_sqrt_dim", "*s k -> *s k")
def div_sqrt_dim(data):
    """`data` (..., k) divided by the root of k.

    Example:
        >>> mx.nd.contrib.div_sqrt_dim(mx.nd.array([[2, 4, 6, 8]]))
        [[1. 2. 3. 4.]]
        <NDArray 1x4 @cpu(0)>
    """
    return through_float(lambda x: x / math.sqrt(x.shape[-1]), data)


@op("_contrib_quadratic", "*s -> *s")
def quadratic(data, *, a: float = 0.0, b: float = 0.0, c: float = 0.0):
    """``a * data**2 + b * data + c``."""
    return (a * data * data + b * data + c).astype(data.dtype)


@op("_contrib_allclose", dtypes="t, t -> uint8")
def allclose(a, b, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = True):
    """1 when ``abs(a - b) <= atol + rtol * abs(b)`` everywhere, else 0, as a uint8 array of shape ().

    Args:
        a: array of any shape.
        b: array like `a`.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: nan is close to nan.
    """
    return jnp.allclose(a, b, rtol, atol, equal_nan).astype(jnp.uint8)


@allclose.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    both = join_shapes(ins[0], ins[1], "a and b")
    return [both, both], [()]


@allclose.grad
def _(p, g, a, b, out):
    return None, None


@op("_contrib_gradientmultiplier", "*s -> *s")
def gradientmultiplier(data, *, scalar: float = 1.0, is_int: bool = True):
    """`data` itself, whose gradient is multiplied with `scalar`."""
    return data


@gradientmultiplier.grad
def _(p, g, data, out):
    return (g * p.scalar,)


@op("_contrib_round_ste", "*s -> *s")
def round_ste(data):
    """`data` rounded, ties away from 0; the gradient passes as if it were not."""
    return jax.lax.round(data, jax.lax.RoundingMethod.AWAY_FROM_ZERO) if is_float(data) else data


@op("_contrib_sign_ste", "*s -> *s")
def sign_ste(data):
    """The sign of `data`; the gradient passes as if it were `data` itself."""
    return sign(data)


for _straight in (round_ste, sign_ste):
    _straight.grad(lambda p, g, data, out: (g,))


@op("_contrib_index_copy", "n *s, k, k *s -> n *s", dtypes="t, i, t -> t")
def index_copy(old_tensor, index_vector, new_tensor):
    """`old_tensor` with row ``index_vector[i]`` replaced by row i of `new_tensor`.

    Args:
        old_tensor: (n, ...).
        index_vector: (k,) places of rows.
        new_tensor: (k, ...).

    Returns:
        An array like `old_tensor`.
    """
    return old_tensor.at[convert(index_vector, jnp.int32)].set(new_tensor, mode="clip")


@op("_set_value", "-> 1", dtypes="-> float32")
def set_value(*, src: float):
    """The number `src`. Called as `mx.nd._internal._set_value` it fills the array `out`.

    Example:
        >>> mx.nd._internal._set_value(7, out=mx.nd.zeros((2, 3)))
        [[7. 7. 7.]
         [7. 7. 7.]]
        <NDArray 2x3 @cpu(0)>
    """
    return jnp.full((1,), src, jnp.float32)
