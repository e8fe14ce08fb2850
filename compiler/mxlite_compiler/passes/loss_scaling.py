# SPDX-License-Identifier: Apache-2.0
"""Loss scaling: gradients of 16 bits that would be too small for them travel multiplied by a number.

The number is a variable of the graph, so it changes without a compilation. Each loss, and each output that is none,
multiplies the gradient that leaves it; each variable divides the gradient that reaches it. So the gradients that
anybody sees are the true ones, and not finite where the scaled ones were too large.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..graph import Entry, Graph, Node
from ..op import Op


def _identity(data, scale, *, divide: bool = False):
    return data


#: ``data``, whose gradient is multiplied, or divided, by ``scale``. It is in no file and under no public name.
_SCALED = Op("_scaled_gradient", _identity, shapes="*s, 1 -> *s", dtypes="t, float32 -> t")


@_SCALED.grad
def _(p, g, data, scale, out):
    return (g.astype(jnp.float32) * (1 / scale if p.divide else scale)).astype(g.dtype), None


def scale_losses(graph: Graph, variable: str) -> Graph:
    """`graph` with the float32 variable `variable`, of shape (1,), by which gradients inside are multiplied."""
    scale = Entry(Node(None, variable))
    divided: dict[Entry, Entry] = {}

    def scaled(e: Entry, divide: bool = False) -> Entry:
        name = f"{e.node.name}_{'unscaled' if divide else 'scaled'}_gradient"
        return Entry(Node(_SCALED, name, {"divide": divide}, [e, scale], origin=e.node.origin))

    def true(e: Entry) -> Entry:
        if e not in divided:
            divided[e] = scaled(e, divide=True)
        return divided[e]

    def rule(node: Node, inputs: tuple[Entry, ...]) -> Node | None:
        if node.op is None:
            return None
        # What an operator writes must stay a variable.
        kept = {*node.op.aux_states(node.params), *node.op.mutates(node.params)}
        names = node.op.inputs(node.params)
        new = [true(e) if e.node.is_variable and n not in kept else e for n, e in zip(names, inputs, strict=True)]
        if node.op.is_loss(node.params) and new:
            new[0] = scaled(new[0])
        return node.with_inputs(new)

    made = graph.rewrite(rule)
    return Graph(
        new if old.node.op is None or old.node.op.is_loss(old.node.params) else scaled(new)
        for old, new in zip(graph.entries, made.entries, strict=True)
    )
