# SPDX-License-Identifier: Apache-2.0
"""Batches of pictures that several threads make at the same time, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError, explain
from ..log import ROOT
from .image_files import RecordFile
from .image_params import Batches, Records
from .native import HostBatch

#: Writes the data and the label of a record into its row, and returns its identity; what is random, it draws.
Row = Callable[[bytes, Random, np.ndarray, np.ndarray], int]
#: So many batches are being made at a time: threads that are done with one begin the next.
_AT_ONCE = 3
_UNIT = 1 << 32


class _Broken(NamedTuple):
    number: int
    told: str


class _Pending(NamedTuple):
    """A batch that is being made: of the records from the place `start` of the epoch's order on."""

    start: int
    batch: HostBatch
    done: list[Future[list[_Broken]]]


class PictureBatches:
    """The batches of a part of a file; a `Handle`.

    A record that is broken ends the epoch with an error; or, where such are to be skipped, it is left out of this and
    all later epochs, as if the file did not hold it.

    Args:
        name: what messages call the iterator.
        file: what is read.
        row: what makes a row of a record.
        label_width: how many numbers the label of a row has.
        records, batches: the parameters.
        seed: of what is drawn for pictures: each has a generator of its own, whose seed is this, the number of the
            epoch, and the place in it. So neither the number of threads nor their speed matters.
    """

    label_dtype = np.dtype(np.float32)

    def __init__(
        self,
        name: str,
        file: RecordFile,
        row: Row,
        label_width: int,
        dtype: np.dtype,
        records: Records,
        batches: Batches,
        seed: int,
    ):
        self.name, self.dtype, self.carries = name, dtype, batches.round_batch
        size = batches.batch_size
        self.data_shape = size, *batches.data_shape
        self.label_shape = (size,) if label_width == 1 else (size, label_width)
        self._label_width = label_width
        self.ahead = batches.prefetch_buffer
        self._file, self._row, self._size, self._skip = file, row, size, batches.on_error == "skip"
        self._shuffle, self._order_seed, self._seed = records.shuffle, records.seed % _UNIT, seed % _UNIT
        self._threads = batches.preprocess_threads
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="mxlite-picture")
        self._epoch = -1
        self._broken: set[int] = set()

    def epoch(self, skip: int) -> Iterator[HostBatch]:
        """The batches of the next epoch, without its first `skip` rows."""
        self._epoch += 1
        return self._batches(self._epoch, skip)

    def state_dict(self) -> dict[str, Any]:
        """How many epochs there were, and what is left out."""
        return {"epoch": self._epoch, "broken": sorted(self._broken)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called."""
        self._epoch, self._broken = state["epoch"], set(state["broken"])

    def _batches(self, epoch: int, at: int) -> Iterator[HostBatch]:
        """The batches of an epoch from the place `at` on."""
        coming = deque[_Pending]()
        order = self._order(epoch)
        try:
            while True:
                while len(coming) < _AT_ONCE and at < len(order):
                    coming.append(self._begin(epoch, order, at))
                    at += self._size
                if not coming:
                    return
                now = coming.popleft()
                if broken := [x for future in now.done for x in future.result()]:
                    # What comes after a record that is left out moves up.
                    broken += [x for each in coming for future in each.done for x in future.result()]
                    coming.clear()
                    self._leave_out(broken)
                    at, order = now.start, self._order(epoch)
                    continue
                yield now.batch
        finally:
            for future in (future for each in coming for future in each.done):
                future.cancel()

    def _order(self, epoch: int) -> np.ndarray:
        """The numbers of the records in the order of an epoch."""
        numbers = self._file.numbers
        if self._shuffle:
            numbers = np.random.default_rng([self._order_seed, epoch]).permutation(numbers)
        if self._broken:
            numbers = numbers[~np.isin(numbers, list(self._broken))]
            if not len(numbers):
                raise self._refused(f"every record of {self._file.path!r} is broken")
        return numbers

    def _leave_out(self, broken: list[_Broken]) -> None:
        for number, told in broken:
            if number not in self._broken:
                self._broken.add(number)
                ROOT.warning("%s: skipped: %s", self.name, told)

    def _begin(self, epoch: int, order: np.ndarray, start: int) -> _Pending:
        """Let the threads make a batch."""
        numbers = order[start : start + self._size]
        pad = self._size - len(numbers)
        if pad and self.carries:
            more = self._order(epoch + 1)[:pad]
            if len(more) < pad:
                problem = f"number of input images must be bigger than the batch size: {len(order)}, {self._size}"
                raise self._refused(problem)
            numbers = np.concatenate([numbers, more])
        new = np.zeros if len(numbers) < self._size else np.empty
        data = new(self.data_shape, self.dtype)
        label = new((self._size, self._label_width), self.label_dtype)
        ids = np.zeros(self._size, np.uint64)
        batch = HostBatch(data, label, pad, ids)
        step = max(1, -(-len(numbers) // (2 * self._threads)))
        cuts = range(0, len(numbers), step)
        seed = (self._seed * _UNIT + epoch) * _UNIT + start
        jobs = [(batch, numbers, seed, at, min(at + step, len(numbers))) for at in cuts]
        return _Pending(start, batch, [self._pool.submit(self._fill, *job) for job in jobs])

    def _fill(self, batch: HostBatch, numbers: np.ndarray, seed: int, start: int, stop: int) -> list[_Broken]:
        """Make some rows; which records are broken."""
        broken = []
        for at in range(start, stop):
            number = int(numbers[at])
            try:
                record, draw = self._file.read(number), Random(seed + at)
                batch.numbers[at] = self._row(record, draw, batch.data[at], batch.label[at])
            except MXNetError as e:
                told = f"{self._file.where(number)}: {e}"
                if not self._skip:
                    raise self._refused(told) from None
                broken.append(_Broken(number, told))
        return broken

    def _refused(self, problem: str) -> MXNetError:
        return MXNetError(explain(problem, op=self.name))
