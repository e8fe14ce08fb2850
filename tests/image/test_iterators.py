# SPDX-License-Identifier: Apache-2.0
"""What MXNet does not have, or does not tell: threads, broken pictures, errors, and iterators at work in a module."""

from __future__ import annotations

import importlib.util
import logging
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mxlite as mx

HERE = Path(__file__).parent
SHAPE = (3, 6, 8)
BOX = [2, 5, 0, 0.1, 0.2, 0.5, 0.6]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_pictures", HERE / "pictures.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pictures = _load()


def records(folder: Path, count: int = 10, broken: tuple[int, ...] = ()) -> dict[str, Any]:
    """Records with flat pictures; those of `broken` hold something else."""
    paths: dict[str, Any] = {"path_imgrec": str(folder / "r.rec"), "path_imgidx": str(folder / "r.idx")}
    file = mx.recordio.MXIndexedRecordIO(paths["path_imgidx"], paths["path_imgrec"], "w")
    for i in range(count):
        data = b"no picture" if i in broken else pictures.png(pictures.flat(np, i))
        file.write_idx(i, mx.recordio.pack(mx.recordio.IRHeader(0, float(i), i, 0), data))
    file.close()
    return paths


def labels(batch: Any) -> list[float]:
    return batch.label[0].asnumpy().tolist()


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_threads_change_nothing(tmp_path: Path, threads: int):
    paths = records(tmp_path, 23)

    def rows(**kwargs: Any) -> list[Any]:
        random.seed(3)
        np.random.seed(3)
        options = {"resize": 9, "rand_crop": True, "rand_mirror": True, "brightness": 0.3, "pca_noise": 0.1, **kwargs}
        it = mx.image.ImageIter(5, SHAPE, shuffle=True, **paths, **options)
        found = [(b.data[0].asnumpy(), labels(b)) for _ in range(2) for b in [*it, it.reset()] if b]
        return [*found, random.random(), np.random.rand()]

    for mine, wanted in zip(rows(preprocess_threads=threads), rows(preprocess_threads=2), strict=True):
        np.testing.assert_equal(mine, wanted)


def test_reading_ahead_is_not_seen(tmp_path: Path):
    it = mx.image.ImageIter(3, SHAPE, **records(tmp_path))
    assert labels(it.next()) == [0, 1, 2]
    assert it.cur == 3
    label, data = it.next_sample()
    assert (label, it.cur, it.imdecode(data).asnumpy()[0, 0, 0]) == (3.0, 4, 30)
    assert labels(it.next()) == [4, 5, 6]


def test_a_broken_picture_is_named_and_passed_once(tmp_path: Path):
    it = mx.image.ImageIter(4, SHAPE, **records(tmp_path, broken=(2,)))
    with pytest.raises(mx.MXNetError, match=r"Broken image index: 2, record at offset \d+ of '.*r.rec': .*b'no pictu'"):
        it.next()
    # The rows before it are in the next batch.
    assert [labels(it.next()) for _ in range(2)] == [[0, 1, 3, 4], [5, 6, 7, 8]]
    with pytest.raises(mx.MXNetError, match="index: 2"):  # again, while the last batch is filled up
        it.next()
    assert [(labels(b), b.pad) for b in it] == [([9, 0, 1, 3], 3)]


