# SPDX-License-Identifier: Apache-2.0
"""`get_symbol`: what was recorded, as a Symbol."""

from __future__ import annotations

from mxlite_compiler.graph import Entry, Node
from mxlite_compiler.op import get_op

from ..base import MXNetError, explain
from ..ndarray import NDArray
from ..ndarray.tape import Leaf, Source, TapeNode
from ..symbol import Symbol
from ..symbol.compose import attribute_text


def get_symbol(x: NDArray) -> Symbol:
    """The symbol that computes a recorded array from its variables and constants.

    Args:
        x: an array that was recorded, or a variable.

    Returns a Symbol whose arguments are the variables that were marked, `var<n>`, and the other arrays that were read,
    `null<n>`, numbered in the order in which the process met them; its operators are called `node_<n>`.
    Raises MXNetError for an array that was not recorded, or was freed, and for what no operator can express: an
    autograd.Function, gradients of `create_graph`.
    """
    origin = x._entry
    if origin is None or origin[0].freed:
        raise MXNetError(
            explain(
                "the array is no part of a recorded computation",
                op="get_symbol",
                hint="compute it inside `with autograd.record():` from arrays with attach_grad()",
            )
        )
    made: dict[Source, tuple[Entry, ...]] = {}
    stack: list[Source] = [origin[0]]
    while stack:  # no recursion: a loop is deeper than Python's stack
        source = stack[-1]
        if source in made:
            stack.pop()
        elif isinstance(source, TapeNode):
            missing = [s for s, _ in source.inputs if s not in made]
            if missing:
                stack.extend(missing)
            else:
                made[source] = _operators(source, [made[s][i] for s, i in source.inputs])
        else:
            made[source] = Node(None, source.name if isinstance(source, Leaf) else "").entries()
    return Symbol((made[origin[0]][origin[1]],))


def _operators(node: TapeNode, inputs: list[Entry]) -> tuple[Entry, ...]:
    """The outputs of a recorded call."""
    number = node.number
    for name, attrs in node.call.operators(node.extras):
        op = get_op(name)
        texts = {k: attribute_text(k, v) for k, v in attrs.items()}
        wanted = len(op.inputs(op.bind(texts)))
        new = Node(op, f"node_{number}", texts, inputs[:wanted])
        inputs, number = list(new.entries(hidden=True)), number + 1
    return tuple(inputs)
