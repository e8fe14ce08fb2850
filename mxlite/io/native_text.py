# SPDX-License-Identifier: Apache-2.0
"""Text files in pieces, and batches from streams of rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError, explain
from .native import CsrRows, HostBatch

#: So much of a file is in memory at a time, and what the batches read ahead need.
PIECE = 1 << 18

Rows = Any  # np.ndarray or CsrRows


class Lines(NamedTuple):
    """Lines of a file, blank ones included, with the number of the first."""

    path: str
    first: int
    lines: list[bytes]


class TextFiles:
    """The files of an address: a path, a folder (its files in order of names), or several with ``;`` between.

    Args:
        uri: the address; each may begin with ``file://``.
        op: who asks, for messages.
        part, parts: read one of so many parts. As in MXNet, files are cut at bytes, and the line that a cut meets
            belongs to the part before.

    Raises:
        MXNetError: a file is not there, or all are empty, or there is no such part.
    """

    def __init__(self, uri: str, op: str, part: int = 0, parts: int = 1):
        if not 0 <= part < parts:
            raise MXNetError(explain(f"part_index={part} is not one of num_parts={parts} parts", op=op))
        self.uri, self.op, self.paths = uri, op, []
        try:
            for each in uri.split(";"):
                path = each.removeprefix("file://")
                inside = [os.path.join(path, x) for x in sorted(os.listdir(path))] if os.path.isdir(path) else [path]
                self.paths += [x for x in inside if not os.path.isdir(x)]
            self.sizes = [os.path.getsize(path) for path in self.paths]
        except OSError as e:
            raise MXNetError(explain(f"cannot open {e.filename!r}: {e.strerror or e}", op=op)) from e
        self.total = sum(self.sizes)
        if not self.total:
            raise MXNetError(explain(f"{uri!r} is empty", op=op))
        step = -(-self.total // parts)
        self.start, self.stop = step * part, min(step * (part + 1), self.total)

    def pieces(self, start: int | None = None, stop: int | None = None) -> Iterator[Lines]:
        """The lines of the part, or of those that begin behind byte `start` and not behind byte `stop`."""
        start, stop = self.start if start is None else start, self.stop if stop is None else stop
        at = 0
        for path, size in zip(self.paths, self.sizes, strict=True):
            if at + size <= start:
                at += size
                continue
            number = 1
            for lines in _whole_lines(path, self.op):
                first, kept, behind = number, [], False
                for line in lines:
                    if behind := at > stop or (at == stop and number == 1):
                        break
                    if at > start or at == start == 0 or (at == start and number == 1):
                        kept.append(line)
                    elif not kept:
                        first = number + 1
                    at += len(line)
                    number += 1
                if kept:
                    yield Lines(path, first, kept)
                if behind:
                    return

    def wrong(self, path: str, line: int, problem: str) -> MXNetError:
        """The error that tells of a line."""
        return MXNetError(explain(f"{path!r}, line {line}: {problem}", op=self.op))


def _whole_lines(path: str, op: str) -> Iterator[list[bytes]]:
    """The lines of a file with their ends, some at a time."""
    try:
        with open(path, "rb") as file:
            rest = b""
            while piece := file.read(PIECE):
                piece = rest + piece
                cut = (piece.rfind(b"\n") if b"\n" in piece else piece[:-1].rfind(b"\r")) + 1
                rest = piece[cut:]
                yield piece[:cut].splitlines(keepends=True)
            yield rest.splitlines(keepends=True)
    except OSError as e:
        raise MXNetError(explain(f"cannot read {path!r}: {e.strerror or e}", op=op)) from e


class Stream:
    """Rows that come in blocks, taken in any numbers."""

    def __init__(self, blocks: Iterable[Rows]):
        self._blocks = iter(blocks)
        self._rest: Rows | None = None

    def take(self, count: int) -> Rows | None:
        """The next `count` rows, or as many as there are; None when there are none."""
        parts: list[Rows] = []
        while count:
            block = self._rest if self._rest is not None else next(self._blocks, None)
            if block is None:
                break
            many = row_count(block)
            if not many:  # the lines were blank
                continue
            parts.append(part_of(block, 0, min(count, many)))
            self._rest = part_of(block, count, many) if count < many else None
            count -= row_count(parts[-1])
        return joined(parts) if parts else None


def row_count(rows: Rows) -> int:
    """How many rows these are; rows of a matrix and of labels in a tuple count once."""
    if isinstance(rows, CsrRows):
        return len(rows.starts) - 1
    return row_count(rows[0]) if isinstance(rows, tuple) else len(rows)


def part_of(rows: Rows, start: int, stop: int) -> Rows:
    """Some rows."""
    if isinstance(rows, CsrRows):
        a, b = rows.starts[start], rows.starts[stop]
        return CsrRows(rows.values[a:b], rows.columns[a:b], rows.starts[start : stop + 1] - a)
    return tuple(part_of(x, start, stop) for x in rows) if isinstance(rows, tuple) else rows[start:stop]


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows behind rows."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], CsrRows):
        ends = np.cumsum([0, *(len(p.values) for p in parts)])
        starts = [p.starts[:-1] + end for p, end in zip(parts, ends, strict=False)]
        values, columns = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
        return CsrRows(values, columns, np.concatenate([*starts, ends[-1:]]))
    if isinstance(parts[0], tuple):
        return tuple(map(joined, zip(*parts, strict=True)))
    return np.concatenate(parts)


def batches(
    begin: Callable[[], tuple[Iterable[Rows], Iterable[Rows] | None]],
    size: int,
    skip: int,
    fill: Callable[[int], Rows] | None,
    op: str,
) -> Iterator[HostBatch]:
    """The batches of an epoch.

    Args:
        begin: opens the blocks of data and those of labels; without the latter, data comes as (data, labels).
        size: rows of a batch.
        skip: rows to leave out in the beginning.
        fill: None to fill up the last batch from the beginning; else it makes rows for when there is no batch before,
            whose rows stay where there are no new ones.
        op: who asks, for messages.

    Raises:
        MXNetError: fewer labels than rows, or too few rows to fill up a batch.
    """

    def opened() -> Callable[[int], tuple[Rows, Rows] | None]:
        data, label = begin()
        if label is None:
            return Stream(data).take
        rows, labels = Stream(data), Stream(label)

        def take(count: int) -> tuple[Rows, Rows] | None:
            x = rows.take(count)
            if x is None:
                return None
            y = labels.take(row_count(x))
            if y is None or row_count(y) < row_count(x):
                raise MXNetError(explain("there are fewer labels than rows of data", op=op))
            return x, y

        return take

    take, number, before = opened(), skip, None
    if skip:
        take(skip)
    while (now := take(size)) is not None:
        data, label = now
        count = row_count(data)
        numbers, pad = np.arange(number, number + count, dtype=np.uint64), size - count
        if pad:
            if fill is None:
                more = opened()(pad)
                if more is None or row_count(more) < pad:
                    problem = f"number of input must be bigger than batch size: there are too few rows for {size}"
                    raise MXNetError(explain(problem, op=op))
                ends = *more, np.arange(pad, dtype=np.uint64)
            else:
                old = before or (*fill(size), np.zeros(size, np.uint64))
                ends = part_of(old, count, size)
            data, label, numbers = joined([(data, label, numbers), ends])
        before = data, label, numbers
        yield HostBatch(data, label, pad, numbers)
        if pad:
            return
        number += size
