# SPDX-License-Identifier: Apache-2.0
"""The mutable cell under an NDArray: one `jax.Array`, or the promise of one."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ..context import Context
from ._kernels import Writer


class Step(Protocol):
    """Deferred work that fills cells when it is flushed."""

    def flush(self) -> None:
        """Do the work now. Called again, it does nothing."""
        ...


#: Held while a helper reads or donates a buffer that it does not keep, so that no thread donates what another reads.
_exclusive = threading.RLock()


class Upload:
    """Content that is still on the host. It goes to the device when somebody looks, or with the program that reads it.

    A transfer of its own costs more host time than a small training step; as an argument of the step it is free.
    """

    __slots__ = ("__weakref__", "_cell", "host")

    def __init__(self, cell: Cell, host: np.ndarray):
        # No cycle: batches must be freed at once, not when the collector comes by.
        self._cell, self.host = weakref.ref(cell), host

    def flush(self) -> None:
        """Upload now."""
        cell = self._cell()
        if cell is not None and cell.pending is self:
            cell.fill(jax.device_put(self.host, cell.ctx.jax_device))


#: Steps that still hold work back; `waitall` flushes them.
_deferred: weakref.WeakSet[Step] = weakref.WeakSet()


class Cell:
    """One array that changes.

    Attributes:
        pending: a step that will fill this cell, or None.
        captured: a step that has yet to read this cell; it is flushed before the content changes.
        shape: known even while the content is pending.
        dtype: numpy dtype, likewise.
        ctx: the label of the device.
        version: counts the writes; views compare it.
        owned: nobody else can hold the buffer, so an in-place update may donate it. Handing the array out
            through `array` ends that, because JAX may pass an input through as an output.
    """

    __slots__ = ("__weakref__", "_array", "captured", "ctx", "dtype", "owned", "pending", "shape", "version")

    def __init__(self, array: jax.Array, ctx: Context):
        self._array: jax.Array | None = array
        self.pending: Step | None = None
        self.captured: Step | None = None
        aval = array.aval
        self.shape: tuple[int, ...] = aval.shape
        self.dtype: np.dtype = aval.dtype
        self.ctx = ctx
        self.version = 0
        self.owned = False

    @classmethod
    def deferred(cls, shape: tuple[int, ...], dtype: np.dtype, ctx: Context, step: Step) -> Cell:
        """A cell that `step` will fill."""
        self = cls.__new__(cls)
        self._array, self.captured, self.version, self.owned = None, None, 0, False
        self.shape, self.dtype, self.ctx = shape, dtype, ctx
        self.defer(step)
        return self

    @classmethod
    def from_host(cls, host: np.ndarray, ctx: Context) -> Cell:
        """A cell with the content of `host`, which nobody writes to any more."""
        self = cls.__new__(cls)
        self._array, self.captured, self.version, self.owned = None, None, 0, False
        self.shape, self.dtype, self.ctx = host.shape, host.dtype, ctx
        self.pending = Upload(self, host)
        return self

    def write_host(self, host: np.ndarray) -> None:
        """Replace the content by `host`, which has this cell's shape and dtype and which nobody writes to any more."""
        if self.captured is not None or self.pending is not None:
            self.settle()
        self._array, self.pending = None, Upload(self, host)
        self.version += 1
        self.owned = False

    def feed(self) -> jax.Array | np.ndarray:
        """The content as an argument of a compiled program: as `peek`, or numpy that travels with the call."""
        return self.pending.host if type(self.pending) is Upload else self.peek()

    @property
    def array(self) -> jax.Array:
        """The content, after the step that was to fill it has run. The caller may keep it: no one will donate it."""
        if self.pending is not None:
            self.pending.flush()
        version, array = self.version, self._array
        if self.owned or version != self.version:
            with _exclusive:
                self.owned = False
                array = self._array
        return array  # pyright: ignore[reportReturnType]

    def peek(self) -> jax.Array:
        """The content, for a caller that keeps no reference to it and derives only fresh buffers from it."""
        if self.pending is not None:
            self.pending.flush()
        return self._array  # pyright: ignore[reportReturnType]

    def donatable(self) -> jax.Array:
        """The content in a buffer that a program may reuse: its own if nobody else can hold it, else a copy."""
        content = self.peek()
        return content if self.owned else jnp.copy(content)

    def read(self, fn: Callable[..., jax.Array], *args: Any) -> jax.Array:
        """``fn(content, *args)`` for a compiled helper that returns a fresh buffer."""
        if self.pending is not None:
            self.pending.flush()
        with _exclusive:
            return fn(self._array, *args)

    def update(self, writer: Writer, *args: Any) -> None:
        """Replace the content by ``writer(content, *args)``, in place where nobody else can hold the buffer."""
        self.settle()
        self.peek()
        with _exclusive:
            fn = writer.donating if self.owned else writer.plain
            self.write(fn(self._array, *args), owned=True)

    def settle(self) -> None:
        """Run the steps that still have to read or to fill this cell: call it before any write."""
        if self.captured is not None:
            step, self.captured = self.captured, None
            step.flush()
        # What is still on the host need not be uploaded to be replaced.
        if self.pending is not None and type(self.pending) is not Upload:
            self.pending.flush()

    def write(self, array: jax.Array, owned: bool = False) -> None:
        """Replace the content by `array`, which has this cell's shape and dtype."""
        if self.captured is not None or self.pending is not None:
            self.settle()
        self._array, self.pending = array, None
        self.version += 1
        self.owned = owned

    def fill(self, array: jax.Array, owned: bool = False) -> None:
        """Deliver the content that was pending. Flushes nothing: this is what a flush does."""
        self._array = array
        self.pending = None
        self.version += 1
        self.owned = owned

    def defer(self, step: Step) -> None:
        """Promise that `step` will fill this cell."""
        self.pending = step
        hold_back(step)


def hold_back(step: Step) -> None:
    """Let `flush_deferred` know of a step that has promised something."""
    _deferred.add(step)


def flush_deferred() -> None:
    """Run every step that is still held back, those behind one that fails, too; then raise the first error, once."""
    error: Exception | None = None
    for step in list(_deferred):
        try:
            step.flush()
        except Exception as e:  # noqa: BLE001 - raised below
            error = error or e
        _deferred.discard(step)
    if error is not None:
        raise error
