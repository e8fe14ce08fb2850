# SPDX-License-Identifier: Apache-2.0
"""The exceptions of mxlite and the one formatter of their messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class MXNetError(RuntimeError):
    """What MXNet raises for everything its own engine finds wrong (`mx.base.MXNetError`)."""


class Mismatch(ValueError):
    """A known shape or dtype contradicts a rule. Caught and told as an `MXNetError` with its node."""


def nearest(name: str, legal: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the legal name closest to `name`, or nothing."""
    near = difflib.get_close_matches(name, list(legal), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def explain(
    problem: str,
    *,
    op: str = "",
    node: str = "",
    given: Iterable[tuple[str, Any]] = (),
    rule: str = "",
    hint: str = "",
) -> str:
    """One message from its parts.

    >>> print(explain("k cannot be both 3 and 4", op="dot", given=[("lhs", (2, 3))], rule="n k, k m -> n m"))
    dot: k cannot be both 3 and 4
      given: lhs=(2, 3)
      rule: n k, k m -> n m
    """
    where = op + (f" (node {node!r})" if node and node != op else "")
    lines = [f"{where}: {problem}" if where else problem]
    known = ", ".join(f"{name}={'unknown' if value is None else value}" for name, value in given)
    if known:
        lines.append(f"  given: {known}")
    if rule:
        lines.append(f"  rule: {rule}")
    if hint:
        lines.append(f"  hint: {hint}")
    return "\n".join(lines)
