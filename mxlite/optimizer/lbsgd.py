# SPDX-License-Identifier: Apache-2.0
"""Large-batch gradient descent with warm-up: LBSGD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from optax import chain

from ..ndarray import NDArray
from .base import Optimizer, Transformation, register
from .transforms import clip, decay, descend, rescale, trace


@register
class LBSGD(Optimizer):
    """`SGD` that sums the gradients of `batch_scale` calls into one step, and warms its rate up to `batch_scale` times.

    The rate's factor rises from 1 at update 0 to `batch_scale` at ``warmup_epochs * updates_per_epoch``; with the
    strategy "lars" it is ``sqrt(|w|^2 / (|g|^2 + wd * |w|^2))`` of each layer, between 0.01 and 100. Reads norms on the
    host and is not fused into the training step.

    Args:
        momentum: Default 0.
        multi_precision: As `Optimizer`.
        warmup_strategy: "linear", "power2", "sqrt" or "lars"; default "linear".
        warmup_epochs: Default 5.
        batch_scale: Default 1.
        updates_per_epoch: Default 32.
        begin_epoch: The epoch to start from; default 0.
        num_epochs: Kept for scripts that give it; default 60.
        **kwargs: As `Optimizer`.
    """

    static: ClassVar[tuple[str, ...]] = ("clip_gradient", "momentum")
    slots: ClassVar[tuple[str, ...]] = ("mom",)

    def __init__(
        self,
        momentum: float = 0.0,
        multi_precision: bool = False,
        warmup_strategy: str = "linear",
        warmup_epochs: int = 5,
        batch_scale: int = 1,
        updates_per_epoch: int = 32,
        begin_epoch: int = 0,
        num_epochs: int = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(multi_precision=multi_precision, **kwargs)
        self.momentum = momentum
        self.warmup_strategy = warmup_strategy
        self.warmup_epochs = warmup_epochs
        self.batch_scale = batch_scale
        self.updates_per_epoch = updates_per_epoch
        self.init_updates = begin_epoch * updates_per_epoch
        self.num_epochs = num_epochs
        self.adaptive = warmup_strategy == "lars"
        self.lbmult = 1.0
        self.admult = 1.0
        self._rate = 0.0
        self.cumgrads: dict[Any, dict[str, Any]] = {}

    def build(self) -> Transformation:
        last = trace(self.momentum) if self.momentum else descend()
        return chain(rescale(), clip(self.clip_gradient), decay(), last)

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        # The warm-up counts the gradients of this parameter; begin_num_update is none of its business.
        self.lbmult = self.admult if self.adaptive else self._warmup(self.cumgrads[indices[0]]["num_cums"])
        return {"lr": np.array([self._rate * self.lbmult]), "wd": wd}

    def _warmup(self, done: int) -> float:
        whole, top = self.warmup_epochs * self.updates_per_epoch, float(self.batch_scale)
        if done >= whole:
            return top
        part = done / whole
        shapes = {"linear": part, "power2": part**2, "sqrt": math.sqrt(part)}
        return 1.0 + (top - 1.0) * shapes.get(self.warmup_strategy, 0.0)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Add `grad` to the sum; every `batch_scale` calls, step with its mean."""
        if isinstance(index, list | tuple):
            for one in zip(index, weight, grad, state, strict=True):
                self.update(*one)
            return
        self._rate = self._get_lr(index)  # before the update is counted, so a scheduler's change comes one step late
        sums = self.cumgrads.setdefault(index, {"cum_grad": 0, "num_cums": self.init_updates})
        sums["num_cums"] += 1
        total = grad if self.batch_scale == 1 else grad + sums["cum_grad"]
        if sums["num_cums"] % self.batch_scale:
            sums["cum_grad"] = total
            self._update_count(index)
            return
        sums["cum_grad"] = 0
        mean = total if self.batch_scale == 1 else total / self.batch_scale
        if self.adaptive:
            self.admult = self._ratio(weight, mean, self._get_wd(index))
        self._run(index, weight, mean, state, False)

    @staticmethod
    def _ratio(weight: NDArray, grad: NDArray, wd: float) -> float:
        w, g = (float(np.sum(np.square(x.asnumpy(), dtype=np.float64))) for x in (weight, grad))
        return min(max(math.sqrt(w / (g + wd * w + 1e-18)), 0.01), 100.0)
