# SPDX-License-Identifier: Apache-2.0
"""Matrix products."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp

from ..op import op
from ..shapes import Shapes, join, join_shapes
from .precision import precision

Stype = Literal["default", "csr", "row_sparse"] | None


@op("dot")
def dot(lhs, rhs, *, transpose_a: bool = False, transpose_b: bool = False, forward_stype: Stype = None):
    """The product of two arrays over the last axis of `lhs` and the first axis of `rhs`.

    Args:
        lhs: vector, matrix or array of more axes.
        rhs: vector, matrix or array of more axes.
        transpose_a: use the first axis of `lhs` instead.
        transpose_b: use the last axis of `rhs` instead.
        forward_stype: storage type of the result in MXNet; every array is dense here.

    Returns:
        The axes that are left of `lhs`, then those of `rhs`; (1,) for two vectors.

    Example:
        >>> x, y = mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([[1, 0], [1, 1]])
        >>> mx.nd.dot(x, y)
        [[3. 2.]
         [7. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    axes = ((0 if transpose_a else lhs.ndim - 1,), (rhs.ndim - 1 if transpose_b else 0,))
    out = jnp.tensordot(lhs, rhs, axes, precision=precision(lhs))
    return out.reshape(1) if out.ndim == 0 else out


@dot.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    lhs, rhs = ins
    if lhs is None or rhs is None:
        return ins, outs
    a, b = 0 if p.transpose_a else len(lhs) - 1, len(rhs) - 1 if p.transpose_b else 0
    k = join(lhs[a], rhs[b], f"axis {a} of lhs and axis {b} of rhs")
    left, right = (*lhs[:a], *lhs[a + 1 :]), (*rhs[:b], *rhs[b + 1 :])
    out = join_shapes((*left, *right) or (1,), outs[0], "the output") or ()
    if left or right:
        left, right = out[: len(left)], out[len(left) :]
    return [(*left[:a], k, *left[a:]), (*right[:b], k, *right[b:])], [out]


@op(
    "batch_dot",
    lambda p: f"b *c {'k n' if p.transpose_a else 'n k'}, b *c {'m k' if p.transpose_b else 'k m'} -> b *c n m",
)
def batch_dot(lhs, rhs, *, transpose_a: bool = False, transpose_b: bool = False, forward_stype: Stype = None):
    """The matrix products of the last two axes, for each index of the others.

    Args:
        lhs: (batch, ..., n, k), or (batch, ..., k, n) with `transpose_a`.
        rhs: (batch, ..., k, m), or (batch, ..., m, k) with `transpose_b`.
        transpose_a: swap the last two axes of `lhs` first.
        transpose_b: swap the last two axes of `rhs` first.
        forward_stype: storage type of the result in MXNet; every array is dense here.

    Returns:
        (batch, ..., n, m).

    Example:
        >>> x, y = mx.nd.array([[[1, 2]], [[3, 4]]]), mx.nd.array([[[1], [1]], [[2], [2]]])
        >>> mx.nd.batch_dot(x, y)[:, 0, 0]
        [ 3. 14.]
        <NDArray 2 @cpu(0)>
    """
    a = jnp.swapaxes(lhs, -1, -2) if transpose_a else lhs
    b = jnp.swapaxes(rhs, -1, -2) if transpose_b else rhs
    return jnp.matmul(a, b, precision=precision(lhs))
