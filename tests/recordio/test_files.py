# SPDX-License-Identifier: Apache-2.0
"""Files of records: the bytes that MXNet 1.9.1 wrote, and what is made of files that are damaged."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxlite as mx
from mxlite.recordio import MXIndexedRecordIO, MXRecordIO, UseError
from mxlite.recordio.framing import LIMIT, MAGIC, encode

GOLDEN = Path(__file__).parent.parent / "golden" / "recordio"
FACTS: dict[str, Any] = json.loads((GOLDEN / "recordio.json").read_text())


def record(told: str) -> bytes | int:
    """What the facts tell of a record: its bytes, or of a long one the length."""
    return int(told[4:]) if told.startswith("len:") else bytes.fromhex(told)


def records(path: Path | str) -> list[bytes]:
    reader, found = MXRecordIO(path, "r"), []
    while (each := reader.read()) is not None:
        found.append(each)
    assert reader.read() is None
    return found


def written(path: Path, these: list[bytes]) -> bytes:
    writer = MXRecordIO(path, "w")
    for each in these:
        writer.write(each)
    writer.close()
    return path.read_bytes()


def test_reads_what_mxnet_wrote() -> None:
    told = [record(x) for x in FACTS["plain.rec"]["records_hex"]]
    found = records(GOLDEN / "plain.rec")
    assert len(found) == len(told)
    assert all(len(x) == t if isinstance(t, int) else x == t for x, t in zip(found, told, strict=True))


def test_writes_what_mxnet_wrote(tmp_path: Path) -> None:
    for name in ("plain.rec", "indexed.rec", "images.rec"):
        assert written(tmp_path / "x.rec", records(GOLDEN / name)) == (GOLDEN / name).read_bytes()


def test_index(tmp_path: Path) -> None:
    facts = FACTS["indexed.rec"]
    reader = MXIndexedRecordIO(GOLDEN / "indexed.idx", GOLDEN / "indexed.rec", "r")
    assert reader.keys == facts["keys"]
    writer = MXIndexedRecordIO(tmp_path / "x.idx", tmp_path / "x.rec", "w")
    for key, told in reversed([*zip(reader.keys, facts["records_hex"], strict=True)]):
        assert reader.read_idx(key) == record(told)
    for key in reader.keys:
        writer.write_idx(key, reader.read_idx(key))
    writer.close()
    assert (tmp_path / "x.idx").read_text() == facts["idx_text"]
    assert (tmp_path / "x.rec").read_bytes() == (GOLDEN / "indexed.rec").read_bytes()


@given(st.lists(st.lists(st.sampled_from([MAGIC, MAGIC[:2], b"", b"abcd", b"x", bytes(4)])).map(b"".join), max_size=6))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, these: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "round.rec"
    data = written(path, these)
    assert records(path) == these
    assert len(data) % 4 == 0 and data == b"".join(map(encode, these))


def test_a_record_that_is_too_long() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return LIMIT

    with pytest.raises(mx.MXNetError, match="less than 536870912"):
        encode(Long())


def test_keys(tmp_path: Path) -> None:
    idx, rec = tmp_path / "x.idx", tmp_path / "x.rec"
    writer = MXIndexedRecordIO(idx, rec, "w")
    for key, data in ((3, b"rec3"), (1, b"rec1"), (2.7, b"f"), (3, b"dup")):
        writer.write_idx(key, data)
    assert (writer.keys, writer.idx, writer.tell()) == ([3, 1, 2, 3], {3: 36, 1: 12, 2: 24}, 48)
    with pytest.raises(ValueError, match="invalid literal"):
        writer.write_idx("s", b"x")
    assert writer.tell() == 48
    writer.close()
    assert idx.read_text() == "3\t0\n1\t12\n2\t24\n3\t36\n"
    reader = MXIndexedRecordIO(idx, rec, "r")
    assert reader.read_idx(3) == b"dup" and reader.read() is None
    reader.seek(1)
    assert (reader.tell(), reader.read(), reader.read()) == (12, b"rec1", b"f")
    with pytest.raises(KeyError, match="key 9 is not among the 3"):
        reader.read_idx(9)
    assert MXIndexedRecordIO(idx, rec, "r", key_type=str).keys == ["3", "1", "2", "3"]


@pytest.mark.parametrize("line", ["x\t0", "0\tx", "0 0", "0"])
def test_a_wrong_index(tmp_path: Path, line: str) -> None:
    idx = tmp_path / "x.idx"
    idx.write_text(f"7\t0\n{line}\n")
    with pytest.raises(ValueError, match=r"x\.idx', line 2: expected a key \(int\)") as told:
        MXIndexedRecordIO(idx, GOLDEN / "indexed.rec", "r")
    assert isinstance(told.value, mx.MXNetError)
    idx.write_text("7\t4000\n")
    with pytest.raises(mx.MXNetError, match="360 bytes, there is no record at offset 4000"):
        MXIndexedRecordIO(idx, GOLDEN / "indexed.rec", "r").read_idx(7)
    idx.unlink()
    with pytest.raises(FileNotFoundError):
        MXIndexedRecordIO(idx, GOLDEN / "indexed.rec", "r")


def test_wrong_use(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    writer = MXRecordIO(path, "w")
    with pytest.raises(UseError, match="open to write, not to read") as told:
        writer.read()
    assert isinstance(told.value, AssertionError)
    with pytest.raises(TypeError, match="got str"):
        writer.write("text")
    writer.write(bytearray(b"abc"))
    writer.close()
    writer.close()
    assert not writer.is_open
    with pytest.raises(UseError, match="is closed"):
        writer.write(b"x")
    reader = MXRecordIO(path, "r")
    with pytest.raises(UseError, match="open to read, not to write"):
        reader.write(b"x")
    assert reader.read() == b"abc"
    with pytest.raises(ValueError, match="'a' is none of 'r'"):
        MXRecordIO(path, "a")
    with pytest.raises(mx.MXNetError, match=r"cannot open '.*nope.rec': No such file"):
        MXRecordIO(tmp_path / "nope.rec", "r")


def test_reset(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    writer = MXRecordIO(path, "w")
    writer.write(b"abc")
    assert records(path) == [b"abc"]  # in the file at once
    writer.reset()
    writer.write(b"d")
    assert records(path) == [b"d"]
    reader = MXRecordIO(path, "r")
    assert [reader.read(), reader.read(), reader.reset(), reader.read()] == [b"d", None, None, b"d"]


def test_pickle(tmp_path: Path) -> None:
    reader = MXIndexedRecordIO(GOLDEN / "indexed.idx", GOLDEN / "indexed.rec", "r")
    first = reader.read()
    copy = pickle.loads(pickle.dumps(reader))
    assert (copy.is_open, copy.keys, copy.read()) == (True, reader.keys, first)
    assert copy.read_idx(7) == reader.read_idx(7)
    path = tmp_path / "x.rec"
    writer = MXRecordIO(path, "w")
    writer.write(b"abc")
    copy = pickle.loads(pickle.dumps(writer))
    assert records(path) == [b"abc"] and not copy.is_open
    reader.close()
    assert not pickle.loads(pickle.dumps(reader)).is_open


def test_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that sees another process id than the one that opened the file is one made by fork."""
    path = tmp_path / "x.rec"
    writer, reader = MXRecordIO(path, "w"), MXIndexedRecordIO(GOLDEN / "indexed.idx", GOLDEN / "indexed.rec", "r")
    writer.write(b"abc")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="Forbidden operation in multiple processes"):
        reader.read()
    with pytest.raises(RuntimeError, match="Forbidden operation in multiple processes"):
        writer.write(b"x")
    before = reader.handle
    assert reader.read_idx(5) == MAGIC and reader.handle is not before
    assert reader.read() == MAGIC * 2


