# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.linalg`: diagonals and triangles of square matrices as vectors, and back. Leading axes are batch axes."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..shapes import Shapes, join_shapes
from ._matrices import linalg_op, square

Places = tuple[np.ndarray, np.ndarray]


def _diagonal(n: int, offset: int) -> Places:
    """Rows and columns of diagonal number `offset` of an (n, n) matrix."""
    i = np.arange(n - abs(offset), dtype=np.int32)
    return i - min(offset, 0), i + max(offset, 0)


def _triangle(n: int, offset: int, lower: bool) -> Places:
    """Rows and columns of the triangle beyond diagonal `offset`; for 0 `lower` chooses.

    A lower triangle goes row by row, an upper one column by column.
    """
    rows, columns = (i.astype(np.int32) for i in np.tril_indices(n, -abs(offset)))
    return (rows, columns) if offset < 0 or (offset == 0 and lower) else (columns, rows)


def _scatter(A: Any, n: int, places: Places) -> Any:
    return jnp.zeros((*A.shape[:-1], n, n), A.dtype).at[(..., *places)].set(A)


def _side(count: int, offset: int) -> int:
    """The size of the matrix with `count` entries in a triangle beyond `offset`. Mismatch when there is none."""
    m = (math.isqrt(8 * count + 1) - 1) // 2
    if m * (m + 1) // 2 != count:
        raise Mismatch(f"{count} numbers make no triangle: legal are 1, 3, 6, 10, 15, ...")
    return m + abs(offset)


def _taken_shapes(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    A = ins[0]
    if A is None:
        return ins, outs
    A = square(A)
    m = A[-1] - abs(p.offset)
    if A[-1] and m <= 0:
        raise Mismatch(f"offset={p.offset} lies outside of a matrix with {A[-1]} rows")
    count = (m * (m + 1) // 2 if hasattr(p, "lower") else m) if A[-1] else 0
    return [A], [join_shapes((*A[:-2], count), outs[0], "the output")]


def _made_shapes(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    A = ins[0]
    if A is None:
        return ins, outs
    if not A:
        raise Mismatch("A must have at least 1 dimension")
    n = 0 if not A[-1] else _side(A[-1], p.offset) if hasattr(p, "lower") else A[-1] + abs(p.offset)
    return ins, [join_shapes((*A[:-1], n, n), outs[0], "the output")]


@linalg_op("extractdiag")
def extractdiag(A, *, offset: int = 0):
    """A diagonal of each matrix (..., n, n) of a batch, as a vector (..., n - abs(offset)).

    Args:
        A: (..., n, n).
        offset: 0 for the main diagonal, above it positive, below it negative.
    """
    return A[(..., *_diagonal(A.shape[-1], offset))]


@linalg_op("makediag")
def makediag(A, *, offset: int = 0):
    """Matrices with the vectors (..., n) of `A` as their diagonals, of size n + abs(offset), else 0."""
    n = A.shape[-1] + abs(offset)
    return _scatter(A, n, _diagonal(n, offset))


@linalg_op("extracttrian")
def extracttrian(A, *, offset: int = 0, lower: bool = True):
    """A triangle of each matrix of a batch as a vector: a lower one row by row, an upper one column by column.

    Args:
        A: (..., n, n).
        offset: the diagonal where the triangle begins; a positive one takes the upper triangle, a negative one the
            lower.
        lower: which triangle to take when `offset` is 0.

    Returns:
        (..., m * (m + 1) / 2) with ``m = n - abs(offset)``.
    """
    return A[(..., *_triangle(A.shape[-1], offset, lower))]


@linalg_op("maketrian")
def maketrian(A, *, offset: int = 0, lower: bool = True):
    """The inverse of `extracttrian`: matrices with the numbers of `A` in a triangle, else 0."""
    n = _side(A.shape[-1], offset)
    return _scatter(A, n, _triangle(n, offset, lower))


for _op in (extractdiag, extracttrian):
    _op.infer(_taken_shapes)
for _op in (makediag, maketrian):
    _op.infer(_made_shapes)
