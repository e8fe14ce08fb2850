# SPDX-License-Identifier: Apache-2.0
"""`Module`: one Symbol, its parameters and its optimizer, by the batch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from ..executor import Executor
from ..initializer import Uniform
from ..model import folder_path, load_checkpoint, read_states, save_checkpoint
from ..ndarray import NDArray
from ..serialize import atomic_write
from .base_module import StateError
from .batches import batch_axis, described
from .binding import Binding
from .description import as_list, as_ndarray, check_batch
from .devices import check_alike, over_workers, synchronise, workers_of
from .optimizers import as_optimizer
from .parameters import copies, initialise
from .updates import UpdateRule, update_rule


class Module(Binding):
    """Trains and runs a Symbol.

    The life of a module: `bind` gives it shapes, `init_params` parameters, `init_optimizer` an optimizer; then
    `forward`, `backward`, `update` by the batch, or `fit`, `score`, `predict` for all of it. A batch of another shape
    than the bound one is bound on the fly and shares the parameters.

    Several devices compute a batch together, as one program: each has a part of the batch, and all of the parameters
    and of the optimizer's state. The numbers are those of one device, but for the order of sums. So BatchNorm takes
    the statistics of the whole batch; MXNet takes those of each device's part. What cannot be split (Python operators,
    sparse parameters, `group2ctxs`) runs on the first device, which a line of the log says.

    Args:
        symbol: the network.
        data_names, label_names: which arguments are fed by batches.
        logger: where `fit` logs.
        context: a Context, or a list of those that compute a batch together; as many of them take part as divide the
            batch size. Labels of one device count once.
        work_load_list: accepted as in MXNet; the parts of a batch are equal.
        compression_params: accepted as in MXNet; gradients are not compressed.
        group2ctxs: devices by the attribute ``ctx_group``: a dict of Contexts, or of lists of them, or a list of
            dicts; the first of a list is used.
        fixed_param_names: parameters that are not trained.
        state_names: arguments that carry state from batch to batch.

    Raises:
        ValueError: a data, state or fixed parameter name is not an argument of the symbol.
    """

    @staticmethod
    def load(
        prefix: str, epoch: int, load_optimizer_states: bool = False, *, backend: str = "params", **kwargs: Any
    ) -> Module:
        """A module from ``PREFIX-symbol.json`` and ``PREFIX-EPOCH.params``; bind it before use.

        Args:
            prefix, epoch: as given to `save_checkpoint`.
            load_optimizer_states: also read ``PREFIX-EPOCH.states`` when the optimizer is initialised.
            backend: "orbax" for what `mx.callback.module_checkpoint(..., backend="orbax")` wrote.
            **kwargs: passed to `Module`.

        Raises:
            MXNetError: a file is missing or damaged.
        """
        symbol, args, aux = load_checkpoint(prefix, epoch, backend)
        module = Module(symbol, **kwargs)
        module._loaded, module.params_initialized = (args, aux), True
        if load_optimizer_states:
            folder = folder_path(prefix, epoch)
            module._states_file = folder if backend == "orbax" else f"{prefix}-{epoch:04d}.states"
        return module

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
        given = arg_params, aux_params
        initialise(executor, self._symbol, self._param_names, self._aux_names, initializer, given, allow_missing)
        self.params_initialized = True

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copies of the parameters and the auxiliary states, by name."""
        if self._loaded is not None:
            return dict(self._loaded[0]), dict(self._loaded[1])
        executor = self._bound("get_params", params=True)
        return copies(executor, self._param_names, self._aux_names, self._context)

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
            kvstore: a name or a KVStore. With one whose name begins with ``dist``, all workers of the job train
                together from here on: each feeds its own batches, of the same shapes and as many, the optimizer steps
                with the sum of their gradients, and they begin with the parameters of worker 0. No other kvstore
                changes anything: one program serves all devices. From then on `set_params`, too, must bring the same
                values to all workers; each predicts when and what it likes.
            optimizer: a name or an Optimizer. By name, `rescale_grad` defaults to 1 / batch size, that of all workers.
            optimizer_params: keywords for the optimizer, as a dict or pairs.
            force_init: also when there is an optimizer already.

        Raises:
            ValueError: no such optimizer, or an illegal parameter such as a NaN learning rate.
            TypeError: `kvstore` is none.
            MXNetError: there is no such kvstore, several workers cannot train the network, or they differ in batches,
                network or optimizer.
        """
        executor = self._bound("init_optimizer", params=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        first = self._data_shapes[0] if self._data_shapes else None
        workers = workers_of(kvstore)
        batch_size = workers * (first.shape[batch_axis(first)] if first else 1)
        self._optimizer = as_optimizer(optimizer, optimizer_params, self._symbol, self._param_names, batch_size)
        if workers > 1:
            check_alike(executor, [*self._data_shapes, *(self._label_shapes or [])], self._optimizer)
            self._move(over_workers(self._placement, workers, self._symbol, self._group2ctx))
            executor = self._bound("init_optimizer")
            synchronise(executor, self._param_names)
        updated, names = self._optimizer, self._param_names
        if self._precision is not None:
            arguments = lambda: self._bound("load_optimizer_states").arg_dict  # noqa: E731
            updated, names = self._precision.optimizer(updated, names, self._scales, arguments)
        self._updates = update_rule(updated, names, executor)
        self.optimizer_initialized = True
        if self._states_file is not None:
            self.load_optimizer_states(self._states_file)
            self._states_file = None

    def borrow_optimizer(self, shared_module: Module) -> None:
        """Use the optimizer of a module that shares its parameters."""
        if not shared_module.optimizer_initialized:
            raise StateError("borrow_optimizer: shared_module has no optimizer yet; call its init_optimizer() first")
        if shared_module._placement is not None and shared_module._placement != self._placement:
            self._move(shared_module._placement)
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
        bound_labels = self._label_shapes or []
        new_data, new_labels = described(batch, data, labels, self._data_shapes, bound_labels)
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

    def _parts(self) -> list[Module]:
        return [self]

    def _update_rule(self) -> UpdateRule:
        if self._updates is None:
            raise StateError("the module has no optimizer yet; call init_optimizer() first")
        return self._updates

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """The outputs of the last forward.

        In a job of several workers they are those of this worker's batch; one that does not follow the batch, such as a
        total loss, is that of all workers in training and of this one else.

        Args:
            merge_multi_context: whether each is one array, as the program gives it; else it is a list of what each
                device has of it, and an output that does not follow the batch is there as often as there are devices.
        """
        executor = self._bound("get_outputs", params=True)
        return _per_device(executor, dict(enumerate(executor.outputs)), merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """The gradients of the data inputs, in the order of `data_names`; `merge_multi_context` as for the outputs."""
        executor = self._bound("get_input_grads", params=True)
        if not self.inputs_need_grad:
            raise StateError(
                "get_input_grads: the module keeps no input gradients; call bind(..., inputs_need_grad=True) first"
            )
        return _per_device(executor, {n: executor.grad_dict[n] for n in self._data_names}, merge_multi_context)

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The arrays of `state_names`; `merge_multi_context` as for the outputs."""
        executor = self._bound("get_states", params=True)
        return _per_device(executor, {n: executor.arg_dict[n] for n in self._state_names}, merge_multi_context)

    def set_states(self, states: Sequence[NDArray] | None = None, value: float | None = None) -> None:
        """Set the arrays of `state_names`: to `states`, one each, or all to one `value`."""
        executor = self._bound("set_states", params=True)
        if (states is None) == (value is None):
            raise ValueError("set_states takes either states or value")
        for i, name in enumerate(self._state_names):
            # What get_states(merge_multi_context=False) gave comes back as it is.
            executor.arg_dict[name][:] = value if states is None else _merged(executor, name, as_list(states[i]))

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs of the last forward into `eval_metric`; built-in metrics wait for nothing.

        Args:
            eval_metric: the metric.
            labels: the labels of the batch, in the order of `label_names`.
            pre_sliced: whether `labels` is a list of what each device has of them.
        """
        executor = self._bound("update_metric", params=True)
        names = [d.name for d in self._label_shapes] if self._label_shapes else self._label_names
        if pre_sliced:
            parts = zip(*map(as_list, labels), strict=True)
            labels = [_merged(executor, name, [*map(as_ndarray, p)]) for name, p in zip(names, parts, strict=False)]
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
        """Read a state that `save_optimizer_states` or MXNet wrote, or one in a folder that orbax wrote.

        Raises:
            MXNetError: the file is missing, damaged, or does not fit the parameters.
        """
        self._bound("load_optimizer_states", optimizer=True)
        self._update_rule().loads(read_states(fname))


def _per_device(executor: Executor, arrays: Mapping[Any, Any], merge: bool) -> list[Any]:
    """MXNet's two forms: arrays, or for each array the list of its parts, one a device."""
    if merge or executor.layout is None:
        return [x if merge else [x] for x in arrays.values()]
    return [executor.layout.parts(x, which) for which, x in arrays.items()]


def _merged(executor: Executor, name: str, parts: Sequence[NDArray]) -> NDArray:
    """The array of which `parts` are on the devices."""
    return parts[0] if executor.layout is None else executor.layout.merged(name, parts)
