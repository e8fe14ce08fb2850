# SPDX-License-Identifier: Apache-2.0
"""What an iterator gives, taken from it by a thread before it is asked for."""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from .desc import IterError

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """A thread that takes items from an iterator, in order.

    Args:
        name: what messages call it.
        depth: so many items are taken ahead.

    Attributes:
        ended: whether the iterator has no more items.
    """

    def __init__(self, name: str, depth: int):
        self.name, self.depth, self.ended = name, max(depth, 1), True
        self._pid = os.getpid()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mxlite-read")
        weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
        self._queue: deque[Future[T | None]] = deque()
        self._items: Iterator[T] = iter(())

    def begin(self, items: Iterator[T]) -> None:
        """Begin to take items; those of the iterator before are given up."""
        self.rest()
        self._items, self.ended = items, False
        for _ in range(self.depth):
            self._submit()

    def next(self) -> T | None:
        """The next item, or None when there is none. An error in the iterator comes out here.

        Raises:
            IterError: the thread is in another process.
        """
        if self.ended:
            return None
        if self._pid != os.getpid():
            raise IterError(f"{self.name}: its thread is in the process that made it; make one in this process")
        self._submit()
        item = self._queue.popleft().result()
        self.ended = item is None
        return item

    def rest(self) -> None:
        """Give up the iterator."""
        for future in self._queue:
            if not future.cancel():
                # Its item, or its error, belongs to what is given up.
                future.exception()
        self._queue.clear()
        close = getattr(self._items, "close", None)  # of a generator
        if close is not None:
            close()
        self.ended = True

    def _submit(self) -> None:
        self._queue.append(self._pool.submit(_next_or_none, self._items))


def _next_or_none(items: Iterator[T]) -> T | None:
    return next(items, None)
