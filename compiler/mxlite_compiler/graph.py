# SPDX-License-Identifier: Apache-2.0
"""Immutable graphs of operator calls: what a Symbol holds, JSON stores, passes rewrite and `lower` compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import CodeType
from typing import Any, NamedTuple

from .errors import MXNetError, explain
from .op import Op
from .params import to_text


class Entry(NamedTuple):
    """Output number `index` of `node`."""

    node: Node
    index: int = 0  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def name(self) -> str:
        """The name `list_outputs` shows: ``fc1_output``, or the variable's own name."""
        if self.node.op is None:
            return self.node.name
        return f"{self.node.name}_{self.node.op.outputs(self.node.params)[self.index]}"


#: An instruction of the user's code. Which line that is takes a search, so it is looked up when an error asks.
Origin = tuple[CodeType, int]


class Node:
    """A variable (`op` is None) or one call of an operator.

    Attributes:
        op: the operator, or None.
        name: the node's name.
        attrs: operator parameters and user attributes (``__lr_mult__``, ...) as the text they were given in, so that
            JSON round-trips to the letter. Only user attributes may change after construction (`Symbol._set_attr`).
        inputs: the entries the operator is called on, auxiliary states included.
        params: the typed parameters, parsed once from `attrs`.
        subgraphs: the bodies of a control flow operator.
        origin: where the user made it, for errors; no part of what the node is, and in no file.
    """

    __slots__ = ("__weakref__", "attrs", "inputs", "name", "op", "origin", "params", "subgraphs")

    def __init__(
        self,
        op: Op | None,
        name: str,
        attrs: Mapping[str, Any] | None = None,
        inputs: Sequence[Entry] = (),
        subgraphs: Sequence[Graph] = (),
        origin: Origin | None = None,
    ):
        self.op, self.name, self.inputs, self.subgraphs = op, name, tuple(inputs), tuple(subgraphs)
        self.origin = origin
        self.attrs = {key: to_text(value) for key, value in (attrs or {}).items()}
        self.params: Any = None
        if op is not None:
            self.params = op.with_graphs(op.bind(own_attrs(op, self.attrs), name), self.subgraphs, name)
            expected = op.inputs(self.params)
            if len(expected) != len(self.inputs):
                raise MXNetError(
                    explain(
                        f"takes {len(expected)} inputs ({', '.join(expected)}), got {len(self.inputs)}",
                        op=op.name,
                        node=name,
                    )
                )

    def __repr__(self) -> str:
        return f"<{self.op.name if self.op else 'Variable'} {self.name}>"

    @property
    def is_variable(self) -> bool:
        """Whether this is a variable rather than an operator call."""
        return self.op is None

    @property
    def num_outputs(self) -> int:
        """How many outputs the node has, hidden ones included."""
        return 1 if self.op is None else len(self.op.outputs(self.params))

    @property
    def num_visible(self) -> int:
        """How many outputs composing with the node shows."""
        return 1 if self.op is None else self.op.visible(self.params)

    @property
    def source(self) -> tuple[str, int] | None:
        """File and line of the user's code that made the node, where that is known."""
        if self.origin is None:
            return None
        code, instruction = self.origin
        lines = (line for start, end, line in code.co_lines() if start <= instruction < end)
        return code.co_filename, next(lines, None) or code.co_firstlineno

    def entries(self, hidden: bool = False) -> tuple[Entry, ...]:
        """The node's outputs; `hidden` ones too on request."""
        return tuple(Entry(self, i) for i in range(self.num_outputs if hidden else self.num_visible))

    def with_inputs(self, inputs: Sequence[Entry]) -> Node:
        """A copy of the node that reads `inputs`."""
        return Node(self.op, self.name, self.attrs, inputs, self.subgraphs, self.origin)


def own_attrs(op: Op, attrs: Mapping[str, str]) -> dict[str, str]:
    """Those of a node's `attrs` that its operator reads."""
    return {key: value for key, value in attrs.items() if not op.ignores(key)}


