# SPDX-License-Identifier: Apache-2.0
"""The Adam family: Adam, Adamax, Nadam, FTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from optax import chain

from .base import Optimizer, Transformation, register
from .transforms import Array, clip, decay, each, rescale, rest, zeros


@register
class Adam(Optimizer):
    """Adam; Kingma and Ba, "Adam: a method for stochastic optimization", 2014.

    ``g = clip(rescale_grad * grad + wd * w)``; the bias correction is in the rate:
    ``w -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * mean / (sqrt(var) + epsilon)``.

    Args:
        learning_rate: Default 0.001.
        beta1: Default 0.9.
        beta2: Default 0.999.
        epsilon: Default 1e-8.
        lazy_update: Only matters for row_sparse gradients.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "beta1", "beta2", "epsilon")
    slots: ClassVar[tuple[str, ...]] = ("mean", "var")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        lazy_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lazy_update = lazy_update

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        t = self._counts(indices)
        return {"lr": lr * np.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t), "wd": wd}

    def build(self) -> Transformation:
        last = moments(self.beta1, self.beta2, self.epsilon)
        return chain(rescale(), decay(), clip(self.clip_gradient), last)


@register
class Adamax(Optimizer):
    """Adam with the maximum norm: ``w -= lr / (1 - beta1^t) * mean / max(beta2 * u, |g|)``.

    Args:
        learning_rate: Default 0.002.
        beta1: Default 0.9.
        beta2: Default 0.999.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "beta1", "beta2")
    slots: ClassVar[tuple[str, ...]] = ("mean", "max")

    def __init__(self, learning_rate: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        return {"lr": lr / (1.0 - self.beta1 ** self._counts(indices)), "wd": wd}

    def build(self) -> Transformation:
        beta1, beta2 = self.beta1, self.beta2

        def rule(g: Array, w: Array, h: Any, mean: Array, top: Array) -> tuple[Array, ...]:
            mean = beta1 * mean + (1 - beta1) * g
            top = jnp.maximum(beta2 * top, jnp.abs(g))
            return -h.lr * mean / top, mean, top

        return chain(rescale(), decay(), clip(self.clip_gradient), each(rule, mean=zeros, max=zeros))


@register
class Nadam(Optimizer):
    """Adam with Nesterov momentum; Dozat 2016. The schedule of the momentum is shared by all parameters, as in MXNet:
    its running product advances with every single parameter's update.

    Args:
        learning_rate: Default 0.001.
        beta1: Default 0.9.
        beta2: Default 0.999.
        epsilon: Default 1e-8.
        schedule_decay: Default 0.004.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "beta1", "beta2", "epsilon")
    slots: ClassVar[tuple[str, ...]] = ("mean", "var")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        self.m_schedule = 1.0

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        t = self._counts(indices)
        now = self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.schedule_decay))
        then = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * self.schedule_decay))
        schedule = self.m_schedule * np.cumprod(now)
        self.m_schedule = float(schedule[-1])
        return {
            "lr": lr,
            "wd": wd,
            "of_grad": (1.0 - now) / (1.0 - schedule),
            "of_mean": then / (1.0 - schedule * then),
            "of_var": 1.0 / (1.0 - self.beta2**t),
        }

    def build(self) -> Transformation:
        beta1, beta2, epsilon = self.beta1, self.beta2, self.epsilon

        def rule(g: Array, w: Array, h: Any, mean: Array, var: Array) -> tuple[Array, ...]:
            mean = beta1 * mean + (1 - beta1) * g
            var = beta2 * var + (1 - beta2) * g * g
            ahead = h.of_grad * g + h.of_mean * mean
            return -h.lr * ahead / (jnp.sqrt(var * h.of_var) + epsilon), mean, var

        return chain(rescale(), decay(), clip(self.clip_gradient), each(rule, mean=zeros, var=zeros))


@register
class FTML(Optimizer):
    """Follow the moving leader; Zheng and Kwok 2017.

    Args:
        beta1: Default 0.6.
        beta2: Default 0.999.
        epsilon: Default 1e-8.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "beta1", "beta2", "epsilon")
    slots: ClassVar[tuple[str, ...]] = ("d", "v", "z")

    def __init__(self, beta1: float = 0.6, beta2: float = 0.999, epsilon: float = 1e-8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        # MXNet's kernel takes the power in float32, which leaves few digits of 1 - beta2^t.
        t = self._counts(indices).astype(np.float32)
        of_d, of_var = (np.float32(1) - np.float32(beta) ** t for beta in (self.beta1, self.beta2))
        return {"lr": lr, "wd": wd, "of_d": of_d, "of_var": of_var}

    def build(self) -> Transformation:
        beta1, beta2, epsilon = self.beta1, self.beta2, self.epsilon

        def rule(g: Array, w: Array, h: Any, d: Array, v: Array, z: Array) -> tuple[Array, ...]:
            v = beta2 * v + rest(beta2) * g * g
            new = h.of_d / h.lr * (jnp.sqrt(v / h.of_var) + epsilon)
            z = beta1 * z + rest(beta1) * g - (new - beta1 * d) * w
            return -z / new - w, new, v, z

        return chain(rescale(), decay(), clip(self.clip_gradient), each(rule, d=zeros, v=zeros, z=zeros))


def moments(beta1: float, beta2: float, epsilon: float) -> Transformation:
    """Adam's step from the exponential means of the gradient and its square; the rate holds the bias correction."""

    def rule(g: Array, w: Array, h: Any, mean: Array, var: Array) -> tuple[Array, ...]:
        mean = beta1 * mean + rest(beta1) * g
        var = beta2 * var + rest(beta2) * g * g
        return -h.lr * mean / (jnp.sqrt(var) + epsilon), mean, var

    return each(rule, mean=zeros, var=zeros)
