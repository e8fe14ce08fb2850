# SPDX-License-Identifier: Apache-2.0
"""`MXRecordIO`, a file of records in order, and `MXIndexedRecordIO`, the same with keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

from ..base import MXNetError
from . import framing


class UseError(MXNetError, AssertionError):
    """Reading from a file that is open for writing, or the other way round; MXNet raises a bare AssertionError."""


class IndexFileError(MXNetError, ValueError):
    """A line of an index file is not a key and an offset; MXNet raises a ValueError or an IndexError."""


class ProcessError(MXNetError):
    """A file is used in another process than the one that opened it."""


class MXRecordIO:
    """A file of records, each of any bytes; the file is the one that MXNet 1.9.1 writes, byte for byte.

    Args:
        uri: the path.
        flag: "r" to read, "w" to write a new file.

    Attributes:
        is_open: whether the file is open.
        writable: whether it is open for writing.

    A record is in the file when `write` returns. In a process made by fork, only what goes on at a known place works
    (`reset`, `MXIndexedRecordIO.seek` and `read_idx`): the two processes would move each other's position. A copy made
    by pickle reads from the beginning.

    Raises:
        ValueError: another flag.
        MXNetError: the file cannot be opened.

    Source: `mxnet.recordio.MXRecordIO`.
    """

    is_open = False
    writable = False

    def __init__(self, uri: Any, flag: str):
        self.uri = os.fspath(uri)
        self.flag = flag
        self.pid: int | None = None
        self.handle: BinaryIO | None = None
        self._reader: framing.Reader | None = None
        self.open()

    def open(self) -> None:
        """Open the file; one that is open is closed before. For writing this begins a new file."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"flag {self.flag!r} is none of 'r' (read) and 'w' (write a new file)")
        self.close()
        self.writable = self.flag == "w"
        try:
            # Unbuffered: a forked child that closes its copy has nothing left to write a second time.
            self.handle = open(self.uri, "wb", buffering=0) if self.writable else open(self.uri, "rb")  # noqa: SIM115
        except OSError as e:
            raise MXNetError(f"cannot open {self.uri!r}: {e.strerror or e}") from e
        self._reader = None if self.writable else framing.Reader(self.handle, self.uri)
        self.pid = os.getpid()
        self.is_open = True

    def close(self) -> None:
        """Close the file; again, nothing."""
        if self.handle is not None:
            self.handle.close()
        self.handle = self._reader = None
        self.is_open = False
        self.pid = None

    def reset(self) -> None:
        """Go back to the beginning; a file that is open for writing begins anew and is empty."""
        self.close()
        self.open()

    def __del__(self) -> None:
        if getattr(self, "handle", None) is not None:  # absent where the constructor failed
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        """All but the open file."""
        return {**self.__dict__, "handle": None, "_reader": None, "pid": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        was_open = state["is_open"]
        self.__dict__.update(state, is_open=False)
        # Opening for writing would empty the file that the original writes.
        if was_open and not self.writable:
            self.open()

    def write(self, buf: Any) -> None:
        """Append a record.

        Args:
            buf: bytes, or another object with a buffer.

        Raises:
            UseError: (an MXNetError and AssertionError) the file is not open for writing.
            TypeError: `buf` is text or no buffer.
            MXNetError: it has 2^29 bytes or more, or cannot be written.
        """
        self._write(buf)

    def _write(self, buf: Any) -> int:
        """Append a record; where it begins."""
        file = self._opened(writable=True)
        if not isinstance(buf, bytes | bytearray | memoryview):
            raise TypeError(f"a record is bytes, got {type(buf).__name__}; text.encode() makes bytes of a text")
        left = memoryview(framing.encode(bytes(buf)))
        start = file.tell()
        try:
            while left:
                left = left[file.write(left) or 0 :]
        except OSError as e:
            file.truncate(start)
            file.seek(start)
            raise MXNetError(f"cannot write to {self.uri!r}: {e.strerror or e}") from e
        return start

    def read(self) -> bytes | None:
        """The next record, or None at the end of the file.

        Raises:
            UseError: (an MXNetError and AssertionError) the file is not open for reading.
            MXNetError: the file is damaged (with file, offset and what was expected there); or, in a process made by
                fork, there is no place to go on from.
        """
        self._opened(writable=False)
        return self._reader.read() if self._reader is not None else None

    def _opened(self, writable: bool) -> BinaryIO:
        """The file, open for what is to be done."""
        if self.handle is None:
            again = "open() begins it anew" if self.flag == "w" else "open() it first"
            raise UseError(f"{self.uri!r} is closed; {again}")
        if writable != self.writable:
            done, wanted = ("write", "read") if self.writable else ("read", "write")
            raise UseError(f"{self.uri!r} is open to {done}, not to {wanted}: flag={self.flag!r}")
        if self.pid != os.getpid():
            does = "make a file of its own" if writable else "reset() here first"
            raise ProcessError(f"Forbidden operation in multiple processes: {self.uri!r} was opened by another; {does}")
        return self.handle


class MXIndexedRecordIO(MXRecordIO):
    """A file of records with keys. The keys stand in a second file: lines of key, tabulator, offset.

    Args:
        idx_path: the path of the index.
        uri: the path of the records.
        flag: "r" to read, "w" to write new files.
        key_type: what makes a key from its text, and from what is given to `write_idx`.

    Attributes:
        keys: the keys in their order in the index.
        idx: the offset of each key.

    Raises:
        FileNotFoundError: there is no index.
        IndexFileError: (an MXNetError and ValueError) a line of the index is not a key and an offset.
        ValueError, MXNetError: as for `MXRecordIO`.

    Source: `mxnet.recordio.MXIndexedRecordIO`.
    """

    def __init__(self, idx_path: Any, uri: Any, flag: str, key_type: Callable[[Any], Any] = int):
        self.idx_path = os.fspath(idx_path)
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        self.key_type = key_type
        self.fidx: Any = None
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files; for writing this begins new ones."""
        super().open()
        self.idx, self.keys = {}, []
        try:
            if self.writable:
                self.fidx = open(self.idx_path, "wb", buffering=0)  # noqa: SIM115
            else:
                self._read_index()
        except BaseException:
            self.close()
            raise

    def _read_index(self) -> None:
        with open(self.idx_path, encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    key, _, offset = line.rstrip("\n").partition("\t")
                    try:
                        key, at = self.key_type(key), int(offset.partition("\t")[0])
                    except ValueError:
                        kind = getattr(self.key_type, "__name__", "text")
                        problem = f"expected a key ({kind}), a tabulator and an offset, got {line.rstrip()!r:.80}"
                        raise IndexFileError(f"{self.idx_path!r}, line {number}: {problem}") from None
                    self.keys.append(key)
                    self.idx[key] = at

    def close(self) -> None:
        """Close both files; again, nothing."""
        super().close()
        if self.fidx is not None:
            self.fidx.close()
        self.fidx = None

    def __getstate__(self) -> dict[str, Any]:
        """All but the open files."""
        return {**super().__getstate__(), "fidx": None}

    def seek(self, idx: Any) -> None:
        """Go to the record of the key `idx`; `read` reads it.

        Raises:
            KeyError: there is no such key.
            UseError: (an MXNetError and AssertionError) the file is not open for reading.
            MXNetError: the index tells an offset that the file does not have.
        """
        if self.handle is not None and not self.writable and self.pid != os.getpid():
            self.reset()
        self._opened(writable=False)
        if idx not in self.idx:
            raise KeyError(f"key {idx!r} is not among the {len(self.idx)} of {self.idx_path!r}")
        if self._reader is not None:
            self._reader.seek(self.idx[idx])

    def tell(self) -> int:
        """The offset of the next record; of a file that is read, too."""
        if self._reader is not None:
            return self._reader.at
        return self._opened(writable=True).tell()

    def read_idx(self, idx: Any) -> bytes | None:
        """The record of the key `idx`; errors as for `seek` and `read`."""
        self.seek(idx)
        return self.read()

    def write_idx(self, idx: Any, buf: Any) -> None:
        """Append a record under the key `idx`; errors as for `write`. `read_idx` finds the last of a key."""
        key = self.key_type(idx)
        start = self._write(buf)
        self.fidx.write(f"{key}\t{start}\n".encode("utf-8", "surrogateescape"))
        self.idx[key] = start
        self.keys.append(key)
