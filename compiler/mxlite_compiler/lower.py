# SPDX-License-Identifier: Apache-2.0
"""Graph -> a pure JAX function."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax

from .around import locate
from .errors import MXNetError, explain
from .graph import Entry, Graph, Node
from .infer import infer_shapes
from .op import Mode
from .shapes import known

Arrays = Mapping[str, jax.Array]


class Lowered(Protocol):
    """``f(args, aux, key, train=False) -> (outputs, written)``; see `lower`."""

    def __call__(
        self, args: Arrays, aux: Arrays | None = None, key: jax.Array | None = None, *, train: bool = False
    ) -> tuple[tuple[jax.Array, ...], dict[str, jax.Array]]: ...


def lower(graph: Graph, draws: Sequence[int] | None = None) -> Lowered:
    """The pure JAX function that `graph` computes; jit it, differentiate it, export it.

    The function takes arguments and auxiliary states as dicts of arrays by variable name, a random key (needed only
    when a node draws numbers) and whether this is training. It returns the outputs as a tuple, and the new values of
    the variables that the graph writes: moving statistics in training, a gamma that `fix_gamma` resets.

    A random node draws from the key folded with its number among the random nodes; `draws` gives those numbers for a
    piece of a larger graph, whose nodes keep theirs.

    Every node runs under `jax.named_scope` of its name, so traces, HLO and errors carry it. Raises MXNetError when
    an array is missing or does not fit, naming the node.
    """
    host = graph.host_nodes
    if host:
        names = ", ".join(repr(n.name) for n in host)
        raise MXNetError(
            explain(
                f"node {names} runs Python and cannot be part of one compiled program",
                hint="; ".join(sorted({n.op.host_hint for n in host if n.op})) or "cut the graph with segments.cut",
            )
        )
    random = [n for n in graph.nodes if n.op is not None and n.op.random]
    randoms = dict(zip(random, range(len(random)) if draws is None else draws, strict=True))
    open_shapes = [n for n in graph.nodes if _has_open_shape(n)]

    def run(args, aux=None, key=None, *, train=False):
        aux = aux or {}
        values: dict[Entry, jax.Array] = {}
        written: dict[str, jax.Array] = {}
        params = _complete(graph, open_shapes, {**args, **aux}) if open_shapes else {}
        for node in graph.nodes:
            if node.op is None:
                values[Entry(node)] = _variable(node, args, aux)
                continue
            inputs = [values[e] for e in node.inputs]
            node_key = None
            if node in randoms and key is not None:
                node_key = jax.random.fold_in(key, randoms[node])
            outs, new = _call(node, params.get(node, node.params), inputs, Mode(train, node_key), values)
            for i, out in enumerate(outs):
                values[Entry(node, i)] = out
            mutated = node.op.mutates(node.params)
            if mutated:
                sources = dict(zip(node.op.inputs(node.params), node.inputs, strict=True))
                for name, value in zip(mutated, new, strict=True):
                    source = sources[name]
                    # Later readers see the write, as they do in MXNet, where it happens in place.
                    if source.node.is_variable and value is not values[source]:
                        values[source] = written[source.node.name] = value
        return tuple(values[e] for e in graph.entries), written

    return run


def _variable(node: Node, args: Arrays, aux: Arrays) -> jax.Array:
    for arrays in (args, aux):
        if node.name in arrays:
            return arrays[node.name]
    raise MXNetError(
        explain(f"no array given for variable {node.name!r}", hint=f"given are: {', '.join([*args, *aux])}")
    )


def _has_open_shape(node: Node) -> bool:
    """Whether the node makes an array whose shape has unknown sizes, as the begin states of an RNN do."""
    p: Any = node.params
    return node.op is not None and not node.inputs and "shape" in node.op.param_types and not known(p.shape)


def _complete(graph: Graph, nodes: list[Node], arrays: Arrays) -> dict[Node, Any]:
    """The parameters of `nodes` with the shapes that the arrays at hand decide."""
    found = infer_shapes(graph, {name: tuple(x.shape) for name, x in arrays.items()}).entries
    params: list[Any] = [node.params for node in nodes]
    shapes = [found.get(Entry(node)) for node in nodes]
    return {n: dataclasses.replace(p, shape=s) for n, p, s in zip(nodes, params, shapes, strict=True) if s}


def _call(node: Node, params: Any, inputs: list[jax.Array], mode: Mode, values: Mapping[Entry, jax.Array]):
    op = node.op
    if op is None:
        raise MXNetError(f"variable {node.name!r} cannot be called")
    try:
        with jax.named_scope(node.name):
            return op.apply(params, *inputs, mode=mode, node=node.name)
    except MXNetError as e:
        locate(e, node, lambda entry: _facts(values.get(entry)))
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, NotImplementedError) as e:
        given = zip(op.inputs(node.params), [f"{x.shape} {x.dtype}" for x in inputs], strict=False)
        error = MXNetError(explain(str(e).partition("\n")[0], op=op.name, node=node.name, given=given))
        locate(error, node, lambda entry: _facts(values.get(entry)))
        raise error from e


def _facts(value: jax.Array | None) -> tuple[Any, str | None]:
    return (None, None) if value is None else (tuple(value.shape), value.dtype.name)
