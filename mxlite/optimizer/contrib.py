# SPDX-License-Identifier: Apache-2.0
"""`mx.optimizer.contrib`: GroupAdaGrad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from optax import chain

from .base import Optimizer, Transformation, register
from .transforms import Array, clip, each, rescale, rows


@register
class GroupAdaGrad(Optimizer):
    """AdaGrad with one rate for each row of a weight, for embeddings; it does not take weight decay.

    MXNet 1.9.1 has this for row_sparse gradients only.

    Args:
        eps: Default 1e-5.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "float_stable_eps")
    slots: ClassVar[tuple[str, ...]] = ("history",)
    lazy_update: ClassVar[bool] = True

    def __init__(self, eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        for index, decay in zip(indices, wd, strict=True):
            if decay:
                raise AssertionError(f"GroupAdaGrad takes no wd, got {decay} for {self.idx2name.get(index, index)!r}")
        return {"lr": lr, "wd": wd}

    def build(self) -> Transformation:
        eps = self.float_stable_eps

        def rule(g: Array, w: Array, h: Any, history: Array) -> tuple[Array, Array]:
            mean = jnp.mean(jnp.square(g.reshape(g.shape[0], -1)), axis=1, keepdims=True)
            history = history + mean
            return -h.lr * g / jnp.sqrt(history + eps).reshape((-1,) + (1,) * (g.ndim - 1)), history

        return chain(rescale(), clip(self.clip_gradient), each(rule, history=rows))
