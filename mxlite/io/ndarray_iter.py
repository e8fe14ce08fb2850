# SPDX-License-Identifier: Apache-2.0
"""`NDArrayIter`: batches from arrays in memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ..ndarray import NDArray
from .desc import DataBatch, DataDesc, DataIter, IterError
from .source import Source, checked_handling, sources, uploads


class NDArrayIter(DataIter):
    """Batches from numpy arrays and NDArrays.

    The data is kept on the host; a batch is a slice that is transferred, and costs no program on the device. Arrays
    are (rows, ...): numpy arrays and lists become float32, NDArrays keep their dtype and device.

    Args:
        data: an array, a list of arrays (named ``_0_data``, ``_1_data``, ...) or a dictionary of arrays by name
            (in the order of their names). Its first array tells the number of rows.
        label: the same for labels, or None.
        batch_size: rows of a batch.
        shuffle: a new order each epoch, drawn from numpy's global generator: `numpy.random.seed` repeats it.
        last_batch_handle: what happens to the rows that are left when the others fill no further batch:
            "pad" fills the batch up with rows from the beginning and tells their number in `pad`;
            "discard" leaves them out; "roll_over" begins the next epoch with them.
        data_name: the name of a single data array.
        label_name: the name of a single label array, "softmax_label" by default.
        layout: of all descriptions.

    Raises:
        DataError: (a ValueError and AssertionError) no data, or data without rows.
        TypeError: data that is no array.
        ValueError: unknown `last_batch_handle`, or a `batch_size` that is no positive integer.
        IterError: (an MXNetError) an array has fewer rows than the first.

    Source: `mxnet.io.NDArrayIter`.
    """

    state_attributes: ClassVar[Sequence[str] | None] = ("idx", "cursor", "_order", "_carried")

    def __init__(
        self,
        data: Any,
        label: Any = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
        data_name: str = "data",
        label_name: str = "softmax_label",
        layout: str = "NCHW",
    ):
        if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__") or batch_size < 1:
            raise ValueError(f"batch_size must be a positive integer, got {batch_size!r}")
        super().__init__(int(batch_size))
        self._data = sources(data, data_name, allow_empty=False)
        self._label = sources(label, label_name, allow_empty=True)
        self.num_data = self._data[0].shape[0]
        self.num_source = len(self._data) + len(self._label)
        self.last_batch_handle = checked_handling(last_batch_handle)
        self.shuffle = shuffle
        self.layout = layout
        self.idx = np.arange(self.num_data)
        self._check_lengths()
        #: Which row of the sources stands where; None for their own order.
        self._order: np.ndarray | None = None
        #: Rows left over from the epoch before.
        self._carried: np.ndarray | None = None
        self.hard_reset()

    def _check_lengths(self) -> None:
        for source in [*self._data[1:], *self._label]:
            rows = source.shape[0]
            if rows < self.num_data:
                raise IterError(f"{source.name!r} has {rows} rows, but {self._data[0].name!r} has {self.num_data}")
            if rows > self.num_data:
                warnings.warn(
                    f"{source.name!r} has {rows} rows, {self._data[0].name!r} only {self.num_data}: "
                    f"the last {rows - self.num_data} are never used",
                    stacklevel=3,
                )

    @property
    def data(self) -> list[tuple[str, NDArray]]:
        """(name, array) pairs of all rows, in this epoch's order."""
        return self._pairs(self._data)

    @property
    def label(self) -> list[tuple[str, NDArray]]:
        """As `data`, for the labels."""
        return self._pairs(self._label)

    def _pairs(self, these: list[Source]) -> list[tuple[str, NDArray]]:
        order = self._order
        return [(s.name, s.array if order is None else s.rows(order)) for s in these]

    @property
    def data_list(self) -> list[NDArray]:
        """All arrays, labels last."""
        return [x for _, x in self.data + self.label]

    @property
    def provide_data(self) -> list[DataDesc]:
        """Names, shapes (batch_size, ...) and dtypes of the data."""
        return self._descriptions(self._data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Names, shapes (batch_size, ...) and dtypes of the labels."""
        return self._descriptions(self._label)

    def _descriptions(self, these: list[Source]) -> list[DataDesc]:
        return [DataDesc(s.name, (self.batch_size, *s.shape[1:]), s.dtype, self.layout) for s in these]

    def hard_reset(self) -> None:
        """Start over, and forget rows that were to roll over."""
        self._shuffle()
        self._carried = None
        self.cursor = -self.batch_size

    def reset(self) -> None:
        """Start the next epoch."""
        left = None
        cursor = -self.batch_size
        if self.last_batch_handle == "roll_over" and self.num_data - self.batch_size < self.cursor < self.num_data:
            left = self._rows()
            # Negative: this many rows of the first batch come from the epoch before.
            cursor = self.cursor - self.num_data - self.batch_size
        self._shuffle()
        self._carried, self.cursor = left, cursor

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        rows = len(state.get("idx", ()))
        if rows != self.num_data:
            raise IterError(f"the state is one of {rows} rows, this NDArrayIter has {self.num_data}")
        super().load_state_dict(state)

    def _shuffle(self) -> None:
        if self.shuffle:
            # MXNet's order: shuffled numbers, applied to the order before; drawn from the generator that scripts seed.
            np.random.shuffle(self.idx)
            self._order = self.idx.copy() if self._order is None else self._order[self.idx]

    def iter_next(self) -> bool:
        """Step to the next batch; False when there is none."""
        self.cursor += self.batch_size
        return self.cursor < self.num_data

    def next(self) -> DataBatch:
        """The next batch.

        Raises:
            StopIteration: the epoch is over; `reset` starts the next.
        """
        if not self.iter_next():
            raise StopIteration
        which = self._which()
        if _count(which) != self.batch_size:
            raise StopIteration
        arrays = self._read([*self._data, *self._label], which)
        return DataBatch(arrays[: len(self._data)], arrays[len(self._data) :], self.getpad())

    def getdata(self) -> list[NDArray]:
        """The data of this batch.

        Raises:
            IterError: (an MXNetError) before the first batch, or after the last.
        """
        return self._read(self._data, self._which())

    def getlabel(self) -> list[NDArray]:
        """The labels of this batch; errors as for `getdata`."""
        return self._read(self._label, self._which())

    def getpad(self) -> int:
        """How many rows of this batch are not of this epoch: padding, or rows that rolled over."""
        if self.last_batch_handle == "pad":
            return max(0, self.cursor + self.batch_size - self.num_data)
        if self.last_batch_handle == "roll_over" and -self.batch_size < self.cursor < 0:
            return -self.cursor
        return 0

    def _which(self) -> slice | np.ndarray:
        """The rows of this batch, counted in the sources."""
        start, stop = self.cursor, self.cursor + self.batch_size
        if start >= self.num_data:
            raise IterError("the epoch is over: DataIter needs reset()")
        if start <= -self.batch_size or (start < 0 and self._carried is None):
            raise IterError("there is no batch yet: call next() or iter_next() first")
        if stop <= self.num_data and start >= 0:
            return slice(start, stop) if self._order is None else self._order[start:stop]
        return self._rows()

    def _rows(self) -> np.ndarray:
        """As `_which`, for a batch that is short, filled up or carried over."""
        order = np.arange(self.num_data) if self._order is None else self._order
        stop = self.cursor + self.batch_size
        if self.cursor < 0 and self._carried is not None:
            return np.concatenate([self._carried, order[: max(stop, 0)]])
        rows = order[self.cursor : stop]
        if self.last_batch_handle == "pad":
            # Data shorter than a batch is repeated.
            rows = np.concatenate([rows, np.resize(order, stop - self.num_data)])
        return rows

    def _read(self, these: list[Source], which: slice | np.ndarray) -> list[NDArray]:
        if len({s.ctx for s in these}) == 1:
            return uploads([s.host[which] for s in these], these[0].ctx)
        return [s.rows(which) for s in these]


def _count(which: slice | np.ndarray) -> int:
    return which.stop - which.start if isinstance(which, slice) else len(which)
