# SPDX-License-Identifier: Apache-2.0
"""A network as an SVG picture, laid out and drawn without any program.

It has no background of its own: its lines and letters are seen on white and on black. No styles, no identifiers and
no links, so that several pictures fit into one page.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from html import escape

from .blocks import blocks
from .columns import TITLE_FONT, Arrangement, Frame, arrange
from .layout import Point
from .picture import Arrow, Box, Network

#: Pictures of more boxes show a block that repeats only once, unless one asks for all.
FOLDED_FROM = 60

_FONT, _SMALL, _LINE, _TAB = 12.0, 10.0, 15.0, 14.0
_INCH = 72.0
_GREY = "#808080"
_ROUND = ("oval", "ellipse", "circle")

#: Widths of letters in parts of the font's size, on the generous side: fonts differ.
_NARROW, _WIDE = frozenset("ijlI.,:;|!'()[]/ tfr-"), frozenset("mwMWGOQ@%")


@dataclasses.dataclass(frozen=True)
class _Face:
    """What a box looks like: its lines, its size, and above it a tab for each kind of array that leaves it."""

    lines: list[str]
    tabs: list[str]
    size: Point

    @property
    def whole(self) -> Point:
        """The size with the tabs."""
        return max(self.size[0], sum(_tab_width(t) for t in self.tabs)), self.size[1] + (_TAB if self.tabs else 0.0)


def to_svg(network: Network, fold: bool | None = None) -> str:
    """The picture of `network`, readable in browsers and notebooks without further files.

    Args:
        network: what to draw.
        fold: whether equal blocks in a row are drawn once, with their number; by default in large pictures.
    """
    boxes = _boxes(network)
    faces = _faces(boxes, network.arrows)
    edges = [(a.reader, a.source) for a in network.arrows]
    marked = [(a.reader, a.source, (a.label, a.output)) for a in network.arrows]
    kinds = {name: box.kind if box.kind is not None else name for name, box in boxes.items()}
    parts = blocks(list(boxes), marked, kinds, len(boxes) > FOLDED_FROM if fold is None else fold)
    shifts = [_shift(faces[a.source], a.label) for a in network.arrows]
    made = arrange(parts, {name: face.whole for name, face in faces.items()}, edges, shifts)
    return "\n".join([*_head(network, made), *_body(network, boxes, faces, made), "</g>", "</svg>"]) + "\n"


def _boxes(network: Network) -> dict[str, Box]:
    """All boxes by name, inputs before their readers; a weight, which has no box in MXNet's DOT, gets a small one."""
    boxes = {box.name: box for box in network.boxes}
    sources: dict[str, list[str]] = {}
    for arrow in network.arrows:
        sources.setdefault(arrow.reader, []).append(arrow.source)
    ordered: dict[str, Box] = {}
    for name in boxes:
        for source in sources.get(name, ()):
            if source not in boxes:
                ordered.setdefault(source, Box(source, {"shape": "oval", "fillcolor": "#eeeeee"}, source, "weight"))
        ordered[name] = boxes[name]
    return ordered


