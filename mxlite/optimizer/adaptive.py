# SPDX-License-Identifier: Apache-2.0
"""Rates adapted to each element: AdaGrad, AdaDelta, RMSProp, Ftrl."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from optax import chain

from ..ndarray import NDArray
from .base import Optimizer, Transformation, check_rate, register
from .transforms import Array, clip, clip_weights, decay, each, rescale, rest, zeros


@register
class AdaGrad(Optimizer):
    """AdaGrad; Duchi, Hazan and Singer 2011: ``w -= lr * (g / (sqrt(sum of g^2) + eps) + wd * w)``.

    Args:
        eps: Default 1e-7.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "float_stable_eps")
    slots: ClassVar[tuple[str, ...]] = ("history",)
    lazy_update: ClassVar[bool] = True

    def __init__(self, eps: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def build(self) -> Transformation:
        eps = self.float_stable_eps

        def rule(g: Array, w: Array, h: Any, history: Array) -> tuple[Array, Array]:
            history = history + g * g
            return -h.lr * (g / jnp.sqrt(history + eps) + h.wd * w), history

        return chain(rescale(), clip(self.clip_gradient), each(rule, history=zeros))


@register
class AdaDelta(Optimizer):
    """AdaDelta; Zeiler 2012. There is no learning rate; ``wd * w`` is subtracted as it is.

    Args:
        rho: Decay of both means; default 0.9.
        epsilon: Default 1e-5.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "rho", "epsilon")
    slots: ClassVar[tuple[str, ...]] = ("acc_g", "acc_delta")

    def __init__(self, rho: float = 0.90, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def build(self) -> Transformation:
        rho, epsilon = self.rho, self.epsilon

        def rule(g: Array, w: Array, h: Any, acc_g: Array, acc_delta: Array) -> tuple[Array, ...]:
            acc_g = rho * acc_g + (1 - rho) * g * g
            delta = jnp.sqrt(acc_delta + epsilon) / jnp.sqrt(acc_g + epsilon) * g
            acc_delta = rho * acc_delta + (1 - rho) * delta * delta
            return -delta - h.wd * w, acc_g, acc_delta

        return chain(rescale(), clip(self.clip_gradient), each(rule, acc_g=zeros, acc_delta=zeros))


@register
class RMSProp(Optimizer):
    """RMSProp; Tieleman and Hinton 2012, or with `centered` the form of Graves 2013.

    Args:
        learning_rate: Default 0.001.
        gamma1: Decay of the means; default 0.9.
        gamma2: Momentum of the centered form; default 0.9.
        epsilon: Default 1e-8; inside the square root when `centered`.
        centered: Subtract the squared mean gradient; default False.
        clip_weights: Limit of the absolute value of the weights.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "gamma1", "gamma2", "epsilon", "centered", "clip_weights")
    slots: ClassVar[tuple[str, ...]] = ("n", "g", "delta")
    always_tuple: ClassVar[bool] = True

    def __init__(
        self,
        learning_rate: float = 0.001,
        gamma1: float = 0.9,
        gamma2: float = 0.9,
        epsilon: float = 1e-8,
        centered: bool = False,
        clip_weights: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.gamma1 = gamma1
        self.gamma2 = gamma2
        self.centered = centered
        self.epsilon = epsilon
        self.clip_weights = clip_weights

    def build(self) -> Transformation:
        gamma1, gamma2, epsilon = self.gamma1, self.gamma2, self.epsilon

        def plain(g: Array, w: Array, h: Any, n: Array) -> tuple[Array, Array]:
            n = gamma1 * n + rest(gamma1) * g * g
            return -h.lr * g / jnp.sqrt(n + epsilon), n

        def graves(g: Array, w: Array, h: Any, n: Array, mean: Array, delta: Array) -> tuple[Array, ...]:
            n = gamma1 * n + rest(gamma1) * g * g
            mean = gamma1 * mean + rest(gamma1) * g
            delta = gamma2 * delta - h.lr * g / jnp.sqrt(n - mean * mean + epsilon)
            return delta, n, mean, delta

        last = each(graves, n=zeros, g=zeros, delta=zeros) if self.centered else each(plain, n=zeros)
        return chain(rescale(), decay(), clip(self.clip_gradient), last, clip_weights(self.clip_weights))


@register
class Ftrl(Optimizer):
    """Follow the regularised leader; McMahan et al. 2013, "Ad click prediction".

    Args:
        lamda1: L1 strength; default 0.01.
        learning_rate: Default 0.1. It is not given to the scheduler, which keeps its own base rate (as in MXNet).
        beta: Default 1.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "lamda1", "beta")
    slots: ClassVar[tuple[str, ...]] = ("z", "n")

    def __init__(self, lamda1: float = 0.01, learning_rate: float = 0.1, beta: float = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lamda1 = lamda1
        self.beta = beta
        self.lr = check_rate(learning_rate, "learning_rate")

    def _lazy(self, weight: NDArray) -> bool | None:
        return True if weight.stype == "row_sparse" else None  # MXNet makes the gradient of a dense weight dense

    def build(self) -> Transformation:
        lamda1, beta = self.lamda1, self.beta

        def rule(g: Array, w: Array, h: Any, z: Array, n: Array) -> tuple[Array, ...]:
            grown = n + g * g
            z = z + g - (jnp.sqrt(grown) - jnp.sqrt(n)) / h.lr * w
            slope = (beta + jnp.sqrt(grown)) / h.lr + h.wd
            new = jnp.where(jnp.abs(z) > lamda1, (jnp.sign(z) * lamda1 - z) / slope, 0)
            return new - w, z, grown

        return chain(rescale(), clip(self.clip_gradient), each(rule, z=zeros, n=zeros))
