# SPDX-License-Identifier: Apache-2.0
"""The exceptions of mxlite and the one formatter of their messages."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Sequence
from typing import Any

#: The file and the line of the user's code where a node was made.
Source = tuple[str, int]


class MXNetError(RuntimeError):
    """What MXNet raises for everything its own engine finds wrong (`mx.base.MXNetError`)."""


class Mismatch(ValueError):
    """A known shape or dtype contradicts a rule. Caught and told as an `MXNetError` with its node."""


def nearest(name: str, legal: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the legal name closest to `name`, or nothing."""
    near = difflib.get_close_matches(name, list(legal), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a message tells; see `explain`."""

    problem: str
    op: str = ""
    node: str = ""
    source: Source | None = None
    given: tuple[tuple[str, Any], ...] = ()
    rule: str = ""
    around: str = ""
    notes: tuple[str, ...] = ()
    hint: str = ""

    def text(self) -> str:
        """The parts in the order that they are read in, what is absent left out."""
        lines = [": ".join(filter(None, (title(self.op, self.node), self.problem)))]
        known = ", ".join(f"{name}={'unknown' if value is None else value}" for name, value in self.given)
        told = {"given": known, "rule": self.rule, "made at": place(self.source)}
        lines += [f"  {name}: {text}" for name, text in told.items() if text]
        if self.around:
            lines += ["  around it:", *(f"    {line}" for line in self.around.splitlines())]
        lines += [f"  {note}" for note in self.notes]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class Message(str):
    """A text that remembers what it was made from, so that who knows more can add it (`enrich`)."""

    parts: Parts

    def __new__(cls, parts: Parts) -> Message:
        message = super().__new__(cls, parts.text())
        message.parts = parts
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.parts,)


def explain(
    problem: str,
    *,
    op: str = "",
    node: str = "",
    given: Iterable[tuple[str, Any]] = (),
    rule: str = "",
    hint: str = "",
    source: Source | None = None,
    around: str = "",
) -> Message:
    """One message from its parts.

    >>> print(explain("k cannot be both 3 and 4", op="dot", given=[("lhs", (2, 3))], rule="n k, k m -> n m"))
    dot: k cannot be both 3 and 4
      given: lhs=(2, 3)
      rule: n k, k m -> n m

    Args:
        problem: what is wrong.
        op, node: where; either may be unknown.
        given: what was given, by name; None is unknown.
        rule: what would be right.
        hint: what to do.
        source: where the user's code made the node.
        around: the neighbours of the node, as `table` draws them.
    """
    return Message(Parts(str(problem), op, node, source, tuple(given), rule, around, (), hint))


def enrich(error: Exception, *notes: str, **parts: Any) -> bool:
    """Add parts, where they are absent, and notes to the message of `error`; False when it was not made by `explain`.

    Args:
        error: the exception.
        notes: lines to put behind what is known.
        parts: further arguments of `explain`.
    """
    message = error.args[0] if len(error.args) == 1 else None
    if not isinstance(message, Message):
        return False
    old = message.parts
    new = {name: value for name, value in parts.items() if not getattr(old, name)}
    error.args = (Message(dataclasses.replace(old, notes=(*old.notes, *notes), **new)),)
    return True


def parts_of(error: Exception) -> Parts | None:
    """The parts that the message of `error` was made from, if `explain` made it."""
    message = error.args[0] if len(error.args) == 1 else None
    return message.parts if isinstance(message, Message) else None


def title(op: str, node: str) -> str:
    """An operator and its node as messages call them: ``FullyConnected (node 'fc1')``."""
    if not op:
        return f"node {node!r}" if node else ""
    return op + (f" (node {node!r})" if node and node != op else "")


def place(source: Source | None) -> str:
    """``train.py, line 12``; a path below the working directory is shown from there."""
    if source is None:
        return ""
    path, line = source
    here = os.path.join(os.getcwd(), "")
    return f"{path.removeprefix(here)}, line {line}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """`rows` of as many cells each, as text in columns.

    >>> print(table([("lhs", "(2, 3)", "relu1"), ("  data", "(2, 64)", "fc1")]))
    lhs     (2, 3)   relu1
      data  (2, 64)  fc1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
