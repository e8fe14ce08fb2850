# SPDX-License-Identifier: Apache-2.0
"""The mutable cell under a sparse array: stored parts, or dense content that a program left to be stored."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from ...context import Context
from ..cell import Step, hold_back
from . import storage
from .storage import Stored

#: Chooses what is stored of a dense content.
Keep = Callable[[jax.Array], Stored]


class SparseCell:
    """Like `Cell`, for parts that are replaced together.

    Programs of graphs compute on dense arrays: they read `peek`, and what they `fill` in becomes stored parts when
    somebody looks, because how many parts there are depends on the values.

    Attributes:
        pending, captured, shape, dtype, ctx, version: as in `Cell`.
        stype: the storage.
        owned: False; no buffer of a sparse array is ever donated.
    """

    __slots__ = (
        "__weakref__", "_array", "_keep", "_stored", "captured", "ctx", "dtype", "pending", "shape", "stype", "version"
    )  # fmt: skip

    owned = False

    def __init__(self, stored: Stored, ctx: Context):
        self._stored: Stored | None = stored
        self._array: jax.Array | None = None
        self._keep: Keep | None = None
        self.pending: Step | None = None
        self.captured: Step | None = None
        self.shape, self.dtype, self.stype = stored.shape, stored.values.dtype, stored.stype
        self.ctx, self.version = ctx, 0

    @classmethod
    def deferred(cls, stype: str, shape: tuple[int, ...], dtype: np.dtype, ctx: Context, step: Step) -> SparseCell:
        """A cell that `step` will fill."""
        self = cls(storage.empty(stype, shape, dtype, ctx.jax_device), ctx)
        self.defer(step)
        return self

    @property
    def stored(self) -> Stored:
        """The parts, after the step that was to fill them has run. Waits when a program left dense content."""
        if self.pending is not None:
            self.pending.flush()
        if self._stored is None:
            array, keep = self._array, self._keep
            self._stored = keep(array) if keep is not None else storage.from_dense(array, self.stype)  # type: ignore[arg-type]
            self._keep = None
        return self._stored

    @property
    def array(self) -> jax.Array:
        """The whole array, kept until the next write."""
        return self.peek()

    def peek(self) -> jax.Array:
        """The whole array, kept until the next write."""
        if self.pending is not None:
            self.pending.flush()
        if self._array is None:
            self._array = self._stored.dense()  # type: ignore[union-attr]
        return self._array

    feed = peek

    def settle(self) -> None:
        """Run the steps that still have to read or to fill this cell."""
        if self.captured is not None:
            step, self.captured = self.captured, None
            step.flush()
        if self.pending is not None:
            self.pending.flush()

    def write(self, stored: Stored) -> None:
        """Replace the content by parts of the same shape and dtype."""
        self.settle()
        self._stored, self._array, self._keep = stored, None, None
        self.version += 1

    def fill(self, array: jax.Array, owned: bool = False, keep: Keep | None = None) -> None:
        """Deliver dense content that was pending.

        Args:
            array: the content; this cell may show it to others, whoever owns it.
            owned: accepted as by `Cell.fill`.
            keep: what is stored of it; by default what is not zero.
        """
        self._stored, self._array, self._keep = None, array, keep
        self.pending = None
        self.version += 1

    def defer(self, step: Step) -> None:
        """Promise that `step` will fill this cell."""
        self.pending = step
        hold_back(step)
