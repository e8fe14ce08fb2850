# SPDX-License-Identifier: Apache-2.0
"""The values of a store, and what happens to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .. import distributed
from ..base import MXNetError, explain, nearest
from ..context import Context
from ..log import ROOT
from ..ndarray import NDArray
from ..ndarray.sparse.array import BaseSparseNDArray, wrap
from ..ndarray.sparse.storage import Rows
from ..optimizer import Updater
from . import merge
from .keys import Key

Arrays = Mapping[Key, list[NDArray]]


class Store:
    """What is behind a `KVStore`.

    Args:
        kind: the type, in lower case.

    Attributes:
        everywhere: whether it is the store of all workers of a job.
        on_device: values move to the device that they are pushed from; else they stay where they were initialised.
        values: the arrays by key.
        updater: ``(key, sum, value)``, which writes to the value; None: the sum takes the value's place.
        compression: what quantises the arrays that are pushed, or None.
    """

    def __init__(self, kind: str):
        self.kind = kind
        self.everywhere = kind.startswith("dist")
        self.on_device = "device" in kind or kind == "nccl"
        self.values: dict[Key, NDArray] = {}
        self.updater: Callable[[Any, NDArray, NDArray], Any] | None = None
        self.compression: merge.Compression | None = None

    def init(self, op: str, arrays: Arrays) -> None:
        """Enter copies of the arrays, one a key; with several workers those of worker 0."""
        for key, group in arrays.items():
            self._check_type(op, key)
            if key in self.values or len(group) > 1:
                problem = f"duplicate init of key {key!r}"
                raise MXNetError(explain(problem, op=op, hint="a key is initialised once, from one array"))
        first = [group[0] for group in arrays.values()]
        if self.everywhere and distributed.num_workers() > 1:
            first = merge.from_first(first)
        self.values.update((key, _snapshot(array)) for key, array in zip(arrays, first, strict=True))

    def push(self, op: str, arrays: Arrays) -> None:
        """Sum the arrays of each key, over all workers, too, and update its value by the sum."""
        for key, group in arrays.items():
            self._check_group(op, key, group)
        homes = {key: self._home(key, group[0].context) for key, group in arrays.items()}
        sums = merge.merged(arrays, homes, self.everywhere, self.compression)
        if self.updater is None:
            self.values.update(sums)
            return
        for key, home in homes.items():
            self.values[key] = self.values[key].as_in_context(home)
        self._update(self.updater, sums)

    def pull(self, op: str, outs: Arrays, ignore_sparse: bool) -> None:
        """Write the values to the arrays, cast to their types and in their storages."""
        for key, group in outs.items():
            value = self._value(op, key)
            for out in group:
                if out.shape != value.shape:
                    problem = f"key {key!r} has shape {value.shape}, and out has shape {out.shape}"
                    raise MXNetError(explain(problem, op=op, hint="an array gets a value of its own shape"))
        for key, group in outs.items():
            for out in group:
                if out.stype == "default" or not ignore_sparse:
                    _deliver(self.values[key], out)
                else:
                    ROOT.warning(
                        "%s: the %s array for key %r was left as it is; use row_sparse_pull, or ignore_sparse=False",
                        op, out.stype, key,
                    )  # fmt: skip

    def pull_rows(self, op: str, outs: Arrays, rows: Mapping[Key, list[NDArray]]) -> None:
        """Write some rows of the values, in order and each once, to arrays in row_sparse storage."""
        made = []
        for key, group in outs.items():
            value = self._value(op, key)
            if value.stype != "row_sparse":
                problem = f"the value of key {key!r} has {value.stype} storage"
                raise MXNetError(explain(problem, op=op, hint="initialise it with a row_sparse array, or use pull"))
            for out, ids in zip(group, rows[key], strict=True):
                if out.stype != "row_sparse" or out.shape != value.shape:
                    problem = f"out of key {key!r} has {out.stype} storage and shape {out.shape}"
                    hint = f"it must be row_sparse and {value.shape}: mx.nd.sparse.zeros('row_sparse', {value.shape})"
                    raise MXNetError(explain(problem, op=op, hint=hint))
                made.append((out, value, _row_numbers(op, key, ids, value.shape[0])))
        for out, value, ids in made:
            wrap(merge.some_rows(value._stored, ids), value.context).copyto(out)  # pyright: ignore[reportAttributeAccessIssue]

    def _home(self, key: Key, source: Context) -> Context:
        return source if self.on_device else self.values[key].context

    def _update(self, updater: Callable[[Any, NDArray, NDArray], Any], sums: Mapping[Key, NDArray]) -> None:
        if not isinstance(updater, Updater):
            for key, total in sums.items():
                # MXNet gives text keys to a function as bytes.
                updater(key.encode() if isinstance(key, str) else key, total, self.values[key])
            return
        dense = [k for k, total in sums.items() if total.stype == "default" == self.values[k].stype]
        # By device and in one launch for each.
        for home in dict.fromkeys(self.values[k].context for k in dense):
            keys = [k for k in dense if self.values[k].context == home]
            updater(keys, [sums[k] for k in keys], [self.values[k] for k in keys])
        for key in sums:
            if key not in dense:
                updater(key, sums[key], self.values[key])

    def _value(self, op: str, key: Key) -> NDArray:
        """The value of a key; MXNetError when there is none."""
        self._check_type(op, key)
        if key not in self.values:
            known = [str(k) for k in self.values]
            problem = f"key {key!r} does not exist{nearest(str(key), known)}"
            raise MXNetError(explain(problem, op=op, hint="init, or broadcast, enters a key"))
        return self.values[key]

    def _check_type(self, op: str, key: Key) -> None:
        other = next(iter(self.values), key)
        if isinstance(other, str) != isinstance(key, str):
            problem = f"mixed key types: {key!r} comes to a store with keys such as {other!r}"
            raise MXNetError(explain(problem, op=op, hint="all keys of a store are str, or all are int"))

    def _check_group(self, op: str, key: Key, group: Iterable[NDArray]) -> None:
        """Raise MXNetError for arrays that do not fit the value or one another."""
        value, first = self._value(op, key), next(iter(group))
        for array in group:
            if array.shape != value.shape:
                problem = f"key {key!r} has shape {value.shape}, and an array of shape {array.shape} comes"
                raise MXNetError(explain(problem, op=op, hint="all arrays of a key have the shape that it began with"))
            if array.dtype != first.dtype:
                problem = f"the arrays of key {key!r} have dtypes {np.dtype(first.dtype)} and {np.dtype(array.dtype)}"
                raise MXNetError(explain(problem, op=op, hint="astype makes them equal"))
            if array.stype not in ("default", "row_sparse"):
                problem = f"an array of key {key!r} has {array.stype} storage"
                raise MXNetError(explain(problem, op=op, hint="push dense or row_sparse arrays"))


def _snapshot(array: NDArray) -> NDArray:
    """An array with the content of this one as it is now, without copying it."""
    content = array._stored if isinstance(array, BaseSparseNDArray) else array._data
    return wrap(merge.sum_of_rows([content]) if isinstance(content, Rows) else content, array.context)


def _deliver(value: NDArray, out: NDArray) -> None:
    """Write `value` to `out`; where nothing needs to be converted, by sharing the content, which never changes."""
    same = value.stype == out.stype == "default" and value.dtype == out.dtype
    if same and out._view is None and out._cell.ctx.jax_device == value._cell.ctx.jax_device:
        out._cell.write(value._data)
    else:
        value.as_in_context(out.context).astype(out.dtype, copy=False).copyto(out.detach())


def _row_numbers(op: str, key: Key, ids: NDArray, rows: int) -> np.ndarray:
    """The numbers in `ids`, in order and each once. Waits for them."""
    found = np.unique(ids.asnumpy()).astype(np.int64)
    if len(found) and not 0 <= found[0] <= found[-1] < rows:
        problem = f"row_ids of key {key!r} go from {found[0]} to {found[-1]}, and there are {rows} rows"
        raise MXNetError(explain(problem, op=op, hint=f"rows are 0 to {rows - 1}"))
    return found
