# SPDX-License-Identifier: Apache-2.0
"""The cells of one layer: vanilla, LSTM, GRU; and how a step follows from the gates, which other cells share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import symbol
from ..initializer import LSTMBias
from ..symbol import Symbol
from .base import BaseRNNCell, RNNParams, States, activate, dense_state

Activation = str | Callable[..., Symbol]


def lstm_step(
    gates: Symbol, states: States, name: str, activation: Activation = "tanh", **axis: Any
) -> tuple[Symbol, States]:
    """The output and states of an LSTM step from the sum of its gates, in the order i, f, c, o along `axis`."""
    i, f, c, o = symbol.SliceChannel(gates, num_outputs=4, name=f"{name}slice", **axis)
    i = symbol.Activation(i, act_type="sigmoid", name=f"{name}i")
    f = symbol.Activation(f, act_type="sigmoid", name=f"{name}f")
    c = activate(c, activation, name=f"{name}c")
    o = symbol.Activation(o, act_type="sigmoid", name=f"{name}o")
    cell = symbol.elemwise_add(f * states[1], i * c, name=f"{name}state")
    output = symbol.elemwise_mul(o, activate(cell, activation), name=f"{name}out")
    return output, [output, cell]


def gru_step(
    i2h: Symbol, h2h: Symbol, state: Symbol, name: str, activation: Activation = "tanh", **axis: Any
) -> tuple[Symbol, States]:
    """The output and state of a GRU step from its gates r, z, o along `axis`.

    The reset gate multiplies the recurrent part together with its bias, as in cuDNN.
    """
    i2h_r, i2h_z, i2h_o = symbol.SliceChannel(i2h, num_outputs=3, name=f"{name}_i2h_slice", **axis)
    h2h_r, h2h_z, h2h_o = symbol.SliceChannel(h2h, num_outputs=3, name=f"{name}_h2h_slice", **axis)
    reset = symbol.Activation(i2h_r + h2h_r, act_type="sigmoid", name=f"{name}_r_act")
    update = symbol.Activation(i2h_z + h2h_z, act_type="sigmoid", name=f"{name}_z_act")
    new = activate(i2h_o + reset * h2h_o, activation, name=f"{name}_h_act")
    output = symbol.elemwise_add((1.0 - update) * new, update * state, name=f"{name}out")
    return output, [output]


class _DenseCell(BaseRNNCell):
    """A cell whose gates are fully connected to its input and its state.

    Args:
        num_hidden: the size of the state.
        i2h_bias: options of the input's bias variable.
    """

    def __init__(self, num_hidden: int, prefix: str, params: RNNParams | None, **i2h_bias: Any) -> None:
        super().__init__(prefix, params)
        self._num_hidden = num_hidden
        self._iW, self._iB = self.params.get("i2h_weight"), self.params.get("i2h_bias", **i2h_bias)
        self._hW, self._hB = self.params.get("h2h_weight"), self.params.get("h2h_bias")

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return [dense_state(self._num_hidden)]

    def _gates(self, inputs: Symbol, state: Symbol, name: str) -> tuple[Symbol, Symbol]:
        """What the input and the state contribute to the gates, each (batch, gates * hidden)."""
        rows = self._num_hidden * len(self._gate_names)
        i2h = symbol.FullyConnected(inputs, self._iW, self._iB, num_hidden=rows, name=f"{name}i2h")
        h2h = symbol.FullyConnected(state, self._hW, self._hB, num_hidden=rows, name=f"{name}h2h")
        return i2h, h2h


class RNNCell(_DenseCell):
    """A vanilla cell: ``activation(W x + b + R h + c)``.

    Args:
        num_hidden: the size of output and state.
        activation: ``tanh``, ``relu`` ...; or a function of a symbol and `name`.
        prefix: begins the names of parameters and nodes.
        params: variables to share.
    """

    def __init__(
        self, num_hidden: int, activation: Activation = "tanh", prefix: str = "rnn_", params: RNNParams | None = None
    ) -> None:
        super().__init__(num_hidden, prefix, params)
        self._activation = activation

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step; the output is the state."""
        name = self._step_name()
        i2h, h2h = self._gates(inputs, states[0], name)
        output = activate(i2h + h2h, self._activation, name=f"{name}out")
        return output, [output]


class LSTMCell(_DenseCell):
    """A cell with long short-term memory (Hochreiter and Schmidhuber 1997), with a forget gate.

    Args:
        num_hidden: the size of output and states.
        prefix: begins the names of parameters and nodes.
        params: variables to share.
        forget_bias: the first value of the forget gate's part of the input's bias, through the variable's ``__init__``
            attribute, which beats the initializer of the network. The other bias begins with 0.
    """

    def __init__(
        self, num_hidden: int, prefix: str = "lstm_", params: RNNParams | None = None, forget_bias: float = 1.0
    ) -> None:
        super().__init__(num_hidden, prefix, params, init=LSTMBias(forget_bias=forget_bias))

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return [dense_state(self._num_hidden), dense_state(self._num_hidden)]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step; the states are the output and the cell."""
        name = self._step_name()
        i2h, h2h = self._gates(inputs, states[0], name)
        return lstm_step(i2h + h2h, states, name)


class GRUCell(_DenseCell):
    """A gated recurrent unit (Cho et al. 2014), in the form of cuDNN.

    Args:
        num_hidden: the size of output and state.
        prefix: begins the names of parameters and nodes.
        params: variables to share.
    """

    def __init__(self, num_hidden: int, prefix: str = "gru_", params: RNNParams | None = None) -> None:
        super().__init__(num_hidden, prefix, params)

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step; the output is the state."""
        name = self._step_name()
        i2h, h2h = self._gates(inputs, states[0], f"{name}_")
        return gru_step(i2h, h2h, states[0], name)
