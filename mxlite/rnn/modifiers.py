# SPDX-License-Identifier: Apache-2.0
"""Cells that change what another computes: zoneout, residual connections."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .. import symbol
from ..ndarray import NDArray
from ..symbol import Symbol
from .base import BaseRNNCell, CellError, RNNParams, States, merge_steps, split_steps
from .fused import FusedRNNCell
from .stacked import BidirectionalCell, SequentialRNNCell


class ModifierCell(BaseRNNCell):
    """The base of cells that change another one, whose parameters and states they use.

    Args:
        base_cell: the other; from now on it is called through this one only.
    """

    def __init__(self, base_cell: BaseRNNCell) -> None:
        super().__init__()
        base_cell._modified = True
        self.base_cell = base_cell

    @property
    def params(self) -> RNNParams:
        """Those of the base cell."""
        self._own_params = False
        return self.base_cell.params

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return self.base_cell.state_info

    @contextmanager
    def _unmodified(self) -> Iterator[BaseRNNCell]:
        """The base cell, which may be used here."""
        self.base_cell._modified = False
        try:
            yield self.base_cell
        finally:
            self.base_cell._modified = True

    def begin_state(  # pyright: ignore[reportIncompatibleMethodOverride] - MXNet's name
        self, init_sym: Callable[..., Symbol] = symbol.zeros, **kwargs: Any
    ) -> States:
        """Those of the base cell; `init_sym` is its `func`."""
        self._refuse_modified()
        with self._unmodified() as cell:
            return cell.begin_state(func=init_sym, **kwargs)

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """As the base cell does."""
        return self.base_cell.unpack_weights(args)

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """As the base cell does."""
        return self.base_cell.pack_weights(args)

    @abc.abstractmethod
    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step of the base cell, changed."""


class ZoneoutCell(ModifierCell):
    """Keeps some of the outputs and states of the step before, in training (Krueger et al. 2016).

    Args:
        base_cell: a cell that steps.
        zoneout_outputs: the probability that a number of the output is kept; before the first step it is 0.
        zoneout_states: the same for the states.

    Raises:
        CellError: the cell cannot step.
    """

    def __init__(self, base_cell: BaseRNNCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0) -> None:
        if isinstance(base_cell, FusedRNNCell):
            raise CellError("FusedRNNCell doesn't support zoneout. Please unfuse first.")
        parts = base_cell._cells if isinstance(base_cell, SequentialRNNCell) else [base_cell]
        if any(isinstance(cell, BidirectionalCell) for cell in parts):
            raise CellError(
                "BidirectionalCell doesn't support zoneout since it doesn't support step. Please add ZoneoutCell to "
                "the cells underneath instead."
            )
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self.prev_output: Symbol | None = None

    def reset(self) -> None:
        """Forget the last output."""
        super().reset()
        self.prev_output = None

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step of the base cell, some of whose results are those of the step before."""
        output, new = self.base_cell(inputs, states)
        before = symbol.zeros((0, 0)) if self.prev_output is None else self.prev_output
        if self.zoneout_outputs:
            output = _zoned(self.zoneout_outputs, output, before)
        if self.zoneout_states:
            new = [_zoned(self.zoneout_states, a, b) for a, b in zip(new, states, strict=True)]
        self.prev_output = output
        return output, new


def _zoned(p: float, new: Symbol, old: Symbol) -> Symbol:
    # Dropout of ones is a mask: without training it drops nothing, and everything is new.
    return symbol.where(symbol.Dropout(symbol.ones_like(new), p=p), new, old)


class ResidualCell(ModifierCell):
    """Adds the input of each step to its output (Wu et al. 2016); both need one size.

    Args:
        base_cell: the cell.
    """

    def __init__(self, base_cell: BaseRNNCell) -> None:
        super().__init__(base_cell)

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step of the base cell, plus the inputs."""
        output, states = self.base_cell(inputs, states)
        return _plus(output, inputs), states

    def unroll(
        self,
        length: int,
        inputs: Symbol | Sequence[Symbol],
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """As the base cell does, plus the inputs."""
        self.reset()
        with self._unmodified() as cell:
            outputs, states = cell.unroll(length, inputs, begin_state, layout, merge_outputs)
        if isinstance(outputs, Symbol):
            return _plus(outputs, merge_steps(inputs, layout)), states
        return [_plus(o, x) for o, x in zip(outputs, split_steps(length, inputs, layout), strict=True)], states


def _plus(output: Symbol, inputs: Symbol) -> Symbol:
    return symbol.elemwise_add(output, inputs, name=f"{output.name}_plus_residual")
