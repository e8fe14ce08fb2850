# SPDX-License-Identifier: Apache-2.0
"""A file of records of which a part is read, by several threads, in any order."""

from __future__ import annotations

import os
import threading
import weakref
from typing import BinaryIO

import numpy as np

from ..base import MXNetError, explain
from ..log import ROOT
from ..recordio import MXIndexedRecordIO
from ..recordio.framing import Reader
from .image_params import Records


class RecordFile:
    """The records of a part of a file, by their numbers in the file.

    Args:
        told: which file, which part.
        op: who asks, for messages.
        skip: whether bytes that are no record are passed over, with a warning in the log.

    Attributes:
        numbers: of the records of the part.
        total: how many records the whole file has.

    Raises:
        MXNetError: a file is not there or damaged, there is no such part, or no record in it.
    """

    def __init__(self, told: Records, op: str, skip: bool):
        self.path, self.op = told.path_imgrec, op
        if not self.path:
            raise self._refused("path_imgrec is not given: it must name the file of the records")
        part, parts = told.part_index, told.num_parts
        if not 0 <= part < parts:
            raise self._refused(f"part_index={part} is not one of num_parts={parts} parts")
        try:
            self._size = os.path.getsize(self.path)
            self._offsets = self._indexed(told.path_imgidx) if told.path_imgidx else self._scanned(skip)
        except OSError as e:
            raise self._refused(f"cannot open {e.filename!r}: {e.strerror or e}") from e
        if told.path_imgidx:
            step = -(-len(self._offsets) // parts)
            start, stop = step * part, step * (part + 1)
        else:
            # As in MXNet, a part is a range of bytes; a record belongs to that in which it begins.
            step = (-(-self._size // parts) + 3) // 4 * 4
            start, stop = np.searchsorted(self._offsets, [step * part, step * (part + 1)])
        self.total = len(self._offsets)
        self.numbers = np.arange(self.total)[start:stop]
        if not len(self.numbers):
            where = f"part {part} of {parts} of {self.path!r}" if parts > 1 else f"{self.path!r}"
            raise self._refused(f"{where} holds no records")
        self._readers = threading.local()
        self._files: list[BinaryIO] = []
        weakref.finalize(self, _close, self._files)

    def _indexed(self, path: str) -> np.ndarray:
        """Where the records of the index begin, in the order of the file."""
        index = MXIndexedRecordIO(path, self.path, "r")
        index.close()
        try:
            return np.unique(np.array(list(index.idx.values()), np.int64))
        except OverflowError:
            raise self._refused(f"{path!r} tells offsets that no file has") from None

    def _scanned(self, skip: bool) -> np.ndarray:
        """Where the records begin; of each only the head is read."""
        found: list[int] = []
        # Unbuffered, for between two heads there is nothing to read.
        with open(self.path, "rb", buffering=0) as file:
            reader = Reader(file, self.path)  # pyright: ignore[reportArgumentType]
            while True:
                try:
                    while (at := reader.skip()) is not None:
                        found.append(at)
                    return np.array(found, np.int64)
                except MXNetError as e:
                    told = f"record {len(found)}: {e}"
                    if not skip:
                        raise self._refused(told) from None
                    ROOT.warning("%s: skipped: %s", self.op, told)
                reader.seek(min(reader.at + 4, self._size))
                reader.find()

    def where(self, number: int) -> str:
        """Where a record is, for messages."""
        return f"record {number} at offset {self._offsets[number]} of {self.path!r}"

    def read(self, number: int) -> bytes:
        """The bytes of a record. MXNetError when there are none."""
        reader = getattr(self._readers, "mine", None)
        if reader is None:
            try:
                file = open(self.path, "rb")  # noqa: SIM115 - closed with this object
            except OSError as e:
                raise MXNetError(f"cannot open {self.path!r}: {e.strerror or e}") from e
            self._files.append(file)
            reader = self._readers.mine = Reader(file, self.path)
        reader.seek(int(self._offsets[number]))
        record = reader.read()
        if record is None:
            raise MXNetError("the file ends before it")
        return record

    def _refused(self, problem: str) -> MXNetError:
        return MXNetError(explain(problem, op=self.op))


def _close(files: list[BinaryIO]) -> None:
    for file in files:
        file.close()
