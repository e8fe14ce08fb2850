# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.linalg`: products of matrices and triangular systems. Leading axes are batch axes."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes, solve
from ._axes import axis_of
from ._matrices import linalg_op, product, scaled, transposed, tril, triu, wide_floats


def _gemm_shapes(signature: Callable[[Any], str]) -> Callable[[Any, Shapes, Shapes], tuple[Shapes, Shapes]]:
    """The shape rule ``signature(p)`` of matrices whose rows lie on ``p.axis``."""

    def rule(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        arrays = [*ins, *outs]
        ndim = next((len(s) for s in arrays if s is not None), None)
        if ndim is None:
            return ins, outs
        rows = axis_of(p.axis, ndim)
        if rows == ndim - 1:
            raise Mismatch(f"axis={p.axis} is the last axis, which holds the columns")
        if any(s is not None and len(s) != ndim for s in arrays):
            raise Mismatch(f"all arrays must have as many dimensions, {ndim}")

        def move(s: Shape | None, at: int, to: int) -> Shape | None:
            if s is None:
                return None
            sizes = [*s[:at], *s[at + 1 :]]
            return (*sizes[:to], s[at], *sizes[to:])

        names = [*"ABC"[: len(ins)], "output"]
        done = solve(signature(p), [move(s, rows, ndim - 2) for s in arrays], {}, names)
        done = [move(s, ndim - 2, rows) for s in done]
        return done[: len(ins)], done[len(ins) :]

    return rule


def _factors(p: Any) -> str:
    return f"*b {'k n' if p.transpose_a else 'n k'}, *b {'m k' if p.transpose_b else 'k m'}"


def _gemm(a: jax.Array, b: jax.Array, transpose_a: bool, transpose_b: bool, alpha: float, axis: int) -> jax.Array:
    a, b = jnp.moveaxis(a, axis, -2), jnp.moveaxis(b, axis, -2)
    return jnp.moveaxis(scaled(alpha, product(a, b, transpose_a, transpose_b)), -2, axis)


@linalg_op("gemm")
def gemm(
    A,
    B,
    C,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 1.0,
    axis: int = -2,
):
    """``alpha * op(A) op(B) + beta * C`` for each matrix of a batch.

    Args:
        A: (..., n, k), or (..., k, n) with `transpose_a`.
        B: (..., k, m), or (..., m, k) with `transpose_b`, of the same batch.
        C: (..., n, m).
        transpose_a: op transposes A.
        transpose_b: op transposes B.
        alpha: factor of the product.
        beta: factor of C.
        axis: the axis of the rows; that of the columns is the last one.

    Returns:
        (..., n, m).

    Example:
        >>> A, B, C = mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([[1, 0], [0, 1]]), mx.nd.ones((2, 2))
        >>> mx.nd.linalg.gemm(A, B, C, alpha=2, beta=10)
        [[12. 14.]
         [16. 18.]]
        <NDArray 2x2 @cpu(0)>
    """
    return _gemm(A, B, transpose_a, transpose_b, alpha, axis) + scaled(beta, C)


@linalg_op("gemm2")
def gemm2(A, B, *, transpose_a: bool = False, transpose_b: bool = False, alpha: float = 1.0, axis: int = -2):
    """``alpha * op(A) op(B)`` for each matrix of a batch; arguments as those of `gemm`.

    Example:
        >>> A, B = mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([[1, 0], [1, 1]])
        >>> mx.nd.linalg.gemm2(A, B)
        [[3. 2.]
         [7. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    return _gemm(A, B, transpose_a, transpose_b, alpha, axis)


gemm.infer(_gemm_shapes(lambda p: _factors(p) + ", *b n m -> *b n m"))
gemm2.infer(_gemm_shapes(lambda p: _factors(p) + " -> *b n m"))


@linalg_op("syrk", lambda p: "*b k n -> *b n n" if p.transpose else "*b n k -> *b n n")
def syrk(A, *, transpose: bool = False, alpha: float = 1.0):
    """``alpha * A A^T``, or ``alpha * A^T A`` with `transpose`, for each matrix of a batch.

    Example:
        >>> mx.nd.linalg.syrk(mx.nd.array([[1, 2], [3, 4]]))
        [[ 5. 11.]
         [11. 25.]]
        <NDArray 2x2 @cpu(0)>
    """
    return scaled(alpha, product(A, A, transpose, not transpose))


def _sides(p: Any) -> str:
    return "*b n n, *b m n -> *b m n" if p.rightside else "*b n n, *b n m -> *b n m"


@linalg_op("trmm", _sides)
def trmm(A, B, *, transpose: bool = False, rightside: bool = False, lower: bool = True, alpha: float = 1.0):
    """``alpha * op(A) B`` with a triangular A, or ``alpha * B op(A)`` with `rightside`.

    Args:
        A: (..., n, n); the other triangle is not read.
        B: (..., n, m), or (..., m, n) with `rightside`.
        transpose: op transposes A.
        rightside: A stands on the right.
        lower: A is a lower triangular matrix, else an upper one.
        alpha: factor of the product.

    Returns:
        An array like `B`.

    Example:
        >>> A, B = mx.nd.array([[1, 0], [1, 1]]), mx.nd.array([[1, 2], [3, 4]])
        >>> mx.nd.linalg.trmm(A, B)
        [[1. 2.]
         [4. 6.]]
        <NDArray 2x2 @cpu(0)>
    """
    A = tril(A) if lower else triu(A)
    return scaled(alpha, product(B, A, False, transpose) if rightside else product(A, B, transpose))


@linalg_op("trsm", _sides)
def trsm(A, B, *, transpose: bool = False, rightside: bool = False, lower: bool = True, alpha: float = 1.0):
    """The X of ``op(A) X = alpha * B`` with a triangular A, or of ``X op(A) = alpha * B`` with `rightside`.

    Arguments as those of `trmm`. Zeros on the diagonal of A give inf and nan.

    Example:
        >>> A, B = mx.nd.array([[1, 0], [1, 1]]), mx.nd.array([[1, 2], [4, 6]])
        >>> mx.nd.linalg.trsm(A, B)
        [[1. 2.]
         [3. 4.]]
        <NDArray 2x2 @cpu(0)>
    """
    return _solve(A, scaled(alpha, B), transpose, rightside, lower)


def _solve(A: jax.Array, B: jax.Array, transpose: bool, rightside: bool, lower: bool) -> jax.Array:
    return jax.lax.linalg.triangular_solve(A, B, left_side=not rightside, lower=lower, transpose_a=transpose)


@trsm.grad
def _(p, g, A, B, out):
    d_b = _solve(A, g, not p.transpose, p.rightside, p.lower)
    d_a = -product(out, d_b, True) if p.rightside else -product(d_b, out, False, True)
    d_a = transposed(d_a) if p.transpose else d_a
    return tril(d_a) if p.lower else triu(d_a), scaled(p.alpha, d_b)


@op("khatri_rao")
def khatri_rao(*data, num_args: int = 1):
    """The column-wise Kronecker product of matrices.

    Args:
        data: matrices (n_i, k) with k columns each.
        num_args: how many.

    Returns:
        (n_1 * n_2 * ..., k).
    """
    return reduce(lambda a, b: (a[:, None] * b).reshape(-1, a.shape[1]), data)


@khatri_rao.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    rows, columns = 1, outs[0] if outs[0] is None else (0, outs[0][-1])
    for i, s in enumerate(ins):
        if s is not None and len(s) != 2:
            raise Mismatch(f"takes matrices, but input {i} has {len(s)} dimensions")
        columns = join_shapes(columns, None if s is None else (0, s[1]), "the columns of the inputs")
        rows *= 0 if s is None else s[0]
    if columns is None:
        return ins, outs
    whole = [join_shapes(s, columns) for s in ins]
    return whole, [join_shapes((rows, columns[1]), outs[0], "the output")]


khatri_rao.infer_dtypes(wide_floats)
