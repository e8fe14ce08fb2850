# SPDX-License-Identifier: Apache-2.0
"""How an array shows itself: as text with a last line such as ``<NDArray 2x3 @cpu(0)>``; in a notebook as tables."""

from __future__ import annotations

import html as escape
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .handle import Handle


def text(array: Handle) -> str:
    """The printed form of `array`. Waits until it is computed."""
    return f"\n{array.asnumpy()!s}\n{_caption(array)}"


def _caption(array: Handle) -> str:
    return f"<{type(array).__name__} {'x'.join(map(str, array.shape))} @{array.context}>"


#: The most rows, columns and matrices that a notebook shows; of a larger array, that many less one, and the last.
ROWS, COLUMNS, MATRICES = 12, 12, 3


def html(array: Handle) -> str:
    """The array for a notebook: one table for each of its matrices, abbreviated when there is much. Waits.

    Only what is shown is copied from the device.
    """
    shape = array.shape
    about = f"{_caption(array)} {array._cell.dtype.name}"
    tables = "".join(_matrices(array)) if array.size and shape else ""
    lone = f"<pre>{escape.escape(str(array.asnumpy()))}</pre>" if not tables else ""
    return f'<div style="overflow-x: auto">{tables}{lone}<div><small>{escape.escape(about)}</small></div></div>'


def _matrices(array: Handle) -> Iterable[str]:
    shape = array.shape
    outer, (rows, columns) = shape[:-2], (1, *shape)[-2:]
    count = math.prod(outer)
    numbers, (across, down) = _shown(count, MATRICES), (_shown(columns, COLUMNS), _shown(rows, ROWS))
    flat: Any = array._part(0, (count, rows, columns))
    for number in numbers:
        if number is None:
            yield "<div>&#8942;</div>"
            continue
        place = np.unravel_index(number, outer) if outer else ()
        title = f"<div><small>[{', '.join(map(str, place))}]</small></div>" if outer else ""
        yield title + _table(flat._part(number * rows * columns, (rows, columns)), down, across)


def _shown(size: int, most: int) -> list[int | None]:
    """The indices that are shown of an axis; None stands for those left out."""
    return list(range(size)) if size <= most else [*range(most - 2), None, size - 1]


def _table(matrix: Any, rows: Sequence[int | None], columns: Sequence[int | None]) -> str:
    head = "".join(f"<th>{'&#8230;' if c is None else c}</th>" for c in columns)
    lines = [f"<tr><th></th>{head}</tr>"]
    for row, cells in zip(rows, _cells(matrix, rows, columns), strict=True):
        start = "&#8942;" if row is None else row
        lines.append(f"<tr><th>{start}</th>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _cells(matrix: Any, rows: Sequence[int | None], columns: Sequence[int | None]) -> list[list[str]]:
    """The shown elements of a matrix as text, with as many digits each as numpy prints."""
    wanted = [r for r in rows if r is not None]
    cut = matrix if len(wanted) == matrix.shape[0] else matrix[wanted]
    there = [c for c in columns if c is not None]
    values = (cut if len(there) == matrix.shape[1] else cut[:, there]).asnumpy()
    formatted = np.array2string(values, separator=",", threshold=values.size + 1, max_line_width=10**9)
    lines = [line.strip("[], ").split(",") for line in formatted.splitlines()]
    found = iter([[cell.strip() for cell in line] for line in lines])
    blank = ["&#8942;"] * len(columns)
    return [blank if r is None else _spread(next(found), columns) for r in rows]


def _spread(cells: list[str], columns: Sequence[int | None]) -> list[str]:
    rest = iter(cells)
    return ["&#8230;" if c is None else next(rest) for c in columns]
