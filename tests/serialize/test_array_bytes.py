# SPDX-License-Identifier: Apache-2.0
"""The byte layer: every file of MXNet 1.9.1 in tests/golden/params, and every way to damage one."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxlite.serialize import Stored, read_array, read_list, write_array, write_list
from mxlite.serialize.array_bytes import LIST_MAGIC, V2_MAGIC
from mxlite_compiler.errors import MXNetError
from tests.archives import read_npz

PARAMS = Path(__file__).parents[1] / "golden" / "params"
EXPECTED = json.loads((PARAMS / "expected.json").read_text())
VALUES = read_npz(PARAMS / "expected.npz")
GOOD = sorted(EXPECTED)
BYTES = {name: (PARAMS / name).read_bytes() for name in GOOD}


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype.name == b.dtype.name and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", GOOD)
def test_reads_what_mxnet_reads(name: str):
    arrays, names = read_list(BYTES[name], name)
    entries = EXPECTED[name]["entries"]
    assert len(arrays) == len(entries)
    assert names == ([e["name"] for e in entries] if any(e["name"] for e in entries) else [])
    for entry, array in zip(entries, arrays, strict=True):
        assert (array.values.dtype.name, list(array.shape), array.stype) == (
            entry["dtype"],
            entry["shape"],
            entry["stype"],
        )
        dense = array.to_dense()
        if entry["dtype"] == "bfloat16":
            assert dense.astype(np.float32).tolist() == [1, -2.5, 3.140625]
            continue
        key = f"{name}|{entry['index']}"
        assert same(dense, VALUES[key])
        if f"{key}|data" in VALUES:
            assert same(array.values, VALUES[f"{key}|data"].reshape(array.values.shape))
            assert same(array.aux[-1], VALUES[f"{key}|indices"])
        if f"{key}|indptr" in VALUES:
            assert same(array.aux[0], VALUES[f"{key}|indptr"])


@pytest.mark.parametrize("name", GOOD)
def test_saved_again_is_the_same_file(name: str):
    arrays, names = read_list(BYTES[name], name)
    again = b"".join(write_list(arrays, names))
    if name.startswith(("legacy", "handmade")):  # older headers are written in the form of today
        second, second_names = read_list(again)
        assert second_names == names
        assert all(same(a.values, b.values) for a, b in zip(arrays, second, strict=True))
    else:
        assert again == BYTES[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("corrupt_truncated.params", "the file ends"),
        ("corrupt_magic.params", "the first word is"),
        ("corrupt_empty.params", "expected the file header"),
        ("corrupt_array_magic.params", "neither the magic of an array nor a number of dimensions of array 0 at byte"),
    ],
)
def test_damaged_files_of_the_reference(name: str, text: str):
    with pytest.raises(MXNetError, match=text) as e:
        read_list((PARAMS / name).read_bytes(), name)
    assert name in str(e.value) and "at byte" in str(e.value)


@pytest.mark.parametrize("name", GOOD)
def test_cut_anywhere(name: str):
    data = BYTES[name]
    for end in range(len(data)):
        with pytest.raises(MXNetError, match="at byte"):
            read_list(data[:end], name)
    with pytest.raises(MXNetError, match="expected the end of the file, 1 bytes are left"):
        read_list(data + b"\0", name)


def read_or_tell(data: bytes) -> None:
    """A damaged file reads as some arrays or is an MXNetError, and takes no memory that it does not justify."""
    tracemalloc.start()
    try:
        arrays, _ = read_list(data, "damaged")
        for array in arrays:
            array.to_dense()
    except MXNetError as e:
        assert "damaged" in str(e) or "sparse" in str(e)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < (1 << 24) + (1 << 20) + 100 * len(data)


@pytest.mark.parametrize("name", GOOD)
def test_every_byte_flipped(name: str):
    data = BYTES[name]
    for i in range(len(data)):
        for bit in (0x01, 0x80, 0xFF):
            read_or_tell(data[:i] + bytes([data[i] ^ bit]) + data[i + 1 :])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(GOOD), st.data())
def test_several_bytes_changed(name: str, draw: st.DataObject):
    data = bytearray(BYTES[name])
    for _ in range(draw.draw(st.integers(1, 6))):
        at = draw.draw(st.integers(0, len(data) - 1))
        piece = draw.draw(st.binary(min_size=1, max_size=8))
        data[at : at + len(piece)] = piece
    read_or_tell(bytes(data[: draw.draw(st.integers(0, len(data)))]))
    read_or_tell(bytes(data))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_noise_after_a_good_header(noise: bytes):
    read_or_tell(noise)
    read_or_tell(struct.pack("<QQQ", LIST_MAGIC, 0, 1) + noise)
    read_or_tell(struct.pack("<QQQI", LIST_MAGIC, 0, 1, V2_MAGIC) + noise)


def test_a_count_larger_than_the_file_is_refused_before_anything_is_made():
    for count in (100, 1 << 40, (1 << 64) - 1):
        with pytest.raises(MXNetError, match="arrays in the header"):
            read_list(struct.pack("<QQQ", LIST_MAGIC, 0, count) + b"\0" * 40)


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 30, 1 << 30), (0, 1 << 62), (-1, 2), (1 << 62, 1 << 62)])
def test_a_shape_larger_than_the_file_is_refused(shape: tuple[int, ...]):
    head = struct.pack("<IiI", V2_MAGIC, 0, len(shape)) + struct.pack(f"<{len(shape)}qiii", *shape, 1, 0, 0)
    with pytest.raises(MXNetError, match="at byte"):
        read_array(head + b"\0" * 100)


def test_a_sparse_array_that_would_fill_the_memory_is_told():
    rows = Stored(np.ones((1, 4), np.float32), (1 << 40, 4), "row_sparse", (np.array([7]),))
    back = read_array(write_array(rows))
    with pytest.raises(MXNetError, match="row_sparse array of shape"):
        back.to_dense("embed_weight")


@pytest.mark.parametrize(
    ("stype", "values", "aux", "text"),
    [
        ("row_sparse", np.ones((2, 4), "f"), ([0],), "1 row indices"),
        ("row_sparse", np.ones((1, 3), "f"), ([0],), "stored rows have shape"),
        ("row_sparse", np.ones((1, 4), "f"), ([3],), "not below 3"),
        ("row_sparse", np.ones((1, 4), "f"), ([-1],), "not below 3"),
        ("csr", np.ones(2, "f"), ([0, 1, 2], [0, 1]), "indptr has 3"),
        ("csr", np.ones(2, "f"), ([0, 2, 1, 2], [0, 1]), "does not ascend"),
        ("csr", np.ones(2, "f"), ([0, 1, 2, 2], [0, 4]), "not below 4"),
        ("csr", np.ones(2, "f"), ([0, 1, 2, 2], [0]), "does not ascend"),
    ],
)
def test_sparse_parts_that_do_not_fit(stype: str, values: np.ndarray, aux: tuple[list[int], ...], text: str):
    parts = tuple(np.array(a, np.int64) for a in aux)
    with pytest.raises(MXNetError, match=text):
        read_array(write_array(Stored(values, (3, 4), stype, parts)))


def test_scalars_are_written_under_numpy_semantics():
    arrays = [Stored.dense(np.array(3.5, np.float32)), Stored.dense(np.ones((2,), np.int64))]
    back, names = read_list(b"".join(write_list(arrays, ["a", "b"])))
    assert names == ["a", "b"] and all(a.np_shape for a in back)
    assert back[0].shape == () and back[0].values == np.float32(3.5)


def test_big_endian_and_strided_arrays_are_written_plain():
    a = np.arange(12, dtype=">i4").reshape(3, 4).T
    back = read_array(write_array(Stored.dense(a)))
    assert back.values.dtype == np.dtype("<i4") and (back.values == a).all()


def test_a_dtype_mxnet_has_not():
    with pytest.raises(MXNetError, match="complex64 cannot be saved"):
        write_array(Stored.dense(np.ones(2, np.complex64)))


def test_the_empty_array_survives():
    data = struct.pack("<QQQ", LIST_MAGIC, 0, 1) + struct.pack("<Iii", V2_MAGIC, 0, 0) + struct.pack("<Q", 0)
    arrays, _ = read_list(data)
    assert arrays[0].empty and arrays[0].values.size == 0
    assert b"".join(write_list(arrays)) == data
