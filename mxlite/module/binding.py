# SPDX-License-Identifier: Apache-2.0
"""A Symbol bound to the shapes of its batches: the executors of a module, one for each set of shapes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..context import Context
from ..executor import Batch, Executor, Placement, allocate
from ..io import DataDesc
from ..ndarray import NDArray
from ..symbol import Symbol
from .base_module import BaseModule, StateError
from .batches import batch_axis
from .description import (
    as_list,
    check_contexts,
    check_descriptions,
    check_labels,
    check_names,
    check_parameters,
    descriptions,
    shape_key,
)
from .devices import choose, over_workers
from .executors import Executors
from .precision import current as current_precision
from .updates import UpdateRule


class Binding(BaseModule):
    """The half of `Module` that knows names, shapes and executors."""

    def __init__(
        self,
        symbol: Symbol,
        data_names: Sequence[str] | None = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Any = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Any = None,
    ):
        super().__init__(logger)
        if not isinstance(symbol, Symbol):
            raise TypeError(f"Module takes a Symbol, got {type(symbol).__name__}; Module.load reads a checkpoint")
        contexts = check_contexts(context)
        self._contexts, self._context = contexts, contexts[0]
        if work_load_list is not None:
            logger.debug("work_load_list is not used: every device computes an equal part of the batch")
        if compression_params:
            logger.info("compression_params=%s is not used: gradients travel in their own type", compression_params)
        self._placement: Placement | None = None
        self._told_whole = False
        self._symbol, self._group2ctx = symbol, _first_group(group2ctxs)
        #: What is compiled: the symbol, or in mixed precision one with casts and a scale of the loss.
        self._network, self._scales = symbol, list[str]()
        self._precision = current_precision()
        self._data_names, self._label_names = list(data_names or ()), list(label_names or ())
        self._state_names, self._fixed = list(state_names or ()), list(fixed_param_names or ())
        arguments = symbol.list_arguments()
        for kind, names, strict in (
            ("data", self._data_names, True),
            ("label", self._label_names, False),
            ("state", self._state_names, True),
            ("fixed_param", self._fixed, True),
        ):
            check_names(arguments, kind, names, strict)
        self._label_names = [n for n in self._label_names if n in arguments]
        inputs = {*self._data_names, *self._label_names, *self._state_names}
        self._param_names = [n for n in arguments if n not in inputs]
        self._aux_names = symbol.list_auxiliary_states()
        self._executor: Executor | None = None
        self._executors: dict[tuple[Any, ...], Executor] = {}
        self._data_shapes: list[DataDesc] = []
        self._label_shapes: list[DataDesc] | None = None
        self._optimizer: Any = None
        self._updates: UpdateRule | None = None
        self._states_file: str | None = None
        self._loaded: tuple[Mapping[str, NDArray], Mapping[str, NDArray]] | None = None

    # Names and shapes.

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        return self._data_names

    @property
    def label_names(self) -> list[str]:
        """Names of the label inputs that the symbol has."""
        return self._label_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._symbol.list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:
        """The bound data descriptions."""
        self._require("data_shapes")
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """The bound label descriptions, None without labels."""
        self._require("label_shapes")
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each output."""
        return list(zip(self.output_names, [o.shape for o in self._bound("output_shapes").outputs], strict=True))

    @property
    def _exec_group(self) -> Executors:
        """The executors and their arrays, for scripts that reach for them. StateError before `bind`."""
        self._bound("_exec_group")
        return Executors(self)

    def _bound(self, call: str, **needs: bool) -> Executor:
        self._require(call, **needs)
        if self._executor is None:
            raise StateError(f"{call}: the module has no shapes yet; call bind(data_shapes, label_shapes) first")
        return self._executor

    # Binding.

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Binding | None = None,
        grad_req: Any = "write",
    ) -> None:
        """Give the module its input shapes and allocate its arrays.

        Args:
            data_shapes, label_shapes: `DataDesc` or (name, shape) pairs; any iterable.
            for_training: whether gradients will be asked for.
            inputs_need_grad: whether `get_input_grads` will be.
            force_rebind: bind again; parameters that were initialised are kept.
            shared_module: use the parameter arrays of this bound module.
            grad_req: write, add or null; text, or a list or dict by argument.

        Raises:
            ValueError: the data names are not `data_names`, or a label is none of the symbol's arguments.
            RuntimeError: shapes do not fit the symbol; the message names the node, its inputs and the rule.
            StateError: `inputs_need_grad` without `for_training`.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise StateError("bind: inputs_need_grad=True needs for_training=True")
        data = descriptions(data_shapes)
        labels = descriptions(label_shapes)
        check_descriptions(self._data_names, data, "data", strict=True)
        check_labels(self._symbol.list_arguments(), labels)
        check_descriptions(self._label_names, labels, "label", strict=False)
        kept = self.get_params() if self.binded and self.params_initialized else self._loaded
        if shared_module is not None and shared_module._executor is None:
            raise StateError("bind: shared_module must be bound first")
        self._grad_req = self._grad_reqs(grad_req, for_training, inputs_need_grad)
        if self._precision is not None:
            self._network, self._scales = self._precision.network(self._symbol, for_training)
            self._grad_req |= dict.fromkeys(self._scales, "write")
        if shared_module is not None:
            self._placement = shared_module._placement
        else:
            together = self._placement.workers if self._placement is not None and self.optimizer_initialized else 1
            self._placement = choose(self._contexts, self._symbol, self._group2ctx, data, self.logger)
            if together > 1:  # and they stay so
                self._placement = over_workers(self._placement, together, self._symbol, self._group2ctx)
        executor = self._make_executor(data, labels, shared_module._executor if shared_module else None)
        if self._precision is not None and shared_module is None:
            self._precision.begin(executor.arg_dict)
        self.for_training, self.inputs_need_grad, self.binded = for_training, inputs_need_grad, True
        self._executor, self._executors = executor, {shape_key(data, labels): executor}
        self._data_shapes, self._label_shapes = data, labels or None
        if kept is not None:
            self._loaded = None
            executor.copy_params_from(*kept, allow_extra_params=True)
        elif shared_module is not None and shared_module.params_initialized:
            self.params_initialized = True
        if self.optimizer_initialized and self._updates is not None:
            self._rebind_updates()

    def _grad_reqs(self, grad_req: Any, for_training: bool, inputs_need_grad: bool) -> dict[str, str]:
        names = self._symbol.list_arguments()
        if isinstance(grad_req, str):
            wanted = dict.fromkeys(names, grad_req)
        elif isinstance(grad_req, Mapping):
            wanted = {n: grad_req.get(n, "write") for n in names}
        else:
            wanted = dict(zip(names, grad_req, strict=True))
        trained = {n for n in self._param_names if n not in self._fixed}
        if inputs_need_grad:
            trained.update(self._data_names)
        return {n: wanted[n] if for_training and n in trained else "null" for n in names}

    def _make_executor(self, data: list[DataDesc], labels: list[DataDesc], shared: Executor | None) -> Executor:
        inputs = [*data, *(d for d in labels if d.name in self._label_names)]
        # Parameters and states go on from batch to batch; what a batch brings has arrays of its own in every shape.
        states = {n: shared.arg_dict[n] for n in self._state_names} if shared is not None else {}
        return allocate(
            self._network,
            self._context,
            {d.name: d.shape for d in inputs},
            self._grad_req,
            {d.name: d.dtype for d in inputs},
            group2ctx=self._group2ctx,
            shared_arg_names=[*self._param_names, *self._scales],
            shared_exec=shared,
            shared_buffer=states,
            batch=self._batch(inputs),
        )

    def _batch(self, inputs: list[DataDesc]) -> Batch | None:
        if self._placement is None:
            return None
        axes = {d.name: axis for d in inputs if (axis := DataDesc.get_batch_axis(d.layout)) >= 0}
        size = inputs[0].shape[batch_axis(inputs[0])] if inputs else 0
        if size % len(self._placement.contexts) and not self._told_whole:
            self._told_whole = True
            self.logger.warning(
                "a batch of %d does not divide among %s: each of them computes all of it", size, self._placement
            )
        return Batch(self._placement, axes, self._state_names)

    def _move(self, placement: Placement) -> None:
        """Compute on other devices from now on, on the same arrays."""
        inputs = [*self._data_shapes, *(d for d in self._label_shapes or [] if d.name in self._label_names)]
        executor, self._placement = self._bound("move"), placement
        self._executor = executor.moved(self._batch(inputs))
        self._executors = {shape_key(self._data_shapes, self._label_shapes or []): self._executor}

    def reshape(self, data_shapes: Any, label_shapes: Any = None) -> None:
        """Bind to other input shapes, keeping parameters, gradients and optimizer."""
        executor = self._bound("reshape")
        data, labels = descriptions(data_shapes), descriptions(label_shapes)
        check_descriptions(self._data_names, data, "data", strict=True)
        self._settle()
        key = shape_key(data, labels)
        if key not in self._executors:
            inputs = [*data, *(d for d in labels if d.name in self._label_names)]
            check_parameters(self._symbol, {n: executor.arg_dict[n].shape for n in self._param_names}, inputs)
            self._executors[key] = self._make_executor(data, labels, executor)
        self._executor = self._executors[key]
        self._data_shapes, self._label_shapes = data, labels or None

    def _settle(self) -> None:
        if self._executor is not None:
            self._executor.settle()

    def _rebind_updates(self) -> None:
        """After a forced rebind: the parameters are new arrays, the optimizer's state goes on."""
        old = self._updates
        executor = self._bound("bind")
        if old is None or not all(n in executor.arg_dict and executor.grad_req[n] != "null" for n in old.names):
            self.optimizer_initialized, self._updates = False, None


def _first_group(given: Any) -> dict[str, Context] | None:
    """The devices by group of the first context, in each of the forms that MXNet takes."""
    groups: Any = given[0] if isinstance(given, list | tuple) and given else given
    return {name: as_list(ctx)[0] for name, ctx in groups.items()} if groups else None
