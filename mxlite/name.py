# SPDX-License-Identifier: Apache-2.0
"""Names of symbols that the user does not name: ``fullyconnected0``, ``_plus3``, and prefixes for a block of code."""

from __future__ import annotations

import threading
import warnings
from typing import Any


class _Scope(threading.local):
    """The innermost manager of each thread; every thread starts with counters of its own."""

    def __init__(self) -> None:
        self.manager = NameManager()


class _Current:
    """``NameManager.current``, which MXNet keeps with a warning."""

    def __get__(self, instance: Any, owner: type) -> NameManager:
        warnings.warn(
            "NameManager.current has been deprecated; use the `with` statement with NameManager",
            DeprecationWarning,
            stacklevel=2,
        )
        return _scope.manager


class NameManager:
    """Counts the automatic names: hint ``relu`` gives ``relu0``, ``relu1``, ... As a context manager it replaces the
    surrounding one, so counting starts again at 0 inside the block.

    Example:
        >>> with NameManager():
        ...     mx.sym.relu(mx.sym.var("x")).name
        'relu0'

    Source: `mxnet.name.NameManager`.
    """

    current = _Current()

    def __init__(self) -> None:
        self._counter: dict[str, int] = {}
        self._outer: list[NameManager] = []

    def get(self, name: str | None, hint: str) -> str:
        """`name` itself, or the next automatic name for `hint` when `name` is None or empty.

        Args:
            name: what the user asked for.
            hint: the lower-cased name of the operator that is called.
        """
        if name:
            return name
        number = self._counter.get(hint, 0)
        self._counter[hint] = number + 1
        return f"{hint}{number}"

    def __enter__(self) -> NameManager:
        self._outer.append(_scope.manager)
        _scope.manager = self
        return self

    def __exit__(self, *exc: object) -> None:
        _scope.manager = self._outer.pop()


class Prefix(NameManager):
    """Puts `prefix` before every name inside the block, given or automatic. Variables keep the names they are given;
    those that an operator makes for itself (``fc1_weight``) carry the prefix of its name.

    Args:
        prefix: the text to put before each name.

    Source: `mxnet.name.Prefix`.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def get(self, name: str | None, hint: str) -> str:
        """`prefix` and the name that `NameManager.get` gives."""
        return self._prefix + super().get(name, hint)


_scope = _Scope()


def current_manager() -> NameManager:
    """The innermost name manager of this thread."""
    return _scope.manager
