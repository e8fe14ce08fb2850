# SPDX-License-Identifier: Apache-2.0
"""What a sparse array stores: values on the device, positions on the host.

Every question of structure (how many, which rows, where do two arrays meet) needs numbers on the host before a shape is
known, so the positions are numpy arrays, as they are in MXNet on a CPU, and asking costs no transfer. The values never
leave the device. Their buffer is longer than their number, by a quarter at most: sizes come from `bucket`, and programs
are compiled for buckets and not for every number of non-zeros. What stands behind the values is arbitrary; programs are
told the positions as padded arrays too, and drop what is out of range.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..rows import RowGradient

Shape = tuple[int, ...]


def bucket(count: int) -> int:
    """The buffer size for `count` values: a power of two up to 64, then four sizes an octave."""
    if count <= 8:
        return 8
    step = 1 << max((count - 1).bit_length() - (1 if count <= 64 else 3), 0)
    return -(-count // step) * step


def padded(positions: np.ndarray, size: int, fill: int) -> np.ndarray:
    """`positions` as an index array of a program: `fill`, which is out of range, where there are no more."""
    out = np.full(size, fill, np.int32 if fill <= 0x7FFFFFFF else np.int64)
    out[: len(positions)] = positions
    return out


def on_device(values: np.ndarray, device: Any) -> jax.Array:
    """Host values in a buffer on `device`, behind them zeros."""
    full = np.zeros((bucket(len(values)), *values.shape[1:]), values.dtype)
    full[: len(values)] = values
    return jax.device_put(full, device)


class Stored:
    """The parts of a sparse array. They never change: who writes replaces them.

    Attributes:
        values: buffer on the device; the first `count` entries are values.
        indices: int64 numpy, (count,).
        shape: of the whole array.
    """

    stype = ""

    def __init__(self, values: jax.Array, indices: np.ndarray, shape: Shape):
        self.values, self.indices, self.shape = values, indices, shape

    @property
    def count(self) -> int:
        """How many values are stored."""
        return len(self.indices)

    def host_values(self) -> np.ndarray:
        """The values as numpy. Waits."""
        return np.array(np.asarray(self.values)[: self.count])

    def with_values(self, values: jax.Array) -> Stored:
        """Other values at the same positions."""
        raise TypeError(type(self).__name__)

    def operands(self) -> tuple[Any, ...]:
        """The arguments that stand for this array in a program: values, then positions."""
        raise TypeError(type(self).__name__)

    def dense(self) -> jax.Array:
        """The whole array."""
        return scatter(self.operands(), self.stype, self.shape)


class Csr(Stored):
    """A matrix, row behind row: row i is ``indptr[i]:indptr[i + 1]`` of the columns `indices` and of `values`."""

    stype = "csr"

    def __init__(self, values: jax.Array, indices: np.ndarray, indptr: np.ndarray, shape: Shape):
        super().__init__(values, indices, shape)
        self.indptr = indptr

    def with_values(self, values: jax.Array) -> Csr:
        made = Csr(values, self.indices, self.indptr, self.shape)
        if values.devices() == self.values.devices():  # what is known of the positions stays known
            made.__dict__.update({k: v for k, v in self.__dict__.items() if k in ("rows", "columns", "_places")})
        return made

    @cached_property
    def rows(self) -> np.ndarray:
        """The row of every value, int64."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @cached_property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """The columns that store something, ascending, and for every value which of them it is in."""
        found, places = np.unique(self.indices, return_inverse=True)
        return found, places

    @cached_property
    def _places(self) -> tuple[jax.Array, ...]:
        size, (device,) = self.values.shape[0], self.values.devices()
        places = padded(self.rows, size, self.shape[0]), padded(self.indices, size, self.shape[1])
        return tuple(jax.device_put(p, device) for p in places)

    def operands(self) -> tuple[Any, ...]:
        return (self.values, *self._places)

    @classmethod
    def at(cls, values: jax.Array, rows: np.ndarray, columns: np.ndarray, shape: Shape) -> Csr:
        """From the place of every value, in order of rows."""
        indptr = np.zeros(shape[0] + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=shape[0]), out=indptr[1:])
        return cls(values, columns, indptr, shape)


class Rows(Stored):
    """Some rows of an array of any number of axes: row ``indices[i]`` is ``values[i]``, the others are zero."""

    stype = "row_sparse"

    def with_values(self, values: jax.Array) -> Rows:
        return Rows(values, self.indices, self.shape)

    @property
    def full(self) -> bool:
        """Whether all rows are stored, in order."""
        return self.count == self.shape[0] and bool((np.diff(self.indices) == 1).all())

    @cached_property
    def _places(self) -> jax.Array:
        (device,) = self.values.devices()
        return jax.device_put(padded(self.indices, self.values.shape[0], self.shape[0]), device)

    def operands(self) -> tuple[Any, ...]:
        return self.values, self._places


def empty(stype: str, shape: Shape, dtype: np.dtype, device: Any) -> Stored:
    """An array of zeros, nothing stored."""
    none = np.zeros(0, np.int64)
    if stype == "csr":
        return Csr(on_device(np.zeros(0, dtype), device), none, np.zeros(shape[0] + 1, np.int64), shape)
    return Rows(on_device(np.zeros((0, *shape[1:]), dtype), device), none, shape)


def densify(operands: tuple[Any, ...], stype: str, shape: Shape) -> jax.Array:
    """The whole array, from the operands. Traceable."""
    values, *places = operands
    if stype == "csr":  # columns may stand twice in a row: they add up
        return jnp.zeros(shape, values.dtype).at[tuple(places)].add(values, mode="drop")
    return jnp.zeros(shape, values.dtype).at[places[0]].set(values, mode="drop")


scatter = partial(jax.jit, static_argnums=(1, 2))(densify)


@jax.jit
def _nonzero_rows(array: jax.Array) -> jax.Array:
    return jnp.any(array != 0, axis=tuple(range(1, array.ndim)))


@jax.jit
def gather_rows(array: jax.Array, places: Any) -> jax.Array:
    """The rows of `array` at `places`; those out of range are zero."""
    return array.at[places].get(mode="fill", fill_value=0)


def rows_at(array: jax.Array, indices: np.ndarray) -> Rows:
    """The rows `indices` of a dense array."""
    places = padded(indices, bucket(len(indices)), array.shape[0])
    return Rows(gather_rows(array, places), indices.astype(np.int64), array.shape)


def all_rows(array: jax.Array) -> Rows:
    """Every row of a dense array, the zeros, too."""
    return rows_at(array, np.arange(array.shape[0]))


def from_dense(array: jax.Array, stype: str) -> Stored:
    """A dense array in a sparse storage. Waits: what is stored depends on the values."""
    if stype == "row_sparse":
        return rows_at(array, np.flatnonzero(np.asarray(_nonzero_rows(array))))
    host = np.asarray(array)
    rows, columns = np.nonzero(host)
    (device,) = array.devices()
    return Csr.at(on_device(host[rows, columns], device), rows, columns.astype(np.int64), host.shape)


def rows_of(gradient: RowGradient) -> Rows:
    """A gradient with each row once, in order. Waits for the indices."""
    indices, shape = np.asarray(gradient.indices), gradient.shape
    good = (indices >= 0) & (indices < shape[0])
    unique, inverse = np.unique(indices[good], return_inverse=True)
    size = bucket(len(unique))
    places = np.full(len(indices), size, np.int32)
    places[good] = inverse
    return Rows(_gathered(gradient.values, places, size), unique.astype(np.int64), shape)


@partial(jax.jit, static_argnums=2)
def _gathered(values: jax.Array, places: Any, size: int) -> jax.Array:
    return jnp.zeros((size, *values.shape[1:]), values.dtype).at[places].add(values, mode="drop")
