# SPDX-License-Identifier: Apache-2.0
"""The devices that a module trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..context import Context
from ..executor import Placement, distinct, unsplittable
from ..io import DataDesc
from ..symbol import Symbol
from .batches import batch_axis


def choose(
    contexts: Sequence[Context],
    symbol: Symbol,
    group2ctx: Mapping[str, Context] | None,
    data: Sequence[DataDesc],
    logger: Any,
) -> Placement | None:
    """The devices that compute the batches of a module together; None for the first one alone.

    Args:
        contexts: those that the module was given.
        symbol: its network.
        group2ctx: devices by group.
        data: what it is bound to; as many devices take part as divide its batch size.
        logger: is told when that is not all of them.
    """
    devices = distinct(contexts)
    if len(devices) < 2:
        return None
    reason = "group2ctxs places parts of the network" if group2ctx else unsplittable(symbol)
    if reason:
        logger.warning("Module runs on %s, the first of %d devices, because %s", devices[0], len(devices), reason)
        return None
    size = data[0].shape[batch_axis(data[0])] if data else 1
    count = max(n for n in range(1, len(devices) + 1) if size % n == 0)
    if count < len(devices):
        logger.warning("a batch of %d does not divide among %d devices: Module runs on %d", size, len(devices), count)
    return Placement(devices[:count]) if count > 1 else None
