# SPDX-License-Identifier: Apache-2.0
"""The text of `Symbol.debug_str`."""

from __future__ import annotations

from mxlite_compiler.graph import Graph, Node


def debug_text(graph: Graph) -> str:
    """MXNet's listing of `graph`: outputs, variables, and each operator call with its inputs and attributes."""
    first = graph.entries[0].node
    if len(graph.entries) == 1 and not first.inputs:
        return f"Variable:{first.name}\n" if first.op is None else f"AtomicFunctor  Op:{first.op.name}\n"
    lines = ["Symbol Outputs:"]
    lines += [f"\toutput[{i}]={e.node.name}({e.index})" for i, e in enumerate(graph.entries)]
    writes: dict[Node, int] = {}
    for node in graph.nodes:
        if node.op is None:
            lines.append(f"Variable:{node.name}")
            continue
        states = node.op.aux_states(node.params)
        names = node.op.inputs(node.params)
        for name, entry in zip(names, node.inputs, strict=True):
            if name in states:
                writes[entry.node] = writes.get(entry.node, 0) + 1
        lines += ["-" * 20, f"Op:{node.op.name}, Name={node.name}", "Inputs:"]
        for i, e in enumerate(node.inputs):
            version = f" version={writes.get(e.node, 0)}" if e.node.is_variable else ""
            lines.append(f"\targ[{i}]={e.node.name}({e.index}){version}")
        if node.attrs:
            lines += ["Attrs:", *(f"\t{key}={value}" for key, value in sorted(node.attrs.items()))]
    return "\n".join(lines) + "\n"
