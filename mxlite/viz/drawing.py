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

#: Formats that graphviz writes; here they are checked, so that a wrong one is found where it is named.
_FORMATS = frozenset("bmp dot eps gif gv jpe jpeg jpg json pdf plain png ps ps2 svg svgz tif tiff webp xdot".split())


class SvgRendering:
    """Renders as SVG by itself; takes the place of graphviz's methods that would run ``dot``."""

    network: Network
    fold: bool | None
    format: str
    filename: str
    directory: str | os.PathLike[str] | None
    source: str

    def pipe(self, format: str | None = None, **options: Any) -> bytes:
        """The picture as bytes. ValueError when another format than SVG is asked for."""
        if (format or "svg") != "svg":
            raise ValueError(f"without graphviz only the format 'svg' can be made, not {format!r}")
        return to_svg(self.network, self.fold).encode()

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
            warnings.warn(
                f"graphviz or its program 'dot' is missing, so an SVG is written instead of {wanted}", stacklevel=2
            )
        path = os.path.join(os.fspath(directory or self.directory or ""), os.fspath(filename or self.filename))
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
        return to_svg(self.network, self.fold)

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        return {"image/svg+xml": to_svg(self.network, self.fold), "text/plain": repr(self)}


class Drawing(SvgRendering):
    """A network's picture, without the graphviz package."""

    directory = ""

    def __init__(self, network: Network, format: str, fold: bool | None = None):
        if format.lower() not in _FORMATS:
            raise ValueError(f"unknown format: {format!r}; graphviz knows {', '.join(sorted(_FORMATS))}")
        self.network, self.format, self.fold = network, format, fold
        self.name = network.title
        self.filename = f"{network.title or 'Digraph'}.gv"

    @property
    def filepath(self) -> str:
        """Where `save` writes to."""
        return os.path.join(os.fspath(self.directory or ""), self.filename)

    @property
    def source(self) -> str:  # type: ignore[override]
        """The DOT text."""
        return self.network.dot()

    def save(
        self, filename: str | os.PathLike[str] | None = None, directory: str | os.PathLike[str] | None = None
    ) -> str:
        """Write the DOT text and return its path."""
        path = os.path.join(os.fspath(directory or self.directory or ""), os.fspath(filename or self.filename))
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        atomic_write(path, self.source.encode())
        return path

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<network {self.name!r}: {len(self.network.boxes)} nodes>"


def make(network: Network, format: str, fold: bool | None = None) -> Any:
    """The picture of `network`."""
    digraph = _digraph(shutil.which("dot") is None)
    if digraph is None:
        return Drawing(network, format, fold)
    dot = digraph(name=network.title, format=format)
    dot.network, dot.fold = network, fold
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
