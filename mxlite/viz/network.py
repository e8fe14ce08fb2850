# SPDX-License-Identifier: Apache-2.0
"""`plot_network`: what the picture of a network shows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from mxlite_compiler.graph import Entry, Graph, Node

from ..symbol import Symbol
from . import drawing
from .picture import Arrow, Box, Network
from .summary import inferred_shapes

#: MXNet's fill colours: variables, layers with weights, activations, normalisation, pooling, shapes, softmax, rest.
_COLOURS = ("#8dd3c7", "#fb8072", "#ffffb3", "#bebada", "#80b1d3", "#fdb462", "#b3de69", "#fccde5")

_WEIGHT_ENDS = ("_weight", "_bias", "_beta", "_gamma", "_moving_var", "_moving_mean", "_running_var", "_running_mean")

#: Of these, what training changes.
_LEARNED_ENDS = ("_weight", "_bias", "_beta", "_gamma", "_parameters")

_NOTHING: Mapping[Any, Any] = {}

_NODE_ATTRS = {"shape": "box", "fixedsize": "true", "width": "1.3", "height": "0.8034", "style": "filled"}


def plot_network(
    symbol: Symbol,
    title: str | None = "plot",
    save_format: str = "pdf",
    shape: Mapping[str, tuple[int, ...]] | None = None,
    dtype: Mapping[str, Any] | None = None,
    node_attrs: Mapping[str, str] | None = None,
    hide_weights: bool = True,
    *,
    fold: bool | None = None,
) -> Any:
    """A picture of `symbol`: boxes for layers, arrows for arrays, with their shapes where `shape` is given.

    A notebook shows the returned object. Where the graphviz package is installed it is a `graphviz.Digraph`, else an
    object with the same `source`, `save`, `render`, `pipe` and `view`. Where the program ``dot`` is missing, mxlite
    lays the picture out by itself, as SVG.

    Args:
        symbol: the network.
        title: the name of the graph, and of the file that `render` writes.
        save_format: the format of that file.
        shape: shapes of inputs by name; arrows then carry shapes without the batch.
        dtype: dtypes of inputs by name; arrows then carry dtypes as well.
        node_attrs: graphviz attributes for all boxes, such as ``{"shape": "oval", "fixedsize": "false"}``.
        hide_weights: leave out variables that look like weights by the end of their names.
        fold: in mxlite's own SVG, draw equal blocks that follow each other once, with their number; by default in
            networks of more than 60 boxes. The DOT text has all nodes.

    Raises:
        TypeError: `symbol` is no Symbol, or `node_attrs` no dict of texts.
        ValueError: `shape` or `dtype` does not decide everything.
        MXNetError: they name no argument, or contradict.

    Source: `mxnet.visualization.plot_network`.
    """
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be a Symbol, got {type(symbol).__name__}: {symbol!r}")
    if node_attrs is not None and not isinstance(node_attrs, Mapping):
        raise TypeError(f"node_attrs must be a dict, got {node_attrs!r}")
    for key, value in (node_attrs or {}).items():
        if not isinstance(value, str):
            raise TypeError(f"node_attrs: graphviz takes text, as in {{{key!r}: {str(value)!r}}}, got {value!r}")
    network = network_of(symbol, title, shape, dtype, node_attrs, hide_weights)
    _warn_repeated(symbol.graph)
    return drawing.make(network, save_format, fold)


def network_of(
    symbol: Symbol,
    title: str | None = "plot",
    shape: Mapping[str, tuple[int, ...]] | None = None,
    dtype: Mapping[str, Any] | None = None,
    node_attrs: Mapping[str, str] | None = None,
    hide_weights: bool = True,
) -> Network:
    """What `plot_network` shows, before it is drawn; the arguments and errors are the same."""
    shapes = inferred_shapes(symbol, shape) if shape is not None else {}
    types = _inferred_types(symbol, dtype) if dtype is not None else {}
    return describe(symbol.graph, title, shapes, types, {**_NODE_ATTRS, **(node_attrs or {})}, hide_weights)


def _inferred_types(symbol: Symbol, dtype: Mapping[str, Any]) -> dict[Entry, str]:
    internals = symbol.get_internals()
    _, found, _ = internals.infer_type(**dtype)
    if found is None:
        raise ValueError("Input type is incomplete; give the types of more inputs")
    return {e: t.__name__ for e, t in zip(internals.graph.entries, found, strict=True)}


def _warn_repeated(graph: Graph) -> None:
    names = [node.name for node in graph.nodes]
    repeated = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) != len(names) else []
    if repeated:
        warnings.warn(
            "There are multiple variables with the same name in your graph, this may result in cyclic graph. "
            f"Repeated names: {', '.join(repeated)}",
            RuntimeWarning,
            stacklevel=3,
        )


def describe(
    graph: Graph,
    title: str | None,
    shapes: Mapping[Entry, tuple[int, ...]] = _NOTHING,
    types: Mapping[Entry, str] = _NOTHING,
    looks: Mapping[str, str] = _NODE_ATTRS,
    hide_weights: bool = True,
) -> Network:
    """What the picture of `graph` shows."""
    boxes, arrows = [], []
    hidden: set[str] = set()
    for node in graph.nodes:
        tip = details(node, shapes, types)
        if node.is_variable:
            if node.name.endswith(_WEIGHT_ENDS):
                # Shown weights get no box of their own: graphviz then draws them as plain small ovals.
                if hide_weights:
                    hidden.add(node.name)
                continue
            look = {**looks, "label": node.name, "fillcolor": _COLOURS[0], "shape": "oval"}
            boxes.append(Box(node.name, look, tip, "variable"))
            continue
        label, colour = _face(node)
        kind = node.op.name if node.op else "", tuple(sorted((k, v) for k, v in node.attrs.items() if k[:2] != "__"))
        boxes.append(Box(node.name, {**looks, "label": label, "fillcolor": colour}, tip, kind))
    for node in graph.nodes:
        for e in node.inputs:
            if e.node.name not in hidden:
                arrows.append(Arrow(node.name, e.node.name, _edge_label(e, shapes, types), e.index))
    return Network(title, boxes, arrows, frozenset(e.node.name for e in graph.entries))


def _edge_label(entry: Entry, shapes: Mapping[Entry, tuple[int, ...]], types: Mapping[Entry, str]) -> str:
    text = "x".join(map(str, shapes.get(entry, ())[1:]))
    return f"{text}({types[entry]})" if entry in types else text


def details(node: Node, shapes: Mapping[Entry, tuple[int, ...]], types: Mapping[Entry, str]) -> str:
    """What is known of a node: its operator, parameters, shapes, and how many numbers it learns."""
    lines = [node.name]
    if node.op is not None:
        lines[0] += f": {node.op.name}"
    lines += [f"{key}: {value}" for key, value in sorted(node.attrs.items()) if key[:2] != "__"]
    bodies = [f"{sum(not n.is_variable for n in body.nodes)} operators" for body in node.subgraphs]
    lines += [f"body: {body}" for body in bodies]
    learned = 0
    for e in node.inputs:
        if e in shapes:
            lines.append(f"reads {e.name}: {shapes[e]} {types.get(e, '')}".rstrip())
            if e.node.is_variable and e.node.name.endswith(_LEARNED_ENDS):
                learned += math.prod(shapes[e])
    lines += [f"gives {e.name}: {shapes[e]} {types.get(e, '')}".rstrip() for e in node.entries() if e in shapes]
    return "\n".join([*lines, f"parameters: {learned:,}"] if learned else lines)


def _face(node: Node) -> tuple[str, str]:
    """The label and the colour of an operator's box."""
    op = node.op.name if node.op is not None else ""
    p: Any = node.params
    if op == "Convolution":
        return f"Convolution\n{_times(p.kernel)}/{_stride(node)}, {p.num_filter}", _COLOURS[1]
    if op == "FullyConnected":
        return f"FullyConnected\n{p.num_hidden}", _COLOURS[1]
    if op == "BatchNorm":
        return node.name, _COLOURS[3]
    if op in ("Activation", "LeakyReLU"):
        return f"{op}\n{node.attrs.get('act_type', 'Leaky')}", _COLOURS[2]
    if op == "Pooling":
        kernel = _times(p.kernel) if "kernel" in node.attrs else "[]"
        return f"Pooling\n{p.pool_type}, {kernel}/{_stride(node)}", _COLOURS[4]
    if op in ("Concat", "Flatten", "Reshape"):
        return node.name, _COLOURS[5]
    if op == "Softmax":
        return node.name, _COLOURS[6]
    return node.attrs.get("op_type", node.name) if op == "Custom" else node.name, _COLOURS[7]


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _stride(node: Node) -> str:
    return _times(node.params.stride) if "stride" in node.attrs else "1"  # type: ignore[union-attr]
