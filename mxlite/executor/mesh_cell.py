# SPDX-License-Identifier: Apache-2.0
"""The cell of an array that a program over several devices reads or writes."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from ..ndarray import NDArray
from ..ndarray.cell import Cell, Upload
from .mesh import is_spread, local, put


class MeshCell(Cell):
    """A cell that keeps its content spread over devices, local, or both; each form is made of the other when asked for.

    Everything that knows nothing of several devices sees the local form.
    """

    __slots__ = ("_local", "_spread")

    _local: jax.Array | None
    _spread: jax.Array | None

    @property
    def _array(self) -> jax.Array | None:
        if self._local is None and self._spread is not None:
            self._local = local(self._spread, self.ctx.jax_device)
        return self._local

    @_array.setter
    def _array(self, x: jax.Array | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        spread = x is not None and is_spread(x)
        self._local, self._spread = (None, x) if spread else (x, None)

    def spread(self, sharding: NamedSharding) -> jax.Array:
        """The content, spread; for a program that keeps no reference to it."""
        if self.pending is not None and type(self.pending) is not Upload:
            self.pending.flush()
        found = self._spread
        if found is None or found.sharding != sharding:
            host = self.pending.host if type(self.pending) is Upload else None
            self._spread = found = put(self._array if host is None else host, sharding)  # type: ignore[arg-type]
        return found

    def donatable_spread(self, sharding: NamedSharding) -> jax.Array:
        """The content, spread over buffers that a program may reuse: its own if nobody else can hold them."""
        if self.owned or sharding.is_fully_addressable:
            found = self.spread(sharding)
            return found if self.owned else jnp.copy(found)
        # Whether somebody holds a buffer is this process's own business: the others launch nothing now.
        return put(jnp.copy(self.peek()), sharding)

    def shards(self, sharding: NamedSharding) -> Sequence[jax.Shard]:
        """What each device of this process has of the content, for the caller to keep."""
        found = self.spread(sharding)
        self.owned = False
        return found.addressable_shards

    def holds(self, x: object) -> bool:
        """Whether the content was made of just this array."""
        return (self.pending.host if type(self.pending) is Upload else self._local) is x


def adopt(nd: NDArray) -> None:
    """Give a bound array a cell of this kind."""
    cell = nd._cell
    if not isinstance(cell, MeshCell):
        cell.settle()
        nd._cell = MeshCell(cell.peek(), cell.ctx)
