# SPDX-License-Identifier: Apache-2.0
"""`SequentialModule`: modules in a row, the outputs of each being the data of the next."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..initializer import Uniform
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from .base_module import BaseModule, StateError
from .description import descriptions
from .module import Module


class SequentialModule(BaseModule):
    """Trains several modules as one.

    Args:
        logger: where `fit` logs.
    """

    META_TAKE_LABELS = "take_labels"
    META_AUTO_WIRING = "auto_wiring"

    def __init__(self, logger: Any = logging):
        super().__init__(logger)
        self._modules: list[Any] = []
        self._metas: list[dict[str, Any]] = []
        self._data_shapes: list[DataDesc] | None = None
        self._label_shapes: list[DataDesc] | None = None

    def add(self, module: BaseModule, **kwargs: Any) -> SequentialModule:
        """Put a module at the end.

        Args:
            module: the module; what it was bound to and initialised with is given up.
            kwargs: `take_labels=True`: it gets the labels of the batch, and counts metrics. `auto_wiring=True`: the
                outputs before it get the names of its data, which else have to be the same.

        Returns:
            This module, to add another to.

        Raises:
            StateError: another keyword.
        """
        known = (self.META_TAKE_LABELS, self.META_AUTO_WIRING)
        for key in kwargs:
            if key not in known:
                raise StateError(f'Unknown meta "{key}", a typo? Legal are {", ".join(known)}')
        self._modules.append(module)
        self._metas.append(kwargs)
        self.binded = self.params_initialized = self.optimizer_initialized = False
        return self

    def _parts(self) -> list[Module]:
        return [part for module in self._modules for part in module._parts()]

    def _takes_labels(self, i: int) -> bool:
        return bool(self._metas[i].get(self.META_TAKE_LABELS))

    @property
    def data_names(self) -> Any:
        """Names of the data of the first module."""
        return self._modules[0].data_names if self._modules else []

    @property
    def output_names(self) -> Any:
        """Names of the outputs of the last module."""
        return self._modules[-1].output_names if self._modules else []

    @property
    def data_shapes(self) -> Any:
        """The data descriptions of the first module."""
        self._require("data_shapes")
        return self._modules[0].data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """The label descriptions, None when no module takes them."""
        self._require("label_shapes")
        return self._label_shapes

    @property
    def output_shapes(self) -> Any:
        """Name and shape of each output of the last module."""
        self._require("output_shapes")
        return self._modules[-1].output_shapes

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copies of the parameters and auxiliary states of all modules."""
        self._require("get_params", params=True)
        args: dict[str, NDArray] = {}
        aux: dict[str, NDArray] = {}
        for module in self._modules:
            more_args, more_aux = module.get_params()
            args.update(more_args)
            aux.update(more_aux)
        return args, aux

    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Assign parameters; the arguments are those of `init_params`."""
        self.init_params(None, arg_params, aux_params, allow_missing, force_init, allow_extra)

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - MXNet's default, immutable
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give every parameter of every module a value; the arguments are those of `Module.init_params`.

        Raises:
            StateError: two modules have a parameter of the same name. Nothing is changed then but the values.
        """
        if self.params_initialized and not force_init:
            return
        self._require("init_params")
        for module in self._modules:
            module.init_params(initializer, arg_params, aux_params, allow_missing, force_init, allow_extra)
        owner: dict[str, int] = {}
        for i, module in enumerate(self._modules):
            for name in [name for found in module.get_params() for name in found]:
                if name in owner:
                    raise StateError(
                        f'Duplicated parameter names: name "{name}" in layer {i} ({type(module).__name__}) is already '
                        f"used in layer {owner[name]} ({type(self._modules[owner[name]]).__name__}); give the "
                        "operators of one of them other names"
                    )
                owner[name] = i
        self.params_initialized = True

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
        """Bind every module to the shapes of the outputs before it; the arguments are those of `Module.bind`.

        Raises:
            StateError: there is no module, or a `shared_module`, which is not supported.
            ValueError: outputs and data have different names, and there is no `auto_wiring`.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise StateError("bind: inputs_need_grad=True needs for_training=True")
        if shared_module is not None:
            raise StateError("Shared module is not supported")
        if not self._modules:
            raise StateError("Attempting to bind an empty SequentialModule; add modules first")
        data, labels = descriptions(data_shapes), descriptions(label_shapes) or None
        taken = False
        for i, module in enumerate(self._modules):
            takes = self._takes_labels(i)
            taken = taken or takes
            if self._metas[i].get(self.META_AUTO_WIRING, False):
                if len(module.data_names) != len(data):
                    raise StateError(
                        f"auto_wiring: layer {i} takes {len(module.data_names)} arrays "
                        f"({', '.join(module.data_names)}), there are {len(data)} ({', '.join(d.name for d in data)})"
                    )
                data = [DataDesc(n, d.shape, d.dtype, d.layout) for n, d in zip(module.data_names, data, strict=True)]
            module.bind(
                data,
                labels if takes else None,
                for_training,
                # Gradients are needed on the way back, and at the beginning if they are asked for.
                inputs_need_grad or (for_training and i > 0),
                force_rebind,
                None,
                grad_req,
            )
            data = descriptions(module.output_shapes)
        self._label_shapes = labels if taken else None
        self.for_training, self.inputs_need_grad, self.binded = for_training, inputs_need_grad, True

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Give every module an optimizer; the arguments are those of `Module.init_optimizer`."""
        self._require("init_optimizer", params=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        for module in self._modules:
            module.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        self.optimizer_initialized = True

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch, module by module."""
        self._require("forward", params=True)
        batch = data_batch
        for i, module in enumerate(self._modules):
            if i:
                # What describes itself says so for the next module, too.
                batch = DataBatch(self._modules[i - 1].get_outputs(), data_batch.label, data_batch.pad)
            module.forward(batch, is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients, from the last module to the first. `out_grads` are those of the last one's outputs."""
        self._require("backward", params=True, training=True)
        for i, module in reversed(list(enumerate(self._modules))):
            module.backward(out_grads)
            if i:
                out_grads = module.get_input_grads()

    def update(self) -> None:
        """Step the optimizer of every module."""
        self._require("update", params=True, optimizer=True)
        for module in self._modules:
            module.update()

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """The outputs of the last module."""
        self._require("get_outputs", params=True)
        return self._modules[-1].get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """The gradients of the data of the first module."""
        self._require("get_input_grads", params=True)
        if not self.inputs_need_grad:
            raise StateError(
                "get_input_grads: the module keeps no input gradients; call bind(..., inputs_need_grad=True) first"
            )
        return self._modules[0].get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs of every module that takes labels."""
        self._require("update_metric", params=True)
        for i, module in enumerate(self._modules):
            if self._takes_labels(i):
                module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a `mx.mon.Monitor` see the values inside of every module."""
        self._require("install_monitor")
        for module in self._modules:
            module.install_monitor(mon)
