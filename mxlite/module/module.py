# SPDX-License-Identifier: Apache-2.0
"""`Module`: one Symbol, its parameters and its optimizer, by the batch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mxlite_compiler.errors import explain, nearest

from .. import optimizer as optimizers
from ..base import MXNetError
from ..context import Context
from ..executor import Executor, simple_bind
from ..initializer import InitDesc, Uniform
from ..io import DataDesc
from ..model import load_checkpoint, save_checkpoint
from ..ndarray import NDArray
from ..serialize import atomic_write, read_file
from ..symbol import Symbol
from .base_module import BaseModule, StateError
from .description import (
    as_list,
    as_ndarray,
    check_batch,
    check_contexts,
    check_descriptions,
    check_initializer,
    check_labels,
    check_names,
    check_parameters,
    descriptions,
    shape_key,
)
from .updates import UpdateRule, update_rule


class Module(BaseModule):
    """Trains and runs a Symbol.

    The life of a module: `bind` gives it shapes, `init_params` parameters, `init_optimizer` an optimizer; then
    `forward`, `backward`, `update` by the batch, or `fit`, `score`, `predict` for all of it. A batch of another shape
    than the bound one is bound on the fly and shares the parameters.

    Args:
        symbol: the network.
        data_names, label_names: which arguments are fed by batches.
        logger: where `fit` logs.
        context: a Context or a list of them, of which the first is used.
        work_load_list, compression_params: accepted as in MXNet.
        group2ctxs: devices by the attribute ``ctx_group``: a dict of Contexts, or of lists of them, or a list of
            dicts; the first of a list is used.
        fixed_param_names: parameters that are not trained.
        state_names: arguments that carry state from batch to batch.

    Raises:
        ValueError: a data, state or fixed parameter name is not an argument of the symbol.
    """

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
        if len({c.jax_device for c in contexts}) > 1:
            logger.warning(
                "Module runs on %s, the first of %d devices; the numbers are the same", contexts[0], len(contexts)
            )
        self._symbol, self._group2ctx = symbol, _first_group(group2ctxs)
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

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> Module:
        """A module from ``PREFIX-symbol.json`` and ``PREFIX-EPOCH.params``; bind it before use.

        Args:
            prefix, epoch: as given to `save_checkpoint`.
            load_optimizer_states: also read ``PREFIX-EPOCH.states`` when the optimizer is initialised.
            **kwargs: passed to `Module`.

        Raises:
            MXNetError: a file is missing or damaged.
        """
        symbol, args, aux = load_checkpoint(prefix, epoch)
        module = Module(symbol, **kwargs)
        module._loaded, module.params_initialized = (args, aux), True
        if load_optimizer_states:
            module._states_file = f"{prefix}-{epoch:04d}.states"
        return module

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
        shared_module: Module | None = None,
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
        executor = self._make_executor(data, labels, shared_module._executor if shared_module else None)
        self.for_training, self.inputs_need_grad, self.binded = for_training, inputs_need_grad, True
        self._executor, self._executors = executor, {shape_key(data, labels): executor}
        self._first_executor = executor
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
        shapes: dict[str, Any] = {d.name: d.shape for d in inputs}
        types = {d.name: d.dtype for d in inputs}
        # Parameters and states go on from batch to batch; what a batch brings has arrays of its own in every shape.
        states = {n: shared.arg_dict[n] for n in self._state_names} if shared is not None else {}
        return simple_bind(
            self._symbol,
            self._context,
            self._grad_req,
            types,
            group2ctx=self._group2ctx,
            shared_arg_names=self._param_names,
            shared_exec=shared,
            shared_buffer=states,
            **shapes,
        )

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

    # Parameters.

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - MXNet's default, immutable
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give every parameter a value: from `arg_params` and `aux_params` where they have it, else the initializer.

        Args:
            initializer: called with an `InitDesc` and the array.
            arg_params, aux_params: values by name.
            allow_missing: initialise what they lack; else that is an error.
            force_init: also when the module has parameters already.
            allow_extra: accepted as in MXNet, where Module ignores unknown names.

        Raises:
            RuntimeError: a parameter is missing from `arg_params` and `allow_missing` is False.
            MXNetError: a shape differs. Nothing is changed in either case.
        """
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. init_params call ignored.", stacklevel=2
            )
            return
        executor = self._bound("init_params")
        check_initializer(initializer)
        for what, given in (("arg_params", arg_params), ("aux_params", aux_params)):
            if given is not None and not isinstance(given, Mapping):
                raise TypeError(f"{what} must be a dict of NDArrays by name, got {type(given).__name__}")
        attrs = self._symbol.attr_dict()
        plan: list[tuple[str, NDArray, NDArray | None]] = []
        for names, bound, given in (
            (self._param_names, executor.arg_dict, arg_params),
            (self._aux_names, executor.aux_dict, aux_params),
        ):
            for name in sorted(names):
                value = given.get(name) if given is not None else None
                if given is not None and value is None and not allow_missing:
                    raise RuntimeError(
                        f"{name} is not presented; pass allow_missing=True to initialise it{nearest(name, given)}"
                    )
                if value is not None and value.shape != bound[name].shape:
                    raise MXNetError(
                        explain(
                            f"parameter {name} has shape {value.shape}, the module needs {bound[name].shape}",
                            op="set_params",
                        )
                    )
                plan.append((name, bound[name], value))
        for name, target, value in plan:
            if value is not None:
                target[:] = value
            elif initializer is not None:
                initializer(InitDesc(name, attrs.get(name)), target)
        self.params_initialized = True

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copies of the parameters and the auxiliary states, by name."""
        if self._loaded is not None:
            return dict(self._loaded[0]), dict(self._loaded[1])
        executor = self._bound("get_params", params=True)
        held = {**{n: executor.arg_dict[n] for n in self._param_names}, **executor.aux_dict}
        if executor.devices is not None or any(a.stype != "default" for a in held.values()):
            # One program copies dense arrays on one device.
            copies = {n: a.copyto(self._context) for n, a in held.items()}
            return {n: copies[n] for n in self._param_names}, {n: copies[n] for n in self._aux_names}
        bound = [
            {n: executor.arg_dict[n]._cell.peek() for n in self._param_names},
            {n: a._cell.peek() for n, a in executor.aux_dict.items()},
        ]
        args, aux = _copy_all(bound)
        wrap = lambda found, names: {n: NDArray._wrap(found[n], self._context) for n in names}  # noqa: E731
        return wrap(args, self._param_names), wrap(aux, self._aux_names)

    # The optimizer.

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Give the module its optimizer.

        Args:
            kvstore: accepted as in MXNet; one program serves all devices.
            optimizer: a name or an Optimizer. By name, `rescale_grad` defaults to 1 / batch size.
            optimizer_params: keywords for the optimizer, as a dict or pairs.
            force_init: also when there is an optimizer already.

        Raises:
            ValueError: no such optimizer, or an illegal parameter such as a NaN learning rate.
        """
        executor = self._bound("init_optimizer", params=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        first = self._data_shapes[0] if self._data_shapes else None
        batch_size = first.shape[_batch_axis(first)] if first else 1
        rescale = 1.0 / batch_size
        if isinstance(optimizer, str):
            params = {"rescale_grad": rescale, **dict(optimizer_params)}
            optimizer = optimizers.create(
                optimizer, sym=self._symbol, param_idx2name=dict(enumerate(self._param_names)), **params
            )
        elif not isinstance(optimizer, optimizers.Optimizer):
            raise TypeError(f"optimizer must be a name or an mx.optimizer.Optimizer, got {type(optimizer).__name__}")
        else:
            if optimizer.rescale_grad != rescale:
                warnings.warn(
                    f"Optimizer created manually outside Module but rescale_grad is not normalized to 1.0/batch_size "
                    f"({optimizer.rescale_grad} vs. {rescale}). Is this intended?",
                    stacklevel=2,
                )
            if not optimizer.idx2name:
                optimizer.idx2name = dict(enumerate(self._param_names))
        self._optimizer = optimizer
        self._updates = update_rule(optimizer, self._param_names, executor)
        self.optimizer_initialized = True
        if self._states_file is not None:
            self.load_optimizer_states(self._states_file)
            self._states_file = None

    def _rebind_updates(self) -> None:
        """After a forced rebind: the parameters are new arrays, the optimizer's state goes on."""
        old = self._updates
        executor = self._bound("bind")
        if old is None or not all(n in executor.arg_dict and executor.grad_req[n] != "null" for n in old.names):
            self.optimizer_initialized, self._updates = False, None

    def borrow_optimizer(self, shared_module: Module) -> None:
        """Use the optimizer of a module that shares its parameters."""
        if not shared_module.optimizer_initialized:
            raise StateError("borrow_optimizer: shared_module has no optimizer yet; call its init_optimizer() first")
        self._optimizer, self._updates = shared_module._optimizer, shared_module._updates
        self.optimizer_initialized = True

    # By the batch.

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch; in training lazily, so that `update` can run all in one launch.

        Args:
            data_batch: anything with `data` and perhaps `label`: lists of NDArray or numpy arrays.
            is_train: `for_training` by default.

        Raises:
            MXNetError: the batch has another number of arrays than bound, or shapes the symbol does not take.
        """
        executor = self._bound("forward", params=True)
        check_batch(data_batch)
        data = [as_ndarray(x) for x in as_list(data_batch.data)]
        labels = [as_ndarray(x) for x in as_list(getattr(data_batch, "label", None))]
        if len(data) != len(self._data_shapes):
            raise MXNetError(
                f"forward: the batch has {len(data)} data arrays, "
                f"the module was bound to {len(self._data_shapes)} ({', '.join(self._data_names)})"
            )
        bound_labels = self._label_shapes or []
        shapes = [x.shape for x in data]
        if shapes != [d.shape for d in self._data_shapes] or (
            labels and [x.shape for x in labels] != [d.shape for d in bound_labels]
        ):
            self._reshape_to(data_batch, data, labels)
            executor = self._bound("forward")
        feed = {d.name: x for d, x in zip(self._data_shapes, data, strict=True)}
        if labels:
            feed.update(
                {
                    d.name: x
                    for d, x in zip(self._label_shapes or [], labels, strict=False)
                    if d.name in self._label_names
                }
            )
        executor.settle()
        executor.load(feed)
        executor.forward(is_train=self.for_training if is_train is None else is_train)

    def _reshape_to(self, batch: Any, data: list[NDArray], labels: list[NDArray]) -> None:
        """Bind to the shapes of a batch, which may describe itself (bucketing) or be shorter than the others."""
        described = getattr(batch, "provide_data", None)
        if described:
            new_data = descriptions(described)
        else:
            new_data = [
                DataDesc(d.name, x.shape, d.dtype, d.layout) for d, x in zip(self._data_shapes, data, strict=True)
            ]
        described = getattr(batch, "provide_label", None)
        bound_labels = self._label_shapes or []
        if described:
            new_labels = descriptions(described)
        elif labels:
            new_labels = [
                DataDesc(d.name, x.shape, d.dtype, d.layout) for d, x in zip(bound_labels, labels, strict=False)
            ]
        else:
            # Inference without labels: they only follow the batch size.
            size = new_data[0].shape[_batch_axis(new_data[0])]
            new_labels = [_resized(d, size) for d in bound_labels]
        try:
            self.reshape(new_data, new_labels)
        except RuntimeError as e:
            raise MXNetError(
                f"forward: the batch has shapes {[(d.name, d.shape) for d in [*new_data, *new_labels]]}, "
                f"bound are {[(d.name, d.shape) for d in [*self._data_shapes, *bound_labels]]}, and the module "
                f"cannot change to them:\n{e}"
            ) from e

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients; joins the pending forward. `out_grads` as for `Executor.backward`."""
        executor = self._bound("backward", params=True, training=True)
        if executor._step is None:
            raise StateError("backward: nothing to differentiate; call forward(batch, is_train=True) first")
        executor.backward(out_grads)

    def update(self) -> None:
        """Step the optimizer: one launch together with the pending forward and backward, or one of its own."""
        executor = self._bound("update", params=True, optimizer=True)
        self._update_rule().step(executor)

    def _update_rule(self) -> UpdateRule:
        if self._updates is None:
            raise StateError("the module has no optimizer yet; call init_optimizer() first")
        return self._updates

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """The outputs of the last forward; each in a list of its own, one a device, without `merge_multi_context`."""
        return _per_device(self._bound("get_outputs", params=True).outputs, merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """The gradients of the data inputs, in the order of `data_names`; `merge_multi_context` as for the outputs."""
        executor = self._bound("get_input_grads", params=True)
        if not self.inputs_need_grad:
            raise StateError(
                "get_input_grads: the module keeps no input gradients; call bind(..., inputs_need_grad=True) first"
            )
        return _per_device([executor.grad_dict[n] for n in self._data_names], merge_multi_context)

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The arrays of `state_names`; `merge_multi_context` as for the outputs."""
        executor = self._bound("get_states", params=True)
        return _per_device([executor.arg_dict[n] for n in self._state_names], merge_multi_context)

    def set_states(self, states: Sequence[NDArray] | None = None, value: float | None = None) -> None:
        """Set the arrays of `state_names`: to `states`, one each, or all to one `value`."""
        executor = self._bound("set_states", params=True)
        if (states is None) == (value is None):
            raise ValueError("set_states takes either states or value")
        for i, name in enumerate(self._state_names):
            # What get_states(merge_multi_context=False) gave comes back as it is.
            executor.arg_dict[name][:] = value if states is None else as_list(states[i])[0]

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs of the last forward into `eval_metric`; built-in metrics wait for nothing.

        Args:
            eval_metric: the metric.
            labels: the labels of the batch, in the order of `label_names`.
            pre_sliced: accepted as in MXNet.
        """
        executor = self._bound("update_metric", params=True)
        names = [d.name for d in self._label_shapes] if self._label_shapes else self._label_names
        named = dict(zip(names, [as_ndarray(x) for x in as_list(labels)], strict=False))
        eval_metric.update_dict(named, dict(zip(self.output_names, executor.outputs, strict=True)))

    def install_monitor(self, mon: Any) -> None:
        """Let a `mx.mon.Monitor` see the values inside."""
        mon.install(self._bound("install_monitor"))

    # Files.

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Write ``PREFIX-symbol.json`` and ``PREFIX-EPOCH.params``, each atomically; MXNet 1.9.1 reads both.

        Args:
            prefix: path without the endings.
            epoch: goes into the name as four digits.
            save_optimizer_states: also write ``PREFIX-EPOCH.states``.
            remove_amp_cast: accepted as in MXNet.
        """
        args, aux = self.get_params()
        save_checkpoint(prefix, epoch, self._symbol, args, aux, remove_amp_cast)
        if save_optimizer_states:
            self.save_optimizer_states(f"{prefix}-{epoch:04d}.states")
            self.logger.info('Saved optimizer state to "%s-%04d.states"', prefix, epoch)

    def save_optimizer_states(self, fname: str) -> None:
        """Write the optimizer's state in MXNet's form, atomically."""
        self._bound("save_optimizer_states", optimizer=True)
        self._settle()
        atomic_write(fname, self._update_rule().dumps())

    def load_optimizer_states(self, fname: str) -> None:
        """Read a state that `save_optimizer_states` or MXNet wrote.

        Raises:
            MXNetError: the file is missing, damaged, or does not fit the parameters.
        """
        self._bound("load_optimizer_states", optimizer=True)
        self._update_rule().loads(read_file(fname))


def _first_group(given: Any) -> dict[str, Context] | None:
    """The devices by group of the first context, in each of the forms that MXNet takes."""
    groups: Any = given[0] if isinstance(given, list | tuple) and given else given
    return {name: as_list(ctx)[0] for name, ctx in groups.items()} if groups else None


def _per_device(arrays: Sequence[Any], merge: bool) -> list[Any]:
    """MXNet's two forms: arrays, or for each array the list of its parts, which is one as one program has them all."""
    return list(arrays) if merge else [[x] for x in arrays]


@jax.jit
def _copy_all(arrays: Any) -> Any:
    return jax.tree.map(jnp.copy, arrays)


def _batch_axis(desc: DataDesc) -> int:
    """The batch axis that the layout names; the first axis when it names none."""
    return max(DataDesc.get_batch_axis(desc.layout), 0)


def _resized(desc: DataDesc, size: int) -> DataDesc:
    """`desc` with another batch size."""
    axis = _batch_axis(desc)
    return DataDesc(desc.name, (*desc.shape[:axis], size, *desc.shape[axis + 1 :]), desc.dtype, desc.layout)
