# SPDX-License-Identifier: Apache-2.0
"""Places for the boxes of a layered graph (Sugiyama, Tagawa and Toda 1981): layers, order within them, positions."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

Point = tuple[float, float]

#: Room between boxes beside each other, between layers, and the width that a passing edge needs.
GAP, RISE, LANE = 24.0, 46.0, 14.0

_SWEEPS = 12


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything is; y grows downwards, and the inputs of the network are at the bottom.

    Attributes:
        centres: per node, the middle of its box.
        paths: per edge, in the given order, points from the reader's box down to the source's box.
        labels: per edge, the middle of its label.
        width, height: the size of the picture.
    """

    centres: dict[str, Point]
    paths: list[list[Point]]
    labels: list[Point]
    width: float
    height: float


def place(sizes: Mapping[str, Point], edges: Sequence[tuple[str, str]], labels: Sequence[float]) -> Layout:
    """Places for the nodes and edges of a network.

    Args:
        sizes: width and height of each node, in an order where inputs come first.
        edges: reader and source.
        labels: the width of each edge's label.
    """
    number = {name: i for i, name in enumerate(sizes)}
    # A name that stands for two nodes can close a circle; such an edge is drawn, but layers do not follow it.
    downward = [(r, s) for r, s in edges if number[s] < number[r]]
    layer = _layers(list(sizes), downward)
    slots, chains = _with_lanes(layer, downward)
    rows = _rows(slots)
    links = _links(chains)
    _order(rows, links)
    widths = {slot: sizes[slot][0] if slot in sizes else LANE for row in rows for slot in row}
    chain_of = {(chain[0], chain[-1]): chain for chain in chains}
    for edge, width in zip(edges, labels, strict=True):
        if len(chain_of.get(edge, ())) > 2:
            widths[_middle(chain_of[edge])] = max(LANE, width)
    x = _positions(rows, links, widths)
    y, height = _heights(rows, sizes)
    centres = {name: (x[name], y[layer[name]]) for name in sizes}
    paths, middles = [], []
    for reader, source in edges:
        chain = chain_of.get((reader, source), [reader, source])
        inner = [(x[lane], y[slots[lane]]) for lane in chain[1:-1]]
        top = (x[reader], centres[reader][1] + sizes[reader][1] / 2)
        bottom = (x[source], centres[source][1] - sizes[source][1] / 2)
        paths.append([top, *inner, bottom])
        lane = _middle(chain)
        middles.append((x[lane], y[slots[lane]]) if inner else ((top[0] + bottom[0]) / 2, (top[1] + bottom[1]) / 2))
    return Layout(centres, paths, middles, max(x[s] + widths[s] / 2 for s in x) + GAP, height)


def _middle(chain: Sequence[str]) -> str:
    return chain[len(chain) // 2]


def _layers(names: list[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
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
        if not sources[name] and readers[name]:
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
    for sweep in range(_SWEEPS):
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


def _crossings(rows: Sequence[Sequence[str]], below: Mapping[str, list[str]]) -> int:
    total = 0
    for i in range(1, len(rows)):
        at = {slot: k for k, slot in enumerate(rows[i - 1])}
        ends = [place for slot in rows[i] for place in sorted(at[n] for n in below.get(slot, ()))]
        total += sum(a > b for k, a in enumerate(ends) for b in ends[k + 1 :])
    return total


def _positions(
    rows: Sequence[Sequence[str]], links: tuple[dict[str, list[str]], dict[str, list[str]]], widths: Mapping[str, float]
) -> dict[str, float]:
    """x of every slot: as near to its neighbours as order and room allow; lanes weigh more, so they are straight."""
    x: dict[str, float] = {}
    for row in rows:
        edge = 0.0
        for slot in row:
            x[slot] = edge + widths[slot] / 2
            edge += widths[slot] + GAP
    above, below = links
    for sweep in range(2 * _SWEEPS):
        near = below if sweep % 2 == 0 else above
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted, weights = [], []
            for slot in row:
                others = near.get(slot) or (above.get(slot) if near is below else below.get(slot)) or [slot]
                wanted.append(sum(x[o] for o in others) / len(others))
                weights.append(4.0 if slot.startswith("\0") else 1.0)
            distances = [(widths[a] + widths[b]) / 2 + GAP for a, b in itertools.pairwise(row)]
            x.update(zip(row, spread(wanted, weights, distances), strict=True))
    left = min(x[s] - widths[s] / 2 for s in x) if x else 0.0
    return {slot: value - left + GAP for slot, value in x.items()}


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


def _heights(rows: Sequence[Sequence[str]], sizes: Mapping[str, Point]) -> tuple[list[float], float]:
    """The middle of each layer, the highest layer at the top, and the height of the picture."""
    y = [0.0] * len(rows)
    at = GAP
    for i in range(len(rows) - 1, -1, -1):
        tall = max((sizes[s][1] for s in rows[i] if s in sizes), default=0.0)
        y[i] = at + tall / 2
        at += tall + RISE
    return y, at - RISE + GAP
