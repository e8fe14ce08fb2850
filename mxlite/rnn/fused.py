# SPDX-License-Identifier: Apache-2.0
"""All layers, directions and steps in one operator."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from .. import symbol
from ..initializer import FusedRNN
from ..initializer.compound import GATES, packed_parts
from ..ndarray import NDArray, concatenate
from ..symbol import Symbol
from .base import BaseRNNCell, CellError, RNNParams, States, merge_steps, split_steps, take
from .cells import GRUCell, LSTMCell, RNNCell
from .dropout import DropoutCell
from .stacked import BidirectionalCell, SequentialRNNCell


class FusedRNNCell(BaseRNNCell):
    """Layers of recurrent units as one `RNN` operator, with all parameters in one vector, ``PREFIX_parameters``.

    Much faster than cells that step, to compile above all. It can only be unrolled.

    Args:
        num_hidden: the size of a layer and direction.
        num_layers: the number of layers.
        mode: ``rnn_relu``, ``rnn_tanh``, ``lstm`` or ``gru``.
        bidirectional: also run backwards; outputs of both directions stand side by side.
        dropout: the probability of dropping what goes from layer to layer, in training.
        get_next_state: whether `unroll` returns the last states; else an empty list.
        forget_bias: the first value of the LSTM's forget gates, in both biases.
        prefix: begins the names; the mode and ``_`` by default.
        params: variables to share.
    """

    def __init__(
        self,
        num_hidden: int,
        num_layers: int = 1,
        mode: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        get_next_state: bool = False,
        forget_bias: float = 1.0,
        prefix: str | None = None,
        params: RNNParams | None = None,
    ) -> None:
        super().__init__(f"{mode}_" if prefix is None else prefix, params)
        self._num_hidden, self._num_layers, self._mode = num_hidden, num_layers, mode
        self._bidirectional, self._dropout, self._get_next_state = bidirectional, dropout, get_next_state
        initializer = FusedRNN(None, num_hidden, num_layers, mode, bidirectional, forget_bias)
        self._parameter = self.params.get("parameters", init=initializer)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        rows = self._num_layers * (1 + self._bidirectional)
        info = {"shape": (rows, 0, self._num_hidden), "__layout__": "LNC"}
        return [dict(info) for _ in range(1 + (self._mode == "lstm"))]

    @property
    def _gate_names(self) -> Sequence[str]:
        return GATES[self._mode]

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """Impossible: the operator runs all steps.

        Raises:
            NotImplementedError: always, as in MXNet.
        """
        raise NotImplementedError("FusedRNNCell cannot be stepped. Please use unroll")

    def _parts(self, size: int) -> list[tuple[str, tuple[int, ...]]]:
        try:
            return packed_parts(size, self._num_hidden, self._num_layers, self._mode, self._bidirectional)
        except ValueError as e:
            raise CellError(f"Invalid parameters size for FusedRNNCell: {self._prefix}parameters {e}") from e

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """`args` with the vector cut into the weights of layers, directions and gates: ``lstm_l0_i2h_f_weight``.

        Raises:
            MissingWeight: the vector is not there.
            CellError: it has another length than the cell's.
        """
        args = dict(args)
        packed = take(args, f"{self._prefix}parameters")
        start = 0
        for name, shape in self._parts(packed.size):
            end = start + math.prod(shape)
            args[self._prefix + name] = packed[start:end].reshape(shape).copy()
            start = end
        return args

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """The opposite of `unpack_weights`.

        Raises:
            MissingWeight: a weight is not there.
            CellError: one has another shape than the cell's.
        """
        args = dict(args)
        first = f"{self._prefix}l0_i2h{self._gate_names[0]}_weight"
        inputs = take(dict(args), first).shape[1]
        h, sides = self._num_hidden, 1 + self._bidirectional
        rows = h * len(self._gate_names) * sides
        size = rows * (inputs + h + 2) + (self._num_layers - 1) * rows * (h * sides + h + 2)
        pieces = []
        for name, shape in self._parts(size):
            piece = take(args, self._prefix + name)
            if piece.shape != shape:
                raise CellError(f"{self._prefix}{name} has shape {piece.shape}, the cell needs {shape}")
            pieces.append(piece.reshape((-1,)))
        args[f"{self._prefix}parameters"] = concatenate(pieces)
        return args

    def unroll(
        self,
        length: int,
        inputs: Symbol | Sequence[Symbol],
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """As for every cell. The operator wants TNC: another layout costs two transpositions, and a warning."""
        self.reset()
        if not isinstance(inputs, Symbol):
            split_steps(length, inputs, layout)  # which counts them
        x = merge_steps(inputs, layout)
        batch_first = layout.find("T") == 1
        if batch_first:
            warnings.warn(
                "NTC layout detected. Consider using TNC for FusedRNNCell for faster speed", UserWarning, stacklevel=2
            )
            x = symbol.swapaxes(x, dim1=0, dim2=1)
        states = self.begin_state() if begin_state is None else begin_state
        named: dict[str, Any] = dict(zip(("state", "state_cell"), states, strict=False))
        mode: Any = self._mode
        result = symbol.RNN(
            x,
            self._parameter,
            **named,
            state_size=self._num_hidden,
            num_layers=self._num_layers,
            bidirectional=self._bidirectional,
            p=self._dropout,
            state_outputs=self._get_next_state,
            mode=mode,
            attr={"__layout__": "LNC"} if self._get_next_state else None,
            name=f"{self._prefix}rnn",
        )
        output: Any = result[0] if self._get_next_state else result
        last = list(result)[1:] if self._get_next_state else []
        if batch_first:
            output = symbol.swapaxes(output, dim1=0, dim2=1)
        return (split_steps(length, output, layout) if merge_outputs is False else output), last

    def unfuse(self) -> SequentialRNNCell:
        """Cells that step and compute the same from the same weights by gate; see `unpack_weights`."""
        make = {
            "rnn_relu": lambda prefix: RNNCell(self._num_hidden, activation="relu", prefix=prefix),
            "rnn_tanh": lambda prefix: RNNCell(self._num_hidden, activation="tanh", prefix=prefix),
            "lstm": lambda prefix: LSTMCell(self._num_hidden, prefix=prefix),
            "gru": lambda prefix: GRUCell(self._num_hidden, prefix=prefix),
        }[self._mode]
        stack = SequentialRNNCell()
        for i in range(self._num_layers):
            ahead = make(f"{self._prefix}l{i}_")
            if self._bidirectional:
                back = make(f"{self._prefix}r{i}_")
                stack.add(BidirectionalCell(ahead, back, output_prefix=f"{self._prefix}bi_l{i}_"))
            else:
                stack.add(ahead)
            if self._dropout > 0 and i != self._num_layers - 1:
                stack.add(DropoutCell(self._dropout, prefix=f"{self._prefix}_dropout{i}_"))
        return stack
