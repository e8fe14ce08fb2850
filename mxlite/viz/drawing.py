# SPDX-License-Identifier: Apache-2.0
"""The object that `plot_network` returns: a graphviz.Digraph where that package is, else one that behaves like it."""

from __future__ import annotations

import functools
import os
import shutil
import warnings
import webbrowser
from typing import Any

from mxlite_compiler._atomic import atomic_write

from .picture import Network
from .svg import to_svg


class SvgRendering:
    """Renders as SVG by itself; takes the place of graphviz's methods that would run ``dot``."""

    network: Network
    format: str
    filename: str
    source: str

    def pipe(self, format: str | None = None, **options: Any) -> bytes:
        """The picture as bytes. ValueError when another format than SVG is asked for."""
        if (format or "svg") != "svg":
            raise ValueError(f"without the program 'dot' only the format 'svg' can be made, not {format!r}")
        return to_svg(self.network).encode()

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        **options: Any,
    ) -> str:
        """Write the DOT text to `filename` (unless `cleanup`) and the picture beside it, with ``.svg`` added.

        Returns:
            The path of the picture.
        """
        wanted = format or self.format
        if wanted != "svg":
            warnings.warn(f"the program 'dot' is missing, so an SVG is written instead of {wanted}", stacklevel=2)
        path = os.path.join(os.fspath(directory or ""), os.fspath(filename or self.filename))
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if not cleanup:
            atomic_write(path, self.source.encode())
        atomic_write(path + ".svg", self.pipe())
        if view:
            webbrowser.open(f"file://{os.path.abspath(path)}.svg")
        return path + ".svg"

    def view(
        self, filename: str | None = None, directory: str | None = None, cleanup: bool = False, **options: Any
    ) -> str:
        """Write the picture and open it in a browser."""
        return self.render(filename, directory, view=True, cleanup=cleanup)

    def _repr_svg_(self) -> str:
        return to_svg(self.network)

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        return {"image/svg+xml": to_svg(self.network), "text/plain": repr(self)}


class Drawing(SvgRendering):
    """A network's picture, without the graphviz package."""

    def __init__(self, network: Network, format: str):
        self.network, self.format = network, format
        self.name = network.title
        self.filename = f"{network.title}.gv"

    @property
    def source(self) -> str:  # type: ignore[override]
        """The DOT text."""
        return self.network.dot()

    def save(
        self, filename: str | os.PathLike[str] | None = None, directory: str | os.PathLike[str] | None = None
    ) -> str:
        """Write the DOT text and return its path."""
        path = os.path.join(os.fspath(directory or ""), os.fspath(filename or self.filename))
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        atomic_write(path, self.source.encode())
        return path

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<network {self.name!r}: {len(self.network.boxes)} nodes>"


def make(network: Network, format: str) -> Any:
    """The picture of `network`."""
    digraph = _digraph(shutil.which("dot") is None)
    if digraph is None:
        return Drawing(network, format)
    dot = digraph(name=network.title, format=format)
    dot.network = network
    for box in network.boxes:
        dot.node(box.name, label=box.label, **{k: v for k, v in box.attrs.items() if k != "label"})
    for arrow in network.arrows:
        dot.edge(arrow.reader, arrow.source, label=arrow.label, arrowtail="open", dir="back")
    return dot


@functools.lru_cache(maxsize=2)
def _digraph(own_rendering: bool) -> Any:
    """graphviz's class, with mxlite's rendering when ``dot`` is missing; None without the package."""
    try:
        from graphviz import Digraph  # an optional extra
    except ImportError:
        return None
    return type("Digraph", (SvgRendering, Digraph), {}) if own_rendering else Digraph
