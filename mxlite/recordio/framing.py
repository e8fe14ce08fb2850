# SPDX-License-Identifier: Apache-2.0
"""Records as bytes in a file.

A part is: the magic number; a word with three bits of what part it is and 29 bits of length; the bytes; zeros up to
a multiple of four. A record is one part, or several where its bytes hold the magic number at a multiple of four: there
it is cut, and the number itself left out, so that a reader who lands in the middle of a file finds a beginning.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from ..base import MXNetError

MAGIC = struct.pack("<I", 0xCED7230A)
#: Records are shorter than this.
LIMIT = 1 << 29
_BLOCK = 1 << 20
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_NAMES = ("a whole record", "the first part of a record", "a middle part", "the last part")
_HEAD = struct.Struct("<4sI")


def encode(record: bytes) -> bytes:
    """The bytes of `record` in a file.

    Raises:
        MXNetError: it has 2^29 bytes or more.
    """
    if len(record) >= LIMIT:
        raise MXNetError(f"a record has {len(record)} bytes; RecordIO takes less than {LIMIT} (512 MiB): split it")
    cuts = _magics(record)
    if not cuts:
        return b"".join((_HEAD.pack(MAGIC, len(record)), record, bytes(-len(record) % 4)))
    starts, ends = [0, *(at + 4 for at in cuts)], [*cuts, len(record)]
    kinds = [_FIRST, *[_MIDDLE] * (len(cuts) - 1), _LAST]
    parts = []
    for kind, start, end in zip(kinds, starts, ends, strict=True):
        parts += _HEAD.pack(MAGIC, kind << 29 | end - start), record[start:end], bytes((start - end) % 4)
    return b"".join(parts)


def _magics(record: bytes) -> list[int]:
    """The multiples of four at which the magic number stands."""
    found, at = [], record.find(MAGIC)
    while at >= 0:
        if at % 4 == 0:
            found.append(at)
        at = record.find(MAGIC, at + (4 if at % 4 == 0 else 1))
    return found


class Reader:
    """Reads records from a file, which is trusted in nothing.

    Args:
        file: open for reading bytes, at the beginning of a record.
        name: what messages call it.
    """

    def __init__(self, file: BinaryIO, name: str):
        self.file, self.name = file, name
        self.at = file.tell()
        self.size = 0

    def seek(self, at: int) -> None:
        """Go on at the byte `at`. MXNetError when the file is shorter."""
        if at < 0 or not self._has(at):
            raise MXNetError(f"{self.name!r} has {self.size} bytes, there is no record at offset {at}")
        self.at = self.file.seek(at)

    def read(self) -> bytes | None:
        """The next record, or None at the end of the file.

        Raises:
            MXNetError: the bytes are no record; the message has the file, the offset and what was expected. The
                place in the file is then what it was.
        """
        parts = self._parts(keep=True)
        return None if parts is None else MAGIC.join(parts)

    def skip(self) -> int | None:
        """Step over the next record, of which only the heads are read; where it began. None, errors: as `read`."""
        start = self.at
        return None if self._parts(keep=False) is None else start

    def find(self) -> bool:
        """Go to the first place from here on where a record may begin: to what follows one that is damaged.

        Returns:
            False when there is none; then this is the end of the file.
        """
        at = self.at + -self.at % 4
        while block := os.pread(self.file.fileno(), _BLOCK, at):
            for cut in _magics(block):
                head = block[cut : cut + 8]
                if len(head) == 8 and _HEAD.unpack(head)[1] >> 29 in (_WHOLE, _FIRST):
                    self.seek(at + cut)
                    return True
            # The last word may be a magic number whose length is in the next block.
            at += max(len(block) - 4, 4) // 4 * 4
        self.at = self.file.seek(0, os.SEEK_END)
        return False

    def _parts(self, keep: bool) -> list[bytes] | None:
        """The parts of the next record, empty ones where they need not be kept."""
        start = self.at
        head = self.file.read(8)
        if not head:
            return None
        try:
            return self._record(head, keep)
        except MXNetError:
            self.at = self.file.seek(start)
            raise

    def _record(self, head: bytes, keep: bool) -> list[bytes]:
        """The parts of the record that begins with `head`."""
        start, kind, length, part = self.at, *self._part(head, keep)
        if kind == _WHOLE:
            return [part]
        if kind != _FIRST:
            raise self._wrong(start, "the beginning of a record", _NAMES[kind])
        parts = [part]
        while kind != _LAST:
            start = self.at
            kind, more, part = self._part(self.file.read(8), keep)
            if kind not in (_MIDDLE, _LAST):
                raise self._wrong(start, "a further part of a record", _NAMES[kind])
            length += more + 4
            if length >= LIMIT:
                raise self._wrong(start, f"records of less than {LIMIT} bytes", f"parts of {length}")
            parts.append(part)
        return parts

    def _part(self, head: bytes, keep: bool) -> tuple[int, int, bytes]:
        """What part begins with `head`, its length, and its bytes."""
        if len(head) < 8:
            raise self._wrong(self.at, "the head of a record, 8 bytes", f"{len(head)} bytes and the end of the file")
        magic, word = _HEAD.unpack(head)
        if magic != MAGIC:
            raise self._wrong(self.at, f"the magic number {MAGIC.hex(' ')} of a record", magic.hex(" "))
        kind, length = word >> 29, word & LIMIT - 1
        if kind > _LAST:
            raise self._wrong(self.at + 4, "a kind of part from 0 to 3", str(kind))
        padded = length + -length % 4
        # Compared before it is read: reading would make a buffer of whatever size the file claims.
        if not self._has(self.at + 8 + padded):
            left = self.size - self.at - 8
            raise self._wrong(self.at + 8, f"{padded} bytes of a record", f"{left} bytes and the end of the file")
        if not keep:
            self.at = self.file.seek(self.at + 8 + padded)
            return kind, length, b""
        data = self.file.read(padded)
        if len(data) < padded:
            raise self._wrong(self.at + 8, f"{padded} bytes of a record", f"only {len(data)}")
        self.at += 8 + padded
        return kind, length, data[:length]

    def _has(self, size: int) -> bool:
        """Whether the file has `size` bytes; it may have grown."""
        if size > self.size:
            self.size = os.fstat(self.file.fileno()).st_size
        return size <= self.size

    def _wrong(self, at: int, expected: str, found: str) -> MXNetError:
        problem = f"offset {at}: expected {expected}, got {found}"
        return MXNetError(f"{self.name!r} is no RecordIO file, or damaged: {problem}")
