# SPDX-License-Identifier: Apache-2.0
"""The parts of a long network: cut where everything passes one node, and equal parts in a row found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Hashable, Mapping, Sequence

Edge = tuple[str, str]

#: Nodes that a part must have to be worth a frame, or to be shown once for many.
_SMALLEST = 3
#: The longest run of parts that is looked for as one repeated block.
_LONGEST_RUN = 24


@dataclasses.dataclass(frozen=True)
class Block:
    """Neighbouring nodes of a network that are drawn together.

    Attributes:
        names: the nodes, inputs first.
        entry: the node before, through which all comes that the block reads from outside; None for the first.
        count: how many equal blocks this one stands for.
        title: what they are called; empty for a block without a frame.
    """

    names: tuple[str, ...]
    entry: str | None
    count: int = 1
    title: str = ""


def blocks(
    names: Sequence[str], edges: Sequence[tuple[str, str, Hashable]], kinds: Mapping[str, Hashable], fold: bool
) -> list[Block]:
    """Cut a network into blocks.

    Args:
        names: the nodes, inputs first.
        edges: reader, source, and what else tells edges apart.
        kinds: per node, what it has in common with nodes that do the same.
        fold: let one block stand for all equal blocks that follow it.
    """
    plain = [(reader, source) for reader, source, _ in edges]
    parts = _named(_cut(names, plain), plain)
    inner = {reader for reader, _ in plain}
    signs = _signatures(parts, edges, kinds) if fold else list(range(len(parts)))
    found: list[Block] = []
    at, entry = 0, None
    while at < len(parts):
        run, count = _repeats(signs, parts, at, inner)
        one = [n for part in parts[at : at + run] for n in part]
        last = [n for part in parts[at + run * (count - 1) : at + run * count] for n in part]
        big = sum(n in inner for n in one) >= _SMALLEST
        title = _title(one, last, inner) if count > 1 or big else ""
        found.append(Block(tuple(one), entry, count, title))
        entry = last[-1]
        at += run * count
    framed = [b for b in found if b.title]
    if len(framed) == 1 and framed[0].count == 1:
        return [dataclasses.replace(b, title="") for b in found]
    return found


def _cut(names: Sequence[str], edges: Sequence[Edge]) -> list[list[str]]:
    """Cut after each node that is the only one read from there on, and that all before it leads to."""
    number = {name: i for i, name in enumerate(names)}
    last: dict[int, int] = {}
    back = [0] * (len(names) + 1)  # an edge backwards, between nodes of one name, keeps all between together
    for reader, source in edges:
        r, s = number[reader], number[source]
        last[s] = max(last.get(s, s), r)
        if r <= s:
            back[r] += 1
            back[s] -= 1
    parts: list[list[str]] = [[]]
    reach = circles = ends = 0
    for i, name in enumerate(names):
        parts[-1].append(name)
        circles += back[i]
        ends += i not in last
        if reach <= i < last.get(i, i) and not circles and not ends:
            parts.append([])
        reach = max(reach, last.get(i, i))
    return [part for part in parts if part]


def _named(parts: list[list[str]], edges: Sequence[Edge]) -> list[list[str]]:
    """Join a part that branches with the plain chain around it, as far as their names begin alike."""
    inner = {reader for reader, _ in edges}
    sizes = [sum(n in inner for n in part) for part in parts]
    owner = list(range(len(parts)))
    for i, part in enumerate(parts):
        prefix = _prefix(part, inner) if sizes[i] >= _SMALLEST else ""
        if not prefix:
            continue
        for step in (-1, 1):
            j = i + step
            while 0 < j < len(parts) and sizes[j] < _SMALLEST and owner[j] == j and parts[j][-1].startswith(prefix):
                owner[j] = i
                j += step
    joined: list[list[str]] = []
    for i, part in enumerate(parts):
        if i and owner[i] == owner[i - 1]:
            joined[-1] += part
        else:
            joined.append(list(part))
    return joined


def commonprefix(names: Sequence[str]) -> str:
    """How all `names` begin."""
    low, high = min(names), max(names)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _prefix(names: Sequence[str], inner: set[str]) -> str:
    """How the names begin, up to a separator; names such as ``_plus0``, which nobody chose, do not count."""
    chosen = [n for n in names if n in inner and not n.startswith("_")]
    common = commonprefix(chosen) if len(chosen) > 1 else ""
    match = re.match(r"(.*[A-Za-z0-9])[_/.\-]", common)
    return match.group(0) if match else ""


def _signatures(
    parts: Sequence[Sequence[str]], edges: Sequence[tuple[str, str, Hashable]], kinds: Mapping[str, Hashable]
) -> list[int]:
    """A number per part; equal for parts of the same nodes, joined in the same way."""
    reads: dict[str, list[tuple[str, Hashable]]] = {}
    for reader, source, label in edges:
        reads.setdefault(reader, []).append((source, label))
    numbers: dict[Hashable, int] = {}
    signs = []
    for part in parts:
        local = {name: i for i, name in enumerate(part)}
        sign = tuple(
            (kinds[name], tuple((local.get(source, -1), label) for source, label in reads.get(name, ())))
            for name in part
        )
        signs.append(numbers.setdefault(sign, len(numbers)))
    return signs


def _repeats(signs: Sequence[int], parts: Sequence[Sequence[str]], at: int, inner: set[str]) -> tuple[int, int]:
    """How many parts from `at` on make a block, and how often it comes; (1, 1) where nothing repeats."""
    best, most = (1, 1), 0
    for run in range(1, min(_LONGEST_RUN, (len(signs) - at) // 2) + 1):
        count = 1
        while signs[at + run * count : at + run * (count + 1)] == signs[at : at + run]:
            count += 1
        nodes = sum(n in inner for part in parts[at : at + run] for n in part)
        if count > 1 and nodes >= _SMALLEST and nodes * (count - 1) > most:
            best, most = (run, count), nodes * (count - 1)
    run, count = best
    # A run can be read from any of its parts on; the reading whose names begin alike is the one that was meant.
    if count > 1 and run > 1 and not _prefix([n for p in parts[at : at + run] for n in p], inner):
        for shift in range(1, run):
            start = at + shift
            same = signs[start : start + run * (count - 1)] == signs[start + run : start + run * count]
            if same and _prefix([n for p in parts[start : start + run] for n in p], inner):
                return 1, 1
    return best


def _title(first: Sequence[str], last: Sequence[str], inner: set[str]) -> str:
    """``stage1_unit1``, or ``stage3_unit2 to unit6``."""
    begin, end = (_prefix(part, inner).rstrip("_/.-") or part[-1] for part in (first, last))
    same = re.match(r".*[_/.\-]", commonprefix([begin, end]))
    return begin if begin == end else f"{begin} to {end[same.end() if same else 0 :]}"
