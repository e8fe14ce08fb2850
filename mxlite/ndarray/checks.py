# SPDX-License-Identifier: Apache-2.0
"""Errors that only the values show: found on the device, raised at the next place that waits.

A bad index in an array on a device is no reason to wait for it. The helper that uses the index computes a flag beside
its result; `asnumpy`, `wait_to_read` and `waitall` look at the flags before they look at anything else. They also meet
the failures of programs that failed after they were started.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

from mxlite_compiler.program import refused

from ..base import MXNetError


def late(error: Exception, call: str) -> MXNetError:
    """What `call`, which waits for a result, raises when the program that was to compute it has failed."""
    hint = "the program failed after it was started; wait_to_read() after earlier calls shows which one it was"
    return MXNetError(refused(error, call, (), hint))


class Checks:
    """Flags whose values nobody has looked at yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waiting: deque[tuple[Any, Callable[[], Exception]]] = deque()
        #: Arrays, by identity, whose failure `wait` has raised.
        self.failed: weakref.WeakValueDictionary[int, jax.Array] = weakref.WeakValueDictionary()

    def add(self, failed: jax.Array, error: Callable[[], Exception]) -> None:
        """Remember to raise `error` when `failed`, one boolean, turns out to be True.

        Inside a function that JAX traces there is no value to look at: what is wrong there stays unseen.
        """
        if isinstance(failed, Tracer):
            return
        with self._lock:
            # Flags that have come out well need no keeping; one that failed stays for the next place that waits.
            while self.waiting and self.waiting[0][0].is_ready() and not self.waiting[0][0].item():
                self.waiting.popleft()
            self.waiting.append((failed, error))

    def wait(self) -> None:
        """Wait for every array that is alive; raise MXNetError once for those whose programs failed."""
        error: Exception | None = None
        for array in jax.live_arrays():
            if array.is_deleted() or self.failed.get(id(array)) is array:
                continue
            try:
                array.block_until_ready()
            except jax.errors.JaxRuntimeError as e:
                self.failed[id(array)] = array
                error = error or e
        if error is not None:
            raise late(error, "waitall") from error

    def settle(self) -> None:
        """Wait for all flags; raise the error of the first one that failed, and forget them all."""
        with self._lock:
            flags = list(self.waiting)
            self.waiting.clear()
        for failed, error in flags:
            if failed.item():
                raise error()


#: The flags of this process; `reset` by settling them.
checks = Checks()
