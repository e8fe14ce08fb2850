# SPDX-License-Identifier: Apache-2.0
"""What the picture of a network consists of, and its DOT text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Hashable, Mapping

_KEYWORDS = ("node", "edge", "graph", "digraph", "subgraph", "strict")


@dataclasses.dataclass(frozen=True)
class Box:
    """A node of the picture.

    Attributes:
        name: the node's name.
        attrs: graphviz attributes, the label among them.
        tip: what the mouse shows.
        kind: equal for nodes that do the same: the operator and its parameters.
    """

    name: str
    attrs: dict[str, str]
    tip: str = ""
    kind: Hashable = None

    @property
    def label(self) -> str:
        """The text in the box."""
        return self.attrs.get("label", self.name)


@dataclasses.dataclass(frozen=True)
class Arrow:
    """An edge of the picture, from output `output` of `source` to the node that reads it."""

    reader: str
    source: str
    label: str
    output: int = 0


@dataclasses.dataclass(frozen=True)
class Network:
    """What a picture shows; `heads` are the nodes whose outputs are the network's."""

    title: str | None
    boxes: list[Box]
    arrows: list[Arrow]
    heads: frozenset[str] = frozenset()

    def dot(self) -> str:
        """The DOT text, as the graphviz package writes it."""
        lines = ["digraph {" if self.title is None else f"digraph {quote(self.title)} {{"]
        for box in self.boxes:
            attrs = {k: v for k, v in sorted(box.attrs.items()) if k != "label"}
            lines.append(f"\t{quote(box.name)} [{_attributes({'label': box.label, **attrs})}]")
        for arrow in self.arrows:
            attrs = {"label": arrow.label, "arrowtail": "open", "dir": "back"}
            lines.append(f"\t{quote(arrow.reader)} -> {quote(arrow.source)} [{_attributes(attrs)}]")
        return "\n".join([*lines, "}"]) + "\n"


def quote(text: str) -> str:
    """`text` as a DOT identifier."""
    plain = re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*|-?(\.[0-9]+|[0-9]+(\.[0-9]*)?)", text)
    if plain and text.lower() not in _KEYWORDS:
        return text
    return '"' + text.replace('"', '\\"') + '"'


def _attributes(attrs: Mapping[str, str]) -> str:
    return " ".join(f"{quote(key)}={quote(value)}" for key, value in attrs.items())
