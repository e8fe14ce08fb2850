# SPDX-License-Identifier: Apache-2.0
"""`mx.model.FeedForward`: a network that fits and predicts arrays; the way before `Module`, on top of it."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import metric as metrics
from ..callback import LogValidationMetricsCallback
from ..context import Context
from ..initializer import Uniform
from ..io import DataBatch, DataDesc, DataIter, NDArrayIter
from ..model import BatchEndParam, load_checkpoint, save_checkpoint
from ..ndarray import NDArray
from ..symbol import Symbol
from .base_module import BaseModule, StateError
from .bucketing_module import BucketingModule, SymGen
from .description import as_list, check_contexts, descriptions
from .module import Module


class FeedForward:
    """A network with its parameters. New programs use `Module`.

    Args:
        symbol: the network, or a function that gives the network for the key of a bucket; then data comes from an
            iterator with `default_bucket_key`, such as `mx.rnn.BucketSentenceIter`.
        ctx: a Context or a list of them; the current one by default.
        num_epoch: one past the last epoch.
        epoch_size: batches of an epoch; all of the iterator's by default.
        optimizer: a name, or an Optimizer.
        initializer: of parameters that are not given.
        numpy_batch_size: rows of a batch made of arrays.
        arg_params, aux_params: parameters and auxiliary states by name.
        allow_extra_params: leave those out that the symbol does not have.
        begin_epoch: the first epoch.
        kwargs: for the optimizer: `learning_rate`, `momentum` ...

    Attributes:
        symbol, arg_params, aux_params: the network as it is now; `symbol` is that of the default bucket, once there
            is data.
        sym_gen: the function that gives networks, if there is one.

    Raises:
        TypeError: `symbol` is neither a Symbol nor a function.
    """

    def __init__(
        self,
        symbol: Symbol | Callable[[Any], Symbol],
        ctx: Context | Sequence[Context] | None = None,
        num_epoch: int | None = None,
        epoch_size: int | None = None,
        optimizer: Any = "sgd",
        initializer: Any = Uniform(0.01),  # noqa: B008 - MXNet's default, immutable
        numpy_batch_size: int = 128,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
        begin_epoch: int = 0,
        **kwargs: Any,
    ):
        warnings.warn(
            "mxnet.model.FeedForward has been deprecated. Please use mxnet.mod.Module instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        if not isinstance(symbol, Symbol) and not callable(symbol):
            raise TypeError(
                f"FeedForward takes a Symbol, or a function that gives one for a bucket, got {type(symbol).__name__}"
            )
        self.sym_gen: Callable[[Any], Symbol] | None = None if isinstance(symbol, Symbol) else symbol
        self._symbol: Symbol | None = symbol if isinstance(symbol, Symbol) else None
        self.ctx = check_contexts(ctx)
        self.num_epoch, self.epoch_size, self.begin_epoch = num_epoch, epoch_size, begin_epoch
        self.optimizer, self.initializer, self.kwargs = optimizer, initializer, kwargs
        self.numpy_batch_size, self.allow_extra_params = numpy_batch_size, allow_extra_params
        self.arg_params, self.aux_params = arg_params, aux_params
        if self._symbol is not None:
            self._leave_out_extra(self._symbol)

    @property
    def symbol(self) -> Symbol:
        """The network. StateError when `sym_gen` gives it and there was no data yet."""
        if self._symbol is None:
            raise StateError("which network it is depends on the data's buckets; call fit or predict first")
        return self._symbol

    def _leave_out_extra(self, symbol: Symbol) -> None:
        if self.allow_extra_params:
            known = {*symbol.list_arguments(), *symbol.list_auxiliary_states()}
            self.arg_params, self.aux_params = (
                None if given is None else {n: x for n, x in given.items() if n in known}
                for given in (self.arg_params, self.aux_params)
            )

    def _iterator(self, X: Any, y: Any, training: bool) -> Any:
        """`X` as an iterator."""
        if isinstance(X, DataIter) or hasattr(X, "provide_data"):
            return X
        if not isinstance(X, np.ndarray | NDArray):
            raise TypeError(f"X must be DataIter, NDArray or numpy.ndarray, got {type(X).__name__}")
        if y is None:
            if training:
                raise ValueError("y must be specified when X is numpy.ndarray")
            y = np.zeros(X.shape[0])
        labels = y.asnumpy() if isinstance(y, NDArray) else np.asarray(y)
        if X.shape[0] != labels.shape[0]:
            raise ValueError(f"The numbers of data points and labels not equal: {X.shape[0]} and {labels.shape[0]}")
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels.ravel()
        if labels.ndim != 1:
            raise ValueError(f"Label must be 1D or 2D (with 2nd dimension being 1), got shape {labels.shape}")
        size = min(X.shape[0], self.numpy_batch_size)
        return NDArrayIter(X, labels, size, shuffle=training, last_batch_handle="roll_over" if training else "pad")

    def _module(self, data: Any, training: bool, logger: Any = logging) -> BaseModule:
        """A bound module with the parameters as they are."""
        if not training and self.arg_params is None:
            raise StateError("the network has no parameters yet; call fit, or give arg_params")
        if self.sym_gen is not None:
            if not hasattr(data, "default_bucket_key"):
                raise TypeError(
                    f"{type(data).__name__} has no default_bucket_key, for which sym_gen gives the network; "
                    "mx.rnn.BucketSentenceIter has one"
                )
            self._symbol = self.sym_gen(data.default_bucket_key)
            self._leave_out_extra(self._symbol)
        shapes, labels = descriptions(data.provide_data), descriptions(getattr(data, "provide_label", None))
        arguments = self.symbol.list_arguments()
        labels = [d for d in labels if d.name in arguments]
        if not training:
            # What is neither given nor a parameter is a label, of which only the shape matters now.
            given = {*(self.arg_params or ()), *(d.name for d in [*shapes, *labels])}
            inferred = self.symbol.infer_shape(**{d.name: d.shape for d in [*shapes, *labels]})[0]
            labels += [DataDesc(n, s) for n, s in zip(arguments, inferred or (), strict=False) if n not in given]
        names = [d.name for d in shapes], [d.name for d in labels]
        module: BaseModule = (
            Module(self.symbol, *names, logger, self.ctx)
            if self.sym_gen is None
            else BucketingModule(self._buckets(*names), data.default_bucket_key, logger, self.ctx)
        )
        module.bind(shapes, labels or None, for_training=training)
        module.init_params(self.initializer, self.arg_params, self.aux_params, allow_missing=training)
        return module

    def _buckets(self, data_names: Sequence[str], label_names: Sequence[str]) -> SymGen:
        """`sym_gen` as a `BucketingModule` takes it; buckets have the inputs of the default one."""
        made = self.sym_gen
        if made is None:
            raise StateError("there is one network, and no sym_gen")
        return lambda key: (made(key), data_names, label_names)

    def fit(
        self,
        X: Any,
        y: Any = None,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Any = None,
        batch_end_callback: Any = None,
        kvstore: Any = "local",
        logger: Any = None,
        work_load_list: Any = None,
        monitor: Any = None,
        eval_end_callback: Any = LogValidationMetricsCallback(),  # noqa: B008 - MXNet's default, without state
        eval_batch_end_callback: Any = None,
    ) -> None:
        """Train for the epochs `begin_epoch` up to `num_epoch`; then `arg_params` and `aux_params` are the new ones.

        Args:
            X, y: an iterator, or arrays, which are shuffled.
            eval_data: an iterator, or (X, y); evaluated after each epoch, if given.
            eval_metric: what is counted.
            epoch_end_callback, batch_end_callback, monitor: as for `Module.fit`.
            kvstore, work_load_list: accepted as in MXNet.
            logger: the root logger by default.
            eval_end_callback, eval_batch_end_callback: for the evaluation.

        Raises:
            TypeError: `num_epoch` is missing, or `X` is neither.
            ValueError: data and labels do not fit each other.
        """
        if self.num_epoch is None:
            raise TypeError("fit: the number of epochs is missing; give num_epoch to FeedForward")
        logger = logging if logger is None else logger
        train = self._iterator(X, y, training=True)
        evaluated = self._iterator(*eval_data, training=False) if isinstance(eval_data, tuple | list) else eval_data
        module = self._module(train, training=True, logger=logger)
        if monitor is not None:
            module.install_monitor(monitor)
        module.init_optimizer(kvstore, self.optimizer, self.kwargs)
        logger.info("Start training with %s", self.ctx)
        eval_metric = metrics.create(eval_metric)
        train.reset()
        batches = iter(train)
        for epoch in range(self.begin_epoch, self.num_epoch):
            tic = time.time()
            eval_metric.reset()
            for nbatch, batch in enumerate(self._epoch(train, batches, epoch, logger), 1):
                if monitor is not None:
                    monitor.tic()
                module.forward_backward(batch)
                module.update_metric(eval_metric, batch.label)
                module.update()
                if monitor is not None:
                    monitor.toc_print()
                for callback in as_list(batch_end_callback):
                    callback(BatchEndParam(epoch, nbatch, eval_metric, locals()))
            logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - tic)
            self.arg_params, self.aux_params = module.get_params()
            for callback in as_list(epoch_end_callback):
                callback(epoch, self.symbol, self.arg_params, self.aux_params)
            if evaluated is not None:
                module.score(
                    evaluated,
                    eval_metric,
                    batch_end_callback=eval_batch_end_callback,
                    score_end_callback=eval_end_callback,
                    epoch=epoch,
                )
                evaluated.reset()  # it may be the one that trains

    def _epoch(self, train: Any, batches: Iterator[DataBatch], epoch: int, logger: Any) -> Iterator[DataBatch]:
        """The batches of an epoch: `epoch_size` of them, going round; or what is left in the iterator."""
        seen, empty = 0, False
        while True:
            before, empty = empty, True
            for batch in batches:
                empty = False
                seen += 1
                yield batch
                if seen == self.epoch_size:
                    return
            logger.info("Epoch[%d] Resetting Data Iterator", epoch)
            train.reset()
            if self.epoch_size is None or (before and empty):  # it has no batches at all
                return

    def predict(self, X: Any, num_batch: int | None = None, return_data: bool = False, reset: bool = True) -> Any:
        """The outputs for all of `X`, the padded rows cut.

        Args:
            X: an iterator or an array.
            num_batch: stop after this many batches.
            return_data: also return data and labels.
            reset: whether to reset the iterator first.

        Returns:
            A numpy array, or a list of one for each output; with `return_data` a tuple of those, the data, the labels.

        Raises:
            StateError: there are no parameters.
        """
        data = self._iterator(X, None, training=False)
        module = self._module(data, training=False)
        columns: list[list[list[np.ndarray]]] = [[], [], []] if return_data else [[]]
        for outputs, _, batch in module.iter_predict(data, num_batch, reset):
            rows = slice(0, outputs[0].shape[0])
            for column, arrays in zip(columns, (outputs, batch.data, batch.label or []), strict=False):
                column.append([x.asnumpy()[rows] for x in arrays])
        found = [[np.concatenate(parts) for parts in zip(*column, strict=True)] for column in columns]
        single = [arrays[0] if len(arrays) == 1 else arrays for arrays in found]
        return tuple(single) if return_data else single[0]

    def score(
        self,
        X: Any,
        eval_metric: Any = "acc",
        num_batch: int | None = None,
        batch_end_callback: Any = None,
        reset: bool = True,
    ) -> Any:
        """The value of a metric on `X`; the arguments are those of `Module.score`.

        Raises:
            StateError: there are no parameters.
        """
        data = self._iterator(X, None, training=False)
        eval_metric = metrics.create(eval_metric)
        self._module(data, training=False).score(data, eval_metric, num_batch, batch_end_callback, reset=reset)
        return eval_metric.get()[1]

    def save(self, prefix: str, epoch: int | None = None, remove_amp_cast: bool = True) -> None:
        """Write ``PREFIX-symbol.json`` and ``PREFIX-EPOCH.params``; `epoch` is `num_epoch` by default.

        Raises:
            StateError: there is no epoch, or there are no parameters.
        """
        epoch = self.num_epoch if epoch is None else epoch
        if epoch is None:
            raise StateError("save: give the epoch, which goes into the file's name")
        if self.arg_params is None:
            raise StateError("save: the network has no parameters yet; call fit, or give arg_params")
        save_checkpoint(prefix, epoch, self.symbol, self.arg_params, self.aux_params or {}, remove_amp_cast)

    @staticmethod
    def load(prefix: str, epoch: int, ctx: Any = None, **kwargs: Any) -> FeedForward:
        """The network that `save` wrote; training goes on with `epoch`. `kwargs` are those of `FeedForward`."""
        symbol, args, aux = load_checkpoint(prefix, epoch)
        return FeedForward(symbol, ctx=ctx, arg_params=args, aux_params=aux, begin_epoch=epoch, **kwargs)

    @staticmethod
    def create(
        symbol: Symbol | Callable[[Any], Symbol],
        X: Any,
        y: Any = None,
        ctx: Any = None,
        num_epoch: int | None = None,
        epoch_size: int | None = None,
        optimizer: Any = "sgd",
        initializer: Any = Uniform(0.01),  # noqa: B008 - MXNet's default, immutable
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Any = None,
        batch_end_callback: Any = None,
        kvstore: Any = "local",
        logger: Any = None,
        work_load_list: Any = None,
        eval_end_callback: Any = LogValidationMetricsCallback(),  # noqa: B008 - MXNet's default, without state
        eval_batch_end_callback: Any = None,
        **kwargs: Any,
    ) -> FeedForward:
        """A trained network; the arguments are those of `FeedForward` and `fit`."""
        made = FeedForward(
            symbol,
            ctx=ctx,
            num_epoch=num_epoch,
            epoch_size=epoch_size,
            optimizer=optimizer,
            initializer=initializer,
            **kwargs,
        )
        made.fit(
            X,
            y,
            eval_data=eval_data,
            eval_metric=eval_metric,
            epoch_end_callback=epoch_end_callback,
            batch_end_callback=batch_end_callback,
            kvstore=kvstore,
            logger=logger,
            work_load_list=work_load_list,
            eval_end_callback=eval_end_callback,
            eval_batch_end_callback=eval_batch_end_callback,
        )
        return made
