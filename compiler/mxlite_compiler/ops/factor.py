# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.linalg`: factorisations, inverses and determinants. Leading axes are batch axes.

A single matrix gives its determinant, or the sum of its logarithms, with shape (1,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Op
from ..shapes import Shapes, join_shapes, solve
from ._matrices import diagonal, eye_like, linalg_op, product, square, transposed, tril, triu


def _symmetric(A: jax.Array) -> jax.Array:
    """The symmetric matrix whose lower triangle is that of `A`; its gradient is spread over both triangles.

    LAPACK reads one triangle only, so junk in the other one does not matter, but the gradient that MXNet gives is the
    symmetric one.
    """
    mean = (A + transposed(A)) / 2
    lower = tril(A) + transposed(tril(A, -1))
    return mean + jax.lax.stop_gradient(lower - mean)


def _fails(failed: Op, problem: str) -> None:
    """Let eager calls of `failed` complain, where MXNet's LAPACK does, of finite matrices without finite result."""

    def rule(p: Any) -> Callable[..., jax.Array]:
        def lost(inputs: Sequence[jax.Array], outputs: Sequence[jax.Array]) -> jax.Array:
            return jnp.isfinite(inputs[0]).all() & ~jnp.isfinite(outputs[0]).all()

        return lost

    rule.__doc__ = problem
    failed.check(rule)


@linalg_op("potrf", "*b n n -> *b n n", loose=False)
def potrf(A):
    """The lower triangular L with ``L L^T = A``, Cholesky's, for each symmetric positive definite matrix of a batch.

    Only the lower triangle of A is read; the gradient is symmetric.

    Example:
        >>> mx.nd.linalg.potrf(mx.nd.array([[4, 2], [2, 5]]))
        [[2. 0.]
         [1. 2.]]
        <NDArray 2x2 @cpu(0)>
    """
    return jax.lax.linalg.cholesky(_symmetric(A), symmetrize_input=False)


@potrf.grad
def _(p, g, A, out):
    """Murray 2016: ``L^-T (lower and its transpose of L^T g) L^-1 / 2``."""
    inner = tril(product(out, g, True))
    inner = inner + transposed(tril(inner, -1))
    half = jax.lax.linalg.triangular_solve(out, inner, left_side=True, lower=True, transpose_a=True)
    return (jax.lax.linalg.triangular_solve(out, half, lower=True) / 2,)


@linalg_op("potri", "*b n n -> *b n n", loose=False)
def potri(A):
    """The inverse of ``A A^T`` for each lower triangular matrix of a batch, such as `potrf` returns."""
    inverse = jax.lax.linalg.triangular_solve(A, eye_like(A), left_side=True, lower=True)
    return product(inverse, inverse, True, False)


@potri.grad
def _(p, g, A, out):
    return (-tril(product(product(out, g + transposed(g)), product(out, tril(A)))),)


@linalg_op("inverse", "*b n n -> *b n n")
def inverse(A):
    """The inverse of each matrix of a batch."""
    return jnp.linalg.solve(A, eye_like(A))


@linalg_op("gelqf", outputs=("output0", "output1"))
def gelqf(A):
    """The Q with orthonormal rows and the lower triangular L with ``A = L Q``.

    Args:
        A: (..., m, n) with m <= n, of full rank.

    Returns:
        Q, (..., m, n), and L, (..., m, m), with the signs that LAPACK gives them.

    Example:
        >>> Q, L = mx.nd.linalg.gelqf(mx.nd.array([[3, 4]]))
        >>> Q
        [[-0.6 -0.8]]
        <NDArray 1x2 @cpu(0)>
    """
    q, r = jnp.linalg.qr(transposed(A))
    return transposed(q), transposed(r)


@gelqf.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    A, *found = solve("*b m n -> *b m n, *b m m", [*ins, *outs], {}, ("A", "Q", "L"))
    if A is not None and A[-2] > A[-1] > 0:
        raise Mismatch(f"A has more rows, {A[-2]}, than columns, {A[-1]}; factorise its transpose")
    return [A], found


@linalg_op("syevd", "*b n n -> *b n n, *b n", alias=False, outputs=("output0", "output1"))
def syevd(A):
    """Eigenvectors and eigenvalues of each symmetric matrix of a batch.

    Only the lower triangle of A is read; the gradient is symmetric.

    Args:
        A: (..., n, n).

    Returns:
        U, (..., n, n), whose rows are the eigenvectors, the entry with the largest magnitude being positive, and the
        eigenvalues, (..., n), ascending, so that ``A = U^T diag(values) U``.

    Example:
        >>> U, values = mx.nd.linalg.syevd(mx.nd.array([[2, 1], [1, 2]]))
        >>> values
        [1. 3.]
        <NDArray 2 @cpu(0)>
    """
    columns, values = jax.lax.linalg.eigh(_symmetric(A), lower=True, symmetrize_input=False)
    rows = transposed(columns)
    largest = jax.lax.argmax(jnp.abs(rows), rows.ndim - 1, jnp.int32)[..., None]
    return jnp.where(jnp.take_along_axis(rows, largest, -1) < 0, -rows, rows), values


@syevd.grad
def _(p, g, A, out):
    """Giles 2008, with MXNet's guard: equal eigenvalues, whose vectors have no derivative, are held apart."""
    (g_rows, g_values), (rows, values) = g, out
    gap = jnp.maximum(values[..., None, :] - values[..., :, None], 1e-30 if A.dtype == jnp.float32 else 1e-100)
    above = triu(1 / gap, 1)  # the eigenvalues ascend
    turn = product(rows, g_rows, False, True) * (above - transposed(above))
    middle = (turn + transposed(turn)) / 2 + g_values[..., None] * eye_like(A)
    return (product(product(rows, middle, True), rows),)


# Determinants.


def _lu(A: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The diagonal of U in ``P A = L U``, and the sign of the permutation."""
    lu, pivots, _ = jax.lax.linalg.lu(A)
    swaps = jnp.sum(pivots != jnp.arange(A.shape[-1], dtype=pivots.dtype), -1, dtype=jnp.int32)
    return diagonal(lu), (1 - 2 * (swaps % 2)).astype(A.dtype)


def _per_matrix(x: jax.Array) -> jax.Array:
    """One number a matrix; (1,) for a single one."""
    return x if x.ndim else x[None]


def _per_matrix_shapes(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    A = ins[0]
    if A is None:
        return ins, outs
    A = square(A)
    return [A], [join_shapes(A[:-2] or (1,), s, "the output") for s in outs]


@linalg_op("det")
def det(A):
    """The determinant of each matrix of a batch, shape (...), or (1,) for a single matrix.

    As in MXNet the gradient of a singular matrix is 0.
    """
    diagonal, sign = _lu(A)
    return _per_matrix(sign * jnp.prod(diagonal, -1))


@det.grad
def _(p, g, A, out):
    return ((g * out).reshape(A.shape[:-2])[..., None, None] * _adjoint(A, out == 0),)


@linalg_op("slogdet", outputs=("output0", "output1"))
def slogdet(A):
    """Sign and logarithm of the magnitude of the determinant of each matrix of a batch, shapes as those of `det`.

    A singular matrix gives 0 and -inf, and the gradient 0. The sign has no gradient.
    """
    diagonal, sign = _lu(A)
    return (
        _per_matrix(sign * jnp.prod(jnp.sign(diagonal), -1)),
        _per_matrix(jnp.sum(jnp.log(jnp.abs(diagonal)), -1)),
    )


@slogdet.grad
def _(p, g, A, out):
    return (g[1].reshape(A.shape[:-2])[..., None, None] * _adjoint(A, out[0] == 0),)


def _adjoint(A: jax.Array, singular: jax.Array) -> jax.Array:
    """The transposed inverse of each matrix, 0 for singular ones."""
    singular = singular.reshape(A.shape[:-2])[..., None, None]
    eye = eye_like(A)
    return jnp.where(singular, 0, transposed(jnp.linalg.solve(jnp.where(singular, eye, A), eye)))


@linalg_op("sumlogdiag")
def sumlogdiag(A):
    """The sum of the logarithms of the diagonal of each matrix of a batch, shapes as those of `det`."""
    return _per_matrix(jnp.sum(jnp.log(diagonal(A)), -1))


for _op in (det, slogdet, sumlogdiag):
    _op.infer(_per_matrix_shapes)


_fails(potrf, "a matrix is not positive definite")
_fails(potri, "a matrix has a 0 on its diagonal, so it is no Cholesky factor, such as potrf returns")
_fails(inverse, "a matrix is singular, it has no inverse")
