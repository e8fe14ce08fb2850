# SPDX-License-Identifier: Apache-2.0
"""The compiled form that fits a graph: one program, or segments, each for its device, with Python between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import MXNetError
from .graph import Graph, Node
from .program import PROGRAMS, Program, Shardings
from .segments import SegmentedProgram


def program(
    graph: Graph,
    wrt: Sequence[str] = (),
    name: str = "graph",
    device: Any = None,
    devices: Mapping[Node, Any] | None = None,
    shardings: Shardings | None = None,
) -> Program | SegmentedProgram:
    """The compiled forms of `graph`, differentiated with respect to `wrt`; cached by graph, names and devices.

    Args:
        graph: what to compute.
        wrt: names of the arguments to differentiate.
        name: for profiles and messages.
        device: the JAX device that runs it; JAX's default device for None.
        devices: the JAX device of every node, where parts of the graph run on different ones.
        shardings: where the results of one program lie that runs on a mesh of devices.

    Raises:
        MXNetError: a name in `wrt` is not an argument.
    """
    wrt = tuple(wrt)
    unknown = [n for n in wrt if n not in graph.argument_names]
    if unknown:
        raise MXNetError(
            f"cannot differentiate {', '.join(unknown)}: the arguments are {', '.join(graph.argument_names)}"
        )
    if graph.host_nodes or devices is not None:
        return SegmentedProgram(graph, wrt, name, devices or dict.fromkeys(graph.nodes, device))
    key = graph, wrt, shardings or device
    return PROGRAMS.get(key, lambda: Program(graph, wrt, name, device, shardings=shardings))
