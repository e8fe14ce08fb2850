# SPDX-License-Identifier: Apache-2.0
"""A network as an SVG picture, where the program ``dot`` is missing."""

from __future__ import annotations

from html import escape

from .layout import Point, place
from .picture import Arrow, Box, Network

_FONT, _LETTER, _LINE = 13, 7.4, 16
_INCH = 72.0
_STYLE = "font-family='Helvetica,Arial,sans-serif' text-anchor='middle'"


def to_svg(network: Network) -> str:
    """The picture of `network`, readable in browsers and notebooks without further files."""
    boxes = {box.name: box for box in network.boxes}
    for arrow in network.arrows:
        for name in (arrow.source, arrow.reader):
            boxes.setdefault(name, Box(name, {"shape": "oval", "fillcolor": "none"}))
    sources = {a.source for a in network.arrows if a.source not in {b.name for b in network.boxes}}
    # Inputs stand before their readers; weights, which have no box, come first.
    names = [*sorted(sources), *(name for name in boxes if name not in sources)]
    sizes = {name: _size(boxes[name]) for name in names}
    arrows = network.arrows
    layout = place(sizes, [(a.reader, a.source) for a in arrows], [_LETTER * len(a.label) for a in arrows])
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{layout.width:.0f}' height='{layout.height:.0f}' "
        f"viewBox='0 0 {layout.width:.0f} {layout.height:.0f}'>",
        f"<title>{escape(network.title)}</title>",
        "<rect width='100%' height='100%' fill='white'/>",
    ]
    parts += [_edge(path) for path in layout.paths]
    parts += [_box(boxes[name], layout.centres[name], sizes[name]) for name in names]
    parts += [_label(arrow, middle) for arrow, middle in zip(arrows, layout.labels, strict=True) if arrow.label]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _size(box: Box) -> Point:
    lines = box.label.split("\n")
    width = max(_INCH * float(box.attrs.get("width", 0.75)), _LETTER * max(map(len, lines)) + 16)
    if box.attrs.get("shape") in ("oval", "ellipse"):
        width = max(width, _LETTER * max(map(len, lines)) * 1.25 + 16)
    return width, max(0.6 * _INCH * float(box.attrs.get("height", 0.5)), _LINE * len(lines) + 10)


def _box(box: Box, centre: Point, size: Point) -> str:
    (x, y), (w, h) = centre, size
    fill = escape(box.attrs.get("fillcolor", "none"), quote=True)
    look = f"fill='{fill}' stroke='black'"
    if box.attrs.get("shape") in ("oval", "ellipse"):
        shape = f"<ellipse cx='{x:.1f}' cy='{y:.1f}' rx='{w / 2:.1f}' ry='{h / 2:.1f}' {look}/>"
    else:
        shape = f"<rect x='{x - w / 2:.1f}' y='{y - h / 2:.1f}' width='{w:.1f}' height='{h:.1f}' rx='3' {look}/>"
    lines = box.label.split("\n")
    top = y - _LINE * (len(lines) - 1) / 2 + _FONT * 0.35
    texts = [
        f"<text x='{x:.1f}' y='{top + i * _LINE:.1f}' font-size='{_FONT}' {_STYLE}>{escape(line)}</text>"
        for i, line in enumerate(lines)
    ]
    return f"<g><title>{escape(box.name)}</title>{shape}{''.join(texts)}</g>"


def _edge(path: list[Point]) -> str:
    """A curve through the points, vertical at each of them, with an open tip at the reader."""
    (x, y), *rest = path
    tip = f"M{x - 4:.1f} {y + 8:.1f} L{x:.1f} {y:.1f} L{x + 4:.1f} {y + 8:.1f}"
    commands = [tip, f"M{x:.1f} {y:.1f}"]
    for nx, ny in rest:
        middle = (y + ny) / 2
        commands.append(f"C{x:.1f} {middle:.1f} {nx:.1f} {middle:.1f} {nx:.1f} {ny:.1f}")
        x, y = nx, ny
    return f"<path d='{' '.join(commands)}' fill='none' stroke='black'/>"


def _label(arrow: Arrow, middle: Point) -> str:
    """The shape, in the middle of the edge."""
    x, y = middle
    text = f"<text x='{x:.1f}' y='{y + 4:.1f}' font-size='{_FONT - 2}' {_STYLE}"
    # A white rim keeps it readable on the line; not every viewer knows SVG's paint-order.
    return f"{text} stroke='white' stroke-width='4'>{escape(arrow.label)}</text>{text}>{escape(arrow.label)}</text>"
