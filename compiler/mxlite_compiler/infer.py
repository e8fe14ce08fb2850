# SPDX-License-Identifier: Apache-2.0
"""Shapes and dtypes over a graph, in both directions, to a fixpoint.

MXNet infers weights from data, and data from weights or outputs; each operator's rule does that locally
(`Op.infer_shape`, `Op.infer_dtype`) and this module carries what one node learns to its neighbours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from .errors import Mismatch, MXNetError, explain
from .graph import Entry, Graph, Node
from .op import Op
from .params import DType, Shape, parse
from .shapes import join_shapes, known

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Inferred(Generic[T]):
    """What is known of every array of a graph; None (or a shape with zeros) where it is not.

    Attributes:
        arguments: per argument, in the graph's order.
        outputs: per output.
        aux: per auxiliary state.
        entries: per entry of every node.
    """

    arguments: list[T | None]
    outputs: list[T | None]
    aux: list[T | None]
    entries: dict[Entry, T | None]


def infer_shapes(
    graph: Graph, given: Mapping[str, Shape] | None = None, outputs: Sequence[Shape | None] = ()
) -> Inferred[Shape]:
    """Infer every shape from those `given` by variable name, from ``__shape__`` attributes, and from those of outputs.

    A size 0 is unknown. Raises MXNetError naming the node, its inputs and the rule where shapes contradict.
    """
    start = _start(graph, given or {}, "__shape__", Shape)
    _add_outputs(graph, outputs, start, join_shapes)
    return _fixpoint(graph, start, lambda op, *a: op.infer_shape(*a), join_shapes, known)


def infer_dtypes(
    graph: Graph, given: Mapping[str, str] | None = None, outputs: Sequence[str | None] = ()
) -> Inferred[str]:
    """Infer every dtype name from those `given` by variable name, from ``__dtype__`` attributes, and from outputs.

    Raises MXNetError naming the node where dtypes contradict: MXNet promotes no types.
    """
    start = _start(graph, given or {}, "__dtype__", DType)
    _add_outputs(graph, outputs, start, same_dtype)
    return _fixpoint(graph, start, lambda op, *a: op.infer_dtype(*a), same_dtype, bool)


def _start(graph: Graph, given: Mapping[str, Any], attribute: str, hint: Any) -> dict[Entry, Any]:
    facts: dict[Entry, Any] = {}
    for node in graph.nodes:
        if node.op is not None:
            continue
        value = given.get(node.name)
        if value is None and attribute in node.attrs:
            text = node.attrs[attribute]
            value = parse(hint, int(text) if hint is DType and text.lstrip("-").isdigit() else text)
        if value is not None:
            facts[Entry(node)] = tuple(value) if hint is Shape else value
    return facts


def _add_outputs(
    graph: Graph, outputs: Sequence[Any], facts: dict[Entry, Any], join: Callable[[Any, Any, str], Any]
) -> None:
    try:
        for entry, fact in zip(graph.entries, outputs, strict=False):
            if fact is not None:
                facts[entry] = join(facts.get(entry), fact, entry.name)
    except Mismatch as e:
        raise MXNetError(explain(str(e))) from None


def same_dtype(a: str | None, b: str | None, what: str) -> str | None:
    """The one dtype that `a` and `b` (None: unknown) agree on. Mismatch when they differ."""
    if a and b and a != b:
        raise Mismatch(f"{what} cannot be both {a} and {b}")
    return a or b


def _fixpoint(
    graph: Graph,
    facts: dict[Entry, Any],
    rule: Callable[..., tuple[list[Any], list[Any]]],
    join: Callable[[Any, Any, str], Any],
    complete: Callable[[Any], bool],
) -> Inferred[Any]:
    calls = [(n, n.op, [*n.inputs, *n.entries(hidden=True)]) for n in graph.nodes if n.op is not None]

    def visit(call: tuple[Node, Op, list[Entry]]) -> bool:
        node, op, arrays = call
        before = [facts.get(e) for e in arrays]
        if all(map(complete, before)) and node in done:
            return False
        ins, outs = rule(op, node.params, before[: len(node.inputs)], before[len(node.inputs) :], node.name)
        changed = False
        for entry, old, new in zip(arrays, before, [*ins, *outs], strict=True):
            if new is None:
                continue
            try:
                merged = join(facts.get(entry), new, entry.name)
            except Mismatch as e:
                raise MXNetError(explain(str(e), op=op.name, node=node.name)) from None
            if merged != old:
                facts[entry], changed = merged, True
        done.add(node)
        return changed

    done: set[Node] = set()
    # Forward settles nearly every graph at once; a backward sweep serves the rest, until nothing moves.
    moved = True
    while moved:
        moved = sum(map(visit, calls)) > 0 and sum(map(visit, reversed(calls))) > 0
    return Inferred(
        [facts.get(Entry(n)) for n in graph.arguments],
        [facts.get(e) for e in graph.entries],
        [facts.get(Entry(n)) for n in graph.aux],
        facts,
    )