def head(kind: int, length: int) -> bytes:
    return MAGIC + struct.pack("<I", kind << 29 | length)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\x01" * 32, "offset 12: expected the magic number 0a 23 d7 ce of a record, got 01 01 01 01"),
        (MAGIC, "offset 12: expected the head of a record, 8 bytes, got 4 bytes and the end of the file"),
        (head(0, 5) + b"abcde", "offset 20: expected 8 bytes of a record, got 5 bytes and the end of the file"),
        (head(0, LIMIT - 1) + b"abcde", "offset 20: expected 536870912 bytes of a record, got 5"),
        (head(5, 0), "offset 16: expected a kind of part from 0 to 3, got 5"),
        (head(2, 0), "offset 12: expected the beginning of a record, got a middle part"),
        (head(3, 0), "offset 12: expected the beginning of a record, got the last part"),
        (head(1, 0), "offset 20: expected the head of a record"),
        (head(1, 0) + head(0, 0), "offset 20: expected a further part of a record, got a whole record"),
    ],
)
def test_damaged(tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "y.rec"
    path.write_bytes(encode(b"good") + data)
    reader = MXRecordIO(path, "r")
    assert reader.read() == b"good"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):  # what failed once, fails again at the same place
        with pytest.raises(mx.MXNetError, match=r"y\.rec' is no RecordIO file, or damaged: " + match):
            reader.read()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 1 << 16  # KiB


def test_every_cut_and_every_byte(tmp_path: Path) -> None:
    whole = (GOLDEN / "indexed.rec").read_bytes()
    good, path = records(GOLDEN / "indexed.rec"), tmp_path / "z.rec"
    for end in range(0, len(whole), 3):
        path.write_bytes(whole[:end])
        reader, found = MXRecordIO(path, "r"), []
        try:
            while (each := reader.read()) is not None:
                found.append(each)
        except mx.MXNetError:
            pass
        assert found == good[: len(found)]
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            records(path)
        except mx.MXNetError as e:
            assert "z.rec" in str(e)
