# SPDX-License-Identifier: Apache-2.0
"""Metrics of regressions and of losses: MAE, MSE, RMSE, Loss, Torch, Caffe."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ndarray import NDArray
from . import kernels
from .accumulator import Kernel
from .base import DeviceMetric, MetricError, as_ndarray, register


class _Regression(DeviceMetric):
    """The mean over the updates of the mean over an update's elements; one-dimensional arrays are columns."""

    kind = ""

    def device_kernel(self) -> Kernel:
        """The means of an update's pairs, summed."""
        return kernels.regression(self.kind)

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of pairs. MetricError when the shapes of one do not fit."""
        for label, pred in zip(labels, preds, strict=True):
            a, b = ((x.shape[0], 1) if x.ndim == 1 else x.shape for x in (label, pred))
            try:
                np.broadcast_shapes(a, b)
            except ValueError:
                raise MetricError(
                    f"{self.name}: labels of shape {label.shape} do not fit predictions of shape {pred.shape}"
                ) from None
        return len(labels)


@register
class MAE(_Regression):
    """The mean absolute error: the mean over updates of each update's mean.

    Args:
        name, output_names, label_names: as for `EvalMetric`.

    Labels and predictions have one shape, or shapes that broadcast; (n,) counts as (n, 1). Source: `mxnet.metric.MAE`.
    """

    kind = "mae"

    def __init__(self, name: str = "mae", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names)


@register
class MSE(_Regression):
    """The mean squared error: the mean over updates of each update's mean.

    Args:
        name, output_names, label_names: as for `EvalMetric`.

    Shapes as for `MAE`. Source: `mxnet.metric.MSE`.
    """

    kind = "mse"

    def __init__(self, name: str = "mse", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names)


@register
class RMSE(_Regression):
    """The root of the mean squared error: the mean over updates of each update's root.

    Args:
        name, output_names, label_names: as for `EvalMetric`.

    Shapes as for `MAE`. Source: `mxnet.metric.RMSE`.
    """

    kind = "rmse"

    def __init__(self, name: str = "rmse", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names)


@register
class Loss(DeviceMetric):
    """The mean of all elements of the outputs; labels are not looked at.

    Args:
        name, output_names, label_names: as for `EvalMetric`.

    Source: `mxnet.metric.Loss`.
    """

    def __init__(self, name: str = "loss", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names)

    def device_kernel(self) -> Kernel:
        """The sum of all outputs."""
        return kernels.loss()

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """The number of elements."""
        return sum(pred.size for pred in preds)

    def update(self, _: Any, preds: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - MXNet's name
        """Count a batch, without waiting for it.

        Args:
            _: the labels, which do not matter.
            preds: an output array or a list of them, of any shape.
        """
        preds = list(preds) if isinstance(preds, list | tuple) else [preds]
        self._count([], [as_ndarray(x) for x in preds])

    update.counts_on_device = True  # type: ignore[attr-defined]


@register
class Torch(Loss):
    """`Loss` under another name. Source: `mxnet.metric.Torch`."""

    def __init__(self, name: str = "torch", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names)


@register
class Caffe(Loss):
    """`Loss` under another name. Source: `mxnet.metric.Caffe`."""

    def __init__(self, name: str = "caffe", output_names: Any = None, label_names: Any = None):
        super().__init__(name, output_names, label_names)
