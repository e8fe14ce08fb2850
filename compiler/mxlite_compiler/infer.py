# SPDX-License-Identifier: Apache-2.0
"""Shapes and dtypes over a graph, in both directions, to a fixpoint.

MXNet infers weights from data, and data from weights or outputs; each operator's rule does that locally
(`Op.infer_shape`, `Op.infer_dtype`) and this module carries what one node learns to its neighbours.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from .around import locate
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
    graph: Graph,
    given: Mapping[str, Shape] | None = None,
    outputs: Sequence[Shape | None] = (),
    *,
    dtypes: Mapping[str, str] | None = None,
) -> Inferred[Shape]:
    """Infer every shape from those `given` by variable name, from ``__shape__`` attributes, and from those of outputs.

    A size 0 is unknown. Raises MXNetError naming the first node where shapes contradict, with the rule and a table of
    what is known around it; `dtypes`, by variable name, are only shown there.
    """
    return _infer(graph, _SHAPES, given or {}, outputs, _DTYPES, dtypes or {})


def infer_dtypes(
    graph: Graph,
    given: Mapping[str, str] | None = None,
    outputs: Sequence[str | None] = (),
    *,
    shapes: Mapping[str, Shape] | None = None,
) -> Inferred[str]:
    """Infer every dtype name from those `given` by variable name, from ``__dtype__`` attributes, and from outputs.

    Raises MXNetError naming the first node where dtypes contradict, for MXNet promotes no types, with a table of what
    is known around it; `shapes`, by variable name, are only shown there.
    """
    return _infer(graph, _DTYPES, given or {}, outputs, _SHAPES, shapes or {})


def same_dtype(a: str | None, b: str | None, what: str) -> str | None:
    """The one dtype that `a` and `b` (None: unknown) agree on. Mismatch when they differ."""
    if a and b and a != b:
        raise Mismatch(f"{what} cannot be both {a} and {b}")
    return a or b


class _Kind(NamedTuple):
    """What is inferred: where variables say it, how it is parsed, found and merged, and when it is complete."""

    attribute: str
    hint: Any
    rule: Callable[..., tuple[list[Any], list[Any]]]
    join: Callable[[Any, Any, str], Any]
    complete: Callable[[Any], bool]


_SHAPES = _Kind("__shape__", Shape, lambda op, *a: op.infer_shape(*a), join_shapes, known)
_DTYPES = _Kind("__dtype__", DType, lambda op, *a: op.infer_dtype(*a), same_dtype, bool)


def _infer(
    graph: Graph, kind: _Kind, given: Mapping[str, Any], outputs: Sequence[Any], other: _Kind, beside: Mapping[str, Any]
) -> Inferred[Any]:
    facts = _start(graph, kind, given)
    try:
        for entry, fact in zip(graph.entries, outputs, strict=False):
            if fact is not None:
                facts[entry] = kind.join(facts.get(entry), fact, entry.name)
    except Mismatch as e:
        raise MXNetError(explain(str(e))) from None

    def tell(error: MXNetError, node: Node) -> None:
        others = _as_far_as_possible(graph, other, beside)
        shapes, dtypes = (facts, others) if kind is _SHAPES else (others, facts)
        locate(error, node, lambda entry: (shapes.get(entry), dtypes.get(entry)))

    _fixpoint(graph.nodes, kind, facts, tell)
    return Inferred(
        [facts.get(Entry(n)) for n in graph.arguments],
        [facts.get(e) for e in graph.entries],
        [facts.get(Entry(n)) for n in graph.aux],
        facts,
    )


def _filled(given: Shape | None, said: Shape) -> Shape | None:
    """The shape that a variable says of itself where one is given that leaves sizes open; what is given fills it in."""
    if given is None or len(given) != len(said):
        return said or given
    return tuple(a or b for a, b in zip(said, given, strict=True))


def _start(graph: Graph, kind: _Kind, given: Mapping[str, Any]) -> dict[Entry, Any]:
    facts: dict[Entry, Any] = {}
    for node in graph.nodes:
        if node.op is not None:
            continue
        value = given.get(node.name)
        if not kind.complete(value) and kind.attribute in node.attrs:
            text = node.attrs[kind.attribute]
            try:
                said = parse(kind.hint, int(text) if kind is _DTYPES and text.lstrip("-").isdigit() else text)
                value = _filled(value, tuple(said)) if kind is _SHAPES else said
            except ValueError as e:
                problem = f"the attribute {kind.attribute}={text!r} {e}"
                raise MXNetError(explain(problem, op="variable", node=node.name, source=node.source)) from None
        if value is not None:
            facts[Entry(node)] = tuple(value) if kind is _SHAPES else value
    return facts


def _fixpoint(
    nodes: Iterable[Node],
    kind: _Kind,
    facts: dict[Entry, Any],
    tell: Callable[[MXNetError, Node], None] | None = None,
) -> None:
    """Extend `facts` until nothing moves; `tell` may add to the error of a node where they contradict."""
    calls = [(n, n.op, [*n.inputs, *n.entries(hidden=True)]) for n in nodes if n.op is not None]
    done: set[Node] = set()

    def visit(call: tuple[Node, Op, list[Entry]]) -> bool:
        node, op, arrays = call
        before = [facts.get(e) for e in arrays]
        if all(map(kind.complete, before)) and node in done:
            return False
        try:
            ins, outs = kind.rule(op, node.params, before[: len(node.inputs)], before[len(node.inputs) :], node.name)
            changed = False
            for entry, old, new in zip(arrays, before, [*ins, *outs], strict=True):
                if new is None:
                    continue
                merged = _merged(kind, facts.get(entry), new, entry, op, node)
                if merged != old:
                    facts[entry], changed = merged, True
        except MXNetError as e:
            if tell is not None:
                tell(e, node)
            raise
        done.add(node)
        return changed

    # Forward settles nearly every graph at once; a backward sweep serves the rest, until nothing moves.
    moved = True
    while moved:
        moved = sum(map(visit, calls)) > 0 and sum(map(visit, reversed(calls))) > 0


def _merged(kind: _Kind, old: Any, new: Any, entry: Entry, op: Op, node: Node) -> Any:
    try:
        return kind.join(old, new, entry.name)
    except Mismatch as e:
        raise MXNetError(explain(str(e), op=op.name, node=node.name)) from None


def _as_far_as_possible(graph: Graph, kind: _Kind, given: Mapping[str, Any]) -> dict[Entry, Any]:
    """What can be said beside a contradiction in the other kind of facts, up to a contradiction in this one."""
    facts = _start(graph, kind, given)
    # Not through a user's operators: whatever their code raises must not take the place of the error to be told.
    nodes = [n for n in graph.nodes if n.op is None or not n.op.host]
    with contextlib.suppress(MXNetError):
        _fixpoint(nodes, kind, facts)
    return facts
