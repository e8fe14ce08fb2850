# SPDX-License-Identifier: Apache-2.0
"""What the first `mx.model.FeedForward` trained with, for scripts that use it themselves; `Module` came after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from .base import MXNetError
from .context import Context
from .io import DataDesc as DataDesc
from .module.executor_group import DataParallelExecutorGroup as _Group
from .ndarray import NDArray


def _split_input_slice(batch_size: int, work_load_list: Sequence[float]) -> list[slice]:
    """Parts of a batch in proportion to the work loads; ValueError when one of them is empty."""
    total, end, slices = sum(work_load_list), 0, []
    for i, load in enumerate(work_load_list):
        begin = end
        last = i == len(work_load_list) - 1
        end = batch_size if last else min(begin + round(load * batch_size / total), batch_size)
        if begin >= end:
            raise ValueError(f"Too many slices: {batch_size} samples do not suffice for {len(work_load_list)} parts")
        slices.append(slice(begin, end))
    return slices


class DataParallelExecutorGroup(_Group):
    """A Symbol bound to the batches of an iterator.

    Args:
        sym: the network.
        arg_names: accepted as in MXNet.
        param_names: the parameters to train.
        ctx: the devices.
        slices: accepted as in MXNet; one program has the whole batch.
        train_data: the iterator.
        shared_group: use the parameter arrays of this one.
    """

    def __init__(
        self,
        sym: Any,
        arg_names: Sequence[str],
        param_names: Sequence[str],
        ctx: Sequence[Context],
        slices: Any,
        train_data: Any,
        shared_group: DataParallelExecutorGroup | None = None,
    ):
        shapes = train_data.provide_data, train_data.provide_label
        super().__init__(sym, ctx, None, *shapes, param_names, True, False, shared_group)
        self._batch: Any = None

    @property
    def train_execs(self) -> list[Any]:
        """The executor that runs all devices."""
        return self.execs

    def load_data_batch(self, data_batch: Any) -> None:
        """Take the batch that the next `forward` computes."""
        self._batch = data_batch

    def forward(self, is_train: bool = False) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Compute the outputs of the batch that was loaded. MXNetError when there is none."""
        if self._batch is None:
            raise MXNetError("forward: no batch is there yet; call load_data_batch(batch) first")
        super().forward(self._batch, is_train)

    def update_metric(self, metric: Any, labels: Any, pre_sliced: bool = False) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Count the outputs into a metric."""
        super().update_metric(metric, labels, pre_sliced)


class DataParallelExecutorManager:
    """Loads batches, computes gradients on several devices, and leaves the update to the caller.

    Args:
        symbol: the network.
        ctx: the devices.
        train_data: an iterator, whose shapes are bound.
        arg_names, aux_names: accepted as in MXNet.
        param_names: the parameters to train.
        work_load_list: accepted as in MXNet; the parts of a batch are equal.
        logger: accepted as in MXNet.
        sym_gen: not there.

    Attributes:
        param_names: as given.
        param_arrays, grad_arrays, aux_arrays: for each array the list of those of the executors, of which there is one.

    Raises:
        MXNetError: with `sym_gen`.
    """

    def __init__(
        self,
        symbol: Any,
        ctx: Sequence[Context],
        train_data: Any,
        arg_names: Sequence[str],
        param_names: Sequence[str],
        aux_names: Sequence[str],
        work_load_list: Sequence[float] | None = None,
        logger: Any = logging,
        sym_gen: Any = None,
    ):
        if sym_gen is not None:
            raise MXNetError("DataParallelExecutorManager has no buckets here; mx.mod.BucketingModule takes a sym_gen")
        self.symbol, self.ctx, self.sym_gen = symbol, list(ctx), None
        self.arg_names, self.param_names, self.aux_names = arg_names, param_names, aux_names
        self.slices = _split_input_slice(train_data.batch_size, work_load_list or [1] * len(self.ctx))
        self.execgrp = DataParallelExecutorGroup(symbol, arg_names, param_names, ctx, self.slices, train_data)
        self.curr_execgrp = self.execgrp

    @property
    def param_arrays(self) -> list[list[NDArray]]:
        """The parameters."""
        return self.execgrp.param_arrays

    @property
    def grad_arrays(self) -> list[list[NDArray | None]]:
        """Their gradients."""
        return self.execgrp.grad_arrays

    @property
    def aux_arrays(self) -> list[list[NDArray]]:
        """The auxiliary states."""
        return self.execgrp.aux_arrays

    def install_monitor(self, monitor: Any) -> None:
        """Let a monitor see the values inside."""
        self.execgrp.install_monitor(monitor)

    def set_params(self, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray]) -> None:
        """Copy parameters into the bound arrays."""
        self.execgrp.set_params(arg_params, aux_params)

    def copy_to(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Copy the parameters into the arrays of two dicts."""
        self.execgrp.get_params(arg_params, aux_params)

    def load_data_batch(self, data_batch: Any) -> None:
        """Take the batch that the next `forward` computes."""
        self.curr_execgrp.load_data_batch(data_batch)

    def forward(self, is_train: bool = False) -> None:
        """Compute the outputs."""
        self.curr_execgrp.forward(is_train)

    def backward(self) -> None:
        """Compute the gradients."""
        self.curr_execgrp.backward()

    def update_metric(self, metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs into a metric."""
        self.curr_execgrp.update_metric(metric, labels, pre_sliced)
