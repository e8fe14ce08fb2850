# SPDX-License-Identifier: Apache-2.0
"""Dropout between the cells of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import symbol
from ..symbol import Symbol
from .base import BaseRNNCell, CellError, RNNParams, States, merge_steps


class DropoutCell(BaseRNNCell):
    """Drops inputs in training; has no state. It stands between the cells of a `SequentialRNNCell`.

    Args:
        dropout: the probability.
        prefix, params: accepted as for other cells.

    Raises:
        CellError: `dropout` is no number.
    """

    def __init__(self, dropout: float, prefix: str = "dropout_", params: RNNParams | None = None) -> None:
        super().__init__(prefix, params)
        if not isinstance(dropout, int | float):
            raise CellError(f"dropout probability must be a number, got {dropout!r}")
        self.dropout = dropout

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return []

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """The inputs, some of them dropped."""
        return (symbol.Dropout(inputs, p=self.dropout) if self.dropout > 0 else inputs), states

    def unroll(
        self,
        length: int,
        inputs: Symbol | Sequence[Symbol],
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """As for every cell; all steps at once where they are one symbol."""
        self.reset()
        merged = isinstance(inputs, Symbol) if merge_outputs is None else merge_outputs
        if merged:
            return self(merge_steps(inputs, layout), [])
        return super().unroll(length, inputs, begin_state, layout, merge_outputs)
