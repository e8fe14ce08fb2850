# SPDX-License-Identifier: Apache-2.0
"""Modules whose computation is Python: `PythonModule`, to be subclassed, and `PythonLossModule`."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from ..initializer import Uniform
from ..ndarray import NDArray, array
from .base_module import BaseModule, StateError
from .description import as_list, descriptions


class PythonModule(BaseModule):
    """A module without parameters; a subclass gives `forward`, `backward`, `get_outputs`, `get_input_grads` and
    `_compute_output_shapes`, which returns name and shape of each output.

    Args:
        data_names, label_names: names of the inputs; a module without `label_names` counts no metric.
        output_names: names of the outputs.
        logger: where `fit` logs.
    """

    def __init__(
        self,
        data_names: Sequence[str],
        label_names: Sequence[str] | None,
        output_names: Sequence[str],
        logger: Any = logging,
    ):
        super().__init__(logger)
        listed = lambda x: list(x) if isinstance(x, tuple) else x  # noqa: E731
        self._data_names, self._label_names = listed(data_names), listed(label_names)
        self._output_names = listed(output_names)
        self._data_shapes: Any = None
        self._label_shapes: Any = None
        self._output_shapes: Any = None

    @property
    def data_names(self) -> Any:
        """Names of the data inputs."""
        return self._data_names

    @property
    def output_names(self) -> Any:
        """Names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> Any:
        """What `bind` was given; None before."""
        return self._data_shapes

    @property
    def label_shapes(self) -> Any:
        """What `bind` was given; None before."""
        return self._label_shapes

    @property
    def output_shapes(self) -> Any:
        """Name and shape of each output; None before `bind`."""
        return self._output_shapes

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """None: two empty dicts."""
        return {}, {}

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - MXNet's default, immutable
        arg_params: Any = None,
        aux_params: Any = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Nothing to do."""

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Nothing to do."""

    def update(self) -> None:
        """Nothing to do."""

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs, if the module was bound with labels.

        Raises:
            MXNetError: `pre_sliced`, which Python modules do not support.
        """
        if self._label_shapes is None:
            return
        if pre_sliced:
            raise MXNetError("PythonModule does not support presliced labels")
        eval_metric.update(labels, self.get_outputs())

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,
        grad_req: Any = "write",
    ) -> None:
        """Remember the shapes, and ask for those of the outputs.

        Raises:
            StateError: other names than the module's, or a `grad_req` other than write.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if grad_req != "write":
            raise StateError(f"Python module only support write gradient, got grad_req={grad_req!r}")
        for kind, shapes, names in (
            ("data", data_shapes, self._data_names),
            ("label", label_shapes, self._label_names),
        ):
            given = [d.name for d in descriptions(shapes)]
            if (kind == "data" or shapes is not None) and given != as_list(names):
                raise StateError(f"bind: {kind}_shapes name {given}, the module's {kind}_names are {as_list(names)}")
        self._data_shapes, self._label_shapes = data_shapes, label_shapes
        self._output_shapes = self._compute_output_shapes()
        self.for_training, self.inputs_need_grad, self.binded = for_training, inputs_need_grad, True

    @abc.abstractmethod
    def _compute_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each output, from `data_shapes`."""


class PythonLossModule(PythonModule):
    """A loss whose gradient is a Python function; the last module of a `SequentialModule`.

    Its output is its input, the scores.

    Args:
        name: begins the name of the output.
        data_names, label_names: one name each.
        logger: where `fit` logs.
        grad_func: called with scores and labels, NDArrays; gives the gradient of the scores, an NDArray or numpy array.

    Raises:
        StateError: there are several names, or `grad_func` cannot be called.
    """

    def __init__(
        self,
        name: str = "pyloss",
        data_names: Sequence[str] = ("data",),
        label_names: Sequence[str] = ("softmax_label",),
        logger: Any = logging,
        grad_func: Callable[[NDArray, NDArray], Any] | None = None,
    ):
        super().__init__(data_names, label_names, [f"{name}_output"], logger)
        self._name = name
        for kind, names in (("data", data_names), ("label", label_names)):
            if len(names) != 1:
                raise StateError(f"PythonLossModule has one input and one label, got {kind}_names={list(names)}")
        if grad_func is not None and not callable(grad_func):
            raise StateError(f"grad_func must be a function of scores and labels, got {grad_func!r:.80}")
        self._grad_func = grad_func
        self._scores: NDArray | None = None
        self._labels: NDArray | None = None
        self._scores_grad: NDArray | None = None

    def _compute_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(f"{self._name}_output", tuple(descriptions(self._data_shapes)[0].shape))]

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Keep the scores, and in training the labels."""
        self._scores = data_batch.data[0]
        if self.for_training if is_train is None else is_train:
            self._labels = data_batch.label[0]

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """The scores."""
        if not merge_multi_context:
            raise StateError("get_outputs: a Python module has no parts for devices; merge_multi_context must be True")
        return [self._scores]

    def backward(self, out_grads: Any = None) -> None:
        """Call `grad_func`.

        Raises:
            StateError: there are `out_grads`, or the module is bound for inference.
            MXNetError: there is no `grad_func`.
        """
        if out_grads is not None:
            raise StateError("For a loss module, out_grads should be None")
        self._require("backward", training=True)
        if self._grad_func is None:
            raise MXNetError("PythonLossModule needs grad_func, or a subclass that defines backward")
        if self._scores is None or self._labels is None:
            raise StateError("backward: no scores and labels; call forward(batch, is_train=True) first")
        grad = self._grad_func(self._scores, self._labels)
        self._scores_grad = grad if isinstance(grad, NDArray) else array(np.asarray(grad))

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """The gradient of the scores."""
        return [self._scores_grad]
