# SPDX-License-Identifier: Apache-2.0
"""Graphs with host nodes: compiled segments with Python between them, gradients included.

JAX calls inside host callbacks can hang, and callbacks cannot be exported. So a graph is cut at the nodes that run
Python (CustomOp): stage 0 is everything that needs no host node, compiled; then the host nodes that are ready; then
stage 1; and so on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

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
    """A compiled piece: `reads` are its boundary inputs (variable name to entry), `writes` its outputs."""

    graph: Graph
    reads: Mapping[str, Entry]
    writes: tuple[Entry, ...]


Stage = Segment | Node


def cut(graph: Graph) -> tuple[Stage, ...]:
    """The stages of `graph` in the order they run."""
    level: dict[Node, int] = {}
    for node in graph.nodes:
        ready = [level[e.node] + (_is_host(e.node)) for e in node.inputs]
        level[node] = max(ready, default=0)
    calls = [n for n in graph.nodes if n.op is not None]
    stages: list[Stage] = []
    for stage in range(max(level.values(), default=0) + 1):
        inside = [n for n in calls if level[n] == stage and not _is_host(n)]
        if inside:
            stages.append(_segment(graph, calls, inside))
        stages += [n for n in calls if level[n] == stage and _is_host(n)]
    return tuple(stages)


def _is_host(node: Node) -> bool:
    return node.op is not None and node.op.is_host(node.params)


def _segment(graph: Graph, calls: Sequence[Node], inside: Sequence[Node]) -> Segment:
    members = set(inside)
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
    return Segment(Graph(new[e] for e in writes), reads, writes)


class SegmentedProgram:
    """The compiled forms of a graph with host nodes; the same calls as `Program`.

    Every bound graph makes its own, since host nodes keep state from forward to backward; the compiled segments are
    shared through the cut of the graph.
    """

    fusable = False

    def __init__(self, graph: Graph, wrt: Sequence[str] = (), name: str = "graph"):
        self.graph, self.wrt, self.name = graph, tuple(wrt), name
        self.stages: tuple[Stage, ...] = PROGRAMS.get((graph, "cut"), lambda: cut(graph))
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
        for i, stage in enumerate(self.stages):
            if isinstance(stage, Segment):
                now = {**args, **aux, **written}
                feed = {n: now[n] for n in stage.graph.argument_names if n not in stage.reads}
                feed |= {n: values[e] for n, e in stage.reads.items()}
                run = self._program(stage, feed)
                states = {n: now[n] for n in stage.graph.aux_names}
                stage_key = None if key is None else _stage_key(key, i)
                if keep:
                    outs, new, vjp = run.forward(feed, states, stage_key)
                    residuals.append((run, vjp, [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in outs]))
                else:
                    outs, new = (run.train if train else _predict_only(run))(feed, states, stage_key)
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
        return PROGRAMS.get((stage.graph, wrt), lambda: Program(stage.graph, wrt, self.name))


def _predict_only(run: Program) -> Callable[..., tuple[Any, dict[str, Any]]]:
    return lambda *a: (run.predict(*a), {})


def _stage_key(key: Any, stage: int) -> np.ndarray:
    """A random key of its own for each stage, made without a launch."""
    words = np.asarray(key, np.uint32)
    return np.array([words[0] ^ np.uint32(stage * 0x9E3779B9 & 0xFFFFFFFF), words[1]], np.uint32)


def _accumulate(into: dict[Any, Any], key: Any, value: Any) -> None:
    into[key] = value if key not in into else into[key] + value
