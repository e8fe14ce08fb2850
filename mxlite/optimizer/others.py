# SPDX-License-Identifier: Apache-2.0
"""Rarely used optimizers: DCASGD, SGLD, Test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from optax import chain

from .._rng import draw_key
from .base import Optimizer, Transformation, register
from .transforms import Array, clip, copied, each, rescale, zeros


@register
class DCASGD(Optimizer):
    """Delay-compensated asynchronous descent; Zheng et al. 2016.

    Args:
        momentum: Default 0.
        lamda: Strength of the compensation; default 0.04.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "momentum", "lamda")
    slots: ClassVar[tuple[str, ...]] = ("mom", "previous")

    def __init__(self, momentum: float = 0.0, lamda: float = 0.04, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.lamda = lamda

    def build(self) -> Transformation:
        momentum, lamda = self.momentum, self.lamda

        def direction(g: Array, w: Array, h: Any, previous: Array) -> Array:
            return -h.lr * (g + h.wd * w + lamda * g * g * (w - previous))

        def plain(g: Array, w: Array, h: Any, previous: Array) -> tuple[Array, Array]:
            return direction(g, w, h, previous), jnp.copy(w)

        def moving(g: Array, w: Array, h: Any, mom: Array, previous: Array) -> tuple[Array, ...]:
            mom = momentum * mom + direction(g, w, h, previous)
            return mom, mom, jnp.copy(w)

        last = each(moving, mom=zeros, previous=copied) if momentum else each(plain, previous=copied)
        return chain(rescale(), clip(self.clip_gradient), last)


@register
class SGLD(Optimizer):
    """Stochastic gradient Langevin dynamics; Patterson and Teh 2013: half a step, and noise of variance `lr`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        return {"lr": lr, "wd": wd, "key": np.stack([draw_key() for _ in indices])}

    def build(self) -> Transformation:
        def rule(g: Array, w: Array, h: Any) -> Array:
            noise = jax.random.normal(h.key, w.shape, w.dtype) * jnp.sqrt(h.lr)
            return -h.lr / 2 * (g + h.wd * w) + noise

        return chain(rescale(), clip(self.clip_gradient), each(rule))


@register
class Test(Optimizer):
    """Adds the rescaled gradient to the weight, and copies the weight to its state; for tests of training loops."""

    slots: ClassVar[tuple[str, ...]] = ("copy",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def build(self) -> Transformation:
        return chain(rescale(), each(lambda g, w, h, copy: (g, w + g), copy=zeros))
