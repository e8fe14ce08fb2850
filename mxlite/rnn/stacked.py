# SPDX-License-Identifier: Apache-2.0
"""Cells made of others: one upon the other, or one in each direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import symbol
from ..ndarray import NDArray
from ..symbol import Symbol
from .base import SQUEEZE, BaseRNNCell, CellError, RNNParams, States, split_steps


class _Stacked(BaseRNNCell):
    """Parameters, states and weights of several cells."""

    def __init__(self, params: RNNParams | None) -> None:
        super().__init__("", params)
        self._override_cell_params = params is not None

    def _take_params(self, cell: BaseRNNCell) -> None:
        """Put the variables of `cell` beside one's own."""
        if not isinstance(cell, BaseRNNCell):
            raise TypeError(f"{type(self).__name__} is made of cells, got {type(cell).__name__}")
        if self._override_cell_params:
            if not cell._own_params:
                raise CellError(
                    f"Either specify params for {type(self).__name__} or child cells, not both. "
                    f"{type(cell).__name__} {cell._prefix!r} has its own"
                )
            cell.params._params.update(self.params._params)
        self.params._params.update(cell.params._params)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return [info for cell in self._cells for info in cell.state_info]

    def begin_state(self, **kwargs: Any) -> States:  # type: ignore[override]
        """Those of every cell, one after the other; the arguments are those of `BaseRNNCell.begin_state`."""
        self._refuse_modified()
        return [state for cell in self._cells for state in cell.begin_state(**kwargs)]

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """As each of the cells does."""
        args = dict(args)
        for cell in self._cells:
            args = cell.unpack_weights(args)
        return args

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """As each of the cells does."""
        args = dict(args)
        for cell in self._cells:
            args = cell.pack_weights(args)
        return args


class SequentialRNNCell(_Stacked):
    """Cells one upon the other: the output of each is the input of the next.

    Args:
        params: variables for cells that have none yet; each brings its own by default.
    """

    def __init__(self, params: RNNParams | None = None) -> None:
        super().__init__(params)

    def add(self, cell: BaseRNNCell) -> None:
        """Put `cell` on top."""
        self._take_params(cell)
        self._cells.append(cell)

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step of all cells."""
        self._counter += 1
        new: States = []
        start = 0
        for cell in self._cells:
            if isinstance(cell, BidirectionalCell):
                raise CellError("a BidirectionalCell cannot be stepped: it needs the last step first; use unroll")
            n = len(cell.state_info)
            inputs, given = cell(inputs, states[start : start + n])
            start += n
            new += given
        return inputs, new

    def unroll(
        self,
        length: int,
        inputs: Symbol | Sequence[Symbol],
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """As for every cell, one cell after the other."""
        self.reset()
        if begin_state is None:
            begin_state = self.begin_state()
        new: States = []
        start = 0
        outputs: Any = inputs
        for i, cell in enumerate(self._cells):
            n = len(cell.state_info)
            merge = merge_outputs if i == len(self._cells) - 1 else None
            outputs, given = cell.unroll(length, outputs, begin_state[start : start + n], layout, merge)
            start += n
            new += given
        return outputs, new


class BidirectionalCell(_Stacked):
    """One cell from the first step to the last and one back; their outputs stand side by side.

    Args:
        l_cell: runs forwards.
        r_cell: runs backwards.
        params: variables for cells that have none yet; each brings its own by default.
        output_prefix: begins the names of the outputs.
    """

    def __init__(
        self,
        l_cell: BaseRNNCell,
        r_cell: BaseRNNCell,
        params: RNNParams | None = None,
        output_prefix: str = "bi_",
    ) -> None:
        super().__init__(params)
        self._output_prefix = output_prefix
        for cell in (l_cell, r_cell):
            self._take_params(cell)
        self._cells = [l_cell, r_cell]

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """Impossible: the second cell begins with the last step.

        Raises:
            NotImplementedError: always, as in MXNet.
        """
        raise NotImplementedError("Bidirectional cannot be stepped. Please use unroll")

    def unroll(
        self,
        length: int,
        inputs: Symbol | Sequence[Symbol],
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """As for every cell; the states are two lists, of the cell forwards and of the cell back."""
        self.reset()
        steps = split_steps(length, inputs, layout)
        states = self.begin_state() if begin_state is None else begin_state
        ahead, back = self._cells
        n = len(ahead.state_info)
        left: Any
        right: Any
        left, left_states = ahead.unroll(length, steps, states[:n], layout, merge_outputs)
        right, right_states = back.unroll(length, steps[::-1], states[n:], layout, merge_outputs)
        if merge_outputs is None:
            merge_outputs = isinstance(left, Symbol) and isinstance(right, Symbol)
            if not merge_outputs:
                left, right = (_channels(x, length, layout) for x in (left, right))
        last = [left_states, right_states]
        if merge_outputs:
            right = symbol.reverse(right, axis=layout.find("T"))
            return symbol.Concat(left, right, dim=2, name=f"{self._output_prefix}out"), last
        pairs = enumerate(zip(left, right[::-1], strict=True))
        return [symbol.Concat(a, b, dim=1, name=f"{self._output_prefix}t{i}") for i, (a, b) in pairs], last


def _channels(outputs: Symbol | list[Symbol], length: int, layout: str) -> list[Symbol]:
    if not isinstance(outputs, Symbol):
        return outputs
    return list(symbol.SliceChannel(outputs, axis=layout.find("T"), num_outputs=length, squeeze_axis=SQUEEZE))
