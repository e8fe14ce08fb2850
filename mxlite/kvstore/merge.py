# SPDX-License-Identifier: Apache-2.0
"""Sums of what is pushed: over the arrays of a key, over all workers, quantised or not.

One compiled program serves all dense keys of a call. Sparse sums know their positions on the host and compute values on
the device.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import distributed
from ..base import MXNetError, explain
from ..context import Context
from ..ndarray import NDArray
from ..ndarray.sparse.array import BaseSparseNDArray, wrap
from ..ndarray.sparse.storage import Rows, bucket, gather_rows, padded

Groups = Mapping[Any, list[NDArray]]


class Compression:
    """2-bit compression: an element is sent as `threshold`, -`threshold` or 0; what is left is added to the next one.

    Args:
        threshold: above 0.

    Attributes:
        residuals: by key, what is left of each array that is pushed.
    """

    def __init__(self, threshold: float):
        self.threshold = threshold
        self.residuals: dict[Any, list[jax.Array]] = {}

    def quantised(self, groups: dict[Any, list[jax.Array]]) -> dict[Any, list[jax.Array]]:
        """What is sent in place of the arrays of each key; the residuals go on."""
        kept = {}
        for key, arrays in groups.items():
            old = self.residuals.get(key, [])
            fits = [r.shape == x.shape and r.dtype == x.dtype for r, x in zip(old, arrays, strict=False)]
            same = len(fits) == len(arrays) and all(fits)
            kept[key] = old if same else [jnp.zeros_like(x) for x in arrays]
        # Keys may be of any kind; a tree takes lists.
        sent, left = _quantised(list(groups.values()), list(kept.values()), self.threshold)
        self.residuals.update(zip(groups, left, strict=True))
        return dict(zip(groups, sent, strict=True))


@functools.partial(jax.jit, donate_argnums=1)
def _quantised(arrays: Any, residuals: Any, threshold: Any) -> tuple[Any, Any]:
    totals = jax.tree.map(operator.add, arrays, residuals)

    def sent(total: jax.Array) -> jax.Array:
        level = jnp.asarray(threshold, total.dtype)
        return jnp.where(total >= level, level, jnp.where(total <= -level, -level, jnp.zeros_like(level)))

    steps = jax.tree.map(sent, totals)
    return steps, jax.tree.map(operator.sub, totals, steps)


@jax.jit
def _sums(groups: list[list[jax.Array]]) -> list[jax.Array]:
    return [functools.reduce(operator.add, group) for group in groups]


def merged(
    groups: Groups, homes: Mapping[Any, Context], everywhere: bool, compression: Compression | None
) -> dict[Any, NDArray]:
    """The sum of the arrays of every key, on the key's device.

    Arrays in row_sparse storage stay so when all of a key are, and are not compressed: MXNet, which quantises their
    rows as if they were the first ones, gives wrong sums.

    Args:
        groups: the arrays by key, of one shape and dtype each.
        homes: the device of each key's sum.
        everywhere: sum over all workers, too.
        compression: quantise dense arrays before; on one worker each array, on several the sum of this one.
    """
    sparse = {k: g for k, g in groups.items() if all(a.stype == "row_sparse" for a in g)}
    dense = {k: [_dense(a, homes[k]) for a in g] for k, g in groups.items() if k not in sparse}
    if compression is not None and not everywhere:
        dense = compression.quantised(dense)
    totals = _summed(dense)
    if compression is not None and everywhere:
        totals = {k: sent[0] for k, sent in compression.quantised({k: [x] for k, x in totals.items()}).items()}
    rows = {k: sum_of_rows([_rows(a, homes[k]) for a in g]) for k, g in sparse.items()}
    if everywhere:
        totals = dict(zip(totals, distributed.allreduce(list(totals.values())), strict=True))
        rows = _rows_of_all(rows)
    return {k: NDArray._wrap(totals[k], homes[k]) if k in totals else wrap(rows[k], homes[k]) for k in groups}


def from_first(arrays: Sequence[NDArray]) -> list[NDArray]:
    """The arrays of worker 0, in every worker."""
    if any(isinstance(a, BaseSparseNDArray) and a.stype != "row_sparse" for a in arrays):
        hint = "use row_sparse or dense arrays"
        raise MXNetError(explain("csr arrays do not go from worker to worker", op="KVStore.init", hint=hint))
    first = distributed.rank() == 0
    # A sum to which the others give nothing: also structure arrives.
    rows = {i: a._stored for i, a in enumerate(arrays) if isinstance(a, BaseSparseNDArray)}
    none = np.zeros(0, np.int64)
    rows = _rows_of_all({i: r if first else Rows(r.values, none, r.shape) for i, r in rows.items()})
    dense = [a._data for i, a in enumerate(arrays) if i not in rows]
    sent = iter(distributed.broadcast(dense))
    return [
        wrap(rows[i], a.context) if i in rows else NDArray._wrap(next(sent), a.context) for i, a in enumerate(arrays)
    ]


def _summed(groups: dict[Any, list[jax.Array]]) -> dict[Any, jax.Array]:
    """One launch a device for all keys that have something to add."""
    many: dict[Any, list[Any]] = {}
    for key, group in groups.items():
        if len(group) > 1:
            many.setdefault(group[0].sharding, []).append(key)
    found = {key: group[0] for key, group in groups.items()}
    for keys in many.values():
        found.update(zip(keys, _sums([groups[key] for key in keys]), strict=True))
    return found


def _dense(array: NDArray, home: Context) -> jax.Array:
    content = array._stored.dense() if isinstance(array, BaseSparseNDArray) else array._data
    return content if array.context.jax_device == home.jax_device else jax.device_put(content, home.jax_device)


def _rows(array: Any, home: Context) -> Rows:
    return array.as_in_context(home)._stored


def sum_of_rows(parts: list[Rows]) -> Rows:
    """The sum; its rows are in order, each once."""
    if len(parts) == 1 and bool((np.diff(parts[0].indices) > 0).all()):
        return parts[0]
    union, places = np.unique(np.concatenate([p.indices for p in parts]), return_inverse=True)
    size = bucket(len(union))
    cuts = np.cumsum([p.count for p in parts])[:-1]
    spread = [
        padded(at, p.values.shape[0], size) for at, p in zip(np.split(places.reshape(-1), cuts), parts, strict=True)
    ]
    return Rows(_added([p.values for p in parts], spread, size), union.astype(np.int64), parts[0].shape)


@functools.partial(jax.jit, static_argnums=2)
def _added(values: list[jax.Array], places: list[jax.Array], size: int) -> jax.Array:
    total = jnp.zeros((size, *values[0].shape[1:]), values[0].dtype)
    for part, at in zip(values, places, strict=True):
        total = total.at[at].add(part, mode="drop")
    return total


def _rows_of_all(parts: dict[Any, Rows]) -> dict[Any, Rows]:
    """The sums over all workers. Waits for the positions of the others."""
    if distributed.num_workers() == 1 or not parts:
        return parts
    masks = []
    for p in parts.values():
        mask = np.zeros(p.shape[0], np.bool_)
        mask[p.indices] = True
        masks.append(mask)
    unions = [np.flatnonzero(mask) for mask in distributed.allreduce(masks)]
    mine = []
    for p, union in zip(parts.values(), unions, strict=True):
        mine.append(some_rows(p, union).values)
    sums = distributed.allreduce(mine)
    return {k: Rows(x, u.astype(np.int64), parts[k].shape) for k, x, u in zip(parts, sums, unions, strict=True)}


def some_rows(stored: Rows, ids: np.ndarray) -> Rows:
    """The rows `ids`, those that are not stored as zeros."""
    at = np.searchsorted(stored.indices, ids)
    here = at < stored.count
    here[here] = stored.indices[at[here]] == ids[here]
    size = stored.values.shape[0]
    places = padded(np.where(here, at, size), bucket(len(ids)), size)
    return Rows(gather_rows(stored.values, places), ids.astype(np.int64), stored.shape)
