# SPDX-License-Identifier: Apache-2.0
"""Correlations: PearsonCorrelation, and PCC, which is computed in numpy, so that every update waits for the outputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ndarray import NDArray
from . import kernels
from .accumulator import Kernel
from .base import (
    DeviceMetric,
    EvalMetric,
    MetricError,
    MetricIndexError,
    alias,
    as_ndarray,
    check_label_shapes,
    register,
)


def _host(labels: Any, preds: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    labels, preds = check_label_shapes(labels, preds, wrap=True)
    return [(as_ndarray(x).asnumpy(), as_ndarray(y).asnumpy()) for x, y in zip(labels, preds, strict=True)]


@register
@alias("pearsonr")
class PearsonCorrelation(DeviceMetric):
    """Pearson's correlation coefficient of labels and predictions of one shape.

    Args:
        average: "macro" averages the coefficients of all pairs of arrays, counted on the device; "micro" is the
            coefficient of everything since the last `reset` together, whose updates wait for the outputs (and, as in
            MXNet, its `get_global` tells nothing but 0).
        name, output_names, label_names: as for `EvalMetric`.

    Raises:
        MetricError: (a ValueError) unknown `average`; later: shapes differ.

    Source: `mxnet.metric.PearsonCorrelation`.
    """

    def __init__(
        self, name: str = "pearsonr", output_names: Any = None, label_names: Any = None, average: str = "macro"
    ):
        if average not in ("macro", "micro"):
            raise MetricError(f"average={average!r} is neither macro nor micro")
        self.average = average
        # Moments about a mean that moves with every update are no sums that a step could add to.
        self.joins_step = average == "macro"
        super().__init__(name, output_names, label_names)

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.reset_micro()

    def reset_micro(self) -> None:
        """Forget what the micro average counts."""
        self._count_micro = 0
        # Means of label and prediction, and their summed squared and mixed distances from the means.
        self._means, self._moments = np.zeros(2), np.zeros((2, 2))

    def device_kernel(self) -> Kernel:
        """The sum of the pairs' coefficients."""
        return kernels.pearson()

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of pairs. MetricError when the shapes of one differ."""
        for label, pred in zip(labels, preds, strict=True):
            check_label_shapes(label, pred, shape=True)
        return len(preds)

    def _add(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        if self.average == "macro":
            return super()._add(labels, preds)
        number = self.checked(labels, preds)
        for label, pred in zip(labels, preds, strict=True):
            both = np.stack([label.asnumpy().ravel(), pred.asnumpy().ravel()]).astype(np.float64)
            self._join(*_moments(both))
        return number

    def _join(self, count: int, means: np.ndarray, moments: np.ndarray) -> None:
        """Moments of two parts together (Chan, Golub, LeVeque 1979), which never subtracts large squares."""
        total = self._count_micro + count
        gap = means - self._means
        self._moments = self._moments + moments + np.outer(gap, gap) * (self._count_micro * count / total)
        self._means = self._means + gap * (count / total)
        self._count_micro = total

    def get(self) -> tuple[str, Any]:
        """Name and value; nan when nothing was counted or something is constant."""
        if not self.num_inst or self.average == "macro":
            return super().get()
        return self.name, float(_coefficient(self._means, self._moments))


def _moments(both: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    means = both.mean(axis=1)
    off = both - means[:, None]
    return both.shape[1], means, off @ off.T


def _coefficient(means: np.ndarray, moments: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return moments[0, 1] / np.sqrt(moments[0, 0] * moments[1, 1])


@register
class PCC(EvalMetric):
    """The correlation coefficient of a confusion matrix of any number of classes; for two classes it is MCC.

    Predictions are scores (batch, classes), or class numbers in the shape of the labels.

    Args:
        has_global_stats: whether `get_global` tells more than `get`.
        name, output_names, label_names: as for `EvalMetric`.

    Source: `mxnet.metric.PCC`.
    """

    def __init__(
        self, name: str = "pcc", output_names: Any = None, label_names: Any = None, has_global_stats: bool = True
    ):
        super().__init__(name, output_names, label_names, has_global_stats=has_global_stats)

    def reset(self) -> None:
        """Forget everything."""
        self.lcm = self.gcm = np.zeros((2, 2))
        self.num_inst = self.global_num_inst = 0

    def reset_local(self) -> None:
        """Forget what `get` tells; `get_global` goes on."""
        self.lcm = np.zeros((2, 2))
        self.num_inst = 0

    def update(self, labels: Any, preds: Any) -> None:
        """Count a batch, which has to be waited for."""
        for label, pred in _host(labels, preds):
            chosen = (pred if pred.shape == label.shape else pred.argmax(axis=1)).astype(np.int64).ravel()
            want = label.astype(np.int64).ravel()
            if len(chosen) != len(want):
                raise MetricIndexError(
                    f"{self.name}: labels of shape {label.shape} do not fit predictions of {pred.shape}"
                )
            if len(want) and min(chosen.min(), want.min()) < 0:
                raise MetricError(f"{self.name}: class numbers must not be negative")
            counts = np.zeros((max(chosen.max(initial=0), want.max(initial=0)) + 1,) * 2)
            np.add.at(counts, (chosen, want), 1)
            self.lcm, self.gcm = _added(self.lcm, counts), _added(self.gcm, counts)
        # The coefficient is not an average over instances.
        self.num_inst = self.global_num_inst = 1

    @property
    def sum_metric(self) -> float:  # type: ignore[override]
        """The coefficient since the last reset of any kind."""
        return _of_confusion(self.lcm)

    @property
    def global_sum_metric(self) -> float:  # type: ignore[override]
        """The coefficient since the last `reset`."""
        return _of_confusion(self.gcm)


def _added(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.zeros((max(len(a), len(b)),) * 2)
    out[: len(a), : len(a)] += a
    out[: len(b), : len(b)] += b
    return out


def _of_confusion(counts: np.ndarray) -> float:
    n, predicted, true = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    norm = (n * n - (predicted * predicted).sum()) * (n * n - (true * true).sum())
    # A class that is everything correlates with nothing.
    return float((n * np.trace(counts) - (predicted * true).sum()) / math.sqrt(norm)) if norm else math.nan
