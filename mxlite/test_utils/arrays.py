# SPDX-License-Identifier: Apache-2.0
"""Arrays for tests: random shapes, random values, matrices with known properties; `sparse` has the sparse ones.

The random ones draw from numpy's global generator, in MXNet's order: `numpy.random.seed` gives what it gives there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray, array
from .comparison import host

Shape = tuple[int, ...]


def default_dtype() -> type:
    """float32."""
    return np.float32


def _sizes(limits: Sequence[int], allow_zero_size: bool) -> Shape:
    lowest = 0 if allow_zero_size else 1
    return tuple(int(np.random.randint(lowest, limit + 1)) for limit in limits)


def rand_shape_2d(dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False) -> Shape:
    """A random shape of two sizes from 1 (or 0) to `dim0` and `dim1`."""
    return _sizes((dim0, dim1), allow_zero_size)


def rand_shape_3d(dim0: int = 10, dim1: int = 10, dim2: int = 10, allow_zero_size: bool = False) -> Shape:
    """A random shape of three sizes from 1 (or 0) to `dim0`, `dim1`, `dim2`."""
    return _sizes((dim0, dim1, dim2), allow_zero_size)


def rand_shape_nd(num_dim: int, dim: int = 10, allow_zero_size: bool = False) -> Shape:
    """A random shape of `num_dim` sizes from 1 (or 0) to `dim`."""
    return _sizes((dim,) * num_dim, allow_zero_size)


def rand_coord_2d(x_low: int, x_high: int, y_low: int, y_high: int) -> tuple[int, int]:
    """Random integers x and y, the upper bounds excluded."""
    return int(np.random.randint(x_low, x_high)), int(np.random.randint(y_low, y_high))


def random_arrays(*shapes: Shape) -> np.ndarray | list[np.ndarray]:
    """Standard normal float32 numpy arrays: one for one shape, a list for several."""
    arrays = [np.array(np.random.randn(*shape), dtype=default_dtype()) for shape in shapes]
    return arrays[0] if len(arrays) == 1 else arrays


def random_uniform_arrays(*shapes: Shape, **kwargs: Any) -> list[np.ndarray]:
    """A list of uniformly distributed numpy arrays; keywords `low` (0), `high` (1), `dtype` (float32)."""
    low, high, dtype = (kwargs.pop(*pair) for pair in (("low", 0.0), ("high", 1.0), ("dtype", default_dtype())))
    if kwargs:
        raise TypeError(f"random_uniform_arrays has no argument {sorted(kwargs)[0]!r}: low, high and dtype are there")
    return [np.random.uniform(low, high, size=shape).astype(dtype) for shape in shapes]


def random_sample(population: Sequence[Any], k: int) -> list[Any]:
    """`k` different members of `population`, in random order."""
    shuffled = list(population)
    np.random.shuffle(shuffled)
    return shuffled[:k]


def create_2d_tensor(rows: int, columns: int, dtype: Any = np.int64) -> NDArray:
    """(rows, columns), every element the number of its row."""
    return array(np.broadcast_to(np.arange(rows)[:, None], (rows, columns)), dtype=dtype)


def create_vector(size: int, dtype: Any = np.int64) -> NDArray:
    """0, 1, ..., size - 1."""
    return array(np.arange(size), dtype=dtype)


def get_identity_mat(size: int) -> NDArray:
    """(size, size), float32."""
    return array(np.eye(size))


def get_identity_mat_batch(size: int) -> NDArray:
    """Two identity matrices: (2, size, size), float32."""
    return array(np.stack([np.eye(size)] * 2))


def new_orthonormal_matrix_2d(n: int) -> np.ndarray:
    """A random (n, n) matrix with orthonormal columns, float64."""
    return np.linalg.qr(np.random.randn(n, n))[0]


def new_matrix_with_real_eigvals_2d(n: int) -> np.ndarray:
    """A random (n, n) matrix with real eigenvalues: an upper triangle seen in a rotated frame. float64."""
    q = new_orthonormal_matrix_2d(n)
    return q @ np.triu(np.random.randn(n, n)) @ q.T


def new_sym_matrix_with_real_eigvals_2d(n: int) -> np.ndarray:
    """A random symmetric (n, n) matrix, float64."""
    a = np.random.randn(n, n)
    return (a + a.T) / 2


def _stack(make: Callable[[int], np.ndarray], shape: Shape) -> np.ndarray:
    count = int(np.prod(shape[:-2]))
    return np.stack([make(shape[-1]) for _ in range(count)]).reshape(shape) if count else np.zeros(shape)


def new_matrix_with_real_eigvals_nd(shape: Shape) -> np.ndarray:
    """Matrices as of `new_matrix_with_real_eigvals_2d` in the last two axes of `shape`."""
    return _stack(new_matrix_with_real_eigvals_2d, shape)


def new_sym_matrix_with_real_eigvals_nd(shape: Shape) -> np.ndarray:
    """Matrices as of `new_sym_matrix_with_real_eigvals_2d` in the last two axes of `shape`."""
    return _stack(new_sym_matrix_with_real_eigvals_2d, shape)


def np_reduce(
    dat: np.ndarray, axis: int | Sequence[int] | None, keepdims: bool, numpy_reduce_func: Callable[..., Any]
) -> np.ndarray:
    """Reduce over several axes with a numpy function that knows only one: from the last axis to the first.

    Args:
        dat: the array.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with size 1.
        numpy_reduce_func: such as `numpy.sum`, `numpy.max`; called with `axis=`.
    """
    axes = range(dat.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    result = dat
    for one in sorted((a % dat.ndim for a in axes), reverse=True):
        result = np.asarray(numpy_reduce_func(result, axis=one))
        if keepdims:
            result = np.expand_dims(result, one)
    return result


def collapse_sum_like(a: Any, shape: Shape) -> np.ndarray:
    """Sum `a` down to `shape`, the transpose of broadcasting `shape` up to that of `a`.

    Raises AssertionError when `shape` does not broadcast to that of `a`.
    """
    values, extra = host(a), np.ndim(a) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, values.shape[max(extra, 0) :], strict=True)):
        raise AssertionError(f"collapse_sum_like: shape {tuple(shape)} does not broadcast to {values.shape}")
    summed = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and values.shape[i + extra] != 1
    )
    return np.asarray(values.sum(axis=summed)).reshape(shape)


def assign_each(the_input: np.ndarray, function: Callable[[Any], Any] | None) -> np.ndarray:
    """`function` of each element, or a copy where it is None."""
    return np.array(the_input) if function is None else np.array(np.vectorize(function)(the_input))


def assign_each2(input1: np.ndarray, input2: np.ndarray, function: Callable[[Any, Any], Any] | None) -> np.ndarray:
    """`function` of each pair of elements, or a copy of the first array where it is None."""
    return np.array(input1) if function is None else np.array(np.vectorize(function)(input1, input2))
