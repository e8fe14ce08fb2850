# SPDX-License-Identifier: Apache-2.0
"""`KVStore`: arrays by key, summed over devices and workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from .. import distributed
from ..base import MXNetError, explain, nearest
from ..log import ROOT
from ..ndarray import NDArray
from ..optimizer import Optimizer, Updater, get_updater
from ..serialize.atomic import atomic_write, read_file
from .base import KVStoreBase, check_capability
from .keys import grouped
from .merge import Compression
from .store import Store

LOCAL = ("local", "local_allreduce_cpu", "local_allreduce_device", "local_update_cpu", "device", "nccl")
DISTRIBUTED = ("dist", "dist_sync", "dist_device_sync", "dist_sync_device", "dist_async", "dist_device_async",
               "dist_async_device")  # fmt: skip
#: The types that need a package which has no part in mxlite, and what takes their place.
_ELSEWHERE = {"horovod": "dist_sync", "byteps": "dist_sync", "p3": "dist_sync", "dist_p3": "dist_sync"}


class KVStore(KVStoreBase):
    """A store of arrays by key, made by `create`.

    Keys are all of type str, or all int. Nothing waits: sums are programs that are launched, one for all keys of a
    call. With a ``dist_`` type every worker makes the same calls in the same order, and holds all values.

    Source: `mxnet.kvstore.KVStore`. Other than there, a gradient that is written to after its push does not change
    the stored value.
    """

    def __init__(self, handle: Store):
        if not isinstance(handle, Store):
            hint = "mx.kv.create('local') makes a store"
            raise AssertionError(explain(f"no handle: {handle!r:.80}", op="KVStore", hint=hint))
        self.handle = handle
        self._updater: Callable[..., Any] | None = None

    # Values.

    def init(self, key: Any, value: Any) -> None:
        """Enter copies of arrays under new keys, before any other use of these; with several workers those of worker 0.

        Args:
            key: a str or int, or a list of them.
            value: an NDArray, or a list of as many as keys; also in sparse storage.

        Raises:
            MXNetError: a key is there already, or the store has keys of the other type. No key is entered then.
            AssertionError: `key` or `value` is of another type, or there are not as many values as keys.
        """
        self.handle.init("KVStore.init", grouped("KVStore.init", key, value))

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Sum the arrays of each key, over all workers, too. The sum goes to the updater, or replaces the value.

        Args:
            key: a str or int, or a list of them.
            value: for each key an NDArray or a list of NDArrays, on any devices, dense or row_sparse.
            priority: accepted as in MXNet; XLA orders its work by itself.

        Raises:
            MXNetError: a key is not there; shapes, dtypes or storages do not fit. Nothing is changed then.
            AssertionError: as `init`.
        """
        self.handle.push("KVStore.push", grouped("KVStore.push", key, value))

    def pull(self, key: Any, out: Any = None, priority: int = 0, ignore_sparse: bool = True) -> None:
        """Write values to arrays.

        Args:
            key: a str or int, or a list of them.
            out: for each key an NDArray or a list of NDArrays of the value's shape, on any devices and of any dtypes.
            priority: accepted as in MXNet.
            ignore_sparse: leave arrays `out` in sparse storage as they are, as MXNet does.

        Raises:
            MXNetError: a key is not there, or a shape differs. Nothing is written then.
            AssertionError: as `init`; also for no `out`.
        """
        self.handle.pull("KVStore.pull", grouped("KVStore.pull", key, out, "out"), ignore_sparse)

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """`push`, then `pull` to dense arrays `out`, by default to `value`."""
        values = grouped("KVStore.pushpull", key, value)
        outs = values if out is None else grouped("KVStore.pushpull", key, out, "out")
        self.handle.push("KVStore.pushpull", values)
        self.handle.pull("KVStore.pushpull", outs, ignore_sparse=True)

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """`init`, then `pull` to dense arrays `out`: the values of worker 0, in all workers."""
        values, outs = grouped("KVStore.broadcast", key, value), grouped("KVStore.broadcast", key, out, "out")
        self.handle.init("KVStore.broadcast", values)
        self.handle.pull("KVStore.broadcast", outs, ignore_sparse=True)

    def row_sparse_pull(self, key: Any, out: Any = None, priority: int = 0, row_ids: Any = None) -> None:
        """Write some rows of values in row_sparse storage to row_sparse arrays.

        Args:
            key: a str or int, or a list of them.
            out: for each key a RowSparseNDArray or a list of them.
            priority: accepted as in MXNet.
            row_ids: the rows: one NDArray for all, or one for each array of `out`, in the same form as `out`. They may
                come in any order and more than once. Rows that are not stored are zeros.

        Raises:
            MXNetError: a key is not there, a value or an `out` is not row_sparse, a row does not exist.
            AssertionError: `out` or `row_ids` is missing, or does not fit the other.
        """
        op = "KVStore.row_sparse_pull"
        outs = grouped(op, key, out, "out")
        if isinstance(row_ids, NDArray):
            rows = {k: [row_ids] * len(group) for k, group in outs.items()}
        else:
            rows = grouped(op, key, row_ids, "row_ids")
        for k, group in outs.items():
            if len(rows[k]) != len(group):
                problem = f"{len(group)} arrays of key {k!r} and {len(rows[k])} row_ids"
                raise AssertionError(explain(problem, op=op, hint="give row_ids for each, or one NDArray for all"))
        self.handle.pull_rows(op, outs, rows)

    # Updates.

    @staticmethod
    def is_capable(capability: str) -> bool:
        """True for `KVStoreBase.OPTIMIZER`; ValueError for an unknown capability."""
        check_capability(capability)
        return True

    def set_optimizer(self, optimizer: Optimizer) -> None:
        """Update values by an optimizer from now on: a push is a gradient. Its states begin anew.

        With several workers each of them updates its own copy by the sum over all, which gives the same numbers in
        every one.

        Raises:
            AttributeError: `optimizer` is none. It is the class that MXNet raises.
        """
        if not isinstance(optimizer, Optimizer):
            hint = "mx.optimizer.create('sgd', learning_rate=0.1) makes one"
            raise AttributeError(explain(f"{optimizer!r:.80} is no optimizer", op="KVStore.set_optimizer", hint=hint))
        self._set_updater(get_updater(optimizer))

    def _set_updater(self, updater: Callable[..., Any]) -> None:
        """Call ``updater(key, sum, value)`` at each push of a key; it writes to the value. Text keys come as bytes."""
        self._updater = self.handle.updater = updater

    set_updater = _set_updater

    def set_gradient_compression(self, compression_params: Mapping[str, Any]) -> None:
        """Send each element of a dense array as a threshold, its negative or 0, and keep the rest for the next push.

        It saves no traffic here: it gives the numbers that MXNet gives.

        Args:
            compression_params: ``{"type": "2bit", "threshold": 0.5}``; 0.5 is the default.

        Raises:
            MXNetError: the store has no ``device`` or ``dist`` in its type; another type; no threshold above 0.
            AssertionError: `compression_params` is no dict.
        """
        op = "KVStore.set_gradient_compression"
        if not (self.handle.on_device or self.handle.everywhere):
            hint = "stores of type device, and those that begin with dist, have it"
            raise MXNetError(explain(f"a store of type {self.type!r} has no compression", op=op, hint=hint))
        if not isinstance(compression_params, Mapping):
            problem = f"compression_params must be a dict, got {type(compression_params).__name__}"
            raise AssertionError(explain(problem, op=op, hint="{'type': '2bit', 'threshold': 0.5}"))
        if compression_params.get("type") != "2bit":
            problem = f"type={compression_params.get('type')!r} is no compression"
            raise MXNetError(explain(problem, op=op, hint="the one type is '2bit'"))
        threshold = compression_params.get("threshold", 0.5)
        try:
            threshold = float(threshold)
        except (TypeError, ValueError):
            threshold = float("nan")
        if not 0 < threshold < float("inf"):
            problem = f"threshold={compression_params['threshold']!r} is not above 0"
            raise MXNetError(explain(problem, op=op, hint="0.5 is the default"))
        self.handle.compression = Compression(threshold)

    def save_optimizer_states(self, fname: str | os.PathLike[str], dump_optimizer: bool = False) -> None:
        """Write the optimizer's states to a file that MXNet reads; it is replaced as a whole.

        Args:
            fname: the file.
            dump_optimizer: write the optimizer with its counts, too.

        Raises:
            AssertionError: the store has no optimizer.
            MXNetError: the file cannot be written.
        """
        atomic_write(fname, self._states("save_optimizer_states").get_states(dump_optimizer))

    def load_optimizer_states(self, fname: str | os.PathLike[str]) -> None:
        """Take over the states that `save_optimizer_states` wrote, here or in MXNet.

        Raises:
            AssertionError: the store has no optimizer.
            MXNetError: the file cannot be read or is damaged; the old states stay.
        """
        self._states("load_optimizer_states").set_states(read_file(fname))

    def _states(self, op: str) -> Updater:
        if not isinstance(self._updater, Updater):
            hint = "call set_optimizer before"
            raise AssertionError(explain("the store has no optimizer, and so no states", op=f"KVStore.{op}", hint=hint))
        return self._updater

    # Workers.

    @property
    def type(self) -> str:
        """The type that `create` was given, in lower case."""
        return self.handle.kind

    @property
    def rank(self) -> int:
        """Which of the workers this process is, from 0; 0 for a store of one process."""
        return distributed.rank() if self.handle.everywhere else 0

    @property
    def num_workers(self) -> int:
        """How many workers share the store; 1 for a store of one process."""
        return distributed.num_workers() if self.handle.everywhere else 1

    def _barrier(self) -> None:
        """Wait until all workers have come here. MXNetError when they do not."""
        if self.handle.everywhere:
            distributed.barrier("kvstore")

    barrier = _barrier

    @property
    def _is_p3(self) -> bool:
        """False: there is no parameter server, and so no order in which it is asked."""
        return False

    def _send_command_to_servers(self, head: int, body: str) -> None:
        """Nothing to do: there are no servers."""


