# SPDX-License-Identifier: Apache-2.0
"""Several metrics in one, metrics from functions, and `create`, which makes any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import registry
from .base import EvalMetric, alias, as_ndarray, check_label_shapes, create_registered, register


@register
@alias("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics that count the same batches.

    Args:
        metrics: what `create` takes, of each.
        name, output_names, label_names: as for `EvalMetric`; the names choose before those of the metrics inside.

    Source: `mxnet.metric.CompositeEvalMetric`.
    """

    def __init__(self, metrics: Any = None, name: str = "composite", output_names: Any = None, label_names: Any = None):
        # Before the rest: the base class resets what is here.
        self.metrics: list[Any] = [create(m) for m in metrics or ()]
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def add(self, metric: Any) -> None:
        """Add a metric, given as for `create`."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> Any:
        """The metric at `index`.

        Raises:
            ValueError: there is none. (MXNet returns the exception.)
        """
        try:
            return self.metrics[index]
        except IndexError:
            raise ValueError(f"Metric index {index} is out of range 0 and {len(self.metrics)}") from None

    def update_dict(self, labels: Mapping[str, Any], preds: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Count a batch from dictionaries by name."""
        if self.label_names is not None:
            labels = {name: x for name, x in labels.items() if name in self.label_names}
        if self.output_names is not None:
            preds = {name: x for name, x in preds.items() if name in self.output_names}
        for metric in self.metrics:
            metric.update_dict(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """Count a batch in every metric."""
        for metric in self.metrics:
            metric.update(labels, preds)

    def reset(self) -> None:
        """Forget everything, in every metric."""
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        """Forget what `get` tells, in every metric."""
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list[str], list[Any]]:
        """Lists of the names and of the values."""
        return _flat([metric.get() for metric in self.metrics])

    def get_global(self) -> tuple[list[str], list[Any]]:
        """As `get`, since the last `reset`."""
        return _flat([metric.get_global() for metric in self.metrics])

    def get_config(self) -> dict[str, Any]:
        """The parameters, those of every metric under "metrics"."""
        return {**super().get_config(), "metrics": [metric.get_config() for metric in self.metrics]}


def _flat(found: list[tuple[Any, Any]]) -> tuple[list[str], list[Any]]:
    names: list[str] = []
    values: list[Any] = []
    for name, value in found:
        names += [name] if isinstance(name, str) else name
        values += value if isinstance(value, list | tuple) else [value]
    return names, values


@register
class CustomMetric(EvalMetric):
    """A metric from a function of numpy arrays. It needs the outputs on the host, so every update waits for them.

    Args:
        feval: ``feval(label, pred)`` gives a number, which is averaged over the calls, or a tuple (sum, count).
        name: by default that of `feval`.
        allow_extra_outputs: outputs without a label are left out, rather than an error.
        output_names, label_names: as for `EvalMetric`.

    Raises:
        TypeError: `feval` cannot be called.

    Source: `mxnet.metric.CustomMetric`.
    """

    def __init__(
        self,
        feval: Callable[[Any, Any], Any],
        name: str | None = None,
        allow_extra_outputs: bool = False,
        output_names: Any = None,
        label_names: Any = None,
    ):
        if not callable(feval):
            raise TypeError(f"a custom metric needs a function of label and prediction, got {feval!r}")
        if name is None:
            called = str(getattr(feval, "__name__", type(feval).__name__))
            name = f"custom({called})" if "<" in called else called
        super().__init__(name, output_names, label_names, has_global_stats=True)
        self._feval = feval
        self._allow_extra_outputs = allow_extra_outputs

    def update(self, labels: Any, preds: Any) -> None:
        """Call the function for every pair of label and output.

        Raises:
            MetricError: (a ValueError) their numbers differ and `allow_extra_outputs` is off.
        """
        if self._allow_extra_outputs:
            labels, preds = (list(x) if isinstance(x, list | tuple) else [x] for x in (labels, preds))
        else:
            labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=False):
            found = self._feval(as_ndarray(label).asnumpy(), as_ndarray(pred).asnumpy())
            total, count = found if isinstance(found, tuple) else (found, 1)
            self.sum_metric += total
            self.global_sum_metric += total
            self.num_inst += count
            self.global_num_inst += count

    def get_config(self) -> dict[str, Any]:
        """Not possible: a function cannot be written down."""
        raise NotImplementedError("CustomMetric cannot be serialized")


def np(
    numpy_feval: Callable[[Any, Any], Any], name: str | None = None, allow_extra_outputs: bool = False
) -> CustomMetric:
    """A metric from a function of numpy arrays (label, pred); arguments as for `CustomMetric`.

    Source: `mxnet.metric.np`.
    """
    return CustomMetric(numpy_feval, name, allow_extra_outputs)


def create(metric: Any, *args: Any, **kwargs: Any) -> Any:
    """A metric from whatever names it.

    Args:
        metric: a metric, which is returned; a registered name in any case; a metric class; a function of numpy arrays
            (label, pred); a list of all these, for a `CompositeEvalMetric`; a JSON text or dictionary, as
            `get_config` gives it.
        *args, **kwargs: for the metric's class, or for every one in a list.

    Raises:
        RegistryError: (a ValueError and AssertionError) unknown name, or arguments beside a metric.
        TypeError: arguments that the class does not take.

    Source: `mxnet.metric.create`.
    """
    if isinstance(metric, type) and issubclass(metric, EvalMetric):
        return metric(*args, **kwargs)
    if callable(metric) and not isinstance(metric, EvalMetric):
        return CustomMetric(metric, *args, **kwargs)
    if isinstance(metric, list | tuple):
        composite = CompositeEvalMetric()
        for one in metric:
            composite.add(create(one, *args, **kwargs))
        return composite
    if metric is None:
        raise registry.RegistryError("metric must be of string type, got None")
    if not isinstance(metric, EvalMetric | str | dict) and hasattr(metric, "update") and hasattr(metric, "get"):
        return metric
    return create_registered(metric, *args, **kwargs)
