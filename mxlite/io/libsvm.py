# SPDX-License-Identifier: Apache-2.0
"""`LibSVMIter`: sparse batches from files of ``label column:value column:value ...`` lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from mxlite_compiler.params import DType, Range, Shape

from ..base import MXNetError, explain
from .native import CsrRows, HostBatch, native
from .native_text import Lines, Stream, TextFiles, batches, row_count

_FLOAT32 = np.dtype(np.float32)


class _LibSvmFiles:
    name = "LibSVMIter"
    carries = True
    dtype = label_dtype = _FLOAT32

    def __init__(self, data: TextFiles, label: TextFiles | None, widths: tuple[int, int], size: int, ahead: int):
        self.data, self.label, self.widths, self.size, self.ahead = data, label, widths, size, ahead
        self.data_shape = (size, widths[0])
        self.label_shape = (size,) if label is None else (size, widths[1])
        #: Labels that belong to the parts of the data before this one.
        self._labels_before = 0
        if label is not None and data.start:
            self._labels_before = sum(1 for piece in data.pieces(0, data.start) for x in piece.lines if _content(x))

    def epoch(self, skip: int) -> Iterator[HostBatch]:
        return batches(self._begin, self.size, skip, None, self.name)

    def _begin(self) -> tuple[Iterable[Any], Iterable[Any] | None]:
        data = map(partial(_block, self.data, self.widths[0], "data_shape"), self.data.pieces())
        if self.label is None:
            return data, None
        labels = map(partial(_block, self.label, self.widths[1], "label_shape"), self.label.pieces())
        return (block[0] for block in data), self._behind(block[0] for block in labels)

    def _behind(self, labels: Iterator[CsrRows]) -> Iterator[CsrRows]:
        stream = Stream(labels)
        if self._labels_before:
            stream.take(self._labels_before)
        while (rows := stream.take(1 << 12)) is not None:
            yield rows
            if row_count(rows) < 1 << 12:
                return


def _content(line: bytes) -> list[bytes]:
    return line.partition(b"#")[0].split()


def _block(files: TextFiles, width: int, parameter: str, piece: Lines) -> tuple[CsrRows, np.ndarray]:
    """The rows of some lines, and what stands first in each."""
    values: list[bytes] = []
    columns: list[bytes] = []
    labels, starts, numbers = [], [0], []
    for number, line in enumerate(piece.lines, piece.first):
        words = _content(line)
        if not words:
            continue
        labels.append(words[0].partition(b":")[0])
        for word in words[1:]:
            column, colon, value = word.partition(b":")
            if column != b"qid":
                columns.append(column)
                values.append(value if colon else b"1")
        starts.append(len(values))
        numbers.append(number)
    try:
        found = CsrRows(np.array(values, _FLOAT32), np.array(columns, np.int64), np.array(starts))
        first = np.array(labels, _FLOAT32)
    except (ValueError, OverflowError):
        found, first = None, np.empty(0)
    if found is None or (len(columns) and not 0 <= found.columns.min() <= found.columns.max() < width):
        raise _told(files, width, parameter, piece.path, numbers, labels, starts, columns, values)
    return found, first


def _told(
    files: TextFiles,
    width: int,
    parameter: str,
    path: str,
    numbers: list[int],
    labels: list[bytes],
    starts: list[int],
    columns: list[bytes],
    values: list[bytes],
) -> MXNetError:
    """The error of the first line that is wrong."""
    for row, line in enumerate(numbers):
        if not _is_number(labels[row]):
            return files.wrong(path, line, f"expected a label, got {labels[row]!r:.40}")
        for at in range(starts[row], starts[row + 1]):
            pair = f"{columns[at].decode('utf-8', 'replace')}:{values[at].decode('utf-8', 'replace')}"
            if not columns[at].isdigit() or not _is_number(values[at]):
                return files.wrong(path, line, f"expected column:value, got {pair!r:.40}")
            if int(columns[at]) >= width:
                return files.wrong(path, line, f"{pair!r:.40}: {parameter}=({width},) has columns 0 to {width - 1}")
    return files.wrong(path, numbers[0], "a number that cannot be read")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@native
def LibSVMIter(
    *,
    data_libsvm: str,
    data_shape: Annotated[Shape, Range(low=1)],
    batch_size: Annotated[int, Range(low=1)],
    label_libsvm: str = "NULL",
    label_shape: Annotated[Shape, Range(low=1)] = (1,),
    num_parts: int = 1,
    part_index: int = 0,
    round_batch: bool = True,
    prefetch_buffer: int = 4,
    ctx: Literal["cpu", "gpu"] = "gpu",
    dtype: DType | None = None,
) -> _LibSvmFiles:
    """Batches of a sparse matrix from lines ``label column:value column:value ...``, columns counted from 0.

    The data is a CSRNDArray (batch_size, columns); the labels are what stands first in a line, or, from a file of their
    own, a CSRNDArray too. Both are float32. Behind a ``#`` is a comment; a column without a value has the value 1. Rows
    from the beginning fill up the last batch, `pad` tells how many, and the next epoch begins behind them.

    Args:
        data_libsvm: a path, a folder, or several with ``;`` between.
        data_shape: (columns,).
        batch_size: rows of a batch.
        label_libsvm: a file in the same form with the labels; what stands first in its lines is not used.
        label_shape: (columns,) of it.
        num_parts, part_index: read only one of so many parts of the data.
        round_batch: only True.
        prefetch_buffer: how many batches are read ahead.
        ctx: has no meaning here: batches begin on the host.
        dtype: only float32.
        data_name, label_name: names of the inputs, "data" and "softmax_label" by default.

    Raises:
        MXNetError: no such file or part; a line of another form, or a column that `data_shape` does not have (the
            message has file and line); fewer labels than rows; shapes that are not (columns,).

    Source: `mxnet.io.LibSVMIter`.
    """
    if len(data_shape) != 1:
        raise _refused(f"dimension of data_shape is expected to be 1: (columns,), not {data_shape}")
    if label_libsvm == "NULL" and math.prod(label_shape) != 1:
        raise _refused(f"label_shape is expected to be (1,) without label_libsvm, not {label_shape}")
    if label_libsvm != "NULL" and (len(label_shape) != 1 or label_shape == (1,)):
        raise _refused(f"label_shape is not expected to be {label_shape} with label_libsvm: give (columns,)")
    if not round_batch:
        raise _refused("round_batch=False is not supported for sparse batches")
    if dtype not in (None, "float32"):
        raise _refused(f"{dtype} is not supported; batches are float32")
    data = TextFiles(data_libsvm, "LibSVMIter", part_index, num_parts)
    label = None if label_libsvm == "NULL" else TextFiles(label_libsvm, "LibSVMIter")
    return _LibSvmFiles(data, label, (data_shape[0], label_shape[0]), batch_size, prefetch_buffer)


def _refused(problem: str) -> MXNetError:
    return MXNetError(explain(problem, op="LibSVMIter"))