def create(name: str = "local") -> KVStoreBase:
    """A store.

    Args:
        name: "local" (also "local_allreduce_cpu", "local_update_cpu") keeps values where they were initialised;
            "device" ("local_allreduce_device", "nccl") moves them to the devices that push them. "dist_sync" ("dist",
            "dist_device_sync", "dist_sync_device") is shared by all workers of a job; see `mx.distributed`.
            "dist_async" is the same here: no update is lost or late. Upper case is as good; so is the name of a class
            that `KVStoreBase.register` knows.

    Raises:
        TypeError: `name` is no text.
        MXNetError: there is no such type, and it was to span several processes. Another unknown name is a local store
            of that type, as in MXNet, and is told by a log line.

    Source: `mxnet.kvstore.create`.
    """
    if not isinstance(name, str):
        raise TypeError(explain(f"name must be a text, got {name!r:.80}", op="mx.kv.create"))
    kind = name.lower()
    if kind in KVStoreBase.kv_registry:
        return KVStoreBase.kv_registry[kind]()
    if kind not in (*LOCAL, *DISTRIBUTED):
        known = [*LOCAL, *DISTRIBUTED, *KVStoreBase.kv_registry]
        problem = f"there is no kvstore {name!r}{nearest(kind, known)}"
        if "dist" in kind or kind in _ELSEWHERE:
            instead = _ELSEWHERE.get(kind)
            hint = f"{instead!r} does what it is for" if instead else f"types are {', '.join(known)}"
            raise MXNetError(explain(problem, op="mx.kv.create", hint=hint))
        ROOT.warning("mx.kv.create: a local store, for %s", problem)
    if "async" in kind:
        ROOT.warning("kvstore %s: updates are synchronous, as with dist_sync; there is no parameter server", name)
    return KVStore(Store(kind))