class Graph:
    """The nodes that a sequence of entries, its outputs, depends on.

    Equality and hash are identity, so programs are cached on the graph object.
    """

    def __init__(self, entries: Iterable[Entry]):
        self.entries: tuple[Entry, ...] = tuple(entries)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, inputs before users, in the depth-first order that MXNet lists arguments in."""
        order: list[Node] = []
        seen: set[Node] = set()
        for root, _ in self.entries:
            stack: list[tuple[Node, int]] = [(root, 0)] if root not in seen else []
            seen.add(root)
            while stack:  # no recursion: an unrolled RNN is deeper than Python's stack
                node, i = stack.pop()
                if i == len(node.inputs):
                    order.append(node)
                    continue
                stack.append((node, i + 1))
                child = node.inputs[i].node
                if child not in seen:
                    seen.add(child)
                    stack.append((child, 0))
        return tuple(order)

    @cached_property
    def _aux_nodes(self) -> frozenset[Node]:
        found = set()
        for node in self.nodes:
            if node.op is not None and (states := node.op.aux_states(node.params)):
                names = node.op.inputs(node.params)
                found.update(e.node for n, e in zip(names, node.inputs, strict=True) if n in states)
        return frozenset(n for n in found if n.is_variable)

    @cached_property
    def arguments(self) -> tuple[Node, ...]:
        """The variables that are not auxiliary states."""
        return tuple(n for n in self.nodes if n.is_variable and n not in self._aux_nodes)

    @cached_property
    def aux(self) -> tuple[Node, ...]:
        """The variables that are auxiliary states: the operator decides by input position."""
        return tuple(n for n in self.nodes if n.is_variable and n in self._aux_nodes)

    @property
    def argument_names(self) -> list[str]:
        """Names of the arguments, in graph order."""
        return [n.name for n in self.arguments]

    @property
    def aux_names(self) -> list[str]:
        """Names of the auxiliary states, in graph order."""
        return [n.name for n in self.aux]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, such as ``softmax_output``."""
        return [e.name for e in self.entries]

    @cached_property
    def host_nodes(self) -> tuple[Node, ...]:
        """The nodes that run Python outside compiled programs."""
        return tuple(n for n in self.nodes if n.op is not None and n.op.is_host(n.params))

    def internals(self) -> Graph:
        """A graph whose outputs are the visible outputs of every node."""
        return Graph(e for node in self.nodes for e in node.entries())

    def rewrite(self, rule: Callable[[Node, tuple[Entry, ...]], Entry | Node | None]) -> Graph:
        """A new graph where `rule` has seen every node with its already rewritten inputs.

        The rule returns a Node that takes over all outputs, an Entry that takes over output 0, or None to keep the
        node. Nodes whose inputs did not change are shared with this graph. New nodes without an origin take the one of
        the node they stand for.
        """
        new: dict[Entry, Entry] = {}
        for node in self.nodes:
            inputs = tuple(new[e] for e in node.inputs)
            result = rule(node, inputs)
            if result is None:
                result = node if inputs == node.inputs else node.with_inputs(inputs)
            made = result.node if isinstance(result, Entry) else result
            made.origin = made.origin or node.origin
            for entry in node.entries(hidden=True):
                new[entry] = result if isinstance(result, Entry) else Entry(result, entry.index)
        return Graph(new[e] for e in self.entries)

    def substitute(self, variables: Mapping[str, Entry]) -> Graph:
        """A new graph with every variable named in `variables` replaced by the entry given for it."""
        return self.rewrite(lambda node, _: variables.get(node.name) if node.is_variable else None)

    def dump(self) -> str:
        """The graph as text, one node a line: ``fc1 = FullyConnected(data, fc1_weight, fc1_bias) {num_hidden: 10}``."""
        counts = {node: node.num_outputs for node in self.nodes}

        def ref(e: Entry) -> str:
            return e.node.name if counts[e.node] == 1 else f"{e.node.name}[{e.index}]"

        lines = []
        for node in self.nodes:
            attrs = ", ".join(f"{k}: {v}" for k, v in sorted(node.attrs.items()))
            call = "variable" if node.op is None else f"{node.op.name}({', '.join(map(ref, node.inputs))})"
            lines.append(f"{node.name} = {call}" + (f" {{{attrs}}}" if attrs else ""))
            for body in node.subgraphs:
                lines += [f"    {line}" for line in body.dump().split("\n")]
        return "\n".join([*lines, f"return {', '.join(map(ref, self.entries))}"])
