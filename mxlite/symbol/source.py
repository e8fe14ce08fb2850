# SPDX-License-Identifier: Apache-2.0
"""Where in the user's code a node is made, so that an error about it, long after, can name the line."""

from __future__ import annotations

import os
import sys

from mxlite_compiler import graph
from mxlite_compiler.graph import Graph, Origin


def _folder(file: str) -> str:
    return os.path.dirname(os.path.abspath(file)) + os.sep


#: What the file names of code that is not the user's begin with.
_INSIDE = (_folder(os.path.dirname(__file__)), _folder(graph.__file__), "<frozen ")


def caller() -> Origin | None:
    """The innermost instruction outside mxlite that is being executed. It keeps no frame, and so no variable, alive."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_INSIDE):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def mark(loaded: Graph) -> Graph:
    """`loaded`, whose nodes nobody made by hand, with the line that loads it as their origin."""
    _mark(loaded, caller())
    return loaded


def _mark(loaded: Graph, origin: Origin | None) -> None:
    for node in loaded.nodes:
        node.origin = origin
        for body in node.subgraphs:
            _mark(body, origin)
