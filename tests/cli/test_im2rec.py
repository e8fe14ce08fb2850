# SPDX-License-Identifier: Apache-2.0
"""``mxlite im2rec`` writes what MXNet's tools/im2rec.py writes, byte for byte."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import mxlite as mx
from mxlite.cli import im2rec, main
from mxlite.recordio import IRHeader, MXIndexedRecordIO, pack, unpack, unpack_img
from tests.cli.im2rec_cases import LISTS, RECORDS, list_for

GOLDEN = Path(__file__).parent.parent / "golden" / "io" / "im2rec"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(GOLDEN / "tree", "tree")


def run(*words: str) -> int:
    return main(["im2rec", *words])


@pytest.mark.parametrize("prefix", LISTS)
def test_lists(prefix: str) -> None:
    assert run(prefix, "tree", "--list", *LISTS[prefix]) == 0
    written = sorted(path.name for path in Path().glob("*.lst"))
    assert written == sorted(path.name for path in GOLDEN.glob(f"{prefix}*.lst")) and written
    for name in written:
        assert Path(name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("prefix", RECORDS)
def test_records(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that are passed through are the same bytes; those encoded anew the same pictures, or nearly, as JPEG."""
    Path(f"{prefix}.lst").write_text(list_for(prefix, (GOLDEN / "plain.lst").read_text()))
    assert run(*RECORDS[prefix], prefix, "tree") == 0
    assert f"wrote {prefix}.rec and .idx: 7 pictures" in capsys.readouterr().out
    written = Path(f"{prefix}.rec").read_bytes()
    if "--pass-through" in RECORDS[prefix]:
        assert written == (GOLDEN / f"{prefix}.rec").read_bytes()
        assert Path(f"{prefix}.idx").read_bytes() == (GOLDEN / f"{prefix}.idx").read_bytes()
    mine, theirs = (MXIndexedRecordIO(f"{p}.idx", f"{p}.rec", "r") for p in (prefix, str(GOLDEN / prefix)))
    assert mine.keys == theirs.keys
    for key in mine.keys:
        (a, x), (b, y) = (unpack_img(file.read_idx(key)) for file in (mine, theirs))
        assert a.flag == b.flag and a.id == b.id == key and np.array_equal(a.label, b.label)
        assert x.shape == y.shape
        assert np.abs(x.astype(int) - y).max() <= (4 if prefix == "jpeg" else 0)


def test_a_record_is_that_of_pack() -> None:
    Path("x.lst").write_text("5\t2.000000\ttop.png\n")
    assert run("--pass-through", "x", "tree") == 0
    record = MXIndexedRecordIO("x.idx", "x.rec", "r").read_idx(5)
    assert record == pack(IRHeader(0, 2.0, 5, 0), Path("tree/top.png").read_bytes())


def test_processes_make_the_same_file() -> None:
    shutil.copy(GOLDEN / "plain.lst", "one.lst")
    shutil.copy(GOLDEN / "plain.lst", "two.lst")
    assert run("one", "tree") == run("--num-thread", "2", "two", "tree") == 0
    assert Path("one.rec").read_bytes() == Path("two.rec").read_bytes()
    assert Path("one.idx").read_bytes() == Path("two.idx").read_bytes()


def test_broken_pictures_are_named_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tree/dogs/y.png").write_bytes(b"no picture")
    Path("tree/top.png").write_bytes(b"")
    Path("tree/cats/a.jpg").unlink()
    shutil.copy(GOLDEN / "plain.lst", "x.lst")
    assert run("x", "tree") == 1
    told = capsys.readouterr()
    assert "skipped tree/dogs/y.png: data of 10 bytes" in told.err
    assert "skipped tree/top.png: data of 0 bytes" in told.err
    assert "skipped tree/cats/a.jpg: No such file" in told.err
    assert "3 pictures could not be packed" in told.err and "4 pictures, 3 left out" in told.out
    assert MXIndexedRecordIO("x.idx", "x.rec", "r").keys == [2, 3, 4, 5]
    it = mx.io.ImageRecordIter(path_imgrec="x.rec", path_imgidx="x.idx", data_shape=(3, 8, 8), batch_size=4)
    assert next(it).index.tolist() == [2, 3, 4, 5]


