# SPDX-License-Identifier: Apache-2.0
"""Samples that are read and decoded before they are asked for, by threads, in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .samples import Sample

#: Gives the sample of a number, or None behind the last.
Read = Callable[[int], Sample | None]


class Ahead:
    """A queue of samples whose pictures threads decode.

    Args:
        decode: makes a picture of a sample. Called by the threads.
        threads: how many; 0 decodes when a sample is taken.
        depth: how many samples wait at most.

    Numbers go up by one until `clear`. An error while reading or decoding is raised when its sample is taken.
    """

    def __init__(self, decode: Callable[[Sample], Any], threads: int, depth: int):
        self._decode, self._threads, self._depth = decode, threads, depth
        #: None in place of the sample that could not be read, or behind the last.
        self._queue: deque[tuple[Sample | None, Future[Any]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    def clear(self) -> None:
        """Forget what waits."""
        for _, future in self._queue:
            future.cancel()
        self._queue.clear()

    def sample(self, number: int, read: Read) -> Sample | None:
        """The sample `number`, or None behind the last; the picture that was made of it is given up."""
        if not self._queue:
            return read(number)
        sample, future = self._queue.popleft()
        return future.result() if sample is None else sample

    def picture(self, number: int, read: Read) -> tuple[Sample, Any] | None:
        """The sample `number` and its picture, or None behind the last. `read` is called in order, in this thread."""
        if self._threads < 1:
            sample = read(number)
            return None if sample is None else (sample, self._decode(sample))
        self._fill(number, 1, read)
        sample, future = self._queue.popleft()
        if sample is not None:
            self._fill(number + 1, self._depth, read)
        picture = future.result()
        return None if sample is None else (sample, picture)

    def _fill(self, number: int, depth: int, read: Read) -> None:
        """Read on until `depth` samples wait, from `number` on, or the end does, or an error."""
        pool = self._running()
        while len(self._queue) < depth and not (self._queue and self._queue[-1][0] is None):
            future: Future[Any] = Future()
            try:
                sample = read(number + len(self._queue))
            except Exception as e:  # noqa: BLE001 - raised when it is its turn
                sample = None
                future.set_exception(e)
            else:
                future.set_result(None)
            self._queue.append((sample, future if sample is None else pool.submit(self._decode, sample)))

    def _running(self) -> ThreadPoolExecutor:
        """The threads, in this process: a fork does not inherit them, and what they had begun is begun again."""
        if self._pool is None or self._pid != os.getpid():
            pool = ThreadPoolExecutor(self._threads, thread_name_prefix="mxlite-decode")
            self._queue = deque((s, f if s is None else pool.submit(self._decode, s)) for s, f in self._queue)
            self._pool, self._pid = pool, os.getpid()
        return self._pool
