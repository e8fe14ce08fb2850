# SPDX-License-Identifier: Apache-2.0
"""`EvalMetric`, the base of all metrics; `DeviceMetric`, the base of those that count on the device; the registry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from .. import registry
from ..base import nearest
from ..ndarray import NDArray, array
from .accumulator import Accumulator, Kernel

T = TypeVar("T", bound=type)


class MetricError(ValueError, AssertionError):
    """Labels or predictions that a metric cannot compare, or a parameter it cannot take.

    MXNet raises a ValueError here, or an AssertionError; this is both.
    """


class MetricIndexError(MetricError, IndexError):
    """Labels that name no class, or predictions without classes."""


class EvalMetric:
    """The base class of metrics.

    A subclass overrides `update`, which adds to `sum_metric` and `num_inst`; `get` gives their ratio.

    Args:
        name: what `get` calls it.
        output_names: which outputs `update_dict` takes, by name; None: all.
        label_names: likewise for labels.
        **kwargs: parameters that `get_config` tells. ``has_global_stats=True``: `update` also adds to
            `global_sum_metric` and `global_num_inst`, which `reset_local` leaves alone.

    Source: `mxnet.metric.EvalMetric`.
    """

    sum_metric: Any
    num_inst: Any
    global_sum_metric: Any
    global_num_inst: Any

    def __init__(
        self,
        name: Any,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        self.name = str(name)
        self.output_names = output_names
        self.label_names = label_names
        self._has_global_stats = kwargs.pop("has_global_stats", False)
        self._kwargs = kwargs
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """The parameters from which `create` makes an equal metric."""
        return {
            **self._kwargs,
            "metric": type(self).__name__,
            "name": self.name,
            "output_names": self.output_names,
            "label_names": self.label_names,
        }

    def update_dict(self, label: Mapping[str, Any], pred: Mapping[str, Any]) -> None:
        """Count a batch from dictionaries by name, of which `label_names` and `output_names` choose.

        Raises:
            KeyError: one of them is not there.
        """
        self.update(self._chosen("label", label, self.label_names), self._chosen("output", pred, self.output_names))

    def _chosen(self, what: str, given: Mapping[str, Any], names: Sequence[str] | None) -> list[Any]:
        if names is None:
            return list(given.values())
        for name in names:
            if name not in given:
                raise KeyError(
                    f"metric {self.name!r}: no {what} {name!r}{nearest(name, given)} (there are: {', '.join(given)})"
                )
        return [given[name] for name in names]

    def update(self, labels: Any, preds: Any) -> None:
        """Count a batch.

        Args:
            labels: list of label arrays.
            preds: list of output arrays, one for each label.
        """
        raise NotImplementedError(f"{type(self).__name__} must override update(labels, preds)")

    def reset(self) -> None:
        """Forget everything."""
        self.num_inst, self.sum_metric = 0, 0.0
        self.global_num_inst, self.global_sum_metric = 0, 0.0

    def reset_local(self) -> None:
        """Forget what `get` tells; `get_global` goes on."""
        self.num_inst, self.sum_metric = 0, 0.0

    def get(self) -> tuple[Any, Any]:
        """Name and value since the last reset of any kind; nan when nothing was counted."""
        return self.name, _ratio(self.sum_metric, self.num_inst) if self.num_inst else math.nan

    def get_global(self) -> tuple[Any, Any]:
        """Name and value since the last `reset`."""
        if not self._has_global_stats:
            return self.get()
        return self.name, _ratio(self.global_sum_metric, self.global_num_inst) if self.global_num_inst else math.nan

    def get_name_value(self) -> list[tuple[str, Any]]:
        """`get` as a list of pairs, one for each metric inside."""
        return _pairs(*self.get())

    def get_global_name_value(self) -> list[tuple[str, Any]]:
        """`get_global` as a list of pairs."""
        return _pairs(*self.get_global()) if self._has_global_stats else self.get_name_value()


def _ratio(total: Any, count: Any) -> Any:
    return float(total) / count if isinstance(total, int | float) else total / count


def _pairs(names: Any, values: Any) -> list[tuple[str, Any]]:
    return list(
        zip(
            names if isinstance(names, list) else [names],
            values if isinstance(values, list) else [values],
            strict=False,
        )
    )


class DeviceMetric(EvalMetric):
    """A metric that counts on the device: `update` joins the step that computes the predictions, and waits for nothing.

    A subclass gives `size`, `device_kernel` and `checked`. The sums are read when `get` or `sum_metric` asks.

    Args: as for `EvalMetric`.
    """

    #: How many sums the kernel gives; the first is the sum of the metric.
    size = 1
    #: Whether updates can join a step.
    joins_step = True

    def __init__(self, name: Any, output_names: Any = None, label_names: Any = None, **kwargs: Any):
        self._sums = Accumulator(self.size)
        #: The kernel and shapes that were found to fit, and their number of instances.
        self._checked: Any = None
        self._number = 0
        super().__init__(name, output_names, label_names, has_global_stats=True, **kwargs)

    def device_kernel(self) -> Kernel:
        """The pure function ``kernel(labels, preds)`` of lists of arrays, which gives float (size,).

        It must be the same object every time, or programs that contain it are compiled again.
        """
        raise NotImplementedError(f"{type(self).__name__} must override device_kernel, or update")

    def checked(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        """How many instances this is. Raises MetricError for shapes that do not fit; asked only when they change."""
        raise NotImplementedError(f"{type(self).__name__} must override checked, or update")

    def update(self, labels: Any, preds: Any) -> None:
        """Count a batch, without waiting for it.

        Args:
            labels: a label array or a list of them.
            preds: an output array or a list of as many.

        Raises:
            MetricError: (a ValueError) numbers or shapes of labels and predictions do not fit.
        """
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        self._count([as_ndarray(x) for x in labels], [as_ndarray(x) for x in preds])

    def _count(self, labels: list[NDArray], preds: list[NDArray]) -> None:
        count = self._add(labels, preds)
        self.num_inst += count
        self.global_num_inst += count

    def _add(self, labels: list[NDArray], preds: list[NDArray]) -> int:
        kernel = self.device_kernel()
        shapes = (kernel, [x.shape for x in labels], [x.shape for x in preds])
        if shapes != self._checked:
            self._number = self.checked(labels, preds)
            self._checked = shapes
        if preds:
            self._sums.add(kernel, labels, preds)
        return self._number

    def reset(self) -> None:
        """Forget everything."""
        self._sums.reset()
        self.num_inst = self.global_num_inst = 0

    def reset_local(self) -> None:
        """Forget what `get` tells; `get_global` goes on."""
        self._sums.reset_local()
        self.num_inst = 0

    @property
    def sum_metric(self) -> float:  # type: ignore[override]
        """The sum since the last reset of any kind. Reading it waits for the device."""
        return float(self._sums.local[0])

    @sum_metric.setter
    def sum_metric(self, value: float) -> None:
        self._sums.set(0, local=value)

    @property
    def global_sum_metric(self) -> float:  # type: ignore[override]
        """The sum since the last `reset`. Reading it waits for the device."""
        return float(self._sums.total[0])

    @global_sum_metric.setter
    def global_sum_metric(self, value: float) -> None:
        self._sums.set(0, total=value)


def on_device(metric: Any) -> bool:
    """Whether updates of `metric` wait for nothing, so that they can join a pending step."""
    inner = getattr(metric, "metrics", None)
    if isinstance(inner, list):
        return all(on_device(m) for m in inner)
    kind = type(metric)
    return (
        isinstance(metric, DeviceMetric)
        and metric.joins_step
        and getattr(kind.update, "counts_on_device", kind.update is DeviceMetric.update)
        and kind.update_dict is EvalMetric.update_dict
    )


def as_ndarray(x: Any) -> NDArray:
    """`x`, or an NDArray of its values in its own dtype (in 32 bits while 64-bit arrays are switched off)."""
    if isinstance(x, NDArray):
        return x
    values = np.asarray(x)
    return array(values, dtype=jax.dtypes.canonicalize_dtype(values.dtype))


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Check that there are as many labels as predictions.

    Args:
        labels, preds: lists, or arrays.
        wrap: put single arrays into lists.
        shape: compare their shapes; else their lengths.

    Returns:
        `labels` and `preds`.

    Raises:
        MetricError: (a ValueError) they differ.

    Source: `mxnet.metric.check_label_shapes`.
    """
    if wrap:
        labels, preds = (list(x) if isinstance(x, list | tuple) else [x] for x in (labels, preds))
    a, b = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if a != b:
        raise MetricError(f"Shape of labels {a} does not match shape of predictions {b}")
    return labels, preds


_register = registry.get_register_func(EvalMetric, "metric")
alias = registry.get_alias_func(EvalMetric, "metric")
create_registered = registry.get_create_func(EvalMetric, "metric")


def register(klass: T, name: str | None = None) -> T:
    """Class decorator: make a metric known to `create` under its lower-cased name, or under `name`."""
    return _register(klass, name)
