# SPDX-License-Identifier: Apache-2.0
"""Questions about many arrays at once that gradient clipping and loss scaling ask."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..op import op
from ._numeric import is_float


def _finite(arrays: tuple[jax.Array, ...]) -> jax.Array:
    good = [jnp.isfinite(x).all() for x in arrays if is_float(x)]
    return jnp.stack(good).all().astype(jnp.float32).reshape(1) if good else jnp.ones(1, jnp.float32)


@op("all_finite", "*s -> 1", dtypes="a -> float32")
def all_finite(data, *, init_output: bool = True):
    """1 when every element of `data` is finite, else 0, as a float32 array of shape (1,)."""
    return _finite((data,))


@op(
    "multi_all_finite",
    lambda p: ", ".join(f"*s{i}" for i in range(p.num_arrays)) + " -> 1",
    dtypes=lambda p: ", ".join(f"t{i}" for i in range(p.num_arrays)) + " -> float32",
    count="num_arrays",
    arg_prefix="array_",
)
def multi_all_finite(*data, num_arrays: int = 1, init_output: bool = True):
    """1 when every element of all arrays is finite, else 0, as a float32 array of shape (1,)."""
    return _finite(data)


for _question in (all_finite, multi_all_finite):
    _question.grad(lambda p, g, *xs: (None,) * (len(xs) - 1))


@op(
    "multi_sum_sq",
    lambda p: ", ".join(f"*s{i}" for i in range(p.num_arrays)) + " -> num_arrays",
    dtypes=lambda p: ", ".join(["t"] * p.num_arrays) + " -> float32",
    count="num_arrays",
    arg_prefix="array_",
)
def multi_sum_sq(*data, num_arrays: int):
    """The sum of squares of each array, as float32 numbers (num_arrays,)."""
    return jnp.stack([jnp.sum(jnp.square(x.astype(jnp.float32))) for x in data])


@multi_sum_sq.grad
def _(p, g, *xs):
    return (None,) * (len(xs) - 1)
