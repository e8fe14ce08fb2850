# SPDX-License-Identifier: Apache-2.0
"""Number conversions that MXNet's kernels make and JAX's do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..params import dtype_name


def is_float(x: jax.Array) -> bool:
    """Whether `x` holds floating point numbers, bfloat16 included."""
    return jnp.issubdtype(x.dtype, jnp.floating)


def convert(x: jax.Array, dtype: Any) -> jax.Array:
    """`x` as `dtype`, converted as C code on x86 does.

    A float becomes an integer by truncation. What does not fit becomes the smallest int32 or int64, of which a
    shorter type keeps the low bits; XLA itself would saturate.
    """
    to = jnp.dtype(dtype)
    if not is_float(x) or not jnp.issubdtype(to, jnp.integer):
        return x != 0 if to == jnp.bool_ else x.astype(to)
    wide = jnp.int64 if to.itemsize == 8 else jnp.int32
    low = float(jnp.iinfo(wide).min)
    # float16 reaches neither limit, but its own arithmetic could not hold them.
    x = x if x.dtype.itemsize > 2 else x.astype(jnp.float32)
    fits = (x < -low) & (x > low - 1 if x.dtype.itemsize == 8 and wide == jnp.int32 else x >= low)
    return jnp.where(fits, x, jnp.asarray(low, x.dtype)).astype(wide).astype(to)


def scalar_like(value: Any, x: jax.Array) -> jax.Array | np.ndarray:
    """The scalar `value`, a Python number or a traced one, cut to the dtype of `x` as MXNet cuts it."""
    if isinstance(value, jax.Array):
        return convert(value, x.dtype)
    if is_float(x):
        return np.asarray(value).astype(x.dtype)
    if not np.isfinite(value):
        return np.asarray(jnp.iinfo(jnp.int64 if x.dtype.itemsize == 8 else jnp.int32).min).astype(x.dtype)
    wide = 2 ** (63 if x.dtype.itemsize == 8 else 31)
    return np.asarray(int(value) if -wide <= int(value) < wide else -wide, np.int64).astype(x.dtype)


def through_float(f: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """``f(x)``; integers go through float32 and the result is truncated, as in MXNet."""
    return f(x) if is_float(x) else convert(f(x.astype(jnp.float32)), x.dtype)


def sign(x: jax.Array) -> jax.Array:
    """-1, 0 or 1 in the dtype of `x`; 0 of nan, where jnp.sign says nan."""
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)


def unbroadcast(grad: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The gradient of an array of `shape` that was broadcast to the shape of `grad`."""
    if grad.shape == shape:
        return grad
    lead = grad.ndim - len(shape)
    axes = [*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and grad.shape[lead + i] != 1)]
    return grad.sum(axes, dtype=grad.dtype).reshape(shape)


def same_dtype(x: jax.Array) -> str:
    """The MXNet name of the dtype of `x`."""
    return dtype_name(x.dtype)
