# SPDX-License-Identifier: Apache-2.0
"""Gradient descent and its momentum forms: SGD, NAG, Signum."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from optax import chain

from .base import Optimizer, Transformation, register
from .transforms import Array, clip, decay, descend, each, rescale, rest, trace, zeros


@register
class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    ``g = clip(rescale_grad * grad) + wd * w``; ``mom = momentum * mom - lr * g``; ``w += mom``.

    Args:
        momentum: 0 keeps no state; default 0.
        lazy_update: Only matters for row_sparse gradients, whose absent rows are left alone when True.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "momentum")
    slots: ClassVar[tuple[str, ...]] = ("mom",)
    master_first: ClassVar[bool] = False

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.lazy_update = lazy_update
        self.aggregate_num = 4

    def build(self) -> Transformation:
        last = trace(self.momentum) if self.momentum else descend()
        return chain(rescale(), clip(self.clip_gradient), decay(), last)


@register
class ccSGD(SGD):
    """An old name of `SGD`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


@register
class NAG(Optimizer):
    """Nesterov's accelerated gradient.

    ``w += momentum * (momentum * mom - lr * (g + wd * w)) - lr * (g + wd * w)`` with the clipped gradient ``g``; then
    ``mom = momentum * mom - lr * (g + wd * w)`` with the new ``w``, as MXNet's kernel leaves it.

    Args:
        momentum: 0 is plain descent; default 0.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "momentum")
    slots: ClassVar[tuple[str, ...]] = ("mom",)
    master_first: ClassVar[bool] = False

    def __init__(self, momentum: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self) -> Transformation:
        if self.momentum:
            return chain(rescale(), clip(self.clip_gradient), nesterov(self.momentum))
        return chain(rescale(), clip(self.clip_gradient), decay(), descend())


@register
class Signum(Optimizer):
    """Steps of size `lr` in the direction of the sign of the momentum, or of the gradient.

    With momentum ``mom = momentum * mom - (1 - momentum) * g`` and ``w = (1 - lr * wd_lh) * w + lr * sign(mom)``;
    without, ``w = (1 - lr * wd) * w - lr * sign(grad)``.

    Args:
        learning_rate: Default 0.01.
        momentum: Default 0.9.
        wd_lh: Decay that is applied to the weight directly; only with momentum. Default 0.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "momentum", "wd_lh")
    slots: ClassVar[tuple[str, ...]] = ("mom",)

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, wd_lh: float = 0.0, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum
        self.wd_lh = wd_lh

    def build(self) -> Transformation:
        if self.momentum:
            return chain(rescale(), clip(self.clip_gradient), decay(), signed_trace(self.momentum, self.wd_lh))
        return chain(rescale(), clip(self.clip_gradient), each(lambda g, w, h: -h.lr * (h.wd * w + jnp.sign(g))))


def nesterov(momentum: float) -> Transformation:
    """`decay` and `trace`, looking one step ahead."""

    def rule(g: Array, w: Array, h: Any, mom: Array) -> tuple[Array, Array]:
        now = h.lr * (g + h.wd * w)
        step = momentum * (momentum * mom - now) - now
        return step, momentum * mom - h.lr * (g + h.wd * (w + step))

    return each(rule, mom=zeros)


def signed_trace(momentum: float, wd_lh: float) -> Transformation:
    """An exponential mean of the negative gradient, of which only the sign counts."""

    def rule(g: Array, w: Array, h: Any, mom: Array) -> tuple[Array, Array]:
        mom = momentum * mom - rest(momentum) * g
        return h.lr * (jnp.sign(mom) - wd_lh * w), mom

    return each(rule, mom=zeros)
