# SPDX-License-Identifier: Apache-2.0
"""What processes that train together tell each other: the epoch they go on from, and where each of them stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import distributed
from .values import decode, encode

if TYPE_CHECKING:
    from ..module.module import Module


def count(parts: Sequence[Module]) -> int:
    """How many processes train these modules together."""
    return max([part._placement.workers for part in parts if part._placement is not None], default=1)


def rank(workers: int) -> int:
    """Which of them this one is; 0 writes, and decides what is read."""
    return distributed.rank() if workers > 1 else 0


def agreed(epoch: int | None, workers: int) -> int | None:
    """The epoch that worker 0 has found, in all workers."""
    if workers == 1:
        return epoch
    (found,) = distributed.broadcast([np.array([-1 if epoch is None else epoch], np.int32)])
    return None if found[0] < 0 else int(found[0])


def gathered(value: Any, workers: int) -> list[Any]:
    """The values of all workers, each as `encode` takes it, in all of them."""
    if workers == 1:
        return [value]
    text, mine = json.dumps(encode(value, "the state of a worker")).encode(), distributed.rank()
    sizes = np.zeros(workers, np.int32)
    sizes[mine] = len(text)
    (sizes,) = distributed.allreduce([sizes])
    # Sums of tables with one row that is not zero. A few widths only: each is a program of its own.
    table = np.zeros((workers, 1 << int(sizes.max()).bit_length()), np.uint8)
    table[mine, : len(text)] = np.frombuffer(text, np.uint8)
    (table,) = distributed.allreduce([table])
    return [decode(json.loads(row[:size].tobytes())) for row, size in zip(table, sizes, strict=True)]
