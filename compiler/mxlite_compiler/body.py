# SPDX-License-Identifier: Apache-2.0
"""Graphs inside graphs: the body of a loop or branch, what is known of its shapes and dtypes, and how it is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax

from .errors import Mismatch, MXNetError
from .graph import Graph
from .infer import Inferred, infer_dtypes, infer_shapes, same_dtype
from .lower import lower
from .op import Mode
from .params import Shape
from .shapes import join_shapes, known


class Facts(NamedTuple):
    """What is inferred, shapes or dtypes, and how a fact about rows follows from one about the whole and back."""

    infer: Callable[..., Inferred[Any]]
    join: Callable[[Any, Any, str], Any]
    row: Callable[[Any], Any]
    rows: Callable[[Any, int, Any], Any]
    steps: Callable[[Sequence[Any]], int]
    scalar: Callable[[Any, str], None]

    def join_all(self, a: Sequence[Any], b: Sequence[Any], what: str) -> list[Any]:
        """What two lists of facts about the same arrays say together. Mismatch when they contradict."""
        return [self.join(x, y, what) for x, y in zip(a, b, strict=True)]


def _row(shape: Shape | None) -> Shape | None:
    """The shape of a row; that of a vector is (1,), because MXNet has no arrays without axes."""
    return None if shape is None else shape[1:] or (1,)


def _rows(row: Shape | None, steps: int, before: Shape | None) -> Shape | None:
    if row is None or (before is not None and len(before) == 1):
        return None if before is None else (steps, *before[1:])
    return steps, *row


def _steps(shapes: Sequence[Shape | None]) -> int:
    found: Shape | None = None
    for shape in shapes:
        found = join_shapes(found, shape[:1] if shape is not None else None, "the number of rows")
    return found[0] if found else 0


def _scalar(shape: Shape | None, what: str) -> None:
    if known(shape) and math.prod(shape or ()) != 1:
        raise Mismatch(f"{what} must be one number, got the shape {shape}")


SHAPES = Facts(infer_shapes, join_shapes, _row, _rows, _steps, _scalar)
DTYPES = Facts(infer_dtypes, same_dtype, lambda x: x, lambda x, n, old: x, lambda xs: 0, lambda x, what: None)


class Body:
    """A graph that a node runs, fed by the node's inputs.

    Args:
        what: what the node calls it, for errors.
        graph: the graph.
        feeds: for every variable, in the order of the graph, the number of the node's input that feeds it.
        count: how many inputs the node has.
        results: how many outputs the graph must have.

    Raises:
        Mismatch: `feeds` or `results` does not fit the graph, or two variables have one name.
    """

    def __init__(self, what: str, graph: Graph, feeds: Sequence[int], count: int, results: int):
        self.graph = graph
        names = [n.name for n in graph.nodes if n.is_variable]
        if len(feeds) != len(names) or any(not 0 <= i < count for i in feeds):
            raise Mismatch(f"locations {tuple(feeds)} of {what} must give one of {count} inputs to each of: {names}")
        if len(set(names)) != len(names):
            raise Mismatch(f"the variables of {what} do not have unique names: {names}")
        if len(graph.entries) != results:
            raise Mismatch(f"{what} must have {results} outputs, has {len(graph.entries)}")
        #: Variable name to number of the node's input.
        self.feeds = dict(zip(names, feeds, strict=True))

    @cached_property
    def writes(self) -> list[int]:
        """The node's inputs whose variables the graph may write."""
        found = set()
        for node in self.graph.nodes:
            if node.op is not None and (names := node.op.mutates(node.params)):
                sources = dict(zip(node.op.inputs(node.params), node.inputs, strict=True))
                found |= {self.feeds[sources[n].node.name] for n in names if sources[n].node.is_variable}
        return sorted(found)

    @cached_property
    def _run(self) -> Callable[..., Any]:
        return lower(self.graph)

    def call(self, inputs: Sequence[Any], mode: Mode, step: Any = None) -> tuple[Any, dict[int, jax.Array]]:
        """The outputs for the node's `inputs`, and the new values of inputs that were written, by number.

        `step` is the number of the step in a loop: every step draws other random numbers.
        """
        key = mode.key if mode.key is None or step is None else jax.random.fold_in(mode.key, step)
        outs, new = self._run({n: inputs[i] for n, i in self.feeds.items()}, {}, key, train=mode.train)
        return outs, {self.feeds[n]: jax.lax.stop_gradient(value) for n, value in new.items()}

    def infer(self, of: Facts, ins: Sequence[Any], outs: Sequence[Any], what: str) -> tuple[list[Any], list[Any]]:
        """The facts of the node's inputs and of the body's outputs that follow from those known before.

        `what` says what `outs` are of. Raises Mismatch when the body makes something else of `ins`, and MXNetError
        when they contradict inside it.
        """
        try:
            return self._infer(of, ins, outs)
        except MXNetError:
            # If the body itself is sound, what went wrong is the demand on its outputs.
            of.join_all(outs, self._infer(of, ins, [None] * len(outs))[1], what)
            raise

    def _infer(self, of: Facts, ins: Sequence[Any], outs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        given = {n: ins[i] for n, i in self.feeds.items() if ins[i] is not None}
        found = of.infer(self.graph, given, outs)
        known_ins = list(ins)
        for name, fact in zip(
            [*self.graph.argument_names, *self.graph.aux_names], [*found.arguments, *found.aux], strict=True
        ):
            i = self.feeds[name]
            known_ins[i] = of.join(known_ins[i], fact, name)
        return known_ins, found.outputs