def _faces(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> dict[str, _Face]:
    tabs: dict[str, list[str]] = {name: [] for name in boxes}
    for arrow in arrows:
        if arrow.label and arrow.label not in tabs[arrow.source]:
            tabs[arrow.source].append(arrow.label)
    return {name: _face(box, tabs[name]) for name, box in boxes.items()}


def _face(box: Box, tabs: list[str]) -> _Face:
    lines = box.label.split("\n")
    wide = max(_width(line, _FONT) for line in lines) + 14
    high = _LINE * len(lines) + 8
    if box.attrs.get("shape") in _ROUND:
        wide = wide * 1.15
    return _Face(lines, tabs, (round(max(_INCH * _number(box, "width", 0.9) * 0.85, wide), 1), max(26.0, high)))


def _number(box: Box, name: str, default: float) -> float:
    try:
        return float(box.attrs.get(name, default))
    except ValueError:  # graphviz warns of such a value and takes its own
        return default


def _width(text: str, font: float) -> float:
    return font * sum(0.4 if c in _NARROW else 0.95 if c in _WIDE else 0.73 if c.isupper() else 0.63 for c in text)


def _tab_width(text: str) -> float:
    return _width(text, _SMALL) + 10


def _shift(face: _Face, label: str) -> float:
    """How far right of the middle of its box the tab stands from which an arrow leaves."""
    if label not in face.tabs:
        return 0.0
    widths = [_tab_width(t) for t in face.tabs]
    at = face.tabs.index(label)
    return round(sum(widths[:at]) + widths[at] / 2 - sum(widths) / 2, 1)


def _head(network: Network, made: Arrangement) -> list[str]:
    size = f"{made.width:.0f}", f"{made.height:.0f}"
    return [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{size[0]}' height='{size[1]}' "
        f"viewBox='0 0 {size[0]} {size[1]}'>",
        f"<title>{escape(network.title or '')}</title>",
        f"<g font-family='Helvetica,Arial,sans-serif' font-size='{_FONT:.0f}' text-anchor='middle'>",
    ]


def _body(network: Network, boxes: Mapping[str, Box], faces: Mapping[str, _Face], made: Arrangement) -> list[str]:
    parts = [_frame(frame) for frame in made.frames]
    parts.append(f"<g fill='none' stroke='{_GREY}' stroke-width='1.3'>")
    parts += [f"<path d='{_bridge(points)}'/>" for points in made.bridges]
    for i, arrow in enumerate(network.arrows):
        if i in made.paths:
            label = f" {arrow.label}" if arrow.label else ""
            tip = escape(f"{arrow.source} to {arrow.reader}{label}")
            parts.append(f"<path d='{_edge(made.paths[i])}'><title>{tip}</title></path>")
    parts.append("</g>")
    parts += [_box(boxes[name], faces[name], centre, name in network.heads) for name, centre in made.centres.items()]
    return parts


def _frame(frame: Frame) -> str:
    x, y, w, h = (f"{v:.1f}" for v in (frame.x, frame.y, frame.width, frame.height))
    border = f"<rect x='{x}' y='{y}' width='{w}' height='{h}' rx='8' fill='{_GREY}' fill-opacity='0.1' stroke='{_GREY}'"
    look = f"y='{frame.y + 15:.1f}' font-size='{TITLE_FONT:.0f}' fill='{_GREY}' font-weight='bold'"
    parts = [border + " stroke-dasharray='4 3' stroke-opacity='0.7'/>"]
    parts.append(f"<text x='{frame.trunk + 8:.1f}' {look} text-anchor='start'>{escape(frame.title)}</text>")
    if frame.count > 1:
        parts.append(f"<text x='{frame.trunk - 8:.1f}' {look} text-anchor='end'>{frame.count} times</text>")
    return "".join(parts)


def _box(box: Box, face: _Face, centre: Point, head: bool) -> str:
    x, y = centre
    w, h = face.size
    y += (face.whole[1] - h) / 2
    fill, stroke = (
        escape(box.attrs.get(k, d), quote=True) for k, d in (("fillcolor", "#eeeeee"), ("color", "#444444"))
    )
    look = f"fill='{fill}' stroke='{stroke}'" + (" stroke-width='2.5'" if head else "")
    if box.attrs.get("shape") in _ROUND:
        shape = f"<ellipse cx='{x:.1f}' cy='{y:.1f}' rx='{w / 2:.1f}' ry='{h / 2:.1f}' {look}/>"
    else:
        shape = f"<rect x='{x - w / 2:.1f}' y='{y - h / 2:.1f}' width='{w:.1f}' height='{h:.1f}' rx='3' {look}/>"
    parts = [shape]
    top = y - _LINE * (len(face.lines) - 1) / 2 + _FONT * 0.35
    ink = escape(box.attrs.get("fontcolor", "#000000"), quote=True)
    parts += [
        f"<text x='{x:.1f}' y='{top + i * _LINE:.1f}' fill='{ink}'>{escape(line)}</text>"
        for i, line in enumerate(face.lines)
    ]
    for tab in face.tabs:
        parts.append(_tab(tab, x + _shift(face, tab), y - h / 2))
    return f"<g><title>{escape(box.tip or box.name)}</title>{''.join(parts)}</g>"


def _tab(text: str, x: float, bottom: float) -> str:
    """The shape of what leaves a box, standing on it."""
    w = _tab_width(text)
    return (
        f"<rect x='{x - w / 2:.1f}' y='{bottom - _TAB:.1f}' width='{w:.1f}' height='{_TAB:.1f}' "
        f"fill='#f4f4f4' stroke='#999999'/>"
        f"<text x='{x:.1f}' y='{bottom - 3.5:.1f}' font-size='{_SMALL:.0f}' fill='#333333'>{escape(text)}</text>"
    )


def _edge(path: Sequence[Point]) -> str:
    """Straight down, or a bend that is vertical at both ends; an open tip at the reader."""
    (x, y), *rest = path
    commands = [f"M{x - 4:.1f} {y + 7:.1f}L{x:.1f} {y:.1f}L{x + 4:.1f} {y + 7:.1f}M{x:.1f} {y:.1f}"]
    for i, (nx, ny) in enumerate(rest):
        if abs(nx - x) > 0.05:
            middle = (y + ny) / 2
            commands.append(f"C{x:.1f} {middle:.1f} {nx:.1f} {middle:.1f} {nx:.1f} {ny:.1f}")
        elif i + 1 == len(rest) or abs(rest[i + 1][0] - nx) > 0.05:  # a straight piece is one line
            commands.append(f"V{ny:.1f}")
        x, y = nx, ny
    return "".join(commands)


def _bridge(points: Sequence[Point]) -> str:
    """Straight lines with round corners."""
    commands = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        ends = [_towards((x, y), other) for other in (before, after)]
        commands.append(f"L{ends[0][0]:.1f} {ends[0][1]:.1f}Q{x:.1f} {y:.1f} {ends[1][0]:.1f} {ends[1][1]:.1f}")
    return "".join([*commands, f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"])


def _towards(corner: Point, other: Point, radius: float = 6.0) -> Point:
    """A point on the way from a corner to the next one."""
    (x, y), (ox, oy) = corner, other
    far = max(abs(ox - x) + abs(oy - y), 1e-6)
    part = min(radius, far / 2) / far
    return x + (ox - x) * part, y + (oy - y) * part
