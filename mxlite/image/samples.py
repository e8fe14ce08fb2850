# SPDX-License-Identifier: Apache-2.0
"""Where the samples of an iterator come from: a file of records, in order or by key, or a list of picture files."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from ..io import DataError, DataIter, IterError
from ..log import ROOT
from ..ndarray import NDArray
from ..recordio import MXIndexedRecordIO, MXRecordIO, unpack
from ..recordio.lists import Listed, read_list


class ListError(MXNetError, ValueError):
    """A line of a list of pictures is not a number, labels and a path; MXNet raises a ValueError."""


class Sample(NamedTuple):
    """One sample that was read.

    Attributes:
        label: a number, or a vector of them.
        data: the content of a picture file.
        where: where it comes from, as errors tell it.
    """

    label: Any
    data: bytes
    where: str


_LABELS = ("int32", "float32", "int64", "float64")


class SampleIter(DataIter):
    """Reads samples one by one; `ImageIter` makes batches of them.

    Args:
        batch_size: rows of a batch.
        path_imgrec: a file of records.
        path_imglist: a list of pictures as `im2rec` makes it: number, labels and path, with tabulators between.
        path_root: the folder that paths of a list begin in.
        path_imgidx: the index of `path_imgrec`; needed to shuffle, and for parts.
        shuffle: a new order at each reset, by `random.shuffle`.
        part_index, num_parts: read only one of several equal parts.
        imglist: a list of [label, path] or [label, ..., path].
        dtype: of the labels of lists.

    Attributes:
        imgrec, imgidx, imglist: the records, their keys, and the list as a dictionary from key to label and path.
        seq: the keys in this epoch's order; None where records are read one behind the other.
        num_image: how many there are, if that is known.
        cur: how many have been given out since the reset.
    """

    def __init__(
        self,
        batch_size: int,
        path_imgrec: Any,
        path_imglist: Any,
        path_root: Any,
        path_imgidx: Any,
        shuffle: bool,
        part_index: int,
        num_parts: int,
        imglist: Any,
        dtype: Any,
    ):
        if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__") or batch_size < 1:
            raise ValueError(f"batch_size must be a positive integer, got {batch_size!r}")
        super().__init__(int(batch_size))
        if not path_imgrec and not path_imglist and not isinstance(imglist, list):
            raise DataError("one of path_imgrec, path_imglist and imglist (a list) is needed to find pictures")
        if np.dtype(dtype).name not in _LABELS:
            raise DataError(f"{np.dtype(dtype).name} label not supported; dtype is one of {', '.join(_LABELS)}")
        self.imgrec: MXRecordIO | None = None
        self.imgidx: list[Any] | None = None
        self.imglist: dict[Any, tuple[np.ndarray, str]] = {}
        self.path_root, self.shuffle = path_root, shuffle
        self.seq: list[Any] | None = None
        if path_imgrec:
            self._open(path_imgrec, path_imgidx)
        if path_imglist:
            ROOT.info("%s: loading image list %s...", type(self).__name__, path_imglist)
            self.imglist = {x.number: (np.array(x.labels, dtype), x.path) for x in _listed(path_imglist)}
        elif isinstance(imglist, list):
            self.imglist = {str(i): _entry(row, dtype) for i, row in enumerate(imglist, 1)}
        if self.imgrec is None:
            self.seq = list(self.imglist)
        elif self.imgidx is not None:
            self.seq = list(self.imgidx)
        elif shuffle or num_parts > 1:
            raise IterError("shuffle and parts need path_imgidx, the index of the records; mxlite im2rec writes it")
        if num_parts > 1 and self.seq is not None:
            if not 0 <= part_index < num_parts:
                raise IterError(f"part_index={part_index} must be from 0 to num_parts - 1 = {num_parts - 1}")
            size = len(self.seq) // num_parts
            self.seq = self.seq[part_index * size : (part_index + 1) * size]
        self.num_image = None if self.seq is None else len(self.seq)
        self.cur = 0

    def _open(self, path: Any, index: Any) -> None:
        ROOT.info("%s: loading recordio %s...", type(self).__name__, path)
        if index:
            records = MXIndexedRecordIO(index, path, "r")
            self.imgrec, self.imgidx = records, list(records.keys)
        else:
            self.imgrec = MXRecordIO(path, "r")

    def _rewind(self, shuffle: bool) -> None:
        """Begin again, in a new order if one is wanted."""
        if shuffle and self.seq is not None:
            random.shuffle(self.seq)
        if self.imgrec is not None:
            self.imgrec.reset()
        self.cur = 0

    def _place(self) -> dict[str, Any]:
        """The order of this epoch, and how many samples it has given."""
        seq = self.seq
        numbers = seq is not None and all(type(key) is int for key in seq)
        return {"seq": np.array(seq) if numbers else None if seq is None else list(seq), "cur": self.cur}

    def _go_to(self, place: Mapping[str, Any]) -> None:
        """Go on where `_place` was called. IterError: it is one of other samples."""
        seq = None if place["seq"] is None else np.asarray(place["seq"]).tolist()
        if set(map(str, seq or ())) != set(map(str, self.seq or ())):
            raise IterError(f"the state is one of {len(seq or ())} other samples than the {len(self.seq or ())} here")
        self.seq = seq
        self._rewind(shuffle=False)
        for number in range(place["cur"] if seq is None else 0):
            with contextlib.suppress(MXNetError):  # what is damaged was passed over then, too
                self._read_next(number)
        self.cur = place["cur"]

    def _read(self, number: int) -> Sample | None:
        """The sample `number` of this epoch, or None behind the last; records without an index come as they stand.

        Raises:
            MXNetError: the record is damaged; the message has file and offset.
            OSError: a picture file cannot be read.
        """
        if self.seq is None:
            return self._read_next(number)
        if number >= len(self.seq):
            return None
        key = self.seq[number]
        if not isinstance(self.imgrec, MXIndexedRecordIO):
            label, path = self.imglist[key]
            return Sample(label, self.read_image(path), f"filename: {path}")
        where = f"index: {key}, record at offset {self.imgrec.idx.get(key)} of {self.imgrec.uri!r}"
        sample = _sample(self.imgrec.read_idx(key), where)
        return sample._replace(label=self.imglist[key][0]) if self.imglist else sample

    def _read_next(self, number: int) -> Sample | None:
        records = self.imgrec
        if records is None or records._reader is None:
            return None
        reader = records._reader
        where = f"number: {number}, record at offset {reader.at} of {records.uri!r}"
        try:
            record = records.read()
        except MXNetError:
            # The next call goes on behind what is damaged.
            reader.seek(min(reader.at + 4, os.path.getsize(records.uri)))
            reader.find()
            raise
        return None if record is None else _sample(record, where)

    def read_image(self, fname: str) -> bytes:
        """The content of a picture file of the list; OSError when it cannot be read."""
        with open(os.path.join(self.path_root or "", fname), "rb") as f:
            return f.read()


def _sample(record: bytes | None, where: str) -> Sample:
    try:
        header, data = unpack(record or b"")
    except MXNetError as e:
        raise broken(where, e) from None
    return Sample(header.label, data, where)


def broken(where: str, error: Exception) -> MXNetError:
    """The error for a sample that is no picture."""
    return MXNetError(f"Broken image {where}: {error}")


def _entry(row: Any, dtype: Any) -> tuple[np.ndarray, str]:
    """Label and path from an element of `imglist`."""
    if not isinstance(row, list | tuple) or len(row) < 2:
        raise DataError(f"imglist has elements [label, path] or [label, ..., path], got {row!r:.80}")
    label = row[0] if len(row) == 2 else row[:-1]
    values = label.asnumpy() if isinstance(label, NDArray) else label
    return np.atleast_1d(np.asarray(values, dtype)), row[-1]


def _listed(path: Any) -> list[Listed]:
    """The pictures of a list. OSError when there is none, ListError when a line is none."""
    os.stat(path)  # a file that is missing is an OSError in MXNet
    try:
        return list(read_list(os.fspath(path)))
    except MXNetError as e:
        raise ListError(str(e)) from None
