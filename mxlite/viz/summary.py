# SPDX-License-Identifier: Apache-2.0
"""`print_summary`: a table of layers, shapes and parameter counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mxlite_compiler.graph import Entry, Graph, Node

from ..symbol import Symbol

_HEADINGS = ("Layer (type)", "Output Shape", "Param #", "Previous Layer")

Shapes = Mapping[Entry, tuple[int, ...]]


def print_summary(
    symbol: Symbol,
    shape: Mapping[str, tuple[int, ...]] | None = None,
    line_length: int = 120,
    positions: Sequence[float] = (0.44, 0.64, 0.74, 1.0),
) -> None:
    """Print the layers of `symbol`, their output shapes without the batch, and their numbers of parameters.

    The table is MXNet's to the letter, with its way of counting: the parameters of Convolution, FullyConnected,
    BatchNorm and Embedding nodes, from the channels of the layers before them. Without `shape` the inputs of a
    layer count as 0.

    Args:
        symbol: the network.
        shape: shapes of inputs by name, for the shapes and the counts.
        line_length: characters in a line.
        positions: where the columns end, as parts of the line or as characters.

    Raises:
        TypeError: `symbol` is no Symbol.
        IndexError: there are fewer than four `positions`.
        ValueError: `shape` does not decide all shapes.
        MXNetError: `shape` names no argument, or shapes contradict.

    Source: `mxnet.visualization.print_summary`.
    """
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be Symbol, got {symbol!r}")
    if len(positions) < len(_HEADINGS):
        raise IndexError(f"positions must say where {len(_HEADINGS)} columns end, got {list(positions)}")
    shapes = inferred_shapes(symbol, shape) if shape is not None else {}
    ends = [int(line_length * p) if positions[-1] <= 1 else int(p) for p in positions]
    print("_" * line_length)
    print(_row(_HEADINGS, ends))
    print("=" * line_length)
    total = 0
    nodes = symbol.graph.nodes
    first = shown_inputs(symbol.graph)
    for i, node in enumerate(nodes):
        if not node.is_variable or i == 0:
            total += _print_layer(node, shapes, first, ends)
            print(("=" if i == len(nodes) - 1 else "_") * line_length)
    print(f"Total params: {total}")
    print("_" * line_length)


def inferred_shapes(symbol: Symbol, shape: Mapping[str, tuple[int, ...]]) -> dict[Entry, tuple[int, ...]]:
    """The shape of every visible output of every node. ValueError when `shape` does not decide them."""
    internals = symbol.get_internals()
    _, found, _ = internals.infer_shape(**shape)
    if found is None:
        raise ValueError("Input shape is incomplete; give the shapes of more inputs")
    return dict(zip(internals.graph.entries, found, strict=True))


def shown_inputs(graph: Graph) -> set[Node]:
    """The variables that count as layers: MXNet takes the three numbers of the first head for node numbers, so this
    is the first node of the graph, and often the data."""
    head = graph.entries[0]
    numbers = {0, head.index}
    return {node for i, node in enumerate(graph.nodes) if i in numbers or node is head.node}


def _print_layer(node: Node, shapes: Shapes, layers: set[Node], ends: Sequence[int]) -> int:
    previous = [e for e in node.inputs if not e.node.is_variable or e.node in layers]
    channels = 0
    for e in previous:
        if _keyed(e) and e in shapes and len(shapes[e]) > 1:
            channels += shapes[e][1]
    count = _count(node, channels, shapes)
    out = shapes.get(Entry(node), ()) if _keyed(Entry(node)) and (not node.is_variable or node in layers) else ()
    op = "null" if node.op is None else node.op.name
    names = [e.node.name for e in previous]
    print(_row([f"{node.name}({op})", "x".join(map(str, out[1:])), str(count), names[0] if names else ""], ends))
    for name in names[1:]:
        print(_row(["", "", "", name], ends))
    return count


def _keyed(entry: Entry) -> bool:
    """Whether MXNet finds the shape: it looks for ``NAME_output``, which nodes with several outputs do not have."""
    return entry.node.is_variable or entry.name == f"{entry.node.name}_output"


def _count(node: Node, channels: int, shapes: Shapes) -> int:
    attrs = node.attrs
    op = node.op.name if node.op is not None else ""
    if op == "Convolution":
        filters = int(attrs["num_filter"])
        count = channels * filters // int(attrs.get("num_group", "1"))
        for size in node.params.kernel:  # type: ignore[union-attr]
            count *= size
        return count if attrs.get("no_bias") == "True" else count + filters
    if op == "FullyConnected":
        return (channels if attrs.get("no_bias") == "True" else channels + 1) * int(attrs["num_hidden"])
    if op == "BatchNorm":
        return 2 * shapes[Entry(node)][1] if shapes else 0
    if op == "Embedding":
        return int(attrs["input_dim"]) * int(attrs["output_dim"])
    return 0


def _row(fields: Sequence[str], ends: Sequence[int]) -> str:
    line = ""
    for field, end in zip(fields, ends, strict=False):
        line = (line + field)[:end].ljust(end)
    return line
