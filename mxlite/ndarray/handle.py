# SPDX-License-Identifier: Apache-2.0
"""The handle: a cell, and which part of it in which shape this array shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
from jax.core import Tracer

from ..base import MXNetError
from ..context import Context, context_of
from . import _kernels
from .cell import Cell
from .checks import checks, late

if TYPE_CHECKING:
    from .tape import Source

_new = object.__new__


class View:
    """A contiguous part of a cell: `offset` in elements, `shape`, and the part as it was at cell version `version`."""

    __slots__ = ("cache", "offset", "shape", "version")

    def __init__(self, offset: int, shape: tuple[int, ...]):
        self.offset = offset
        self.shape = shape
        self.cache: jax.Array | None = None
        self.version = -1

    def read(self, cell: Cell) -> jax.Array:
        """The viewed part, computed again only after a write."""
        if cell.pending is not None:
            cell.pending.flush()
        version, cache = cell.version, self.cache
        if self.version != version or cache is None:
            offset = _kernels.offset_of(self.offset, math.prod(cell.shape), cell.ctx.jax_device)
            cache = cell.read(_kernels.read_flat(self.shape), offset)
            if not isinstance(cache, Tracer):  # which would outlive the function that is traced
                self.cache, self.version = cache, version
        return cache


class SparseOperand(Exception):
    """What a sparse array raises where an operator wants the dense content: the call is then the array's to make.

    An exception, so that calls on dense arrays pay nothing for the question.
    """

    def __init__(self, array: Any):
        super().__init__(f"{array.stype} storage")
        self.array = array


class Handle:
    """What every NDArray is underneath.

    Two handles may show one cell: then a write through one is seen through the other.
    """

    __slots__ = ("__weakref__", "_cell", "_entry", "_view")

    _cell: Cell
    _view: View | None
    #: Where this array comes from on the tape: the node and which of its outputs; None for what was not recorded.
    _entry: tuple[Source, int] | None

    @classmethod
    def _wrap(cls, array: jax.Array, ctx: Context | None = None) -> Self:
        """A new array with a cell of its own around `array`, which nobody may donate while the cell lives."""
        self = _new(cls)
        self._cell = Cell(array, context_of(min(array.devices(), key=lambda d: d.id)) if ctx is None else ctx)
        self._view = self._entry = None
        return self

    @classmethod
    def _of_cell(cls, cell: Cell, view: View | None = None) -> Self:
        """A handle on an existing cell."""
        self = _new(cls)
        self._cell = cell
        self._view, self._entry = view, None
        return self

    def _part(self, offset: int, shape: tuple[int, ...]) -> Self:
        """A handle on the same memory, `offset` elements further on, of `shape`."""
        if self._view is not None:
            offset += self._view.offset
        self_shape = self._cell.shape
        return self._of_cell(self._cell, None if shape == self_shape else View(offset, shape))

    @property
    def _data(self) -> jax.Array:
        view = self._view
        return self._cell.array if view is None else view.read(self._cell)

    #: The content as an operator reads it.
    _operand = _data

    def _set(self, array: Any) -> None:
        """Write `array`, which has this handle's shape and dtype and is nobody else's."""
        cell, view = self._cell, self._view
        if array.dtype != cell.dtype or array.shape != (cell.shape if view is None else view.shape):
            raise MXNetError(
                f"cannot write an array of shape {array.shape} and dtype {array.dtype} into one of shape "
                f"{self.shape} and dtype {cell.dtype}"
            )
        if view is None:
            cell.write(array)
        else:
            self._write_flat(array, 0, view.shape)

    def _zero(self) -> None:
        """Write zeros."""
        dtype = self._cell.dtype
        self._set(_kernels.fill(self.shape, dtype.type(0), dtype, self._cell.ctx.jax_device))

    @property
    def _sum(self) -> Any:
        """The content as the begin of a sum of gradients."""
        return self._data

    def _write_flat(self, value: Any, offset: int, shape: tuple[int, ...]) -> None:
        """Write `value`, broadcast to `shape` and cast, from `offset` elements into this handle on."""
        cell = self._cell
        if self._view is not None:
            offset += self._view.offset
        axis = _kernels.axis_of(cell.shape, offset, math.prod(shape))
        writer = _kernels.write_flat(cell.shape, shape, axis)
        device = cell.ctx.jax_device
        if isinstance(value, np.generic):
            value = _kernels.constant(value, value.dtype.type, device, (value.shape, value.tobytes()))
        cell.update(writer, value, _kernels.offset_of(offset, math.prod(cell.shape), device))

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self._cell.shape if self._view is None else self._view.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> Any:
        """The numpy type of the elements, such as `numpy.float32`."""
        return self._cell.dtype.type

    @property
    def stype(self) -> str:
        """The storage type: "default", a dense array."""
        return "default"

    @property
    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    @property
    def handle(self) -> Any:
        """The memory behind the array, the same object for all its views; of no use but to compare."""
        return self._cell

    @property
    def context(self) -> Context:
        """The device."""
        return self._cell.ctx

    @property
    def ctx(self) -> Context:
        """The device."""
        return self._cell.ctx

    def asnumpy(self) -> np.ndarray:
        """A numpy copy. Waits until the array is computed; MXNetError when the program that computes it failed."""
        if checks.waiting:
            checks.settle()
        try:
            return np.array(self._data)
        except jax.errors.JaxRuntimeError as e:
            raise late(e, "asnumpy") from e
