# SPDX-License-Identifier: Apache-2.0
"""Blocks on top of each other, in as many columns beside each other as a page takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from .blocks import Block
from .layout import RISE, Layout, Point, place

#: The page that a picture is to fit on without being made smaller; higher ones get several columns.
PAGE = (1150.0, 900.0)

#: Around the picture, between columns, within a frame, around it, and the height of its title.
MARGIN, GUTTER, PAD, INSET, HEAD = 16.0, 40.0, 10.0, 6.0, 20.0

#: The size of the letters in a frame's title.
TITLE_FONT = 11.0

_MOST_COLUMNS = 12


@dataclasses.dataclass(frozen=True)
class Frame:
    """A border around a block; its title stands right of the trunk, its number of times left."""

    x: float
    y: float
    width: float
    height: float
    trunk: float
    title: str
    count: int


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """Where everything is, in the coordinates of the picture.

    Attributes:
        centres: per node that is shown, the middle of its box.
        paths: per shown edge, by its number, points from its reader down to its source.
        bridges: lines from the top of a column to the bottom of the next one.
        frames: the borders of blocks.
        width, height: the size of the picture.
    """

    centres: dict[str, Point]
    paths: dict[int, list[Point]]
    bridges: list[list[Point]]
    frames: list[Frame]
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class _Placed:
    """A block with the places within it, and the room it takes left and right of the trunk, and in height."""

    block: Block
    layout: Layout
    edges: list[int]
    left: float
    right: float
    height: float


def arrange(
    blocks: Sequence[Block],
    sizes: Mapping[str, Point],
    edges: Sequence[tuple[str, str]],
    shifts: Sequence[float],
) -> Arrangement:
    """Places for the nodes and edges of all blocks.

    Args:
        blocks: as `blocks.blocks` cuts them.
        sizes: width and height of each node.
        edges: reader and source.
        shifts: per edge, how far right of the middle it leaves its source.
    """
    reads: dict[str, list[int]] = {}
    for i, (reader, _) in enumerate(edges):
        reads.setdefault(reader, []).append(i)
    placed = [_placed(block, sizes, edges, shifts, reads) for block in blocks]
    columns = _columns(placed)
    height = max((sum(placed[i].height for i in column) for column in columns), default=0.0)
    full = height + RISE + 2 * MARGIN
    made = Arrangement({}, {}, [], [], 0.0, full)
    x, trunk, upper = MARGIN, 0.0, (0.0, 0.0)
    for number, column in enumerate(columns):
        before, trunk = trunk, x + max(placed[i].left for i in column)
        y = waist = full - MARGIN
        if number:
            gutter, (roof, box) = x - GUTTER / 2, upper
            made.bridges.append([(trunk, y), (gutter, y), (gutter, roof), (before, roof), (before, box)])
        for i in column:
            part = placed[i]
            y -= part.height
            down = y + (INSET + HEAD if part.block.title else 0.0)
            for edge, path in zip(part.edges, part.layout.paths, strict=True):
                moved = [(trunk + px, down + py) for px, py in path]
                if edges[edge][1] == part.block.entry:
                    # It comes from the box below; at the bottom of a column, from the end of the line to there.
                    shift = 0.0 if i == column[0] and number else moved[-1][0] - trunk
                    moved[-2:] = [(trunk + shift, moved[-2][1]), (trunk + shift, waist)]
                made.paths[edge] = moved
            shown = {n: (trunk + cx, down + cy) for n, (cx, cy) in part.layout.centres.items() if n in part.block.names}
            made.centres.update(shown)
            last = part.block.names[-1]
            waist = shown[last][1] - sizes[last][1] / 2
            if part.block.title:
                wide = part.left + part.right
                frame_height = part.height - 2 * INSET
                made.frames.append(
                    Frame(trunk - part.left, y + INSET, wide, frame_height, trunk, part.block.title, part.block.count)
                )
        upper = (y - RISE / 2, waist)
        x = trunk + max(placed[i].right for i in column) + GUTTER
    return dataclasses.replace(made, width=x - GUTTER + MARGIN)


def _placed(
    block: Block,
    sizes: Mapping[str, Point],
    edges: Sequence[tuple[str, str]],
    shifts: Sequence[float],
    reads: Mapping[str, Sequence[int]],
) -> _Placed:
    own = [i for name in block.names for i in reads.get(name, ())]
    around: dict[str, Point] = {} if block.entry is None else {block.entry: (0.0, 0.0)}
    around.update({name: sizes[name] for name in block.names})
    layout = place(around, [edges[i] for i in own], [shifts[i] for i in own], block.entry)
    left, right, height = -layout.left, layout.right, layout.height
    if block.title:
        left, height = left + PAD, height + HEAD + 2 * INSET
        right = max(right, 0.68 * TITLE_FONT * len(block.title) + PAD) + PAD
    return _Placed(block, layout, own, left, right, height)


def _columns(placed: Sequence[_Placed]) -> list[list[int]]:
    """Numbers of the blocks in each column: as many columns as let the picture be shown largest on a page."""
    best, least = [list(range(len(placed)))] if placed else [], float("inf")
    for count in range(1, min(_MOST_COLUMNS, len(placed)) + 1):
        columns = _balanced([p.height for p in placed], count)
        width = sum(max(placed[i].left for i in c) + max(placed[i].right for i in c) + GUTTER for c in columns)
        height = max(sum(placed[i].height for i in c) for c in columns)
        shrunk = max(1.0, width / PAGE[0], height / PAGE[1])
        if shrunk < least - 1e-9:
            best, least = columns, shrunk
    return best


def _balanced(heights: Sequence[float], count: int) -> list[list[int]]:
    """Neighbouring blocks in at most `count` columns, the highest of which is as low as possible."""
    low, high = max(heights), sum(heights)
    while high - low > 1.0:
        middle = (low + high) / 2
        if len(_filled(heights, middle)) <= count:
            high = middle
        else:
            low = middle
    return _filled(heights, high)


def _filled(heights: Sequence[float], limit: float) -> list[list[int]]:
    columns: list[list[int]] = []
    room = 0.0
    for i, height in enumerate(heights):
        if not columns or height > room + 1e-6:
            columns.append([])
            room = limit
        columns[-1].append(i)
        room -= height
    return columns
