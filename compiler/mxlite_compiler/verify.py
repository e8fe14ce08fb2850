# SPDX-License-Identifier: Apache-2.0
"""What every graph must satisfy: the contract between the passes. Tests run it on all graphs they make."""

from __future__ import annotations

from .errors import MXNetError, enrich, explain
from .graph import Graph, Node


def verify(graph: Graph) -> None:
    """Check `graph`.

    Every node has the inputs its operator takes, every entry names an output that exists, attributes are text and
    still parse to the node's parameters, subgraphs are graphs that hold as well.

    Raises:
        MXNetError: naming the first node that breaks a rule.
    """
    for node in graph.nodes:
        try:
            _verify_node(node)
        except MXNetError as e:
            enrich(e, source=node.source)
            raise
    for i, entry in enumerate(graph.entries):
        _verify_entry(entry.node, entry.index, f"head {i} of the graph")


def _verify_node(node: Node) -> None:
    for key, value in node.attrs.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise MXNetError(explain(f"attribute {key!r}={value!r} is not text", op=str(node), node=node.name))
    if node.op is None:
        if node.inputs:
            raise MXNetError(explain(f"a variable has {len(node.inputs)} inputs", op="variable", node=node.name))
        return
    expected = node.op.inputs(node.params)
    if len(expected) != len(node.inputs):
        raise MXNetError(
            explain(f"takes {len(expected)} inputs, has {len(node.inputs)}", op=node.op.name, node=node.name)
        )
    for entry, name in zip(node.inputs, expected, strict=True):
        _verify_entry(entry.node, entry.index, f"input {name} of node {node.name!r}")
    if node.op.visible(node.params) > node.num_outputs:
        raise MXNetError(explain("shows more outputs than it has", op=node.op.name, node=node.name))
    for subgraph in node.subgraphs:
        verify(subgraph)


def _verify_entry(node: Node, index: int, where: str) -> None:
    if not 0 <= index < node.num_outputs:
        raise MXNetError(explain(f"{where} reads output {index} of node {node.name!r}, which has {node.num_outputs}"))
