# SPDX-License-Identifier: Apache-2.0
"""Arrays inside functions that JAX traces: `jax.jit`, `jax.grad` and `jax.vmap` take NDArrays as arguments and results.

An NDArray is a pytree with one leaf, its `jax.Array`; its device label goes along as static data. Inside the traced
function an NDArray holds JAX's tracer, and every operator, view and assignment works on that.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from ..context import Context, context_of
from .cell import Cell
from .handle import Handle
from .ndarray import NDArray


def register(cls: type[Handle]) -> None:
    """Make arrays of this class pytrees. Once a class."""

    def unflatten(ctx: Context, leaves: Any) -> Handle:
        (leaf,) = leaves
        return cls._of_cell(_cell(leaf, ctx))

    jax.tree_util.register_pytree_node(cls, lambda array: ((array._data,), array._cell.ctx), unflatten)


def _cell(leaf: Any, ctx: Context) -> Cell:
    """A cell that holds `leaf`, which may be anything: JAX builds trees of axes, flags, shapes and its own objects."""
    if isinstance(leaf, Tracer):
        return Cell(leaf, ctx)
    if isinstance(leaf, jax.Array):
        devices = leaf.devices()
        return Cell(leaf, ctx if ctx.jax_device in devices else context_of(min(devices, key=lambda d: d.id)))
    cell = Cell.from_host(_NOTHING, ctx)
    cell.fill(leaf)
    cell.shape = getattr(leaf, "shape", ())
    cell.dtype = getattr(leaf, "dtype", np.dtype(object))
    return cell


#: On the host: importing mxlite starts no device, so that a program may join a job afterwards.
_NOTHING = np.zeros((), np.bool_)

register(NDArray)
