# SPDX-License-Identifier: Apache-2.0
"""`DeviceIter`: batches that are on their way to a device before they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..context import Context
from ..ndarray import NDArray
from ..ndarray.ndarray import from_host
from .desc import DataBatch, state_of
from .wrappers import WholeBatches


class DeviceIter(WholeBatches):
    """The batches of another iterator on a device, so that transfers overlap with the work on batches before.

        train = mx.io.DeviceIter(mx.io.ImageRecordIter(...), mx.gpu(0))
        mx.mod.Module(net, context=mx.gpu(0)).fit(train, ...)

    Args:
        data_iter: a data iterator.
        context: the device.
        ahead: how many batches are transferred before they are asked for; each takes its memory there.

    Raises:
        TypeError: `data_iter` is no data iterator, `context` no Context.
        MXNetError: there is no such device. An error in `data_iter` comes out of `next` up to `ahead` batches early.
    """

    def __init__(self, data_iter: Any, context: Context, ahead: int = 2):
        if not hasattr(data_iter, "provide_data") or not hasattr(data_iter, "reset"):
            raise TypeError(f"DeviceIter takes a data iterator, got {type(data_iter).__name__}")
        if not isinstance(context, Context):
            raise TypeError(f"DeviceIter takes a Context such as mx.gpu(0), got {type(context).__name__}")
        context.jax_device  # noqa: B018 - a device that does not exist is told now
        super().__init__(data_iter.batch_size)
        self.data_iter, self.context, self.ahead = data_iter, context, ahead
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key
        self._coming: deque[DataBatch] = deque()
        self._start, self._given = state_of(data_iter), 0

    @property
    def provide_data(self) -> Any:
        """The descriptions of `data_iter`."""
        return self.data_iter.provide_data

    @property
    def provide_label(self) -> Any:
        """The descriptions of `data_iter`."""
        return self.data_iter.provide_label

    def reset(self) -> None:
        """Start the next epoch."""
        self._coming.clear()
        self.current_batch = None
        self.data_iter.reset()
        self._start, self._given = state_of(self.data_iter), 0

    def iter_next(self) -> bool:
        """Step to the next batch; False when there is none."""
        while len(self._coming) <= self.ahead:
            try:
                batch = self.data_iter.next()
            except StopIteration:
                break
            self._coming.append(self._sent(batch))
        if not self._coming:
            return False
        self.current_batch = self._coming.popleft()
        self._given += 1
        return True

    def state_dict(self) -> dict[str, Any] | None:
        """As `DataIter.state_dict`. Batches are counted from the beginning of the epoch, to be read again."""
        return None if self._start is None else {"data_iter": self._start, "given": self._given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._coming.clear()
        self.data_iter.load_state_dict(state["data_iter"])
        for _ in range(state["given"]):
            self.data_iter.next()
        self._start, self._given, self.current_batch = state["data_iter"], state["given"], None

    def _sent(self, batch: DataBatch) -> DataBatch:
        data, label = ([_moved(x, self.context) for x in each or ()] for each in (batch.data, batch.label))
        more = batch.bucket_key, batch.provide_data, batch.provide_label
        return DataBatch(data, label, batch.pad, batch.index, *more)


def _moved(x: NDArray, context: Context) -> NDArray:
    if x.stype != "default":  # made up of several; it moves when it is used
        return x
    value = x._cell.feed() if x._view is None else None
    return from_host(value, context) if isinstance(value, np.ndarray) else x.as_in_context(context)