def test_an_interrupted_run_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(GOLDEN / "plain.lst", "x.lst")
    assert run("--pass-through", "x", "tree") == 0
    before = {path.name: path.read_bytes() for path in Path().glob("x.*")}
    done = []

    def stopped(item: object, packing: object) -> bytes:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(item)
        return b"record"

    monkeypatch.setattr(im2rec, "pack_one", stopped)
    assert run("x", "tree") == 130
    assert {path.name: path.read_bytes() for path in Path().glob("*x.*")} == before


def dies(item: object, packing: object) -> bytes:
    os._exit(9)


def test_a_process_that_dies(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(GOLDEN / "plain.lst", "x.lst")
    monkeypatch.setattr(im2rec, "pack_one", dies)
    assert run("x", "tree", "--num-thread", "2") == 2
    assert "a process that packs pictures has died" in capsys.readouterr().err
    assert [path.name for path in Path().glob("*x.*")] == ["x.lst"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["x", "nowhere"], "root: 'nowhere' is no folder"),
        (["x", "tree"], "there is no list x*.lst: make it with --list first"),
        (["away/x", "tree"], "cannot list 'away': No such file"),
        (["--list", "x", "tree/dogs", "--exts", ".bmp"], "'tree/dogs' holds no pictures .bmp; --recursive looks in"),
        (["--list", "x", "tree", "--train-ratio", "0.8", "--test-ratio", "0.3"], "are more than 1"),
        (["--list", "x", "tree", "--train-ratio", "2"], "'2' is no share from 0 to 1"),
        (["x", "tree", "--num-thread", "0"], "'0' is no number from 1 on"),
        (["x", "tree", "--resize", "-1"], "no number of pixels"),
        (["bad", "tree"], "'bad.lst', line 1: expected number, label"),
        (["none", "tree"], "'none.lst': none of 1 pictures could be packed"),
    ],
)
def test_mistakes(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.lst").write_text("0 1 top.png\n")
    Path("none.lst").write_text("0\t1\tnope.png\n")
    assert run(*words) == 2
    assert told in capsys.readouterr().err
    assert not list(Path().glob("*.rec")) and not list(Path().glob("x*"))


def test_a_list_with_other_letters_in_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "bäume"
    folder.mkdir()
    done, data = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))
    assert done
    (folder / "grün 1.png").write_bytes(data.tobytes())
    assert run("--list", "x", str(folder)) == run("x", str(folder)) == 0
    header, _ = unpack(MXIndexedRecordIO("x.idx", "x.rec", "r").read_idx(0))
    assert header.label == 0


READ_IN_MXNET = """
import mxnet as mx
batch = next(mx.io.ImageRecordIter(verbose=False, **values["params"]))
print(json.dumps([batch.data[0].asnumpy().tolist(), batch.label[0].asnumpy().tolist()]))
"""


@pytest.mark.oracle
def test_mxnet_reads_what_is_packed(oracle: Any) -> None:
    """And both iterators give the same batch of it."""
    shutil.copy(GOLDEN / "plain.lst", "x.lst")
    assert run("x", "tree", "--center-crop", "--resize", "24") == 0
    params = {"path_imgrec": "x.rec", "path_imgidx": "x.idx", "data_shape": (3, 16, 16), "batch_size": 7, "resize": 20}
    data, label = oracle(READ_IN_MXNET, params=params)
    batch = next(mx.io.ImageRecordIter(verbose=False, **params))
    assert batch.label[0].asnumpy().tolist() == label
    np.testing.assert_array_equal(batch.data[0].asnumpy(), data)
