# SPDX-License-Identifier: Apache-2.0
"""The keys and arrays of a call, as users write them: one key or many, one array or several for each."""

from __future__ import annotations

from typing import Any

from ..base import explain
from ..ndarray import NDArray

Key = str | int


def grouped(op: str, keys: Any, values: Any, what: str = "value") -> dict[Key, list[NDArray]]:
    """The arrays of each key; those of a key that comes again are put together.

    Args:
        op: the method, for messages.
        keys: a str or int, or a list or tuple of them.
        values: for one key an array or a list of arrays; for many keys one of these for each.
        what: how the method calls `values`.

    Raises:
        AssertionError: keys of another type, or of both types; not as many values as keys; something that is no
            NDArray. It is the class that MXNet raises.
    """
    if not isinstance(keys, list | tuple):
        return {checked(op, keys): _arrays(op, keys, values, what)}
    if not isinstance(values, list | tuple) or len(values) != len(keys):
        count = len(values) if isinstance(values, list | tuple) else f"one {type(values).__name__}"
        raise AssertionError(explain(f"{len(keys)} keys and {count} as {what}", op=op, hint=f"give a {what} a key"))
    found: dict[Key, list[NDArray]] = {}
    for key, value in zip(keys, values, strict=True):
        found.setdefault(checked(op, key), []).extend(_arrays(op, key, value, what))
    if len({isinstance(key, str) for key in found}) > 1:
        raise AssertionError(explain(f"inconsistent types of keys: {keys!r:.200}", op=op, hint="all str, or all int"))
    return found


def checked(op: str, key: Any) -> Key:
    """`key`, or AssertionError when it is neither str nor int."""
    if not isinstance(key, str | int):
        problem = f"unexpected type for a key: {key!r:.80} is a {type(key).__name__}"
        raise AssertionError(explain(problem, op=op, hint="a key is a str or an int"))
    return key


def _arrays(op: str, key: Any, value: Any, what: str) -> list[NDArray]:
    arrays = list(value) if isinstance(value, list | tuple) else [value]
    for array in arrays:
        if not isinstance(array, NDArray):
            problem = f"the {what} of key {key!r} must be an NDArray or a list of them, got {type(array).__name__}"
            raise AssertionError(explain(problem, op=op, hint="mx.nd.array makes one"))
    if not arrays:
        raise AssertionError(explain(f"the {what} of key {key!r} is an empty list", op=op))
    return arrays
