# SPDX-License-Identifier: Apache-2.0
"""Nested lists of arrays or symbols, as the functions for control flow take and return them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: How a nested list is built: None stands for an array, a list for a list.
Form = Any


def flatten(value: Any, kind: type, what: str) -> tuple[list[Any], Form]:
    """The elements of `value`, a `kind` or nested lists and tuples of them, and its form.

    Raises AssertionError, MXNet's class for this, when something else stands in it; `what` says where.
    """
    if isinstance(value, kind):
        return [value], None
    if not isinstance(value, list | tuple):
        raise AssertionError(
            f"{what} must be (nested) list of {kind.__name__}, but got {value!r:.80} of type {type(value)}"
        )
    elements: list[Any] = []
    forms = []
    for item in value:
        inner, form = flatten(item, kind, what)
        elements += inner
        forms.append(form)
    return elements, forms


def build(elements: Sequence[Any], form: Form) -> Any:
    """The opposite of `flatten`."""
    rest = iter(elements)

    def make(form: Form) -> Any:
        return next(rest) if form is None else [make(f) for f in form]

    return make(form)


def pair(value: Any, function: str, returns: str) -> tuple[Any, Any]:
    """Both elements of the pair that the user's `function` returned. TypeError or ValueError when it is none."""
    problem = f"{function} must return a pair ({returns}), got {value!r:.80} ({type(value).__name__})"
    if not isinstance(value, list | tuple):
        raise TypeError(problem)
    if len(value) != 2:
        raise ValueError(problem)
    return value[0], value[1]


def iterations(value: Any) -> int:
    """`max_iterations` as an int. ValueError when it is None or no number."""
    if value is None:
        raise ValueError("max_iterations should be specified: an upper bound of the number of steps")
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"max_iterations={value!r} must be an integer") from None
