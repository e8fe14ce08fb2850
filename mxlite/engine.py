# SPDX-License-Identifier: Apache-2.0
"""`mx.engine`: how many operators MXNet's engine runs at once. XLA fuses on its own, so the number changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .base import MXNetError, explain


class _Bulk(threading.local):
    size: int = 0


_bulk = _Bulk()


def set_bulk_size(size: int) -> int:
    """Remember `size` for this thread, without any effect on the computation, and return the number before (first 0).

    Raises:
        TypeError: for what is no integer.
        MXNetError: for a negative number.
    """
    if not hasattr(size, "__index__"):
        raise TypeError(f"set_bulk_size: size must be an integer, got {size!r}")
    if size < 0:
        raise MXNetError(explain(f"size must be 0 or more, got {size}", op="set_bulk_size"))
    before, _bulk.size = _bulk.size, int(size)
    return before


@contextmanager
def bulk(size: int) -> Iterator[None]:
    """Set the number inside a ``with`` block, and put back the one before; errors as for `set_bulk_size`."""
    before = set_bulk_size(size)
    try:
        yield
    finally:
        set_bulk_size(before)
