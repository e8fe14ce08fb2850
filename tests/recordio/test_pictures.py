# SPDX-License-Identifier: Apache-2.0
"""Headers, labels and pictures of records, against what MXNet 1.9.1 packed."""

from __future__ import annotations

import json
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.recordio import IRHeader, MXIndexedRecordIO, pack, pack_img, unpack, unpack_img

GOLDEN = Path(__file__).parent.parent / "golden" / "recordio"
FACTS: dict[str, Any] = json.loads((GOLDEN / "recordio.json").read_text())
LIBRARIES = [pytest.param("cv2", id="opencv"), pytest.param("PIL", id="pillow")]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip(request.param)
    if request.param == "PIL":
        monkeypatch.setitem(sys.modules, "cv2", None)
    return request.param


def test_pack() -> None:
    assert pack(IRHeader(0, 2.5, 11, 22), b"payload").hex() == FACTS["pack_scalar_hex"]
    assert pack((9, [1.0, 2.0], 11, 22), b"payload").hex() == FACTS["pack_vector_hex"]
    for label, flag in ((4, 0), (np.float64(4), 0), (np.array(4.0), 1), ([], 0), (np.ones((2, 2)), 4)):
        assert struct.unpack_from("<I", pack(IRHeader(7, label, 1, 2), b"")) == (flag,)


def test_unpack() -> None:
    told = FACTS["unpack_vector"]
    header, data = unpack(bytes.fromhex(FACTS["pack_vector_hex"]))
    assert (header.flag, header.label.tolist(), header.id, header.id2) == (2, told["label"], told["id"], told["id2"])
    assert data == b"payload" and header.label.dtype == np.float32
    header, data = unpack(bytearray(pack(IRHeader(0, 4.0, 2**64 - 1, 0), b"data")))
    assert (header, data) == (IRHeader(0, 4.0, 2**64 - 1, 0), bytearray(b"data"))
    assert repr(header) == "HEADER(flag=0, label=4.0, id=18446744073709551615, id2=0)"
    assert pickle.loads(pickle.dumps(header)) == header


def test_wrong_headers() -> None:
    for header in (IRHeader(0, 1.0, 2**64, 0), IRHeader(0, 1.0, -1, 0), IRHeader(0, 1.0, 1.5, 0)):  # type: ignore[arg-type]
        with pytest.raises(struct.error, match="an integer from 0 to") as told:
            pack(header, b"")
        assert isinstance(told.value, mx.MXNetError)
    with pytest.raises(TypeError, match="bytes, got str"):
        pack(IRHeader(0, 1.0, 1, 0), "text")  # type: ignore[arg-type]
    with pytest.raises(struct.error, match="24 bytes at least, this one 3"):
        unpack(b"abc")
    with pytest.raises(ValueError, match="record id=5: a label of 3 numbers needs 36 bytes, the record has 32"):
        unpack(pack(IRHeader(0, [1, 2, 3], 5, 0), b"")[:-4])
    with pytest.raises(ValueError, match="label of 4294967295 numbers"):
        unpack(struct.pack("<IfQQ", 2**32 - 1, 0, 1, 0))


def test_pictures_of_mxnet(library: str) -> None:
    expected = np.load(GOLDEN / "images.expected.npz")
    reader = MXIndexedRecordIO(GOLDEN / "images.idx", GOLDEN / "images.rec", "r")
    for told in FACTS["images.rec"]:
        header, picture = unpack_img(reader.read_idx(told["index"]))
        assert np.array_equal(header.label, told["label"]) and (header.flag, header.id) == (told["flag"], told["id"])
        pixels = expected[f"decoded_bgr_unpack_img/{told['index']}"]
        off = np.abs(picture.astype(int) - pixels).max()
        assert picture.dtype == np.uint8 and picture.shape == pixels.shape
        assert off <= (0 if told["format"] == ".png" else 4), told


def test_there_and_back(library: str) -> None:
    grey = np.add.outer(np.arange(12) * 9, np.arange(10) * 8).astype(np.uint8)
    picture = np.stack([grey, grey[::-1], grey[:, ::-1]], 2)
    for img, fmt, near in ((picture, ".png", 0), (grey, ".png", 0), (picture, ".bmp", 0), (grey, ".JPG", 3)):
        header, found = unpack_img(pack_img(IRHeader(0, 3.0, 7, 0), img, 95, fmt))
        assert header == (0, 3.0, 7, 0) and found.shape == img.shape and found.flags.writeable
        assert np.abs(found.astype(int) - img).max() <= near
    data = pack_img(IRHeader(0, 3.0, 7, 0), picture, 3, ".png")
    shapes = [unpack_img(data, iscolor)[1].shape for iscolor in (-1, 0, 1)]
    assert shapes == [(12, 10, 3), (12, 10), (12, 10, 3)]
    assert unpack_img(pack_img(IRHeader(0, 3.0, 7, 0), grey, 3, ".png"), 1)[1].shape == (12, 10, 3)


def test_no_pictures(library: str) -> None:
    for data in (b"not a picture", b""):
        with pytest.raises(mx.MXNetError, match=f"record id=7: data of {len(data)} bytes"):
            unpack_img(pack(IRHeader(0, 1.0, 7, 0), data))
    with pytest.raises(mx.MXNetError, match=r"'\.jpgg?'; did you mean '\.jpe?g'"):
        pack_img(IRHeader(0, 1.0, 7, 0), np.zeros((2, 2, 3), np.uint8), 95, ".jpgg")
    with pytest.raises(mx.MXNetError, match=r"a picture is \(height, width\)"):
        pack_img(IRHeader(0, 1.0, 7, 0), np.zeros((2, 2, 2, 3), np.uint8))


def test_neither_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'mxlite\[image\]'"):
        pack_img(IRHeader(0, 1.0, 7, 0), np.zeros((2, 2, 3), np.uint8))
