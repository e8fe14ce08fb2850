# SPDX-License-Identifier: Apache-2.0
"""What the operators of `mx.nd.linalg` share: how they are registered, their dtypes, products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import Op, op
from ..params import Shape
from ..shapes import DTypes, join
from .precision import precision


def linalg_op(name: str, shapes: Any = None, *, alias: bool = True, **options: Any) -> Callable[[Any], Op]:
    """Register an operator as ``_linalg_<name>`` and, with `alias`, as ``linalg_<name>``."""

    def register(kernel: Callable[..., Any]) -> Op:
        new = op(f"_linalg_{name}", shapes, alias=(f"linalg_{name}",) if alias else (), **options)(kernel)
        new.infer_dtypes(wide_floats)
        return new

    return register


def wide_floats(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """One dtype for all arrays, float32 or float64, as in MXNet."""
    found = {d for d in (*ins, *outs) if d}
    wrong = sorted(found - {"float32", "float64"})
    if wrong:
        raise Mismatch(f"linear algebra needs float32 or float64, got {wrong[0]}")
    if len(found) > 1:
        raise Mismatch(f"all arrays must have one dtype, got {' and '.join(sorted(found))}")
    dtype = next(iter(found), None)
    return [dtype] * len(ins), [dtype] * len(outs)


def square(A: Shape) -> Shape:
    """The shape `A` of a batch of square matrices, completed. Mismatch when it is none."""
    if len(A) < 2:
        raise Mismatch(f"A must be a matrix or a batch of them, got the shape {A}")
    n = join(A[-2], A[-1], "the number of rows and columns of A, which must be square,")
    return (*A[:-2], n, n)


def transposed(x: jax.Array) -> jax.Array:
    """`x` with its last two axes swapped."""
    return jnp.swapaxes(x, -1, -2)


def product(a: jax.Array, b: jax.Array, transpose_a: bool = False, transpose_b: bool = False) -> jax.Array:
    """The matrix products over the last two axes, in full precision."""
    a, b = transposed(a) if transpose_a else a, transposed(b) if transpose_b else b
    return jnp.matmul(a, b, precision=precision(a))


def scaled(factor: Any, x: jax.Array) -> jax.Array:
    """``factor * x`` in the dtype of `x`."""
    return jnp.asarray(factor, x.dtype) * x


# jax.numpy counts rows and columns in int64 where 64 bits are on; int32 is enough for them.


def _diagonals(n: int) -> jax.Array:
    """For each entry of an (n, n) matrix the number of its diagonal: 0 for the main one, above it positive."""
    return jax.lax.broadcasted_iota(jnp.int32, (n, n), 1) - jax.lax.broadcasted_iota(jnp.int32, (n, n), 0)


def tril(x: jax.Array, k: int = 0) -> jax.Array:
    """The square matrices `x` with 0 above diagonal `k`."""
    return jnp.where(_diagonals(x.shape[-1]) <= k, x, 0)


def triu(x: jax.Array, k: int = 0) -> jax.Array:
    """The square matrices `x` with 0 below diagonal `k`."""
    return jnp.where(_diagonals(x.shape[-1]) >= k, x, 0)


def eye_like(x: jax.Array) -> jax.Array:
    """The identity in the shape and dtype of the square matrices `x`."""
    return jnp.broadcast_to((_diagonals(x.shape[-1]) == 0).astype(x.dtype), x.shape)


def diagonal(x: jax.Array) -> jax.Array:
    """The main diagonal of square matrices."""
    i = np.arange(x.shape[-1], dtype=np.int32)
    return x[..., i, i]
