# SPDX-License-Identifier: Apache-2.0
"""Sums that are kept where the numbers are made: on the device, read only when somebody asks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ..context import context_of
from ..executor.mesh_cell import MeshCell
from ..ndarray import Cell, NDArray

#: ``fn(labels, preds)`` gives what is added to the sums: float (k,).
Kernel = Callable[[list[jax.Array], list[jax.Array]], jax.Array]

#: Without 64-bit arrays a float32 cell takes this many updates, before it begins to lose ones.
_FLOAT32_UPDATES = 256


def sum_dtype() -> np.dtype:
    """float64, as MXNet adds up; float32 while 64-bit arrays are switched off."""
    return jax.dtypes.canonicalize_dtype(np.float64)


class Accumulator:
    """`size` sums since the last `reset_local` and since the last `reset`.

    Args:
        size: how many numbers a kernel gives.
    """

    def __init__(self, size: int):
        self.size = size
        self.reset()

    def reset(self) -> None:
        """Set all sums to zero."""
        # The numbers are a host part, the cells that are full, and the cell in use.
        self._local, self._total = np.zeros(self.size), np.zeros(self.size)
        self._cell: Cell | None = None
        self._local_cells: list[Cell] = []
        self._total_cells: list[Cell] = []
        self._updates = 0
        self._read_at: tuple[Cell, int, np.ndarray] | None = None

    def reset_local(self) -> None:
        """Set the local sums to zero; the totals go on."""
        self._retire()
        self._local, self._local_cells = np.zeros(self.size), []

    def _retire(self) -> None:
        """Leave the cell in use as it is; the next update takes a new one."""
        if self._cell is not None:
            self._local_cells.append(self._cell)
            self._total_cells.append(self._cell)
            self._cell, self._updates = None, 0
        # Most of a long list is computed by now and costs nothing to read.
        if len(self._total_cells) > 64:
            self._fold()

    def _fold(self) -> None:
        """Move what full cells hold to the host."""
        numbers = {id(cell): self._numbers(cell) for cell in self._total_cells}
        self._local = sum((numbers[id(cell)] for cell in self._local_cells), self._local)
        self._total = sum(numbers.values(), self._total)
        self._local_cells, self._total_cells = [], []

    def _numbers(self, cell: Cell) -> np.ndarray:
        known = self._read_at
        if cell.pending is None and known is not None and known[0] is cell and known[1] == cell.version:
            return known[2]
        numbers = np.asarray(cell.array, np.float64)
        self._read_at = (cell, cell.version, numbers)
        return numbers

    @property
    def local(self) -> np.ndarray:
        """The sums since the last reset of any kind; float64 (size,). Waits for the device."""
        if self._local_cells:
            self._fold()
        return self._local if self._cell is None else self._local + self._numbers(self._cell)

    @property
    def total(self) -> np.ndarray:
        """The sums since the last `reset`; float64 (size,). Waits for the device."""
        if self._total_cells:
            self._fold()
        return self._total if self._cell is None else self._total + self._numbers(self._cell)

    def set(self, index: int, *, local: float | None = None, total: float | None = None) -> None:
        """Overwrite one of the sums. Waits for the device."""
        new_local, new_total = self.local.copy(), self.total.copy()
        if local is not None:
            new_local[index] = local
        if total is not None:
            new_total[index] = total
        self._cell, self._updates, self._local, self._total = None, 0, new_local, new_total

    def add(self, kernel: Kernel, labels: Sequence[NDArray], preds: Sequence[NDArray]) -> None:
        """Add ``kernel(labels, preds)``, inside the pending step that computes `preds`, or by a launch of its own.

        Args:
            kernel: pure; programs are cached for this object.
            labels: arrays, which are moved to the device of `preds` where they are elsewhere.
            preds: arrays.
        """
        if self._cell is not None and sum_dtype() == np.float32 and self._updates >= _FLOAT32_UPDATES:
            self._retire()
        ctx = preds[0].context if preds else labels[0].context
        if self._cell is None:
            # Committed to the device from the start: the first step would be compiled for an array that is not.
            cells = MeshCell if preds and isinstance(preds[0]._cell, MeshCell) else Cell
            self._cell = cells(jax.device_put(np.zeros(self.size, sum_dtype()), ctx.jax_device), ctx)
        self._updates += 1
        for pred in preds:
            attach = getattr(pred._cell.pending, "attach", None)
            if attach is not None:
                if attach(kernel, kernel, self._cell, [label.as_in_context(ctx) for label in labels], preds):
                    return
                break
        self._launch(self._cell, kernel, labels, preds)

    @staticmethod
    def _launch(cell: Cell, kernel: Kernel, labels: Sequence[NDArray], preds: Sequence[NDArray]) -> None:
        outs = [p._data for p in preds]
        devices = {d for x in outs for d in x.devices()}
        if len({x.sharding for x in outs}) > 1 and len(devices) > 1:
            outs = [np.asarray(x) for x in outs]
        # A label elsewhere goes through the host: jit takes numpy arrays to wherever the others are.
        there: list[Any] = [x if x.devices() == devices else np.asarray(x) for x in (label._data for label in labels)]
        state: Any = cell.array
        if state.committed and state.devices() != devices:
            state = np.asarray(state)
        new = _adder(kernel)(state, there, outs)
        cell.ctx = context_of(next(iter(new.devices())))
        cell.write(new)


@functools.lru_cache(maxsize=512)
def _adder(kernel: Kernel) -> Callable[[Any, list[Any], list[Any]], jax.Array]:
    @jax.jit
    def add(state: jax.Array, labels: list[jax.Array], preds: list[jax.Array]) -> jax.Array:
        return state + kernel(labels, preds).astype(state.dtype)

    return add
