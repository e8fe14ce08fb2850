# SPDX-License-Identifier: Apache-2.0
"""Initializers made of others: FusedRNN, Load, Mixed."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray, from_host
from ..serialize.params import load
from .base import InitDesc, Initializer, create, fill, register

_log = logging.getLogger(__name__)


@register
class FusedRNN(Initializer):
    """The packed parameters of a fused RNN: `init` for each gate's weight as if it were a parameter of its own.

    Args:
        init: An initializer, its `dumps` text, or None for the initializer of the whole network.
        num_hidden: Size of the hidden state.
        num_layers: Number of layers.
        mode: "rnn_relu", "rnn_tanh", "lstm" or "gru".
        bidirectional: Default False.
        forget_bias: For both biases of the LSTM's forget gate; default 1.
    """

    def __init__(
        self,
        init: Initializer | str | None,
        num_hidden: int,
        num_layers: int,
        mode: str,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        inner: Initializer | None = create(init) if isinstance(init, str) else init
        super().__init__(
            init=inner.dumps() if inner is not None else None,
            num_hidden=num_hidden,
            num_layers=num_layers,
            mode=mode,
            bidirectional=bidirectional,
            forget_bias=forget_bias,
        )
        if mode not in GATES:
            raise ValueError(f"FusedRNN: mode must be one of {', '.join(GATES)}, got {mode!r}")
        self._init = inner
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._bidirectional = bidirectional
        self._forget_bias = forget_bias

    def _init_weight(self, name: str, arr: NDArray) -> None:
        init = self._init or getattr(name, "global_init", None)
        if init is None:
            raise ValueError(f"FusedRNN: no initializer for the weights of {str(name)!r}; give init")
        parts: list[np.ndarray] = []
        for part, shape in self._parts(name, arr):
            piece = from_host(np.zeros(shape, np.float32), arr.context)
            init(InitDesc(part, global_init=getattr(name, "global_init", None)), piece)
            if self._mode == "lstm" and part.endswith("_f_bias"):
                fill(piece, self._forget_bias)
            parts.append(piece.asnumpy().ravel())
        arr[:] = np.concatenate(parts)

    def _parts(self, name: str, arr: NDArray) -> list[tuple[str, tuple[int, ...]]]:
        try:
            return packed_parts(arr.size, self._num_hidden, self._num_layers, self._mode, self._bidirectional)
        except ValueError as e:
            raise ValueError(f"FusedRNN: {str(name)!r} {e}") from e


#: The ends of the names of the gates by mode, in the order in which they are stacked.
GATES = {"rnn_relu": ("",), "rnn_tanh": ("",), "lstm": ("_i", "_f", "_c", "_o"), "gru": ("_r", "_z", "_o")}


def packed_parts(size: int, h: int, layers: int, mode: str, bidirectional: bool) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the gates in the packed vector of a fused RNN: all weights, then all biases.

    Args:
        size: the length of the vector, from which the size of the input follows.
        h: the size of the hidden state.
        layers, mode, bidirectional: as for `FusedRNN`.

    Raises:
        ValueError: no input has a vector of that size.
    """
    gates = GATES[mode]
    sides = ("l", "r") if bidirectional else ("l",)
    n, g = len(sides), len(gates)
    inputs = size // n // h // g - (layers - 1) * (h + n * h + 2) - h - 2
    weights, biases = [], []
    for layer in range(layers):
        for side in sides:
            for group, width in (("i2h", inputs if layer == 0 else n * h), ("h2h", h)):
                weights += [(f"{side}{layer}_{group}{gate}_weight", (h, width)) for gate in gates]
                biases += [(f"{side}{layer}_{group}{gate}_bias", (h,)) for gate in gates]
    parts = weights + biases
    if inputs < 1 or sum(math.prod(shape) for _, shape in parts) != size:
        raise ValueError(
            f"of {size} numbers cannot hold a {mode} with num_hidden={h}, num_layers={layers}, "
            f"bidirectional={bidirectional}"
        )
    return parts


class Load:
    """Parameters from a file or a dictionary.

    Args:
        param: A `.params` file name, or ``{name: NDArray}``; prefixes ``arg:`` and ``aux:`` are dropped.
        default_init: For parameters that are not there.
        verbose: Log where each parameter came from.

    Raises:
        AssertionError: When called for a parameter that is missing (without `default_init`) or has another shape.
    """

    def __init__(self, param: str | Mapping[str, Any], default_init: Any = None, verbose: bool = False) -> None:
        found = load(param) if isinstance(param, str) else param
        if not isinstance(found, Mapping):
            raise AssertionError(f"Load needs a file or a dict of named arrays, got {type(found).__name__}")
        self.param = {key[4:] if key.startswith(("arg:", "aux:")) else key: value for key, value in found.items()}
        self.default_init = default_init
        self.verbose = verbose

    def __call__(self, name: str, arr: NDArray) -> None:
        if name in self.param:
            value = self.param[name]
            if tuple(value.shape) != tuple(arr.shape):
                raise AssertionError(
                    f"Parameter {str(name)!r} cannot be initialized from loading. "
                    f"Shape mismatch, target {arr.shape} vs loaded {tuple(value.shape)}"
                )
            arr[:] = value
            if self.verbose:
                _log.info("Initialized %s by loading", name)
            return
        if self.default_init is None:
            raise AssertionError(
                f"Cannot Initialize {str(name)!r}. Not found in loaded param and no default Initializer is provided"
            )
        self.default_init(name, arr)
        if self.verbose:
            _log.info("Initialized %s by default", name)


class Mixed:
    """The first initializer whose pattern matches the name's beginning.

    Args:
        patterns: Regular expressions.
        initializers: One for each.

    Raises:
        ValueError: When called for a name that no pattern matches.
    """

    def __init__(self, patterns: Sequence[str], initializers: Sequence[Any]) -> None:
        if len(patterns) != len(initializers):
            raise AssertionError(f"Mixed: {len(patterns)} patterns for {len(initializers)} initializers")
        self.map = [(re.compile(pattern), init) for pattern, init in zip(patterns, initializers, strict=True)]

    def __call__(self, name: str, arr: NDArray) -> None:
        for pattern, init in self.map:
            if pattern.match(name):
                init(name, arr)
                return
        raise ValueError(
            f"Parameter name {name} did not match any pattern ({', '.join(p.pattern for p, _ in self.map)}). "
            'Add a ".*" pattern at the end with a default initializer'
        )
