# SPDX-License-Identifier: Apache-2.0
"""Places for the boxes of a layered graph (Sugiyama, Tagawa and Toda 1981): layers, order within them, positions."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

Point = tuple[float, float]

#: Room between boxes beside each other, between a box and a passing edge, between layers, and the width of an edge.
GAP, SIDE, RISE, LANE = 22.0, 12.0, 18.0, 8.0

_SWEEPS = 12
#: Slots for which every sweep is done; above it, fewer, so that an RNN unrolled over a long text is still quick.
_MANY = 1500


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything is. y grows downwards, with what is read first at the bottom; x is 0 on the trunk.

    Attributes:
        centres: per node, the middle of its box.
        paths: per edge, in the given order, points from the reader's box down to the source's. From a point to one
            right below it an edge is straight, else it bends in the free room between two layers.
        left, right: how far it reaches.
        height: from 0 on.
    """

    centres: dict[str, Point]
    paths: list[list[Point]]
    left: float
    right: float
    height: float


def place(
    sizes: Mapping[str, Point],
    edges: Sequence[tuple[str, str]],
    shifts: Sequence[float] = (),
    entry: str | None = None,
) -> Layout:
    """Places for the nodes and edges of a network, or of a block of one.

    Args:
        sizes: width and height of each node, in an order where inputs come first.
        edges: reader and source.
        shifts: per edge, how far right of the middle it leaves its source.
        entry: a node of size (0, 0), where all comes from that the block reads. From it to the last node goes the
            trunk, a chain as long as there is, that is drawn straight.
    """
    number = {name: i for i, name in enumerate(sizes)}
    # A name that stands for two nodes can close a circle; such an edge is drawn, but layers do not follow it.
    downward = [(r, s) for r, s in edges if number[s] < number[r]]
    layer = _layers(list(sizes), downward, entry)
    slots, chains = _with_lanes(layer, downward)
    rows = _rows(slots)
    links = _links(chains)
    _order(rows, links)
    widths = {slot: sizes[slot][0] if slot in sizes else LANE for row in rows for slot in row}
    trunk = _trunk(chains, layer, entry, list(sizes)[-1]) if entry is not None else set()
    x = _positions(rows, links, widths, trunk)
    if trunk:
        _straighten(x, rows, chains, widths, trunk)
    tops, bottoms = _bands(rows, links, x, sizes)
    centres = {name: (x[name], (tops[layer[name]] + bottoms[layer[name]]) / 2) for name in sizes}
    chain_of = {(chain[0], chain[-1]): chain for chain in chains}
    paths = []
    for i, (reader, source) in enumerate(edges):
        shift = shifts[i] if shifts else 0.0
        path = [(x[reader], centres[reader][1] + sizes[reader][1] / 2), (x[reader], bottoms[layer[reader]])]
        for lane in chain_of.get((reader, source), ())[1:-1]:
            path += [(x[lane], tops[slots[lane]]), (x[lane], bottoms[slots[lane]])]
        top = centres[source][1] - sizes[source][1] / 2
        path += [(x[source] + shift, tops[layer[source]]), (x[source] + shift, top)]
        paths.append(path)
    left = min((x[s] - widths[s] / 2 for s in x), default=0.0)
    right = max((x[s] + widths[s] / 2 for s in x), default=0.0)
    return Layout(centres, paths, left, right, bottoms[0])


def _trunk(chains: Sequence[Sequence[str]], layer: Mapping[str, int], entry: str, end: str) -> set[str]:
    """The slots of a chain from `end` down to `entry` through as many nodes as possible; only `entry` if none is."""
    below: dict[str, list[Sequence[str]]] = {}
    for chain in chains:
        below.setdefault(chain[0], []).append(chain)
    longest: dict[str, tuple[int, Sequence[str]]] = {entry: (0, ())}
    for name in sorted(below, key=layer.__getitem__):
        steps = [(longest[chain[-1]][0] + 1, chain) for chain in below[name] if chain[-1] in longest]
        if steps:
            longest[name] = max(steps, key=lambda step: step[0])
    trunk, at = {entry}, end
    while at in longest and at != entry:
        chain = longest[at][1]
        trunk.update(chain)
        at = chain[-1]
    return trunk


