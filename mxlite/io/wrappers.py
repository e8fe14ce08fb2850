# SPDX-License-Identifier: Apache-2.0
"""Iterators around iterators: `ResizeIter` and `PrefetchingIter`."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..ndarray import NDArray
from .desc import DataBatch, DataDesc, DataError, DataIter, IterError, renamed, state_of


class WholeBatches(DataIter):
    """An iterator whose `iter_next` leaves a finished batch in `current_batch`."""

    current_batch: DataBatch | None = None

    def next(self) -> DataBatch:
        """The next batch. StopIteration when there is none."""
        if self.iter_next():
            return self._batch()
        raise StopIteration

    def _batch(self) -> DataBatch:
        if self.current_batch is None:
            raise IterError("there is no batch yet: call next() or iter_next() first")
        return self.current_batch

    def getdata(self) -> list[NDArray]:
        """The data of this batch."""
        return self._batch().data

    def getlabel(self) -> list[NDArray]:
        """The labels of this batch."""
        return self._batch().label

    def getindex(self) -> Any:
        """The numbers of this batch's rows, or None."""
        return self._batch().index

    def getpad(self) -> int | None:
        """How many rows of this batch only fill it up."""
        return self._batch().pad


class ResizeIter(WholeBatches):
    """An iterator whose epoch has a given number of batches.

    Args:
        data_iter: where the batches come from; it is reset whenever it ends.
        size: batches of an epoch.
        reset_internal: whether `reset` resets `data_iter`, too; else the next epoch goes on where this one ended.

    Source: `mxnet.io.ResizeIter`.
    """

    def __init__(self, data_iter: Any, size: int, reset_internal: bool = True):
        if not hasattr(data_iter, "batch_size") or not hasattr(data_iter, "reset"):
            raise TypeError(f"ResizeIter takes a data iterator, got {type(data_iter).__name__}")
        super().__init__(data_iter.batch_size)
        self.data_iter = data_iter
        self.size = size
        self.reset_internal = reset_internal
        self.cur = 0
        self.current_batch = None
        self.provide_data = data_iter.provide_data
        self.provide_label = data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self) -> None:
        """Start the next epoch."""
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def state_dict(self) -> dict[str, Any] | None:
        inner = state_of(self.data_iter)
        return None if inner is None else {"cur": self.cur, "data_iter": inner}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.data_iter.load_state_dict(state["data_iter"])
        self.cur, self.current_batch = state["cur"], None

    def iter_next(self) -> bool:
        """Step to the next batch; False at the end of the epoch, or when the inner iterator is empty."""
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            try:
                self.current_batch = self.data_iter.next()
            except StopIteration:
                return False
        self.cur += 1
        return True


class PrefetchingIter(WholeBatches):
    """Fetches the next batch in a thread while this one is worked on, and joins several iterators into one.

    Args:
        iters: an iterator or a list of them; a batch has the arrays of all, so they must be equally long.
        rename_data: for each iterator a dictionary from its data names to new ones.
        rename_label: the same for labels.

    Raises:
        DataError: (a ValueError and AssertionError) no iterators, another number of dictionaries, or
            iterators of different lengths (when a batch is asked for).

    An error inside an iterator comes out of `next`. Source: `mxnet.io.PrefetchingIter`.
    """

    def __init__(
        self,
        iters: Any,
        rename_data: Sequence[Mapping[str, str]] | None = None,
        rename_label: Sequence[Mapping[str, str]] | None = None,
    ):
        self.iters: list[Any] = list(iters) if isinstance(iters, list | tuple) else [iters]
        if not self.iters:
            raise DataError("PrefetchingIter needs at least one iterator")
        for what, names in (("rename_data", rename_data), ("rename_label", rename_label)):
            if names is not None and len(names) != len(self.iters):
                raise DataError(f"{what} needs one dictionary for each of the {len(self.iters)} iterators")
        for it in self.iters:
            if not hasattr(it, "provide_data"):
                raise TypeError(f"PrefetchingIter takes data iterators, got {type(it).__name__}")
        self.n_iter = len(self.iters)
        self.rename_data, self.rename_label = rename_data, rename_label
        super().__init__(self.provide_data[0].shape[0])
        self.current_batch = None
        self._pool = ThreadPoolExecutor(self.n_iter, thread_name_prefix="mxlite-prefetch")
        weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
        self._pending: list[Future[Any]] = []
        self._begin()

    def _begin(self) -> None:
        """Begin to fetch an epoch."""
        # The threads go ahead of what has been given out, so the way back is from here.
        self._start = [state_of(it) for it in self.iters]
        self._given = 0
        self._fetch()

    def _fetch(self) -> None:
        self._pending = [self._pool.submit(_next_or_none, it) for it in self.iters]

    @property
    def provide_data(self) -> list[DataDesc]:
        """The descriptions of all iterators' data, renamed."""
        return _joined([it.provide_data for it in self.iters], self.rename_data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """The descriptions of all iterators' labels, renamed."""
        return _joined([it.provide_label for it in self.iters], self.rename_label)

    def reset(self) -> None:
        """Start over."""
        self._rest()
        for it in self.iters:
            it.reset()
        self._begin()

    def _rest(self) -> None:
        """Wait for the threads. Their batches, or errors, belong to what is given up."""
        for future in self._pending:
            future.exception()

    def state_dict(self) -> dict[str, Any] | None:
        """As `DataIter.state_dict`; waits for the threads.

        In the middle of an epoch, batches are counted from its beginning, to be fetched again.
        """
        self._rest()
        ended = all(future.exception() is None and future.result() is None for future in self._pending)
        states = [state_of(it) for it in self.iters] if ended else self._start
        if any(state is None for state in states):
            return None
        return {"iters": states, "given": 0 if ended else self._given, "ended": ended}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if len(state["iters"]) != self.n_iter:
            raise IterError(f"the state is one of {len(state['iters'])} iterators, this one joins {self.n_iter}")
        self._rest()
        # Nothing is fetched until a batch is asked for: random numbers that fetching draws may be restored later.
        self._pending = [_nothing() for _ in self.iters] if state["ended"] else []
        for it, inner in zip(self.iters, state["iters"], strict=True):
            it.load_state_dict(inner)
            for _ in range(state["given"]):
                it.next()
        self._start, self._given = state["iters"], state["given"]
        self.current_batch = None

    def iter_next(self) -> bool:
        """Step to the next batch; False when there is none."""
        if not self._pending:
            self._fetch()
        batches = [future.result() for future in self._pending]
        ended = [b is None for b in batches]
        if any(ended):
            if not all(ended):
                raise DataError("Number of entry mismatches between iterators: one ended before the others")
            return False
        if len({b.pad for b in batches}) != 1:
            raise DataError(f"the iterators pad differently: {[b.pad for b in batches]}")
        self.current_batch = DataBatch(
            [x for b in batches for x in b.data],
            [x for b in batches for x in b.label or ()],
            batches[0].pad,
            batches[0].index,
            provide_data=self.provide_data,
            provide_label=self.provide_label,
        )
        self._given += 1
        self._fetch()
        return True


def _nothing() -> Future[Any]:
    """What is left of an iterator that has ended."""
    future: Future[Any] = Future()
    future.set_result(None)
    return future


def _next_or_none(it: Any) -> Any:
    try:
        return it.next()
    except StopIteration:
        return None


def _joined(descs: list[Any], names: Sequence[Mapping[str, str]] | None) -> list[DataDesc]:
    if names is None:
        return [d if isinstance(d, DataDesc) else DataDesc(*d) for each in descs for d in each]
    return [d for each, new in zip(descs, names, strict=True) for d in renamed(each, new)]