def test_broken_pictures_are_skipped_on_request(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    paths = records(tmp_path, broken=(0, 2, 9))
    for given in (paths, {"path_imgrec": paths["path_imgrec"]}):
        caplog.clear()
        it = mx.image.ImageIter(4, SHAPE, on_error="skip", **given)
        assert [(labels(b), b.pad) for b in it] == [([1, 3, 4, 5], 0), ([6, 7, 8, 1], 1)]
        told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert len(told) == 4, told  # the first one also while the last batch is filled up
        assert all("skipped: Broken image" in text and "at offset" in text for text in told)


def test_all_pictures_broken(tmp_path: Path):
    it = mx.image.ImageIter(4, SHAPE, on_error="skip", **records(tmp_path, 5, broken=tuple(range(5))))
    assert list(it) == []


def test_a_damaged_record(tmp_path: Path):
    paths = records(tmp_path)
    offsets = [int(line.split("\t")[1]) for line in (tmp_path / "r.idx").read_text().splitlines()]
    content = bytearray((tmp_path / "r.rec").read_bytes())
    content[offsets[3] : offsets[3] + 4] = b"oops"
    (tmp_path / "r.rec").write_bytes(content)
    for given in (paths, {"path_imgrec": paths["path_imgrec"]}):
        it = mx.image.ImageIter(5, SHAPE, **given)
        with pytest.raises(mx.MXNetError, match=rf"r.rec.*offset {offsets[3]}: expected the magic number"):
            it.next()
        assert labels(it.next()) == [0, 1, 2, 4, 5]
        it = mx.image.ImageIter(9, SHAPE, on_error="skip", **given)
        assert [labels(b) for b in it] == [[0, 1, 2, 4, 5, 6, 7, 8, 9]]


def test_a_cut_file_ends_with_an_error(tmp_path: Path):
    paths = records(tmp_path, 4)
    content = (tmp_path / "r.rec").read_bytes()
    (tmp_path / "r.rec").write_bytes(content[:-20])
    it = mx.image.ImageIter(4, SHAPE, path_imgrec=paths["path_imgrec"])
    with pytest.raises(mx.MXNetError, match="end of the file"):
        it.next()
    assert [(labels(b), b.pad) for b in it if b.pad != 1] == []


def test_a_broken_file_of_a_list(tmp_path: Path):
    given = pictures.write_list(np, str(tmp_path), "p", range(3))
    (tmp_path / "p1.png").write_bytes(b"")
    it = mx.image.ImageIter(3, SHAPE, **given)
    with pytest.raises(mx.MXNetError, match=r"Broken image filename: p1.png: .*empty"):
        it.next()
    (tmp_path / "p1.png").unlink()
    it = mx.image.ImageIter(2, SHAPE, on_error="skip", **given)
    assert [labels(b) for b in it] == [[0, 2]]


def test_a_line_that_is_none(tmp_path: Path):
    (tmp_path / "p.lst").write_text("0\t1\tp.png\n\n1 1 p.png\n")
    with pytest.raises(ValueError, match=r"p.lst', line 3: expected"):
        mx.image.ImageIter(3, SHAPE, path_imglist=str(tmp_path / "p.lst"), path_root=str(tmp_path))


def test_pictures_that_are_all_invalid_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    class Strict(mx.image.ImageIter):
        def check_valid_image(self, data: Any) -> None:
            raise RuntimeError("too dark")

    caplog.set_level(logging.DEBUG)
    assert list(Strict(4, SHAPE, **records(tmp_path, 3))) == []
    told = [r.getMessage() for r in caplog.records]
    assert told.count("Invalid image, skipping:  too dark") == 3
    assert told[-1] == "Strict: all 3 pictures were invalid and skipped"


def test_no_program_is_compiled_for_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: Any) -> None:
        raise AssertionError("an operator ran")

    monkeypatch.setattr("mxlite.ndarray.dispatch.invoke", refuse)
    options = {"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1, "pca_noise": 0.1, "rand_gray": 0.5}
    it = mx.image.ImageIter(
        4,
        SHAPE,
        resize=9,
        rand_crop=True,
        rand_resize=True,
        rand_mirror=True,
        mean=True,
        std=True,
        **options,
        **records(tmp_path),
    )
    assert it.next().data[0].shape == (4, *SHAPE)


def _net() -> mx.sym.Symbol:
    net = mx.sym.Flatten(mx.sym.Variable("data"))
    net = mx.sym.FullyConnected(net, num_hidden=2, name="fc")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def test_training(tmp_path: Path):
    listed = [[float(i % 2), f"p{9 * (i % 2)}.png"] for i in range(12)]
    pictures.write_list(np, str(tmp_path), "p", range(10))

    def weights(wrap: Any) -> np.ndarray:
        random.seed(1)
        np.random.seed(1)
        mx.random.seed(1)
        it = wrap(
            mx.image.ImageIter(4, SHAPE, imglist=listed, path_root=str(tmp_path), rand_mirror=True, mean=True, std=True)
        )
        module = mx.mod.Module(_net())
        module.fit(it, num_epoch=2, optimizer_params={"learning_rate": 0.1}, initializer=mx.init.Xavier())
        assert dict(module.score(it, "acc"))["accuracy"] == 1.0
        return module.get_params()[0]["fc_weight"].asnumpy()

    np.testing.assert_array_equal(weights(lambda it: it), weights(mx.io.PrefetchingIter))


def test_a_forked_process_goes_on(tmp_path: Path):
    pictures.write_list(np, str(tmp_path), "p", range(10))
    program = (
        "import os, sys, mxlite as mx\n"
        "it = mx.image.ImageIter(3, (3, 6, 8), path_imglist='p.lst', path_root='.')\n"
        "first = it.next().label[0].asnumpy().tolist()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    label, data = it.next_sample(); row = it._row()\n"
        "    os._exit(0 if (float(label.asnumpy()[0]), float(row.label)) == (3, 4) else 1)\n"
        "print(first, os.waitpid(child, 0)[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "[0.0, 1.0, 2.0] 0", done.stderr


def test_names_on_drawn_boxes(tmp_path: Path):
    paths = pictures.write_records(mx, np, str(tmp_path), "b", [BOX])
    it = mx.image.ImageDetIter(1, (3, 60, 80), **paths)
    plain, named = [], []
    for found, names in ((plain, None), (named, {0: "cat"})):
        found += it.draw_next((1, 2, 3), 1, id2labels=names)
        it.reset()
    assert plain[0].shape == named[0].shape == (60, 80, 3)
    assert (plain[0] != named[0]).any()


def _iterator(folder: Path, **kwargs: Any) -> mx.image.ImageIter:
    return mx.image.ImageIter(**{"batch_size": 2, "data_shape": SHAPE, **records(folder), **kwargs})


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
        ({"data_shape": (6, 8)}, ValueError, r"length 3, with dimensions CxHxW, got \(6, 8\)"),
        ({"last_batch_handle": "rollover"}, ValueError, "did you mean 'roll_over'"),
        ({"on_error": "ship"}, ValueError, "on_error='ship' is none of raise, skip; did you mean 'skip'"),
        ({"dtype": "uint8"}, AssertionError, "uint8 label not supported; dtype is one of int32, float32"),
        ({"num_parts": 2, "part_index": 2}, AssertionError, "part_index=2 must be from 0 to num_parts - 1 = 1"),
        ({"path_imgidx": None, "shuffle": True}, AssertionError, "shuffle and parts need path_imgidx"),
        ({"path_imgrec": None}, AssertionError, "one of path_imgrec, path_imglist and imglist"),
        ({"path_imgrec": None, "imglist": ["p.png"]}, AssertionError, r"imglist has elements \[label, path\]"),
        (
            {"mean": [1, 2, 3]},
            AssertionError,
            r"mean must be None, True or an array of 1 or 3 numbers, got \[1, 2, 3\]",
        ),
        ({"rand_resize": True}, AssertionError, "it needs rand_crop=True"),
    ],
)
def test_mistakes(tmp_path: Path, kwargs: dict[str, Any], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        _iterator(tmp_path, **kwargs)


def test_mistakes_of_rows(tmp_path: Path):
    it = _iterator(tmp_path, aug_list=[mx.image.ForceResizeAug((5, 4))])
    with pytest.raises(
        ValueError, match=r"a picture became \(3, 4, 5\), but data_shape=\(3, 6, 8\): let aug_list end with "
    ):
        it.next()
    folder = str(tmp_path)
    it = mx.image.ImageIter(2, SHAPE, **pictures.write_records(mx, np, folder, "v", [[1, 2], [3, 4]]))
    with pytest.raises(ValueError, match=r"the label of the picture \(index: 0, .*\) has 2 numbers, label_width=1"):
        it.next()
    boxes = pictures.write_records(mx, np, folder, "b", [BOX])
    with pytest.raises(
        RuntimeError, match=r"Label shape \(8,\) inconsistent with header width 2, annotation width 5 \(index"
    ):
        mx.image.ImageDetIter(1, SHAPE, **pictures.write_records(mx, np, folder, "w", [[*BOX, 7]]))

    class Twice(mx.image.DetAugmenter):
        def __call__(self, src: mx.nd.NDArray, label: np.ndarray) -> tuple[mx.nd.NDArray, np.ndarray]:
            return src, np.vstack([label, label])

    with pytest.raises(
        ValueError, match=r"\(2, 5\) does not fit into label_shape=\(1, 5\); reshape\(label_shape=...\)"
    ):
        mx.image.ImageDetIter(1, SHAPE, aug_list=[Twice()], **boxes).next()