def _layers(names: list[str], edges: Sequence[tuple[str, str]], entry: str | None) -> dict[str, int]:
    """The layer of each node: above all it reads; what reads nothing stands right under its lowest reader."""
    sources: dict[str, list[str]] = {n: [] for n in names}
    readers: dict[str, list[str]] = {n: [] for n in names}
    for reader, source in edges:
        sources[reader].append(source)
        readers[source].append(reader)
    layer: dict[str, int] = {}
    for name in names:
        layer[name] = max((layer[s] + 1 for s in sources[name]), default=0)
    for name in names:
        if not sources[name] and readers[name] and name != entry:
            layer[name] = min(layer[r] for r in readers[name]) - 1
    lowest = min(layer.values(), default=0)
    return {name: depth - lowest for name, depth in layer.items()}


def _with_lanes(layer: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> tuple[dict[str, int], list[list[str]]]:
    """All slots with their layers, and per edge the slots it passes: a long edge gets a lane in each layer between."""
    slots, chains = dict(layer), []
    for reader, source in dict.fromkeys(edges):
        between = [f"\0{reader}\0{source}\0{depth}" for depth in range(layer[reader] - 1, layer[source], -1)]
        for depth, lane in zip(range(layer[reader] - 1, layer[source], -1), between, strict=True):
            slots[lane] = depth
        chains.append([reader, *between, source])
    return slots, chains


def _rows(slots: Mapping[str, int]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(slots.values(), default=0) + 1)]
    for slot, depth in slots.items():
        rows[depth].append(slot)
    return rows


