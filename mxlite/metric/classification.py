# SPDX-License-Identifier: Apache-2.0
"""Metrics of classifiers: Accuracy, TopKAccuracy, F1, MCC."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..base import MXNetError
from ..ndarray import NDArray
from . import kernels
from .accumulator import Kernel
from .base import DeviceMetric, MetricError, MetricIndexError, alias, as_ndarray, check_label_shapes, register


@register
@alias("acc")
class Accuracy(DeviceMetric):
    """The share of labels that are predicted.

    Predictions are scores (..., classes, ...), or class numbers in the shape of the labels.

    Args:
        axis: the axis of the classes.
        name, output_names, label_names: as for `EvalMetric`.

    Source: `mxnet.metric.Accuracy`.
    """

    def __init__(self, axis: int = 1, name: str = "accuracy", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names, axis=axis)
        self.axis = axis

    def device_kernel(self) -> Kernel:
        """Counts right predictions."""
        return kernels.accuracy(self.axis)

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of labels. MetricError when there are not as many predictions, MXNetError without that axis."""
        for label, pred in zip(labels, preds, strict=True):
            found = pred.size
            if pred.shape != label.shape:
                if not -pred.ndim <= self.axis < pred.ndim:
                    raise MXNetError(
                        f"{self.name}: predictions of shape {pred.shape} have no axis {self.axis} of classes"
                    )
                found //= pred.shape[self.axis]
            if found != label.size:
                raise MetricError(
                    f"{self.name}: Shape of labels {label.size} does not match shape of predictions {found}: "
                    f"labels are {label.shape}, predictions {pred.shape}, classes on axis {self.axis}"
                )
        return sum(label.size for label in labels)


@register
@alias("top_k_accuracy", "top_k_acc")
class TopKAccuracy(DeviceMetric):
    """The share of labels among the `top_k` best predictions.

    Predictions are (batch, classes). Among equal scores the later classes count as better; which of them MXNet takes
    is left to numpy's partition and depends on the number of classes.

    Args:
        top_k: how many; at least 2.
        name: gets ``_K`` appended.
        output_names, label_names: as for `EvalMetric`.

    Raises:
        MetricError: (an AssertionError) `top_k` is less than 2, or later: predictions with more than 2 axes.

    Source: `mxnet.metric.TopKAccuracy`.
    """

    def __init__(self, top_k: int = 1, name: str = "top_k_accuracy", output_names: Any = None, label_names: Any = None):
        if top_k <= 1:
            raise MetricError(f"Please use Accuracy if top_k is no more than 1 (top_k={top_k})")
        super().__init__(name, output_names, label_names, top_k=top_k)
        self.top_k = top_k
        self.name += f"_{top_k}"

    def device_kernel(self) -> Kernel:
        """Counts labels among the best predictions."""
        return kernels.top_k(self.top_k)

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of predictions. MetricError for more than 2 axes, fewer classes than `top_k`, other lengths."""
        for label, pred in zip(labels, preds, strict=True):
            if pred.ndim > 2:
                raise MetricError(f"{self.name}: Predictions should be no more than 2 dims, got shape {pred.shape}")
            check_label_shapes(label, pred)
            if label.size != pred.shape[0]:
                raise MetricError(f"{self.name}: labels of shape {label.shape} do not fit predictions of {pred.shape}")
            if self.top_k > pred.shape[-1]:
                raise MetricError(
                    f"{self.name}: top_k={self.top_k} is more than the classes in predictions of shape {pred.shape}"
                )
        return sum(pred.shape[0] for pred in preds)


class _Binary(DeviceMetric):
    """What F1 and MCC share: macro averages the scores of the updates, micro is the score of all counts."""

    def __init__(self, name: str, output_names: Any, label_names: Any, average: str):
        if average not in ("macro", "micro"):
            raise MetricError(f"average={average!r} is neither macro nor micro")
        self.average = average
        self.size = 1 if average == "macro" else 4
        super().__init__(name, output_names, label_names)

    def _macro(self) -> Kernel:
        raise NotImplementedError

    def _score(self, counts: np.ndarray) -> float:
        raise NotImplementedError

    def device_kernel(self) -> Kernel:
        """The score of an update, or its four counts."""
        return self._macro() if self.average == "macro" else kernels.confusion()

    def update(self, labels: Any, preds: Any) -> None:
        """Count a batch. Reads the labels, which seldom have to be waited for; the predictions are not waited for.

        Raises:
            MetricError: (a ValueError) numbers or shapes do not fit, or labels are of more than two classes.
        """
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        labels = [as_ndarray(x) for x in labels]
        for label in labels:
            classes = np.unique(label.asnumpy().astype(np.int32))
            if len(classes) > 2:
                raise MetricError(
                    f"{self.name} currently only supports binary classification, but the labels are "
                    f"{', '.join(map(str, classes[:8]))}"
                )
        self._count(labels, [as_ndarray(x) for x in preds])

    update.counts_on_device = True  # type: ignore[attr-defined]

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """1, or for micro the number of labels. MetricError when lengths differ; MetricIndexError without classes."""
        for label, pred in zip(labels, preds, strict=True):
            if pred.ndim != 2:
                raise MetricIndexError(f"{self.name}: predictions must be (batch, classes), got shape {pred.shape}")
            if label.size != pred.shape[0]:
                check_label_shapes(label, pred)
                raise MetricError(f"{self.name}: labels of shape {label.shape} do not fit predictions of {pred.shape}")
        if self.average == "macro":
            return 1
        pairs = zip(labels, preds, strict=True)
        return sum(math.prod(np.broadcast_shapes(label.shape, pred.shape[:1])) for label, pred in pairs)

    @property
    def sum_metric(self) -> float:  # type: ignore[override]
        """The sum of scores; for micro the score times the number of labels. Waits for the device."""
        local = self._sums.local
        return float(local[0]) if self.average == "macro" else self._score(local) * float(local.sum())

    @property
    def global_sum_metric(self) -> float:  # type: ignore[override]
        """As `sum_metric`, since the last `reset`."""
        total = self._sums.total
        return float(total[0]) if self.average == "macro" else self._score(total) * float(total.sum())


@register
class F1(_Binary):
    """The F1 score of a binary classifier, class 1 being positive.

    Args:
        average: "macro" averages the scores of all updates, "micro" scores all predictions together.
        name, output_names, label_names: as for `EvalMetric`.

    Predictions are (batch, 2). Source: `mxnet.metric.F1`.
    """

    def __init__(self, name: str = "f1", output_names: Any = None, label_names: Any = None, average: str = "macro"):
        super().__init__(name, output_names, label_names, average)

    def _macro(self) -> Kernel:
        return kernels.f1()

    def _score(self, counts: np.ndarray) -> float:
        tp, fp, fn, _ = counts
        precision, recall = (tp / (tp + wrong) if tp + wrong else 0.0 for wrong in (fp, fn))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@register
class MCC(_Binary):
    """Matthews' correlation coefficient of a binary classifier.

    Args:
        average: "macro" averages the scores of all updates, "micro" scores all predictions together.
        name, output_names, label_names: as for `EvalMetric`.

    Predictions are (batch, 2). Source: `mxnet.metric.MCC`.
    """

    def __init__(self, name: str = "mcc", output_names: Any = None, label_names: Any = None, average: str = "macro"):
        super().__init__(name, output_names, label_names, average)

    def _macro(self) -> Kernel:
        return kernels.mcc()

    def _score(self, counts: np.ndarray) -> float:
        tp, fp, fn, tn = map(float, counts)
        norm = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return (tp * tn - fp * fn) / math.sqrt(norm) if norm else 0.0
