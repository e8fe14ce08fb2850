# SPDX-License-Identifier: Apache-2.0
"""Cells whose input and state are pictures, and whose gates are convolutions (Shi et al. 2015)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import symbol
from ..symbol import Symbol
from .base import BaseRNNCell, CellError, RNNParams, States, activate
from .cells import Activation, gru_step, lstm_step

_LEAKY = partial(symbol.LeakyReLU, act_type="leaky", slope=0.2)
_Pair = tuple[int, int]


class BaseConvRNNCell(BaseRNNCell):
    """What the cells below share.

    Args:
        input_shape: of a batch, such as (1, channels, height, width).
        num_hidden: channels of the output.
        h2h_kernel: (height, width) of the convolution of the state, odd; it is padded to keep the size.
        h2h_dilate: its dilation.
        i2h_kernel, i2h_stride, i2h_pad, i2h_dilate: of the convolution of the input.
        i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer: of the variables.
        activation: a name, or a function of a symbol and `name`.
        prefix: begins the names of parameters and nodes.
        params: variables to share.
        conv_layout: ``NCHW`` or ``NHWC``.

    Raises:
        CellError: a size of `h2h_kernel` is even.
        MXNetError: the convolution does not take `input_shape`.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_hidden: int,
        h2h_kernel: _Pair,
        h2h_dilate: _Pair,
        i2h_kernel: _Pair,
        i2h_stride: _Pair,
        i2h_pad: _Pair,
        i2h_dilate: _Pair,
        i2h_weight_initializer: Any,
        h2h_weight_initializer: Any,
        i2h_bias_initializer: Any,
        h2h_bias_initializer: Any,
        activation: Activation,
        prefix: str = "",
        params: RNNParams | None = None,
        conv_layout: str = "NCHW",
    ) -> None:
        super().__init__(prefix, params)
        if any(size % 2 == 0 for size in h2h_kernel):
            raise CellError(f"Only support odd number, get h2h_kernel= {h2h_kernel}; an even one changes the size")
        self._num_hidden, self._activation, self._channels = num_hidden, activation, conv_layout.find("C")
        pad = tuple(d * (k - 1) // 2 for k, d in zip(h2h_kernel, h2h_dilate, strict=True))
        self._i2h: dict[str, Any] = {
            "kernel": i2h_kernel, "stride": i2h_stride, "pad": i2h_pad, "dilate": i2h_dilate, "layout": conv_layout,
        }  # fmt: skip
        self._h2h: dict[str, Any] = {
            "kernel": h2h_kernel, "stride": (1, 1), "pad": pad, "dilate": h2h_dilate, "layout": conv_layout,
        }  # fmt: skip
        get = self.params.get
        self._iW, self._hW = (
            get("i2h_weight", init=i2h_weight_initializer),
            get("h2h_weight", init=h2h_weight_initializer),
        )
        self._iB, self._hB = get("i2h_bias", init=i2h_bias_initializer), get("h2h_bias", init=h2h_bias_initializer)
        probe = symbol.Convolution(symbol.Variable("data"), num_filter=num_hidden, name="i2h", **self._i2h)
        self._state_shape = (0, *probe.infer_shape(data=tuple(input_shape))[1][0][1:])
        self._layout = conv_layout

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return [{"shape": self._state_shape, "__layout__": self._layout}]

    def _gates(self, inputs: Symbol, state: Symbol, name: str) -> tuple[Symbol, Symbol]:
        n = self._num_hidden * len(self._gate_names)
        i2h = symbol.Convolution(inputs, self._iW, self._iB, num_filter=n, name=f"{name}i2h", **self._i2h)
        h2h = symbol.Convolution(state, self._hW, self._hB, num_filter=n, name=f"{name}h2h", **self._h2h)
        return i2h, h2h


class _ConvCell(BaseConvRNNCell):
    """The cells' common defaults."""

    _default_prefix: str

    def __init_subclass__(cls) -> None:
        given = inspect.signature(cls.__init__)
        prefix = given.parameters["prefix"].replace(default=cls._default_prefix)
        shown = [prefix if p.name == "prefix" else p for p in given.parameters.values() if p.name != "self"]
        cls.__signature__ = given.replace(parameters=shown)  # type: ignore[attr-defined]

    def __init__(
        self,
        input_shape: Sequence[int],
        num_hidden: int,
        h2h_kernel: _Pair = (3, 3),
        h2h_dilate: _Pair = (1, 1),
        i2h_kernel: _Pair = (3, 3),
        i2h_stride: _Pair = (1, 1),
        i2h_pad: _Pair = (1, 1),
        i2h_dilate: _Pair = (1, 1),
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        activation: Activation = _LEAKY,
        prefix: str | None = None,
        params: RNNParams | None = None,
        conv_layout: str = "NCHW",
    ) -> None:
        super().__init__(
            input_shape,
            num_hidden,
            h2h_kernel,
            h2h_dilate,
            i2h_kernel,
            i2h_stride,
            i2h_pad,
            i2h_dilate,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            activation,
            self._default_prefix if prefix is None else prefix,
            params,
            conv_layout,
        )


class ConvRNNCell(_ConvCell):
    """`RNNCell` of pictures; the arguments are those of `BaseConvRNNCell`. `prefix` is ``ConvRNN_`` by default."""

    _default_prefix = "ConvRNN_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step; the output is the state."""
        name = self._step_name()
        i2h, h2h = self._gates(inputs, states[0], name)
        output = activate(i2h + h2h, self._activation, name=f"{name}out")
        return output, [output]


class ConvLSTMCell(_ConvCell):
    """`LSTMCell` of pictures; the arguments are those of `BaseConvRNNCell`. `prefix` is ``ConvLSTM_`` by default."""

    _default_prefix = "ConvLSTM_"

    @property
    def state_info(self) -> list[dict[str, Any]]:
        return super().state_info * 2

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step; the states are the output and the cell."""
        name = self._step_name()
        i2h, h2h = self._gates(inputs, states[0], name)
        return lstm_step(i2h + h2h, states, name, self._activation, axis=self._channels)


class ConvGRUCell(_ConvCell):
    """`GRUCell` of pictures; the arguments are those of `BaseConvRNNCell`. `prefix` is ``ConvGRU_`` by default."""

    _default_prefix = "ConvGRU_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step; the output is the state."""
        name = self._step_name()
        i2h, h2h = self._gates(inputs, states[0], name)
        # MXNet always cuts axis 1, so that its cell does not run where the channels stand elsewhere.
        axis = {} if self._channels == 1 else {"axis": self._channels}
        return gru_step(i2h, h2h, states[0], name, self._activation, **axis)
