# SPDX-License-Identifier: Apache-2.0
"""`KVStoreBase`: what a store must do, so that a user's own can take the place of MXNet's."""

from __future__ import annotations

import functools
import operator
from typing import Any, ClassVar, NoReturn

from ..base import explain, nearest
from ..ndarray import NDArray


class KVStoreBase:
    """A store of arrays by key. A subclass that `register` knows is made by `mx.kv.create`, by its name.

    Source: `mxnet.kvstore.KVStoreBase`.
    """

    #: The capability of running an optimizer on the stored values.
    OPTIMIZER = "optimizer"
    kv_registry: ClassVar[dict[str, type]] = {}

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Give the `value` of worker 0 to the arrays `out` of all workers."""
        self._absent("broadcast")

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Sum `value` over its list and over all workers, and write the sum to `out`, by default to `value`."""
        self._absent("pushpull")

    def set_optimizer(self, optimizer: Any) -> None:
        """Let the store update its values by an optimizer."""
        self._absent("set_optimizer")

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Whether the store can do this; see `OPTIMIZER`."""
        raise NotImplementedError(_absent("is_capable", "KVStoreBase"))

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the states of the optimizer to a file."""
        self._absent("save_optimizer_states")

    def load_optimizer_states(self, fname: str) -> None:
        """Read the states of the optimizer from a file."""
        self._absent("load_optimizer_states")

    @property
    def type(self) -> str:
        """The name that `mx.kv.create` was given."""
        self._absent("type")

    @property
    def rank(self) -> int:
        """Which of the workers this process is, from 0."""
        self._absent("rank")

    @property
    def num_workers(self) -> int:
        """How many workers there are."""
        self._absent("num_workers")

    @staticmethod
    def register(klass: type) -> type:
        """Enter a class under its name, in lower case; a decorator. A class of the same name is replaced."""
        KVStoreBase.kv_registry[klass.__name__.lower()] = klass
        return klass

    def _absent(self, what: str) -> NoReturn:
        raise NotImplementedError(_absent(what, type(self).__name__))


def _absent(what: str, kind: str) -> str:
    return explain(f"this store has no {what}", op=kind, hint="mx.kv.create('device') makes one that has")


def check_capability(capability: str) -> None:
    """Raise ValueError for a capability that nobody has heard of."""
    if capability.lower() != KVStoreBase.OPTIMIZER:
        known = [KVStoreBase.OPTIMIZER]
        raise ValueError(explain(f"unknown capability {capability!r}{nearest(capability, known)}", op="is_capable",
                                 hint=f"known is {known[0]!r}"))  # fmt: skip


@KVStoreBase.register
class TestStore(KVStoreBase):
    """The simplest store: it sums what it is given and keeps nothing. For tests of programs that use stores."""

    __test__ = False  # to pytest

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Copy `value` to the array or arrays `out`."""
        for one in out if isinstance(out, list) else [out]:
            one[:] = value

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Write the sum of `value`, an array or a list of them, to `out`, by default to `value`."""
        values = value if isinstance(value, list) else [value]
        home = values[0].context
        total = functools.reduce(operator.add, [v.as_in_context(home) for v in values])
        targets: list[NDArray] = values if out is None else out if isinstance(out, list) else [out]
        for one in targets:
            one[:] = total

    @staticmethod
    def is_capable(capability: str) -> bool:
        """False: it has no optimizer. ValueError for an unknown capability."""
        check_capability(capability)
        return False

    @property
    def type(self) -> str:
        """ "teststore"."""
        return "teststore"

    @property
    def rank(self) -> int:
        """0: it works in one process."""
        return 0

    @property
    def num_workers(self) -> int:
        """1."""
        return 1
