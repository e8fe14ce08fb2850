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
from ..ndarray.sparse.array import CLASSES
from ..ndarray.sparse.cell import SparseCell


class Blank:
    """Fills an output that somebody looks at before any forward, with zeros."""

    cell: Cell | SparseCell

    def flush(self) -> None:
        """Fill the cell, unless a forward has."""
        if self.cell.pending is self:
            self.cell.fill(jnp.zeros(self.cell.shape, self.cell.dtype, device=self.cell.ctx.jax_device))


def blank(
    shape: Shape | None, dtype: str | None, ctx: Context, stype: str = "default", cells: type[Cell] = Cell
) -> NDArray:
    """An output of the inferred shape, dtype and storage without content; `cells` is the class of a dense one."""
    step, known_shape = Blank(), shape if shape is not None and known(shape) else ()
    if stype in CLASSES and known_shape:
        step.cell = SparseCell.deferred(stype, known_shape, np.dtype(dtype or "float32"), ctx, step)
        return CLASSES[stype]._of_cell(step.cell)  # type: ignore[arg-type]
    step.cell = cells.deferred(known_shape, np.dtype(dtype or "float32"), ctx, step)
    return NDArray._of_cell(step.cell)
