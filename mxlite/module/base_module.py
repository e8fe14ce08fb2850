# SPDX-License-Identifier: Apache-2.0
"""What every module offers on top of forward, backward and update: fit, score, predict."""

from __future__ import annotations

import abc
import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metric as metrics
from ..base import MXNetError, nearest
from ..callback.progress import progress_bar
from ..initializer import Uniform
from ..io import DataBatch
from ..model import BatchEndParam
from ..ndarray import NDArray, array, concatenate
from ..serialize.params import load as load_arrays
from ..serialize.params import save as save_arrays

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from .module import Module


class StateError(MXNetError, AssertionError):
    """A module was used before the call it depends on; MXNet raises a bare AssertionError there."""


def _as_list(x: Any) -> list[Any]:
    return [] if x is None else list(x) if isinstance(x, list | tuple) else [x]


class BaseModule(abc.ABC):
    """The interface of modules and its high-level half.

    Args:
        logger: where `fit` writes its progress; the root logger module by default, as in MXNet.
    """

    def __init__(self, logger: Any = logging):
        self.logger = logger
        self.binded = self.for_training = self.inputs_need_grad = False
        self.params_initialized = self.optimizer_initialized = False
        self._symbol: Any = None

    @property
    def symbol(self) -> Any:
        """The Symbol of the module."""
        return self._symbol

    def _require(self, call: str, *, params: bool = False, optimizer: bool = False, training: bool = False) -> None:
        """Raise StateError naming the call to make first."""
        if not self.binded:
            raise StateError(f"{call}: the module has no shapes yet; call bind(data_shapes, label_shapes) first")
        if params and not self.params_initialized:
            raise StateError(f"{call}: the module has no parameters yet; call init_params() or set_params() first")
        if training and not self.for_training:
            raise StateError(
                f"{call}: the module is bound for inference; call bind(..., for_training=True, force_rebind=True) first"
            )
        if optimizer and not self.optimizer_initialized:
            raise StateError(f"{call}: the module has no optimizer yet; call init_optimizer() first")

    # Filled in by subclasses.

    @abc.abstractmethod
    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch."""

    @abc.abstractmethod
    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients of the last forward."""

    @abc.abstractmethod
    def update(self) -> None:
        """Step the optimizer."""

    def _parts(self) -> list[Module]:
        """Those inside that have parameters and an optimizer of their own; a checkpoint is made of them."""
        return []

    def prepare(self, data_batch: Any, sparse_row_id_fn: Any = None) -> None:  # noqa: B027 - a hook
        """Get ready for the next batch; nothing to do for dense parameters."""

    # Derived.

    def forward_backward(self, data_batch: Any) -> None:
        """``forward(is_train=True)`` and `backward`."""
        self.forward(data_batch, is_train=True)
        self.backward()

    def score(
        self,
        eval_data: Any,
        eval_metric: Any,
        num_batch: int | None = None,
        batch_end_callback: Any = None,
        score_end_callback: Any = None,
        reset: bool = True,
        epoch: int = 0,
        sparse_row_id_fn: Any = None,
    ) -> list[tuple[str, float]]:
        """Evaluate on `eval_data`.

        Args:
            eval_data: a data iterator.
            eval_metric: a metric, its name, a list of those, or a function of label and prediction.
            num_batch: stop after this many batches.
            batch_end_callback, score_end_callback: called with a `BatchEndParam`.
            reset: whether to reset the iterator first.
            epoch: passed on to the callbacks.

        Returns:
            Name and value pairs.
        """
        self._require("score", params=True)
        if reset:
            eval_data.reset()
        eval_metric = metrics.create(eval_metric)
        eval_metric.reset()
        seen = 0
        for nbatch, eval_batch in enumerate(eval_data):
            if num_batch is not None and nbatch == num_batch:
                break
            self.prepare(eval_batch, sparse_row_id_fn)
            self.forward(eval_batch, is_train=False)
            self.update_metric(eval_metric, eval_batch.label)
            for callback in _as_list(batch_end_callback):
                callback(BatchEndParam(epoch, nbatch, eval_metric, locals()))
            seen += 1
        for callback in _as_list(score_end_callback):
            callback(BatchEndParam(epoch, seen, eval_metric, locals()))
        return eval_metric.get_name_value()

    def iter_predict(
        self, eval_data: Any, num_batch: int | None = None, reset: bool = True, sparse_row_id_fn: Any = None
    ) -> Iterator[tuple[list[NDArray], int, Any]]:
        """Yield ``(outputs, batch number, batch)``, the padded rows cut."""
        self._require("iter_predict", params=True)
        if reset:
            eval_data.reset()
        for nbatch, eval_batch in enumerate(eval_data):
            if num_batch is not None and nbatch == num_batch:
                break
            self.prepare(eval_batch, sparse_row_id_fn)
            self.forward(eval_batch, is_train=False)
            yield self._unpadded(eval_batch), nbatch, eval_batch

    def _unpadded(self, batch: Any) -> list[NDArray]:
        pad = getattr(batch, "pad", 0) or 0
        return [out[: out.shape[0] - pad] for out in self.get_outputs()]

    def predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        merge_batches: bool = True,
        reset: bool = True,
        always_output_list: bool = False,
        sparse_row_id_fn: Any = None,
    ) -> Any:
        """The outputs for all of `eval_data`, the padded rows cut.

        Args:
            eval_data: a data iterator, or one array that is a batch.
            num_batch: stop after this many batches.
            merge_batches: concatenate the batches; else a list of output lists.
            reset: whether to reset the iterator first.
            always_output_list: return a list even for one output.

        Raises:
            ValueError: the batches have different numbers of outputs and cannot be merged.
        """
        self._require("predict", params=True)
        if isinstance(eval_data, NDArray | np.ndarray):
            data = eval_data if isinstance(eval_data, NDArray) else array(eval_data)
            self.forward(DataBatch([data]), is_train=False)
            return self.get_outputs()[0]
        if not hasattr(eval_data, "reset") or not (hasattr(eval_data, "__iter__") or hasattr(eval_data, "next")):
            raise ValueError(
                f"eval_data must be a data iterator, an NDArray or a numpy array, got {type(eval_data).__name__}"
            )
        batches = [
            [out.copy() for out in outputs]
            for outputs, _, _ in self.iter_predict(eval_data, num_batch, reset, sparse_row_id_fn)
        ]
        if not merge_batches or not batches:
            return batches
        if len({len(outputs) for outputs in batches}) != 1:
            raise ValueError(
                f"cannot merge batches: they have {sorted({len(o) for o in batches})} outputs; pass merge_batches=False"
            )
        merged = [concatenate([outputs[i] for outputs in batches]) for i in range(len(batches[0]))]
        return merged[0] if len(merged) == 1 and not always_output_list else merged

    def fit(
        self,
        train_data: Any,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Any = None,
        batch_end_callback: Any = None,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        eval_end_callback: Any = None,
        eval_batch_end_callback: Any = None,
        initializer: Any = None,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_rebind: bool = False,
        force_init: bool = False,
        begin_epoch: int = 0,
        num_epoch: int | None = None,
        validation_metric: Any = None,
        monitor: Any = None,
        sparse_row_id_fn: Any = None,
        progress: bool | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Train for the epochs `begin_epoch` up to `num_epoch`.

        Args:
            train_data: a data iterator; reset after each epoch.
            eval_data: evaluated after each epoch, if given.
            eval_metric: what to log on the training data.
            epoch_end_callback: called with (epoch, symbol, arg_params, aux_params).
            batch_end_callback: called with a `BatchEndParam`; looking at its metric waits for the device.
            kvstore: as for `init_optimizer`.
            optimizer, optimizer_params: as for `init_optimizer`.
            eval_end_callback, eval_batch_end_callback: for the evaluation.
            initializer, arg_params, aux_params, allow_missing, force_init: as for `init_params`;
                ``Uniform(0.01)`` by default.
            force_rebind: bind again even when bound.
            begin_epoch: the first epoch, for resuming.
            num_epoch: one past the last epoch.
            validation_metric: what to log on `eval_data`; `eval_metric` by default.
            monitor: a `mx.mon.Monitor`.
            progress: whether to show a bar with the metric, of tqdm; by default in notebooks only.
            checkpoint: a `mx.model.Checkpoint`, which saves the whole training at the end of epochs, and from which it
                goes on when there is one already; that epoch counts, if it is not before `begin_epoch`.

        Raises:
            StateError: `num_epoch` is missing.
            MXNetError: an epoch has no batches, data that does not fit the symbol, and everything the parts raise.
        """
        if num_epoch is None:
            raise StateError("fit: please specify the number of epochs, num_epoch")
        if not hasattr(train_data, "provide_data"):
            raise TypeError(
                f"fit takes a data iterator, got {type(train_data).__name__}; "
                "mx.io.NDArrayIter(data, label, batch_size) makes one of arrays, mx.io.IterableIter one of a loader"
            )
        self.bind(train_data.provide_data, train_data.provide_label, for_training=True, force_rebind=force_rebind)
        if monitor is not None:
            self.install_monitor(monitor)
        self.init_params(
            Uniform(0.01) if initializer is None else initializer, arg_params, aux_params, allow_missing, force_init
        )
        self.init_optimizer(kvstore, optimizer, optimizer_params)
        eval_metric = metrics.create(eval_metric)
        validation_metric = eval_metric if validation_metric is None else metrics.create(validation_metric)
        if checkpoint is not None:
            begin_epoch = checkpoint.begin(self, begin_epoch, train_data, eval_data)

        with progress_bar(progress, train_data, begin_epoch, num_epoch) as bar:
            callbacks = [*_as_list(batch_end_callback), *_as_list(bar)]
            for epoch in range(begin_epoch, num_epoch):
                tic = time.time()
                eval_metric.reset()
                self._fit_epoch(epoch, train_data, eval_metric, callbacks, monitor, sparse_row_id_fn, locals())
                found = eval_metric.get_global_name_value()
                for name, value in found:
                    self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
                if bar is not None:
                    bar.show(found)
                self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - tic)
                if epoch_end_callback is not None:
                    arg_now, aux_now = self.get_params()
                    for callback in _as_list(epoch_end_callback):
                        callback(epoch, self.symbol, arg_now, aux_now)
                if eval_data:
                    found = self.score(
                        eval_data,
                        validation_metric,
                        score_end_callback=eval_end_callback,
                        batch_end_callback=eval_batch_end_callback,
                        epoch=epoch,
                    )
                    for name, value in found:
                        self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
                    if bar is not None:
                        bar.show(found, "validation-")
                if checkpoint is not None:
                    checkpoint.end_epoch(self, epoch + 1, train_data, eval_data)
                train_data.reset()

    def _fit_epoch(
        self,
        epoch: int,
        train_data: Any,
        eval_metric: Any,
        batch_end_callback: Any,
        monitor: Any,
        sparse_row_id_fn: Any,
        around: Mapping[str, Any],
    ) -> None:
        """One epoch; callbacks find the variables of `fit`, which are `around`, beside those of the batch."""
        batches = iter(train_data)
        data_batch = next(batches, None)
        if data_batch is None:  # MXNet's StopIteration would end any loop around it without a word
            raise MXNetError(
                f"fit: {type(train_data).__name__} has no batch for epoch {epoch}; "
                + ("call its reset() first" if epoch == around["begin_epoch"] else "its reset() must begin it anew")
            )
        nbatch = 0
        while data_batch is not None:
            if monitor is not None:
                monitor.tic()
            self.forward_backward(data_batch)
            # A metric that computes on the device joins the pending step; any other must not break it up.
            joins = metrics.on_device(eval_metric)
            if joins:
                self.update_metric(eval_metric, data_batch.label)
            self.update()
            # The next batch is fetched while the device works on this one.
            next_data_batch = next(batches, None)
            if next_data_batch is not None:
                self.prepare(next_data_batch, sparse_row_id_fn)
            if not joins:
                self.update_metric(eval_metric, data_batch.label)
            if monitor is not None:
                monitor.toc_print()
            for callback in _as_list(batch_end_callback):
                callback(BatchEndParam(epoch, nbatch, eval_metric, {**around, **locals()}))
            data_batch, nbatch = next_data_batch, nbatch + 1

    # Parameters.

    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Assign parameters; see `init_params` for the arguments.

        Raises:
            ValueError: with `allow_missing` and without `allow_extra`, for a name that the module does not have.
                Nothing is changed. (MXNet looks at the names in this case only.)
        """
        if allow_missing and self.params_initialized and not force_init:
            warnings.warn("Parameters already initialized and force_init=False. set_params call ignored.", stacklevel=2)
            return
        if allow_missing and not allow_extra:
            self._refuse_extra(arg_params, self.symbol.list_arguments(), "arguments")
            self._refuse_extra(aux_params, self.symbol.list_auxiliary_states(), "auxiliary states")
        self.init_params(None, arg_params, aux_params, allow_missing, force_init, allow_extra)

    @staticmethod
    def _refuse_extra(given: Mapping[str, NDArray] | None, names: Sequence[str], kind: str) -> None:
        for name in given or ():
            if name not in names:
                hint = f"{nearest(name, names)}; allow_extra=True leaves it out"
                raise ValueError(f"Find name {name!r} that is not in the {kind}{hint}")

    def save_params(self, fname: str) -> None:
        """Write the parameters to `fname`, atomically, under ``arg:`` and ``aux:`` names."""
        args, aux = self.get_params()
        save_arrays(fname, {**{f"arg:{k}": v for k, v in args.items()}, **{f"aux:{k}": v for k, v in aux.items()}})

    def load_params(self, fname: str) -> None:
        """Read parameters that `save_params` wrote.

        Raises:
            ValueError: a name has neither prefix.
        """
        args: dict[str, NDArray] = {}
        aux: dict[str, NDArray] = {}
        for key, value in load_arrays(fname).items():
            kind, _, name = key.partition(":")
            if kind not in ("arg", "aux") or not name:
                raise ValueError(f"invalid param file {fname}: the name {key!r} does not begin with arg: or aux:")
            (args if kind == "arg" else aux)[name] = value
        self.set_params(args, aux)

    # Declared here for `fit` and friends; subclasses define them.

    @abc.abstractmethod
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
        """Give the module its shapes."""

    @abc.abstractmethod
    def init_params(
        self,
        initializer: Any = None,
        arg_params: Any = None,
        aux_params: Any = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give the module its parameters."""

    @abc.abstractmethod
    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Give the module its optimizer."""

    @abc.abstractmethod
    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copies of the parameters and auxiliary states."""

    @abc.abstractmethod
    def get_outputs(self, merge_multi_context: bool = True) -> list[NDArray]:
        """The outputs of the last forward."""

    def get_input_grads(self, merge_multi_context: bool = True) -> list[NDArray]:
        """The gradients of the data of the last backward."""
        raise MXNetError(f"{type(self).__name__} has no get_input_grads")

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The arrays that carry state from batch to batch: none, unless a class has them."""
        self._require("get_states", params=True)
        return []

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the arrays of `get_states`. StateError when there are values for none."""
        self._require("set_states", params=True)
        if states or value:
            raise StateError(f"set_states: {type(self).__name__} has no states")

    @abc.abstractmethod
    def update_metric(self, eval_metric: Any, labels: Sequence[NDArray], pre_sliced: bool = False) -> None:
        """Count the outputs of the last forward into `eval_metric`."""

    def install_monitor(self, mon: Any) -> None:
        """Let `mon` see the values inside."""
        raise MXNetError(f"{type(self).__name__} has no install_monitor")
