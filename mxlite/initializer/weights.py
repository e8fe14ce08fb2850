# SPDX-License-Identifier: Apache-2.0
"""The initializers of weights: constants, random numbers, special forms.

Random numbers are made on the host, seeded by `mx.random.seed`: a network's parameters all have different shapes, and
a compiled generator would cost one compilation for each.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from .._rng import draw_key
from ..base import MXNetError
from ..ndarray import NDArray
from .base import Initializer, alias, bilinear, fill, register


def _generator(arr: NDArray, name: str) -> np.random.Generator:
    if np.dtype(arr.dtype).kind not in "fV":
        raise MXNetError(
            f"parameter {str(name)!r} has dtype {np.dtype(arr.dtype).name}; random initializers need floats"
        )
    high, low = (int(x) for x in draw_key(arr.context))
    return np.random.Generator(np.random.Philox(key=(high << 32) | low))


def _uniform(name: str, arr: NDArray, scale: float) -> None:
    draw = _generator(arr, name).random(arr.shape, np.float32)
    arr[:] = (draw * 2 - 1) * np.float32(scale)


def _normal(name: str, arr: NDArray, sigma: float) -> None:
    arr[:] = _generator(arr, name).standard_normal(arr.shape, np.float32) * np.float32(sigma)


@alias("zeros")
@register
class Zero(Initializer):
    """Weights of 0."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        fill(arr, 0)


@alias("ones")
@register
class One(Initializer):
    """Weights of 1."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        fill(arr, 1)


@register
class Constant(Initializer):
    """Weights of one value.

    Args:
        value: A number, or an array or nested list of the weight's shape.
    """

    def __init__(self, value: Any) -> None:
        super().__init__(value=value)
        self.value = value

    def _init_weight(self, name: str, arr: NDArray) -> None:
        value = self.value.asnumpy() if isinstance(self.value, NDArray) else np.asarray(self.value)
        try:
            arr[:] = np.broadcast_to(value, arr.shape)
        except ValueError:
            raise ValueError(
                f"Constant: a value of shape {value.shape} does not fit parameter {str(name)!r} of shape {arr.shape}"
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.dumps() == other.dumps()

    __hash__ = Initializer.__hash__

    def dumps(self) -> str:
        value = self._kwargs["value"]
        value = value.asnumpy() if isinstance(value, NDArray) else value
        return json.dumps(["constant", {"value": value.tolist() if isinstance(value, np.ndarray) else value}])


@register
class Uniform(Initializer):
    """Weights drawn evenly from [-scale, scale); `scale` defaults to 0.07."""

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, name: str, arr: NDArray) -> None:
        _uniform(name, arr, self.scale)


@register
class Normal(Initializer):
    """Weights from the normal distribution with standard deviation `sigma`, default 0.01."""

    def __init__(self, sigma: float = 0.01) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, name: str, arr: NDArray) -> None:
        _normal(name, arr, self.sigma)


@register
class Orthogonal(Initializer):
    """Weights whose rows, or columns, are orthogonal; Saxe, McClelland and Ganguli 2013.

    Args:
        scale: Length of the rows; default 1.414.
        rand_type: "uniform" or "normal": what the orthogonal basis is computed from.
    """

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform") -> None:
        super().__init__(scale=scale, rand_type=rand_type)
        self.scale = scale
        self.rand_type = rand_type

    def _init_weight(self, name: str, arr: NDArray) -> None:
        if len(arr.shape) < 2:
            raise ValueError(f"Orthogonal needs at least 2 dimensions; parameter {str(name)!r} has shape {arr.shape}")
        shape = (arr.shape[0], math.prod(arr.shape[1:]))
        generator = _generator(arr, name)
        if self.rand_type == "uniform":
            raw = generator.uniform(-1.0, 1.0, shape)
        elif self.rand_type == "normal":
            raw = generator.standard_normal(shape)
        else:
            raise ValueError(f"Orthogonal: rand_type must be 'uniform' or 'normal', got {self.rand_type!r}")
        left, _, right = np.linalg.svd(raw, full_matrices=False)
        basis = left if left.shape == shape else right
        arr[:] = (self.scale * basis).reshape(arr.shape).astype(np.float32)


@register
class Xavier(Initializer):
    """Weights scaled by the number of a layer's inputs and outputs; Glorot and Bengio 2010.

    With ``scale = sqrt(magnitude / factor)``: uniform in [-scale, scale), or normal with deviation ``scale``. The first
    dimension counts outputs, the second inputs, both times the size of the remaining ones.

    Args:
        rnd_type: "uniform" or "gaussian".
        factor_type: "avg" of inputs and outputs, "in" or "out".
        magnitude: Default 3.
    """

    def __init__(self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3) -> None:
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type = rnd_type
        self.factor_type = factor_type
        self.magnitude = float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape
        if len(shape) < 2:
            raise ValueError(
                f"{type(self).__name__} initializer cannot be applied to {str(name)!r} of shape {shape}. "
                "It requires at least 2D; for vectors use another, such as mx.init.Uniform"
            )
        size = math.prod(shape[2:])
        fans = {"in": shape[1] * size, "out": shape[0] * size, "avg": (shape[0] + shape[1]) * size / 2}
        if self.factor_type not in fans:
            raise ValueError(f"Xavier: factor_type must be 'avg', 'in' or 'out', got {self.factor_type!r}")
        scale = math.sqrt(self.magnitude / fans[self.factor_type])
        if self.rnd_type == "uniform":
            _uniform(name, arr, scale)
        elif self.rnd_type == "gaussian":
            _normal(name, arr, scale)
        else:
            raise ValueError(f"Xavier: rnd_type must be 'uniform' or 'gaussian', got {self.rnd_type!r}")


@register
class MSRAPrelu(Xavier):
    """Gaussian `Xavier` for layers followed by PReLU or ReLU; He et al. 2015.

    Args:
        factor_type: "avg", "in" or "out".
        slope: The activation's slope below zero; default 0.25.
    """

    def __init__(self, factor_type: str = "avg", slope: float = 0.25) -> None:
        super().__init__("gaussian", factor_type, 2.0 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}


@register
class Bilinear(Initializer):
    """The weight of a Deconvolution that interpolates linearly; shape (out, in, height, width)."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = bilinear(name, arr.shape)


@register
class LSTMBias(Initializer):
    """The bias of an LSTM: zeros, and `forget_bias` for the forget gate (the second quarter). Default 1.

    It works as the variable's initializer, ``mx.sym.Variable(name, init=mx.init.LSTMBias())``; called with a name that
    ends in bias it gives zeros, as all do.
    """

    def __init__(self, forget_bias: float = 1.0) -> None:
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, name: str, arr: NDArray) -> None:
        value = np.zeros(arr.shape, np.float32)
        hidden = arr.shape[0] // 4
        value[hidden : 2 * hidden] = self.forget_bias
        arr[:] = value
