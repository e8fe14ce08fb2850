# SPDX-License-Identifier: Apache-2.0
"""`LossScaler`: dynamic loss scaling of a training loop that one writes oneself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ... import ndarray as nd
from ...log import ROOT


class LossScaler:
    """Doubles the scale after 2000 steps with finite gradients, and halves it after a step without.

    `Module` needs none: under `amp.init` its programs scale by themselves, without waiting for the device.

    Attributes:
        loss_scale: the factor for the loss; 65536 at first, never more than 2**24.

    Source: `mxnet.contrib.amp.loss_scaler.LossScaler`.
    """

    def __init__(self) -> None:
        self._loss_scale = self._next_loss_scale = 2.0**16
        self._max_loss_scale = 2.0**24
        self._scale_seq_len = 2000
        self._unskipped = 0

    @property
    def loss_scale(self) -> float:
        """The factor that the latest gradients were computed with, once `has_overflow` has seen them."""
        return self._loss_scale

    def has_overflow(self, params: Iterable[Any]) -> bool:
        """Whether a gradient is infinite or not a number; waits for the device, and moves the scale.

        Args:
            params: the gradients as NDArrays, or parameters that have lists of them as `_grad`, as those of Gluon have.

        Raises:
            ValueError: there are none.
        """
        self._loss_scale = self._next_loss_scale
        grads = [p if isinstance(p, nd.NDArray) else p._grad[0] for p in params if getattr(p, "_grad", p) is not None]
        if not grads:
            raise ValueError("has_overflow: there are no gradients to look at")
        overflow = not nd.multi_all_finite(*grads).asscalar()
        if overflow:
            self._next_loss_scale = self._loss_scale / 2
            self._unskipped = 0
            ROOT.info("AMP: decreasing loss scale to %f", self._next_loss_scale)
        else:
            self._unskipped += 1
        if self._unskipped == self._scale_seq_len:
            self._unskipped = 0
            self._next_loss_scale = min(self._max_loss_scale, self._loss_scale * 2)
            ROOT.info("AMP: increasing loss scale to %f", self._next_loss_scale)
        return overflow
