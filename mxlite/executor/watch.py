# SPDX-License-Identifier: Apache-2.0
"""What `Executor.set_monitor_callback` shows: every value inside a graph, forward and backward, as MXNet names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from mxlite_compiler.compile import program
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.op import OPS
from mxlite_compiler.program import NO_GRADIENT

from ..ndarray import NDArray

if TYPE_CHECKING:
    from .executor import Executor

#: Operators of one input whose input MXNet shows by name (``pool_data``); those of others are ``exp_input0``.
NAMED_INPUT = frozenset(
    (
        "softmax log_softmax SwapAxis InstanceNorm L2Normalization Dropout cumsum diag reverse LeakyReLU tile repeat "
        "SliceChannel MakeLoss Pooling Pad one_hot squeeze depth_to_space space_to_depth GridGenerator LRN"
    ).split()
)

#: Operators whose gradients MXNet shows by the name of the input (``split_backward_data``), not by its number.
NAMED_GRADIENT = frozenset("SwapAxis InstanceNorm L2Normalization SliceChannel MakeLoss Pad GridGenerator".split())

Callback = Callable[[str, NDArray], None]


class Watch:
    """Runs a graph a second time with every value as an output: slower, and only while somebody watches.

    Args:
        executor: whose graph and arrays.
        callback: called with the name and the array of each value.
        inputs: show what operators read, too.
    """

    def __init__(self, executor: Executor, callback: Callback, inputs: bool):
        self.executor, self.callback, self.inputs = executor, callback, inputs
        graph = executor.graph
        self._all = Graph(e for node in graph.nodes if node.op is not None for e in node.entries(hidden=True))
        self._edges: Edges | None = None
        self._state: tuple[Any, Any, Any] | None = None

    def forward(self, train: bool, key: Any) -> None:
        """Show the values of a forward pass over the present arrays with this random key."""
        ex = self.executor
        args = {k: v._data for k, v in ex.arg_dict.items()}
        aux = {k: v._data for k, v in ex.aux_dict.items()}
        self._state = args, aux, key
        run = program(self._all, (), "watch", ex.device, ex.devices)
        found = run.train(args, aux, key)[0] if train else run.predict(args, aux, key)
        # Variables as they were before: an operator such as BatchNorm writes some.
        values = {Entry(n): {**args, **aux}[n.name] for n in ex.graph.nodes if n.op is None}
        values |= dict(zip(self._all.entries, found, strict=True))
        for node in ex.graph.nodes:
            if node.op is None:
                continue
            if self.inputs:
                for name, e in zip(_input_names(node), node.inputs, strict=True):
                    if e.node.op is None:
                        self._show(e.node.name, values[e])
                    self._show(f"{node.name}_{name}", values[e])
            for e in node.entries(hidden=True):
                self._show(e.name, values[e])

    def backward(self, heads: tuple[jax.Array, ...] | None) -> None:
        """Show the values of the backward pass that belongs to the latest forward, from the outputs to the inputs."""
        if self._state is None:
            return
        if self._edges is None:
            self._edges = Edges(self.executor)
        for name, value in self._edges.gradients(*self._state, heads):
            self._show(name, value)

    def _show(self, name: str, value: jax.Array) -> None:
        # A copy, so that no buffer of the network is in anybody else's hands.
        self.callback(name, NDArray._wrap(jnp.array(value), self.executor.context))


class Edges:
    """The gradients that flow along the edges of a graph: what each node sends back to each of its inputs.

    To every edge that carries a gradient a zero is added, and the graph is differentiated with respect to these zeros.
    """

    def __init__(self, executor: Executor):
        self.executor, graph = executor, executor.graph
        bound = {**executor.arg_dict, **executor.aux_dict}
        shapes = infer_shapes(graph, {k: v.shape for k, v in bound.items()}).entries
        dtypes = infer_dtypes(graph, {k: np.dtype(v.dtype).name for k, v in bound.items()}).entries
        wanted = {n for n in graph.arguments if n.name in executor.program.wrt}
        #: The consumers of each entry, by node and number of the input, the last node of the graph first.
        self.consumers: dict[Entry, list[tuple[Node, int]]] = {}
        self.zeros: dict[str, jax.Array] = {}
        self.names: dict[tuple[Node, int], str] = {}
        devices, new = dict(executor.devices or {}), {}
        for node in graph.nodes:
            inputs = [new[e] for e in node.inputs]
            if any(e.node in wanted for e in node.inputs):
                wanted.add(node)
                states = node.op.aux_states(node.params)  # type: ignore[union-attr]
                for i, (label, e) in enumerate(zip(node.op.inputs(node.params), node.inputs, strict=True)):  # type: ignore[union-attr]
                    dtype, shape = dtypes.get(e) or "float32", shapes.get(e)
                    if label in states or shape is None or not jnp.issubdtype(dtype, jnp.inexact):
                        continue
                    name = f"@{len(self.zeros)}"
                    self.zeros[name] = jnp.zeros(shape, dtype)
                    self.names[node, i] = name
                    self.consumers.setdefault(e, []).append((node, i))
                    zero = Node(None, name)
                    inputs[i] = Entry(Node(OPS["elemwise_add"], f"{name}+", {}, (inputs[i], Entry(zero))))
                    if executor.devices is not None:
                        devices[zero] = devices[inputs[i].node] = devices[node]
            copy = node if tuple(inputs) == node.inputs else node.with_inputs(inputs)
            if executor.devices is not None:
                devices[copy] = devices[node]
            new.update((e, Entry(copy, e.index)) for e in node.entries(hidden=True))
        self.graph = Graph(new[e] for e in graph.entries)
        place = {n: devices[n] for n in self.graph.nodes} if executor.devices is not None else None
        present = set(self.graph.argument_names)
        self.run = program(self.graph, [z for z in self.zeros if z in present], "watch", executor.device, place)

    def gradients(
        self, args: Mapping[str, Any], aux: Mapping[str, Any], key: Any, heads: tuple[jax.Array, ...] | None
    ) -> Iterator[tuple[str, jax.Array]]:
        """Name and value of each, in the order in which MXNet computes them."""
        ex = self.executor
        found = self.run.forward_backward({**args, **self.zeros}, aux, key, heads)[2]
        values = {edge: found.get(name, self.zeros[name]) for edge, name in self.names.items()}
        given = _heads(ex.graph, heads)
        order = {n: i for i, n in enumerate(ex.graph.nodes)}
        shown: set[Any] = set()

        # MXNet starts at the gradient of each argument and computes first what that needs. The recursion is a stack
        # of generators, because an unrolled RNN is deeper than Python's.
        def entry(e: Entry) -> Iterator[Any]:
            parts = list(given.get(e, []))
            users = sorted(self.consumers.get(e, []), key=lambda use: (-order[use[0]], use[1]))
            for name, head in parts:
                if name not in shown:
                    shown.add(name)
                    yield name, head
            for node, _ in users:
                yield call(node)
            terms = [x for _, x in parts] + [values[use] for use in users]
            if len(terms) > 1 and e not in shown:
                shown.add(e)
                device = ex.devices and ex.devices[e.node]
                yield "sum_grad_output", sum(jax.device_put(x, device) if device else x for x in terms)

        def call(node: Node) -> Iterator[Any]:
            if node in shown:
                return
            shown.add(node)
            if not node.op.is_loss(node.params) and node.op.name not in NO_GRADIENT:  # type: ignore[union-attr]
                for e in node.entries():
                    yield entry(e)
            edges = [i for i in range(len(node.inputs)) if (node, i) in self.names]
            for i in edges:
                yield f"{node.name}_backward_{_gradient_name(node, i, len(edges))}", values[node, i]

        for argument in ex.graph.arguments:
            stack = [entry(Entry(argument))] if argument.name in ex.program.wrt else []
            while stack:
                item = next(stack[-1], None)
                if item is None:
                    stack.pop()
                elif isinstance(item, tuple):
                    yield item
                else:
                    stack.append(item)


def _heads(graph: Graph, heads: Sequence[jax.Array] | None) -> dict[Entry, list[tuple[str, jax.Array]]]:
    """The head gradients that count, by the output they belong to."""
    found: dict[Entry, list[tuple[str, jax.Array]]] = {}
    for i, (e, head) in enumerate(zip(graph.entries, heads or (), strict=False)):
        if e.node.op is None or not e.node.op.is_loss(e.node.params):
            found.setdefault(e, []).append((f"_head_grad_{i}_id_output", head))
    return found


def _input_names(node: Node) -> Sequence[str]:
    op: Any = node.op
    names = op.inputs(node.params)
    return names if len(names) > 1 or op.name in NAMED_INPUT or op.variadic else ["input0"] * len(names)


def _gradient_name(node: Node, i: int, count: int) -> str:
    op: Any = node.op
    if op.name in NAMED_GRADIENT:
        return op.inputs(node.params)[i]
    return "output" if count == 1 else f"output{i}"
