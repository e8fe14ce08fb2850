# SPDX-License-Identifier: Apache-2.0
"""Attributes for every symbol that is made inside a block: ``with mx.AttrScope(ctx_group="dev1"): ...``"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import Any

from mxlite_compiler.legacy import HIDDEN


class _Scope(threading.local):
    """The innermost scope of each thread."""

    def __init__(self) -> None:
        self.scope = AttrScope()


class _Current:
    """``AttrScope.current``, which MXNet keeps with a warning."""

    def __get__(self, instance: Any, owner: type) -> AttrScope:
        warnings.warn(
            "AttrScope.current has been deprecated; use the `with` statement with AttrScope",
            DeprecationWarning,
            stacklevel=2,
        )
        return _scope.scope


class AttrScope:
    """Gives its attributes to every symbol that is made inside the block; inner scopes add to outer ones.

    Args:
        kwargs: attributes, texts. ``ctx_group``, ``lr_mult``, ``wd_mult``, ``force_mirroring`` and ``mirror_stage``
            are kept as ``__ctx_group__`` and so on; others should be written with the underscores, because an
            operator takes no attribute without them that is not one of its parameters.

    Raises:
        ValueError: a value is no text.

    Source: `mxnet.AttrScope`.
    """

    current = _Current()

    def __init__(self, **kwargs: str) -> None:
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"attribute {key}={value!r} must be a string; write {key}={str(value)!r}")
        self._attr: dict[str, str] = kwargs
        self._outer: list[AttrScope] = []
        self._own: list[dict[str, str]] = []

    def get(self, attr: Mapping[str, str] | None) -> dict[str, str]:
        """The attributes of the scope with those in `attr` over them."""
        return {**self._attr, **dict(attr or {})}

    def __enter__(self) -> AttrScope:
        self._outer.append(_scope.scope)
        self._own.append(self._attr)
        self._attr = {**_scope.scope._attr, **self._attr}
        _scope.scope = self
        return self

    def __exit__(self, *exc: object) -> None:
        _scope.scope = self._outer.pop()
        self._attr = self._own.pop()


_scope = _Scope()


def current_scope() -> AttrScope:
    """The innermost attribute scope of this thread."""
    return _scope.scope


def stored_name(key: str) -> str:
    """The name under which attribute `key` is stored: ``lr_mult`` is ``__lr_mult__``."""
    return f"__{key}__" if key in HIDDEN else key
