# SPDX-License-Identifier: Apache-2.0
"""How a notebook shows a Symbol that ends a cell: as its picture, in a box that scrolls."""

from __future__ import annotations

from html import escape

from mxlite_compiler.graph import Entry

from ..base import MXNetError
from ..symbol import Symbol
from .network import describe
from .svg import to_svg

#: Graphs of more nodes are not drawn unasked.
DRAWN_UP_TO = 2000


def html(symbol: Symbol) -> str:
    """The picture of `symbol` as HTML, with the shapes that its variables carry; words for a very large one."""
    graph = symbol.graph
    operators = sum(not node.is_variable for node in graph.nodes)
    words = f"<code>{escape(repr(symbol))}</code>, {operators} operators"
    if len(graph.nodes) > DRAWN_UP_TO:
        return f"<div>{words}; <code>mx.viz.plot_network</code> draws it</div>"
    picture = to_svg(describe(graph, repr(symbol), _known_shapes(symbol)))
    return f"<div>{words}</div><div style='max-height:640px;overflow:auto'>{picture}</div>"


def _known_shapes(symbol: Symbol) -> dict[Entry, tuple[int, ...]]:
    """Shapes that follow from those given to variables; none where they contradict."""
    if not any("__shape__" in node.attrs for node in symbol.graph.nodes):
        return {}
    internals = symbol.get_internals()
    try:
        _, found, _ = internals.infer_shape_partial()
    except MXNetError:
        return {}
    shapes = dict(zip(internals.graph.entries, found, strict=True))
    return {entry: shape for entry, shape in shapes.items() if shape and all(size > 0 for size in shape)}


Symbol._picture = staticmethod(html)
