# SPDX-License-Identifier: Apache-2.0
"""Rates adapted to each layer by the norms of its weight and step: LAMB and LARS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from optax import chain

from .base import Optimizer, Transformation, register
from .transforms import Array, clip, clipped, each, rescale, rest, zeros


@register
class LAMB(Optimizer):
    """Layer-wise Adam for large batches; You et al. 2019. `wd` is added after Adam's ratio.

    With `multi_precision` MXNet 1.9.1 never writes the float32 weights, so every step starts from the first ones. That
    is not repeated here.

    Args:
        learning_rate: Default 0.001.
        beta1: Default 0.9.
        beta2: Default 0.999.
        epsilon: Default 1e-6.
        lower_bound: Smallest weight norm that counts; default none.
        upper_bound: Largest weight norm that counts; default none.
        bias_correction: Default True.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = (
        "clip_gradient", "beta1", "beta2", "epsilon", "lower_bound", "upper_bound", "bias_correction",
    )  # fmt: skip
    slots: ClassVar[tuple[str, ...]] = ("mean", "var")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        lower_bound: float | None = None,
        upper_bound: float | None = None,
        bias_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        self.bias_correction = bias_correction
        self.aggregate_num = 4

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        ones = np.ones(len(indices))
        if not self.bias_correction:
            return {"lr": lr, "wd": wd, "of_mean": ones, "of_var": ones}
        t = self._counts(indices)
        return {"lr": lr, "wd": wd, "of_mean": rest(self.beta1, t), "of_var": rest(self.beta2, t)}

    def build(self) -> Transformation:
        beta1, beta2, epsilon = self.beta1, self.beta2, self.epsilon
        low, high = self.lower_bound, self.upper_bound

        def rule(g: Array, w: Array, h: Any, mean: Array, var: Array) -> tuple[Array, ...]:
            mean = beta1 * mean + rest(beta1) * g
            var = beta2 * var + rest(beta2) * g * g
            step = (mean / h.of_mean) / (jnp.sqrt(var / h.of_var) + epsilon) + h.wd * w
            norm = jnp.linalg.norm(w.ravel())
            norm = jnp.maximum(norm, low) if low is not None else norm
            norm = jnp.minimum(norm, high) if high is not None else norm
            length = jnp.linalg.norm(step.ravel())
            ratio = jnp.where((norm == 0) | (length == 0), 1, norm / jnp.where(length == 0, 1, length))
            return -h.lr * ratio * step, mean, var

        return chain(rescale(), clip(self.clip_gradient), each(rule, mean=zeros, var=zeros))


@register
class LARS(Optimizer):
    """Layer-wise adaptive rates for large batches; You, Gitman and Ginsburg 2017.

    The rate of a weight is multiplied with ``eta * |w| / (|g| + wd * |w| + eps)``; names ending in gamma, beta and bias
    keep the plain rate, and have no decay.

    Args:
        momentum: Default 0.
        lazy_update: Only matters for row_sparse gradients.
        eta: Default 0.001.
        eps: Default 0.
        momentum_correction: Scale the momentum with changes of the rate; default True.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "momentum", "eta", "eps")
    slots: ClassVar[tuple[str, ...]] = ("mom",)
    master_first: ClassVar[bool] = False

    def __init__(
        self,
        momentum: float = 0.0,
        lazy_update: bool = True,
        eta: float = 0.001,
        eps: float = 0,
        momentum_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.momentum_correction = momentum_correction
        self.lazy_update = lazy_update
        self.aggregate_num = 4
        self.eta = eta
        self.eps = eps
        self.skip = 0
        self.last_lr: float | None = None
        self.cur_lr: float | None = None

    def _get_lrs(self, indices: Any) -> list[float]:
        rate = self.learning_rate
        if self.cur_lr is not None:
            self.last_lr = self.cur_lr
        if self.last_lr is None:
            self.last_lr = rate
        self.cur_lr = rate
        return super()._get_lrs(indices)

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        names = [self.idx2name.get(index, "") for index in indices]
        scale = (self.cur_lr or 0.0) / self.last_lr if self.momentum_correction and self.last_lr else 1.0
        return {
            "lr": lr,
            "wd": wd,
            "layerwise": np.array([not name.endswith(("gamma", "beta", "bias")) for name in names], np.float32),
            "of_mom": np.full(len(names), scale),
        }

    def build(self) -> Transformation:
        momentum, eta, eps, limit = self.momentum, self.eta, self.eps, self.clip_gradient

        def rate(g: Array, w: Array, h: Any) -> Array:
            # The norm is the unclipped gradient's.
            weight, grad = jnp.linalg.norm(w.ravel()), jnp.linalg.norm(g.ravel())
            below = grad + h.wd * weight + eps
            ratio = jnp.where((weight > 0) & (grad > 0), eta * weight / jnp.where(below > 0, below, 1), 1)
            return jnp.where(h.layerwise > 0, h.lr * ratio, h.lr)

        def plain(g: Array, w: Array, h: Any) -> Array:
            return -rate(g, w, h) * (clipped(g, limit) + h.wd * w)

        def moving(g: Array, w: Array, h: Any, mom: Array) -> tuple[Array, Array]:
            mom = momentum * h.of_mom * mom + plain(g, w, h)
            return mom, mom

        return chain(rescale(), each(moving, mom=zeros) if momentum else each(plain))
