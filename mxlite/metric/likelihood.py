# SPDX-License-Identifier: Apache-2.0
"""Metrics of probabilities: CrossEntropy, NegativeLogLikelihood, Perplexity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ndarray import NDArray
from . import kernels
from .accumulator import Kernel
from .base import DeviceMetric, MetricError, MetricIndexError, alias, register


@register
@alias("ce")
class CrossEntropy(DeviceMetric):
    """The mean of minus the logarithm of the label's probability.

    Predictions are probabilities (batch, classes), labels class numbers, batch of them in any shape. A label outside
    of [-classes, classes) raises an IndexError when the metric is read: counting waits for nothing.

    Args:
        eps: added to the probability.
        name, output_names, label_names: as for `EvalMetric`.

    Source: `mxnet.metric.CrossEntropy`.
    """

    size = 2

    def __init__(
        self, eps: float = 1e-12, name: str = "cross-entropy", output_names: Any = None, label_names: Any = None
    ):
        super().__init__(name, output_names, label_names, eps=eps)
        self.eps = eps

    def device_kernel(self) -> Kernel:
        """The sum of minus the logarithms, and the number of labels that name no class."""
        return kernels.cross_entropy(self.eps)

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of labels. MetricError when it is not the number of predictions."""
        for label, pred in zip(labels, preds, strict=True):
            if pred.ndim < 2:
                raise MetricIndexError(f"{self.name}: predictions must be (batch, classes), got shape {pred.shape}")
            if label.size != pred.shape[0]:
                raise MetricError(
                    f"{self.name}: {label.size} labels (shape {label.shape}) do not match the {pred.shape[0]} rows of "
                    f"predictions of shape {pred.shape}"
                )
        return sum(label.size for label in labels)

    def _legal(self, sums: np.ndarray) -> float:
        if sums[1]:
            raise MetricIndexError(f"{self.name}: {sums[1]:.0f} of the counted labels name no class")
        return float(sums[0])

    @property
    def sum_metric(self) -> float:  # type: ignore[override]
        """The sum since the last reset of any kind. Waits for the device; MetricIndexError for a bad label."""
        return self._legal(self._sums.local)

    @sum_metric.setter
    def sum_metric(self, value: float) -> None:
        self._sums.set(0, local=value)

    @property
    def global_sum_metric(self) -> float:  # type: ignore[override]
        """As `sum_metric`, since the last `reset`."""
        return self._legal(self._sums.total)

    @global_sum_metric.setter
    def global_sum_metric(self, value: float) -> None:
        self._sums.set(0, total=value)


@register
@alias("nll_loss")
class NegativeLogLikelihood(CrossEntropy):
    """The same number as `CrossEntropy`, under another name.

    Args:
        eps: added to the probability.
        name, output_names, label_names: as for `EvalMetric`.

    Source: `mxnet.metric.NegativeLogLikelihood`.
    """

    def __init__(self, eps: float = 1e-12, name: str = "nll-loss", output_names: Any = None, label_names: Any = None):
        super().__init__(eps, name, output_names, label_names)


@register
class Perplexity(DeviceMetric):
    """The exponential of the mean of minus the logarithm of the label's probability.

    Predictions are probabilities (..., classes), labels class numbers, one for each row; a label outside of the
    classes takes the nearest.

    Args:
        ignore_label: a label that does not count, or None.
        axis: the axis of the classes.
        name, output_names, label_names: as for `EvalMetric`.

    Source: `mxnet.metric.Perplexity`.
    """

    size = 2

    def __init__(
        self,
        ignore_label: float | None,
        axis: int = -1,
        name: str = "perplexity",
        output_names: Any = None,
        label_names: Any = None,
    ):
        self._labels = self._global_labels = 0
        super().__init__(name, output_names, label_names, ignore_label=ignore_label)
        self.ignore_label = ignore_label
        self.axis = axis

    def device_kernel(self) -> Kernel:
        """The sum of minus the logarithms, and the number of ignored labels."""
        return kernels.perplexity(self.ignore_label, self.axis)

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of labels, ignored ones included. MetricError when it is not the number of rows."""
        for label, pred in zip(labels, preds, strict=True):
            if not -pred.ndim <= self.axis < pred.ndim or label.size != pred.size // pred.shape[self.axis]:
                raise MetricError(
                    f"{self.name}: shape mismatch: labels {label.shape} vs. predictions {pred.shape}, axis {self.axis}"
                )
        return sum(label.size for label in labels)

    # Which labels are ignored is known on the device only.
    @property
    def num_inst(self) -> int:  # type: ignore[override]
        """The number of labels that count. Waits for the device, unless no label is ignored."""
        return self._labels - (0 if self._kwargs["ignore_label"] is None else round(self._sums.local[1]))

    @num_inst.setter
    def num_inst(self, value: int) -> None:
        self._labels = value
        self._sums.set(1, local=0)

    @property
    def global_num_inst(self) -> int:  # type: ignore[override]
        """As `num_inst`, since the last `reset`."""
        return self._global_labels - (0 if self._kwargs["ignore_label"] is None else round(self._sums.total[1]))

    @global_num_inst.setter
    def global_num_inst(self, value: int) -> None:
        self._global_labels = value
        self._sums.set(1, total=0)

    def _count(self, labels: list[NDArray], preds: list[NDArray]) -> None:
        count = self._add(labels, preds)
        self._labels += count
        self._global_labels += count

    def reset(self) -> None:
        """Forget everything."""
        self._sums.reset()
        self._labels = self._global_labels = 0

    def reset_local(self) -> None:
        """Forget what `get` tells; `get_global` goes on."""
        self._sums.reset_local()
        self._labels = 0

    def get(self) -> tuple[str, float]:
        """Name and value since the last reset of any kind; nan when nothing was counted."""
        return self.name, _exp(super().get()[1])

    def get_global(self) -> tuple[str, float]:
        """Name and value since the last `reset`."""
        return self.name, _exp(super().get_global()[1])


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
