# SPDX-License-Identifier: Apache-2.0
"""The surroundings of a node as text: what its inputs are, where they come from, and what is known of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from .errors import enrich, parts_of, place, table, title
from .graph import Entry, Node
from .params import Shape

#: What is known of an array: its shape and its dtype, either may be None.
Look = Callable[[Entry], tuple[Shape | None, str | None]]

DEPTH = 3  # steps upstream that are shown: an activation, its layer, and what feeds that
WIDTH = 8  # inputs of one node that are shown: a Concat has hundreds
_CALL = 60


def locate(error: Exception, node: Node, look: Look) -> None:
    """Add to an error that running or inferring `node` raised where the node was made and what is around it.

    An error from a node inside the body of a loop or branch gets a line that names the loop instead.
    """
    parts = parts_of(error)
    if parts is None:
        return
    if parts.node and parts.node != node.name:
        where, made = title(node.op.name if node.op else "", node.name), place(node.source)
        enrich(error, f"inside: {where}" + (f", made at {made}" if made else ""))
    elif not parts.around:
        enrich(error, source=node.source, around=around(node, look))


def around(node: Node, look: Look) -> str:
    """The inputs of `node`, theirs below them, and its outputs as far as something is known of them, as a table."""
    rows = [("array", "shape", "dtype", "from"), *_inputs(node, look, 0)]
    if node.op is not None:
        names = node.op.outputs(node.params)
        known = [(name, look(Entry(node, i))) for i, name in enumerate(names)]
        rows += [(name, _shape(facts[0]), facts[1] or "", "this node") for name, facts in known if any(facts)]
    if not any(row[2] for row in rows[1:]):  # no dtype is known: no empty column
        rows = [(name, shape, origin) for name, shape, _, origin in rows]
    return table(rows) if len(rows) > 1 else ""


def _inputs(node: Node, look: Look, depth: int) -> Iterator[tuple[str, str, str, str]]:
    if node.op is None:
        return
    pairs = list(zip(node.op.inputs(node.params), node.inputs, strict=False))
    for name, entry in pairs[:WIDTH]:
        shape, dtype = look(entry)
        yield "  " * depth + name, _shape(shape), dtype or "", _origin(entry)
        if depth + 1 < DEPTH:
            yield from _inputs(entry.node, look, depth + 1)
    if len(pairs) > WIDTH:
        yield "  " * depth + f"... {len(pairs) - WIDTH} more", "", "", ""


def _shape(shape: Shape | None) -> str:
    if shape is None:
        return "unknown"
    sizes = [str(size) if size else "?" for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def _origin(entry: Entry) -> str:
    node = entry.node
    if node.op is None:
        made = f"variable {node.name}"
    else:
        attrs = ", ".join(f"{k}={v}" for k, v in node.attrs.items() if not k.startswith("__"))
        call = f"{node.op.name}({attrs})"
        made = f"{node.name} = {call if len(call) <= _CALL else call[: _CALL - 4] + '...)'}"
        if node.num_outputs > 1:
            made += f", output {node.op.outputs(node.params)[entry.index]}"
    source = node.source
    return f"{made}, {os.path.basename(source[0])}:{source[1]}" if source is not None and node.op is not None else made