def _links(chains: Sequence[Sequence[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Neighbours of each slot in the layer above and in the layer below."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _order(rows: list[list[str]], links: tuple[dict[str, list[str]], dict[str, list[str]]]) -> None:
    """Sort each row by the mean place of its neighbours, sweeping up and down; keep the order with fewest crossings."""
    above, below = links
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(_sweeps(rows)):
        if fewest == 0:
            break
        upward = sweep % 2 == 0
        indices = range(1, len(rows)) if upward else range(len(rows) - 2, -1, -1)
        for i in indices:
            near, fixed = (below, rows[i - 1]) if upward else (above, rows[i + 1])
            at = {slot: k for k, slot in enumerate(fixed)}
            here = {slot: k for k, slot in enumerate(rows[i])}
            middle = {}
            for slot in rows[i]:
                places = [at[n] for n in near.get(slot, ())]
                middle[slot] = sum(places) / len(places) if places else here[slot]
            rows[i].sort(key=middle.__getitem__)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _sweeps(rows: Sequence[Sequence[str]]) -> int:
    return max(2, _SWEEPS * _MANY // max(sum(map(len, rows)), _MANY))


def _crossings(rows: Sequence[Sequence[str]], below: Mapping[str, list[str]]) -> int:
    total = 0
    for lower, upper in itertools.pairwise(rows):
        at = {slot: k for k, slot in enumerate(lower)}
        ends = [place for slot in upper for place in sorted(at[n] for n in below.get(slot, ()))]
        passed: list[int] = []
        for k, end in enumerate(ends):  # how many before it end to the right of it
            total += k - bisect.bisect_right(passed, end)
            bisect.insort(passed, end)
    return total


def _positions(
    rows: Sequence[Sequence[str]],
    links: tuple[dict[str, list[str]], dict[str, list[str]]],
    widths: Mapping[str, float],
    trunk: set[str],
) -> dict[str, float]:
    """x of every slot: as near to its neighbours as order and room allow; lanes weigh more, so they are straight."""
    x: dict[str, float] = {}
    for row in rows:
        edge = 0.0
        for slot in row:
            x[slot] = edge + widths[slot] / 2
            edge += widths[slot] + GAP
    above, below = links
    distances = [[_distance(a, b, widths) for a, b in itertools.pairwise(row)] for row in rows]
    for sweep in range(2 * _sweeps(rows)):
        near = below if sweep % 2 == 0 else above
        numbers = range(len(rows)) if sweep % 2 == 0 else range(len(rows) - 1, -1, -1)
        for i in numbers:
            wanted, weights = [], []
            for slot in rows[i]:
                others = near.get(slot) or (above.get(slot) if near is below else below.get(slot)) or [slot]
                wanted.append(0.0 if slot in trunk else sum(x[o] for o in others) / len(others))
                weights.append(1e9 if slot in trunk else 4.0 if slot.startswith("\0") else 1.0)
            x.update(zip(rows[i], spread(wanted, weights, distances[i]), strict=True))
    middle = 0.0 if trunk or not x else x[rows[-1][0]]
    return {slot: round(value - middle, 3) + 0.0 for slot, value in x.items()}


def _straighten(
    x: dict[str, float],
    rows: Sequence[Sequence[str]],
    chains: Sequence[Sequence[str]],
    widths: Mapping[str, float],
    trunk: set[str],
) -> None:
    """Move lanes away from the trunk, and what is beyond them, until each long edge is one straight line."""
    lanes = [chain[1:-1] for chain in chains if len(chain) > 3 and chain[1] not in trunk]
    row_of = {slot: row for row in rows for slot in row}
    for _ in range(3):
        for lane in lanes:
            side = 1 if x[lane[0]] > 0 else -1
            if any((x[slot] > 0) != (side > 0) for slot in lane):
                continue  # it passes under the trunk
            target = max(side * x[slot] for slot in lane)
            for slot in lane:
                row = row_of[slot]
                x[slot] = side * target
                at = row.index(slot)
                outwards = row[at:] if side > 0 else row[at::-1]
                for inner, outer in itertools.pairwise(outwards):
                    least = side * x[inner] + _distance(inner, outer, widths)
                    x[outer] = side * round(max(side * x[outer], least), 3)


def _distance(a: str, b: str, widths: Mapping[str, float]) -> float:
    """How far the middles of two neighbours are apart at least."""
    lanes = a.startswith("\0") or b.startswith("\0")
    return (widths[a] + widths[b]) / 2 + (SIDE if lanes else GAP)


def spread(wanted: Sequence[float], weights: Sequence[float], distances: Sequence[float]) -> list[float]:
    """Positions in order, at least `distances` apart, with the least weighted squared distance to `wanted`.

    Without the distances summed up before each, this is isotonic regression: pool neighbours that are out of order.
    """
    offsets = [0.0]
    for d in distances:
        offsets.append(offsets[-1] + d)
    pools: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=False):
        pool = (want - offset, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, mass, count = pools.pop()
            pool = ((mean * mass + pool[0] * pool[1]) / (mass + pool[1]), mass + pool[1], count + pool[2])
        pools.append(pool)
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _bands(
    rows: Sequence[Sequence[str]],
    links: tuple[dict[str, list[str]], dict[str, list[str]]],
    x: Mapping[str, float],
    sizes: Mapping[str, Point],
) -> tuple[list[float], list[float]]:
    """The upper and the lower border of each layer, the highest layer from 0 on; edges that go far get more room."""
    above, _ = links
    tops, bottoms = [0.0] * len(rows), [0.0] * len(rows)
    at = 0.0
    for i in range(len(rows) - 1, -1, -1):
        tops[i] = at
        at += max((sizes[s][1] for s in rows[i] if s in sizes), default=0.0)
        bottoms[i] = at
        if i:
            far = max((abs(x[s] - x[reader]) for s in rows[i - 1] for reader in above.get(s, ())), default=0.0)
            at += RISE + min(far / 12, 30.0)
    return tops, bottoms
