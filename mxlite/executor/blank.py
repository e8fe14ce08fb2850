# SPDX-License-Identifier: Apache-2.0
"""Outputs before any forward: arrays of the right shape and dtype that are filled when somebody looks."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from mxlite_compiler.params import Shape
from mxlite_compiler.shapes import known

from ..context import Context
from ..ndarray import NDArray
from ..ndarray.cell import Cell


class Blank:
    """Fills an output that somebody looks at before any forward, with zeros."""

    cell: Cell

    def flush(self) -> None:
        """Fill the cell, unless a forward has."""
        if self.cell.pending is self:
            self.cell.fill(jnp.zeros(self.cell.shape, self.cell.dtype, device=self.cell.ctx.jax_device))


def blank(shape: Shape | None, dtype: str | None, ctx: Context) -> NDArray:
    """An output of the inferred shape and dtype without content."""
    step = Blank()
    step.cell = Cell.deferred(
        shape if shape is not None and known(shape) else (), np.dtype(dtype or "float32"), ctx, step
    )
    return NDArray._of_cell(step.cell)
