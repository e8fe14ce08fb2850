# SPDX-License-Identifier: Apache-2.0
"""`CSVIter`: batches from files of numbers with commas between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Literal

import numpy as np

from mxlite_compiler.params import DType, Range, Shape

from ..base import MXNetError, explain
from .native import HostBatch, native
from .native_text import Lines, TextFiles, batches

Sizes = Annotated[Shape, Range(low=1)]


class _CsvFiles:
    name = "CSVIter"

    def __init__(
        self, data: str, label: str, shapes: tuple[Shape, Shape], size: int, carries: bool, ahead: int, dtype: np.dtype
    ):
        self.data = TextFiles(data, self.name)
        self.label = None if label == "NULL" else TextFiles(label, self.name)
        self.shapes, self.size, self.carries, self.ahead = shapes, size, carries, ahead
        self.dtype = self.label_dtype = dtype
        self.data_shape = (size, *shapes[0])
        self.label_shape = (size,) if shapes[1] == (1,) else (size, *shapes[1])

    def epoch(self, skip: int) -> Iterator[HostBatch]:
        return batches(self._begin, self.size, skip, None if self.carries else self._zeros, self.name)

    def _begin(self) -> tuple[Iterable[np.ndarray], Iterable[np.ndarray]]:
        data = map(partial(self._block, self.data, self.shapes[0], "data_shape"), self.data.pieces())
        if self.label is None:
            return data, itertools.repeat(self._zeros(self.size)[1])
        return data, map(partial(self._block, self.label, self.shapes[1], "label_shape"), self.label.pieces())

    def _zeros(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        data, label = (np.zeros((count, math.prod(shape)), self.dtype) for shape in self.shapes)
        return data, label

    def _block(self, files: TextFiles, shape: Shape, parameter: str, piece: Lines) -> np.ndarray:
        """The numbers of some lines, (lines that are not blank, numbers of a line)."""
        lines, width = [line.strip() for line in piece.lines], math.prod(shape)
        if piece.first == 1:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        given = [line for line in lines if line]
        if not given:
            return np.empty((0, width), self.dtype)
        wide = np.dtype(np.float64 if self.dtype.kind == "f" else np.int64)
        try:
            found = np.loadtxt(given, wide, delimiter=",", comments=None, ndmin=2)
        except ValueError:
            found = None  # a comma at the end of a line, a fraction among integers, or a mistake
        if found is None or found.shape[1] != width:
            values = [
                self._numbers(files, f"{parameter}={shape}", width, piece.path, number, line)
                for number, line in enumerate(lines, piece.first)
                if line
            ]
            found = np.array(values, wide)
        with np.errstate(over="ignore"):
            return found.astype(self.dtype)

    def _numbers(self, files: TextFiles, rule: str, width: int, path: str, line: int, text: bytes) -> list[float]:
        fields = text.removesuffix(b",").split(b",")
        if len(fields) != width:
            raise files.wrong(path, line, f"{len(fields)} numbers, {rule} needs {width}")
        found = []
        for column, field in enumerate(fields, 1):
            try:
                found.append(float(field) if self.dtype.kind == "f" else _integer(field))
            except (ValueError, OverflowError):
                told = field.decode("utf-8", "replace")
                raise files.wrong(path, line, f"column {column} is no {self.dtype}: {told!r:.40}") from None
        return found


def _integer(field: bytes) -> int:
    """The number without its fraction, in 64 bits."""
    try:
        found = int(field)
    except ValueError:
        found = int(float(field))
    if not -(2**63) <= found < 2**63:
        raise OverflowError
    return found


@native
def CSVIter(
    *,
    data_csv: str,
    data_shape: Sizes,
    batch_size: Annotated[int, Range(low=1)],
    label_csv: str = "NULL",
    label_shape: Sizes = (1,),
    round_batch: bool = True,
    prefetch_buffer: int = 4,
    ctx: Literal["cpu", "gpu"] = "gpu",
    dtype: DType | None = None,
) -> _CsvFiles:
    """Batches from files of numbers with commas between them, a row a line; read in pieces, ahead, by a thread.

    Blank lines are passed over, and so is a comma at the end of a line. In a file of integers a fraction is cut off.

    Args:
        data_csv: a path, a folder, or several with ``;`` between.
        data_shape: the shape of a row.
        batch_size: rows of a batch.
        label_csv: the same for labels; by default they are zeros.
        label_shape: the shape of a row of labels; (1,) makes labels of shape (batch_size,).
        round_batch: fill up the last batch with rows from the beginning, behind which the next epoch begins. Else the
            rows of the batch before stay where there are no new ones. Either way `pad` tells how many.
        prefetch_buffer: how many batches are read ahead.
        ctx: has no meaning here: batches begin on the host.
        dtype: float32 (the default), int32 or int64, of data and labels.
        data_name, label_name: names of the inputs, "data" and "softmax_label" by default.

    Raises:
        MXNetError: no such file; a line without as many numbers as `data_shape` has, or with something else (the
            message has file, line and column); fewer labels than rows; another dtype.

    Source: `mxnet.io.CSVIter`.
    """
    if dtype not in (None, "float32", "int32", "int64"):
        problem = f"{dtype} is not supported; dtypes are: float32, int32, int64"
        raise MXNetError(explain(problem, op="CSVIter"))
    shapes = data_shape, label_shape
    return _CsvFiles(data_csv, label_csv, shapes, batch_size, round_batch, prefetch_buffer, np.dtype(dtype or "f4"))
