# SPDX-License-Identifier: Apache-2.0
"""Which device each node of a graph runs on, by the groups that the nodes name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from .errors import MXNetError, explain, nearest
from .graph import Graph, Node

Place = TypeVar("Place")

#: The attribute that ``mx.AttrScope(ctx_group="dev1")`` leaves on a node.
GROUP = "__ctx_group__"


def place(graph: Graph, groups: Mapping[str, Place], default: Place) -> dict[Node, Place]:
    """The place of every node: its group's, else that of the first of its inputs that has one, else `default`.

    Args:
        graph: nodes with or without the attribute ``__ctx_group__``.
        groups: places by the name of the group.
        default: for what neither has a group nor reads anything that has; variables without a group.

    Raises:
        MXNetError: a node names a group that `groups` lacks.
    """
    found: dict[Node, Place] = {}
    for node in graph.nodes:
        group = node.attrs.get(GROUP)
        if group is None:
            above = [found[e.node] for e in node.inputs if e.node in found]
            if above:
                found[node] = above[0]
        elif group in groups:
            found[node] = groups[group]
        else:
            raise MXNetError(
                explain(
                    f"no device is given for the group {group!r}{nearest(group, groups)}",
                    op=node.op.name if node.op else "",
                    node=node.name,
                    hint=f"group2ctx names {', '.join(groups) or 'no group'}; give it {group!r}, too",
                )
            )
    return {node: found.get(node, default) for node in graph.nodes}
