# SPDX-License-Identifier: Apache-2.0
"""Graphs that no one program can run: compiled segments, each for its device, with Python between them.

A graph is cut where a value leaves a place. Places are the devices that its nodes are put on (`group2ctx`), and the
host, where the nodes that run Python (CustomOp) are: JAX calls inside host callbacks can hang, and callbacks cannot be
exported. What runs at one place without waiting for another is one compiled segment. Gradients take the same way back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from .graph import Entry, Graph, Node
from .program import PROGRAMS, Program, match_heads


class HostOp(Protocol):
    """What an operator with ``host=True`` offers beside the methods of `Op`.

    `state` is a dict of the caller's that lives as long as the bound graph.
    """

    def host_forward(
        self, node: Node, train: bool, inputs: Sequence[jax.Array], state: dict[Any, Any]
    ) -> tuple[Sequence[jax.Array], Sequence[jax.Array]]:
        """Outputs, and the new values of the inputs that `Op.mutates` names."""
        ...

    def host_backward(
        self,
        node: Node,
        heads: Sequence[jax.Array],
        inputs: Sequence[jax.Array],
        outputs: Sequence[jax.Array],
        state: dict[Any, Any],
    ) -> Sequence[jax.Array | None]:
        """The gradients of the inputs, None for zero."""
        ...


@dataclasses.dataclass(frozen=True)
class Segment:
    """A compiled piece.

    Attributes:
        graph: what it computes.
        reads: its boundary inputs, variable name to entry.
        writes: its outputs.
        draws: the numbers that its random nodes have among those of the whole graph: cutting changes no draw.
        device: where it runs; JAX's default device for None.
    """

    graph: Graph
    reads: Mapping[str, Entry]
    writes: tuple[Entry, ...]
    draws: tuple[int, ...]
    device: Any = None

    def __str__(self) -> str:
        names = ", ".join(n.name for n in self.graph.nodes if n.op is not None)
        return f"{names} on {self.device}"


Stage = Segment | Node

#: The place of the nodes that run Python.
_HOST = object()


def cut(graph: Graph, devices: Mapping[Node, Any]) -> tuple[Stage, ...]:
    """The stages of `graph` in the order they run; `devices` says where each node does."""
    calls = [n for n in graph.nodes if n.op is not None]
    places = {n: _HOST if n.op.is_host(n.params) else devices[n] for n in calls if n.op is not None}
    turns = [*dict.fromkeys(place for place in places.values() if place is not _HOST), _HOST]
    # Places take turns: a node runs in the first turn of its place that finds its inputs ready.
    turn: dict[Node, int] = {}
    for node in calls:
        own = turns.index(places[node])
        ready = 0
        for e in node.inputs:
            if e.node in turn:
                together = places[e.node] == places[node] is not _HOST
                ready = max(ready, turn[e.node] + (not together))
        turn[node] = ready + (own - ready) % len(turns)
    stages: list[Stage] = []
    for now in sorted(set(turn.values())):
        inside = [n for n in calls if turn[n] == now]
        place = turns[now % len(turns)]
        stages += inside if place is _HOST else [_segment(graph, calls, inside, place)]
    return tuple(stages)


def _segment(graph: Graph, calls: Sequence[Node], inside: Sequence[Node], device: Any) -> Segment:
    members = set(inside)
    number = {n: i for i, n in enumerate(n for n in calls if n.op is not None and n.op.random)}
    wanted = {e for n in calls if n not in members for e in n.inputs} | set(graph.entries)
    writes = tuple(e for n in inside for e in n.entries(hidden=True) if e in wanted)
    reads: dict[str, Entry] = {}
    new: dict[Entry, Entry] = {}
    for node in inside:
        inputs = []
        for e in node.inputs:
            if e not in new:
                if e.node.op is None:
                    new[e] = e
                else:
                    name = f"@{len(reads)}:{e.name}"
                    reads[name] = e
                    new[e] = Entry(Node(None, name))
            inputs.append(new[e])
        copy = node if tuple(inputs) == node.inputs else node.with_inputs(inputs)
        for e in node.entries(hidden=True):
            new[e] = Entry(copy, e.index)
    piece = Graph(new[e] for e in writes)
    origin = {new[Entry(n)].node: n for n in inside}
    draws = tuple(number[origin[n]] for n in piece.nodes if n in origin and origin[n] in number)
    return Segment(piece, reads, writes, draws, device)


class SegmentedProgram:
    """The compiled forms of a graph that is cut into segments; the same calls as `Program`.

    Arguments may be on any device; outputs are where their nodes run, gradients where their arguments are read.
    Every bound graph makes its own, since host nodes keep state from forward to backward; the compiled segments are
    shared through the cut of the graph.
    """

    fusable = False

    def __init__(self, graph: Graph, wrt: Sequence[str], name: str, devices: Mapping[Node, Any]):
        self.graph, self.wrt, self.name = graph, tuple(wrt), name
        where = tuple(devices[n] for n in graph.nodes)
        self.stages: tuple[Stage, ...] = PROGRAMS.get((graph, where), lambda: cut(graph, devices))
        self.state: dict[Any, Any] = {}

    def predict(self, args: Mapping[str, Any], aux: Mapping[str, Any], key: Any) -> tuple[Any, ...]:
        """The outputs of inference."""
        return self._run(args, aux, key, train=False)[0]

    def train(self, args: Mapping[str, Any], aux: Mapping[str, Any], key: Any) -> tuple[Any, Any]:
        """Outputs and written variables of training without gradients."""
        return self._run(args, aux, key, train=True)[:2]

    def forward(self, args: Mapping[str, Any], aux: Mapping[str, Any], key: Any) -> tuple[Any, Any, Any]:
        """Outputs, written variables, and what `backward` needs."""
        return self._run(args, aux, key, train=True, keep=True)

    def forward_backward(
        self, args: Mapping[str, Any], aux: Mapping[str, Any], key: Any, heads: Any = None
    ) -> tuple[Any, Any, Any]:
        """Outputs, written variables and gradients."""
        outputs, written, residuals = self.forward(args, aux, key)
        return outputs, written, self.backward(residuals, heads or tuple(jnp.ones_like(o) for o in outputs))

    def _run(
        self, args: Mapping[str, Any], aux: Mapping[str, Any], key: Any, train: bool, keep: bool = False
    ) -> tuple[Any, Any, Any]:
        variables = {**args, **aux}
        values: dict[Entry, Any] = {Entry(n): variables[n.name] for n in self.graph.nodes if n.op is None}
        written: dict[str, Any] = {}
        residuals: list[Any] = []
        for stage in self.stages:
            if isinstance(stage, Segment):
                now = {**args, **aux, **written}
                feed = {n: now[n] for n in stage.graph.argument_names if n not in stage.reads}
                feed |= {n: values[e] for n, e in stage.reads.items()}
                feed = {n: _move(x, stage.device) for n, x in feed.items()}
                run = self._program(stage, feed)
                states = {n: _move(now[n], stage.device) for n in stage.graph.aux_names}
                if keep:
                    outs, new, vjp = run.forward(feed, states, key)
                    residuals.append((run, vjp, [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in outs]))
                else:
                    outs, new = (run.train if train else _predict_only(run))(feed, states, key)
                values.update(zip(stage.writes, outs, strict=True))
            else:
                inputs = [values[e] for e in stage.inputs]
                outs, states = stage.op.host_forward(stage, train, inputs, self.state)  # type: ignore[union-attr]
                values.update(zip(stage.entries(hidden=True), outs, strict=True))
                sources = dict(zip(stage.op.inputs(stage.params), stage.inputs, strict=True))  # type: ignore[union-attr]
                new = {sources[n].node.name: v for n, v in zip(stage.op.mutates(stage.params), states, strict=True)}  # type: ignore[union-attr]
                residuals.append((inputs, outs))
            if train:
                written.update(new)
                for n in self.graph.nodes:
                    if n.op is None and n.name in new:
                        values[Entry(n)] = new[n.name]
        return tuple(values[e] for e in self.graph.entries), written, residuals

    def backward(self, residuals: Sequence[Any], heads: Sequence[Any]) -> dict[str, Any]:
        """The gradients of `wrt`, from the last stage back to the first."""
        cotangents: dict[Entry, Any] = {}
        for e, head in zip(self.graph.entries, heads, strict=True):
            _accumulate(cotangents, e, head)
        by_name: dict[str, Any] = {}
        for stage, kept in zip(reversed(self.stages), reversed(residuals), strict=True):
            if isinstance(stage, Segment):
                self._segment_backward(stage, kept, cotangents, by_name)
            else:
                inputs, outputs = kept
                outs = [cotangents.get(e) for e in stage.entries(hidden=True)]
                outs = [jnp.zeros_like(o) if g is None else g for g, o in zip(outs, outputs, strict=True)]
                grads = stage.op.host_backward(stage, outs, inputs, outputs, self.state)  # type: ignore[union-attr]
                for e, g in zip(stage.inputs, grads, strict=True):
                    if g is not None:
                        _accumulate(cotangents, e, g)
        for n in self.graph.arguments:
            if Entry(n) in cotangents:
                _accumulate(by_name, n.name, cotangents[Entry(n)])
        return {n: by_name[n] for n in self.wrt if n in by_name}

    def _segment_backward(
        self, stage: Segment, kept: Any, cotangents: dict[Entry, Any], by_name: dict[str, Any]
    ) -> None:
        run, vjp, shapes = kept
        heads = [cotangents.get(e) for e in stage.writes]
        if not run.wrt or all(g is None for g in heads):
            return
        heads = [jnp.zeros(o.shape, o.dtype) if g is None else g for g, o in zip(heads, shapes, strict=True)]
        heads = [_move(g, stage.device) for g in heads]
        for name, g in run.backward(vjp, match_heads(shapes, heads)).items():
            if name in stage.reads:
                _accumulate(cotangents, stage.reads[name], g)
            else:
                _accumulate(by_name, name, g)

    def _program(self, stage: Segment, feed: Mapping[str, Any]) -> Program:
        # JAX has no tangents for integers, so those boundary values are not differentiated.
        wrt = tuple(
            n for n in feed if (n in stage.reads or n in self.wrt) and jnp.issubdtype(feed[n].dtype, jnp.inexact)
        )
        return PROGRAMS.get((stage.graph, wrt), lambda: Program(stage.graph, wrt, self.name, stage.device, stage.draws))


def _predict_only(run: Program) -> Callable[..., tuple[Any, dict[str, Any]]]:
    return lambda *a: (run.predict(*a), {})


def _move(x: Any, device: Any) -> Any:
    """`x` on `device`; as it is, when that is nowhere in particular."""
    return x if device is None or (isinstance(x, jax.Array) and x.devices() == {device}) else jax.device_put(x, device)


def _accumulate(into: dict[Any, Any], key: Any, value: Any) -> None:
    before = into.get(key)
    if before is None:
        into[key] = value
    else:
        near = next(iter(before.devices())) if isinstance(before, jax.Array) else None
        into[key] = before + _move(value, near)
