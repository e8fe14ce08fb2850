# SPDX-License-Identifier: Apache-2.0
"""The devices that a module trains on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import distributed, random
from ..base import MXNetError
from ..context import Context
from ..executor import Executor, Placement, distinct, unsplittable
from ..io import DataDesc
from ..kvstore import KVStoreBase, create
from ..optimizer import Optimizer
from ..symbol import Symbol
from .batches import batch_axis

#: Bytes of text that workers compare.
_TEXT = 1024


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
    # In a job of several processes, one device may become one of many.
    if len(devices) < 2 and distributed.num_workers() == 1:
        return None
    reason = unsplittable(symbol, group2ctx)
    if reason:
        if len(devices) > 1:
            logger.warning("Module runs on %s, the first of %d devices, because %s", devices[0], len(devices), reason)
        return None
    size = data[0].shape[batch_axis(data[0])] if data else 1
    count = max(n for n in range(1, len(devices) + 1) if size % n == 0)
    if count < len(devices):
        logger.warning("a batch of %d does not divide among %d devices: Module runs on %d", size, len(devices), count)
    return Placement(devices[:count]) if count > 1 or distributed.num_workers() > 1 else None


def workers_of(kvstore: Any) -> int:
    """How many processes train together with a kvstore; 1 for each by itself.

    Args:
        kvstore: None, a name or a KVStore.

    Raises:
        TypeError: it is something else.
        MXNetError: there is no such type.
    """
    if kvstore is None:
        return 1
    store = create(kvstore) if isinstance(kvstore, str) else kvstore
    if not isinstance(store, KVStoreBase):
        raise TypeError(f"kvstore must be KVStore, str or None, got {type(kvstore).__name__}")
    return store.num_workers if "dist" in store.type else 1


def over_workers(placement: Placement | None, workers: int, symbol: Symbol, group2ctx: Any) -> Placement:
    """The devices of all `workers`, of which `placement` has those of this one.

    Raises:
        MXNetError: the network cannot be trained by several.
    """
    if placement is None:
        raise MXNetError(
            f"Module cannot train in {workers} workers because {unsplittable(symbol, group2ctx)}; use kvstore='local' "
            "and sum the gradients between backward() and update() with mx.distributed.allreduce"
        )
    (seed,) = distributed.broadcast([random.draw_key(placement.contexts[0]).view(np.int32)])
    return Placement(placement.contexts, workers, seed.view(np.uint32))


def synchronise(executor: Executor, names: Sequence[str]) -> None:
    """Give the parameters `names` and the auxiliary states of every worker the values of worker 0."""
    arrays = [*(executor.arg_dict[n] for n in names), *executor.aux_dict.values()]
    for nd, x in zip(arrays, distributed.broadcast([nd._data for nd in arrays]), strict=True):
        nd._set(x)


def check_alike(executor: Executor, inputs: Sequence[DataDesc], optimizer: Optimizer) -> None:
    """Raise MXNetError when this worker is about to train something else than worker 0."""
    shapes = repr([(n, a.shape, a.dtype.__name__) for n, a in {**executor.arg_dict, **executor.aux_dict}.items()])
    rates = ", ".join(f"{k}={getattr(optimizer, k, None)}" for k in ("lr", "wd", "rescale_grad"))
    devices = len(executor.layout.placement.contexts) if executor.layout is not None else 1
    batches = [(d.name, d.shape) for d in inputs]
    facts = f"{devices} devices, batches {batches}, optimizer {type(optimizer).__name__}({rates})"
    text = f"{hashlib.sha256(shapes.encode()).hexdigest()[:8]} {facts}".encode()[:_TEXT]
    (first,) = distributed.broadcast([np.frombuffer(text.ljust(_TEXT), np.uint8)])
    told = first.tobytes().rstrip()
    if told != text:
        raise MXNetError(
            f"worker {distributed.rank()} trains another network, or with another optimizer, than worker 0: {facts}; "
            f"worker 0 has {told.decode(errors='replace').partition(' ')[2]}"
        )
