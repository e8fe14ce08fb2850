# SPDX-License-Identifier: Apache-2.0
"""The compiled form that fits a graph: one program, or segments around the nodes that run Python."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import MXNetError
from .graph import Graph
from .program import PROGRAMS, Program
from .segments import SegmentedProgram


def program(graph: Graph, wrt: Sequence[str] = (), name: str = "graph") -> Program | SegmentedProgram:
    """The compiled forms of `graph`, differentiated with respect to `wrt`; cached by graph and names.

    Args:
        graph: what to compute.
        wrt: names of the arguments to differentiate.
        name: for profiles and messages.

    Raises:
        MXNetError: a name in `wrt` is not an argument.
    """
    wrt = tuple(wrt)
    unknown = [n for n in wrt if n not in graph.argument_names]
    if unknown:
        raise MXNetError(
            f"cannot differentiate {', '.join(unknown)}: the arguments are {', '.join(graph.argument_names)}"
        )
    if graph.host_nodes:
        return SegmentedProgram(graph, wrt, name)
    return PROGRAMS.get((graph, wrt), lambda: Program(graph, wrt, name))
