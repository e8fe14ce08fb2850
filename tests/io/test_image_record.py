# SPDX-License-Identifier: Apache-2.0
"""ImageRecordIter and its kin against MXNet 1.9.1, and what they do with files that are damaged."""

from __future__ import annotations

import gc
import inspect
import json
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import mxlite as mx
from mxlite import recordio
from mxlite.io import MXDataIter, image_rows
from tests.io.image_cases import BOXES, CASES, SAMPLED, SMALL, features, sampled_label, sampled_pictures

IMAGES = Path(__file__).parent.parent / "golden" / "io" / "images"
FACTS: dict[str, dict[str, Any]] = json.loads((IMAGES / "recorded.json").read_text())["cases"]
#: The parameters that MXNet documents, with their defaults.
PARAMETERS: dict[str, dict[str, Any]] = json.loads((IMAGES / "parameters.json").read_text())


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in IMAGES.iterdir():
        if path.suffix in (".rec", ".idx", ".lst", ".bin"):
            shutil.copy(path, tmp_path)


@pytest.fixture(scope="module")
def recorded() -> Iterator[Any]:
    with np.load(IMAGES / "recorded.npz") as arrays:
        yield {key: arrays[key] for key in arrays}


def small(**params: Any) -> MXDataIter:
    return mx.io.ImageRecordIter(verbose=False, **{**SMALL, **params})


def rows(it: Any) -> list[tuple[float, ...]]:
    """The label and some pixels of every row that is no padding."""
    found = []
    for batch in it:
        data, labels = batch.data[0].asnumpy(), batch.label[0].asnumpy()
        count = len(labels) - batch.pad
        found += [(float(y), *x[:, 3, 4].tolist()) for x, y in zip(data[:count], labels[:count], strict=True)]
    return found


@pytest.mark.parametrize("name", CASES)
def test_batches(name: str, recorded: dict[str, np.ndarray]) -> None:
    """Opencv's cubic interpolation of what is turned has changed by one in two pixels of 1000; all else is equal."""
    iterator, params, epochs = CASES[name]
    it = getattr(mx.io, iterator)(verbose=False, **params)
    (data,), (label,) = it.provide_data, it.provide_label
    assert [data.name, [*data.shape], np.dtype(data.dtype).name] == FACTS[name]["data"]
    assert [label.name, [*label.shape]] == FACTS[name]["label"]
    rounds = params.get("round_batch", True)
    for epoch in range(epochs):
        if epoch:
            it.reset()
        batches = list(it)
        if rounds or iterator != "ImageRecordIter":
            assert [b.pad for b in batches] == FACTS[name]["epochs"][epoch]
        else:  # there MXNet does not tell that rows are empty
            assert [b.pad for b in batches] == [0, 0, 2]
        for at, batch in enumerate(batches):
            x, y = batch.data[0].asnumpy(), batch.label[0].asnumpy()
            assert x.dtype == data.dtype and y.dtype == np.float32
            count = len(x) if rounds else len(x) - batch.pad
            told, labels = (recorded[f"{name}/{epoch}/{at}{what}"][:count] for what in ("", "/label"))
            # MXNet's older iterators divide by the deviation, the newer ones multiply by its inverse.
            relative, absolute = 2e-7 if "v1" in name else 0, {"mean_img_new": 2e-5, "inter_2_turn": 1}.get(name, 0)
            np.testing.assert_allclose(x[:count].astype(np.float64), told, atol=absolute, rtol=relative)
            if name == "inter_2_turn":
                assert (x[:count] != told).mean() < 0.003
            np.testing.assert_array_equal(y[:count], labels)
            assert not x[count:].any() and not y[count:].any()
    if name == "mean_img_new":
        made = mx.nd.load("new.bin")["mean_img"].asnumpy()
        np.testing.assert_allclose(made, recorded["mean_img_new/mean"], atol=2e-5)


@pytest.mark.parametrize("name", SAMPLED)
def test_random_parts(name: str) -> None:
    """Samples of what is random come from MXNet's distribution: Kolmogorov and Smirnov's distance at 0.005 %.

    It is so far because about a thousand features are compared.
    """
    picture, params = SAMPLED[name]
    image = sampled_pictures()[picture]
    records = recordio.MXRecordIO("sampled.rec", "w")
    for number in range(400):
        header = recordio.IRHeader(0, sampled_label(name, number), number, 0)
        records.write(recordio.pack_img(header, image, 3, ".png"))
    records.close()
    make = mx.io.ImageDetRecordIter if name.startswith("det_") else mx.io.ImageRecordIter
    batches = list(make(path_imgrec="sampled.rec", verbose=False, seed=1, **params))
    data, label = (np.concatenate([getattr(b, x)[0].asnumpy() for b in batches]) for x in ("data", "label"))
    found, told = features(data, label), np.load(IMAGES / "sampled.npz")[name]
    assert found.shape == told.shape
    for mine, theirs in zip(found, told, strict=True):
        # Sums of float32 in another order make two of equal numbers.
        mine, theirs = np.sort(mine.round(3)), np.sort(theirs.astype(np.float64).round(3))
        values = np.union1d(mine, theirs)
        shares = [np.searchsorted(x, values + 1e-3, "right") / len(x) for x in (mine, theirs)]
        assert np.abs(shares[0] - shares[1]).max() < 2.3 * (2 / 400) ** 0.5


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_mxnets(name: str) -> None:
    made = getattr(mx.io, name)
    shown = inspect.signature(made).parameters
    for key, wanted in PARAMETERS[name].items():
        default = shown[key].default
        if wanted == "required":
            assert default is inspect.Parameter.empty
        else:
            assert default == (tuple(wanted) if isinstance(wanted, list) else wanted)
        assert key in made.__doc__
    more = {"args", "kwargs", "data_name", "label_name", "on_error"}
    assert more <= {*shown} - {*PARAMETERS[name]} <= more | {"path_imgidx", "device_id"}
    assert "{" not in made.__doc__


def test_a_seed_repeats_what_is_random() -> None:
    changes = {"rand_crop": True, "rand_mirror": True, "brightness": 0.3, "shuffle": True}
    once = rows(small(seed=3, **changes))
    assert once == rows(small(seed=3, preprocess_threads=1, prefetch_buffer=1, **changes))
    assert once != rows(small(seed=4, **changes))
    assert once != rows(small(seed=3, seed_aug=1, **changes))
    it = small(seed=3, **changes, batch_size=7)
    first = rows(it)
    it.reset()
    assert first != rows(it)  # each epoch has its own


def test_shuffled_epochs() -> None:
    it = small(shuffle=True, batch_size=7, path_imgidx="small.idx")
    orders = []
    for _ in range(20):
        orders.append([row[0] for row in rows(it)])
        it.reset()
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert len(set(map(tuple, orders))) > 15
    # What fills up the last batch begins the next order.
    it = small(shuffle=True)
    batches = list(it)
    tail = batches[-1].label[0].asnumpy()[1:].tolist()
    it.reset()
    rest = [y for b in it for y in b.label[0].asnumpy()[: 3 - b.pad].tolist()]
    assert sorted(tail + rest) == list(range(7))


@pytest.mark.parametrize("index", ["", "small.idx"])
@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_parts_hold_every_record_once(parts: int, index: str) -> None:
    found = []
    for part in range(parts):
        try:
            it = small(num_parts=parts, part_index=part, path_imgidx=index, batch_size=1)
        except mx.MXNetError as e:
            assert "holds no records" in str(e)
            continue
        found += [row[0] for row in rows(it)]
    assert found == list(range(7))


def damaged(change: Callable[[bytearray, list[int]], None], **params: Any) -> MXDataIter:
    """An iterator over small.rec with some bytes changed; it is told the offsets of the records."""
    data = bytearray(Path("small.rec").read_bytes())
    change(data, [int(line.split("\t")[1]) for line in Path("small.idx").read_text().splitlines()])
    Path("bad.rec").write_bytes(data)
    return small(path_imgrec="bad.rec", **params)


def spoil_pictures(*which: int) -> Callable[[bytearray, list[int]], None]:
    def change(data: bytearray, at: list[int]) -> None:
        for number in which:
            data[at[number] + 32 : at[number] + 48] = bytes(16)  # behind the heads of record and data

    return change


def spoil_head(data: bytearray, at: list[int]) -> None:
    data[at[3] : at[3] + 4] = b"oops"


def test_a_broken_picture_is_told() -> None:
    it = damaged(spoil_pictures(4))
    offset = int(Path("small.idx").read_text().split()[9])
    for _ in range(2):
        assert next(it).pad == 0
        with pytest.raises(mx.MXNetError, match=rf"record 4 at offset {offset} of 'bad.rec': .* is no picture"):
            next(it)
        with pytest.raises(StopIteration):
            next(it)
        it.reset()


@pytest.mark.parametrize("threads", [1, 4])
def test_broken_pictures_are_skipped(threads: int, caplog: pytest.LogCaptureFixture) -> None:
    """As if the file did not hold them: the rows, what is random in them, and the padding."""
    keep = [0, 2, 3, 5]
    it = damaged(spoil_pictures(1, 4, 6), on_error="skip", preprocess_threads=threads, rand_crop=True, seed=5)
    source = recordio.MXIndexedRecordIO("small.idx", "small.rec", "r")
    fewer = recordio.MXRecordIO("fewer.rec", "w")
    for number in keep:
        fewer.write(source.read_idx(number) or b"")
    fewer.close()
    clean = small(path_imgrec="fewer.rec", rand_crop=True, seed=5)
    for _ in range(3):
        for mine, theirs in zip(it, clean, strict=True):
            np.testing.assert_array_equal(mine.data[0].asnumpy(), theirs.data[0].asnumpy())
            assert (mine.pad, mine.index.tolist()) == (theirs.pad, theirs.index.tolist())
        it.reset()
        clean.reset()
    told = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 3 and all("skipped: record" in line and "'bad.rec'" in line for line in told)


def test_a_broken_record() -> None:
    with pytest.raises(mx.MXNetError, match=r"record 3: 'bad.rec' is no RecordIO file, or damaged: offset \d+"):
        damaged(spoil_head)
    # With an index the file need not be searched, and the error comes with the record.
    it = damaged(spoil_head, path_imgidx="small.idx", batch_size=1)
    assert len([next(it) for _ in range(3)]) == 3
    with pytest.raises(mx.MXNetError, match=r"record 3 at offset \d+ of 'bad.rec': .*expected the magic number"):
        next(it)


@pytest.mark.parametrize("index", ["", "small.idx"])
def test_broken_records_are_skipped(index: str, caplog: pytest.LogCaptureFixture) -> None:
    it = damaged(spoil_head, on_error="skip", path_imgidx=index)
    assert [row[0] for row in rows(it)] == [0, 1, 2, 4, 5, 6]
    assert any("record 3" in r.message and "bad.rec" in r.message for r in caplog.records)


@pytest.mark.parametrize("cut", [1, 9, 500, 2000])
def test_a_file_that_ends_early(cut: int) -> None:
    def change(data: bytearray, _: list[int]) -> None:
        del data[-cut:]

    with pytest.raises(mx.MXNetError, match="is no RecordIO file, or damaged"):
        damaged(change)
    assert [row[0] for row in rows(damaged(change, on_error="skip"))] == [0, 1, 2, 3, 4, 5][: 6 if cut < 1700 else 5]


def test_a_file_that_shrinks_while_it_is_read() -> None:
    it = damaged(lambda data, at: None, batch_size=1, prefetch_buffer=1, preprocess_threads=1)
    Path("bad.rec").write_bytes(Path("bad.rec").read_bytes()[:3000])
    with pytest.raises(mx.MXNetError, match=r"record \d at offset \d+ of 'bad.rec'"):
        list(it)


def test_all_are_broken() -> None:
    with pytest.raises(mx.MXNetError, match=r"every record of 'bad.rec' is broken"):
        damaged(spoil_pictures(*range(7)), on_error="skip")


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"path_imgrec": ""}, "path_imgrec is not given"),
        ({"path_imgrec": "nope.rec"}, "cannot open 'nope.rec': No such file"),
        ({"path_imgrec": "."}, "cannot open '.': Is a directory"),
        ({"path_imgidx": "nope.idx"}, "cannot open 'nope.idx': No such file"),
        (
            {"path_imgidx": "few.lst", "batch_size": 1},
            "record 0 at offset 1 of 'small.rec': .* expected the magic number",
        ),
        (
            {"path_imgidx": "far.idx", "batch_size": 8},
            "record 7 at offset 999999 of 'small.rec': .* there is no record",
        ),
        ({"path_imgidx": "farther.idx"}, "'farther.idx' tells offsets that no file has"),
        ({"path_imglist": "nope.lst"}, "cannot open 'nope.lst': No such file"),
        ({"path_imglist": "few.lst"}, "record 0 at offset 0 of 'small.rec': fail to find imagelabel for id 0"),
        ({"path_imglist": "small.lst", "label_width": 3}, "'small.lst': picture 0 has 2 labels, label_width=3"),
        ({"path_imglist": "bad.lst"}, r"'bad.lst', line 2: expected number, label"),
        ({"part_index": 2, "num_parts": 2}, "part_index=2 is not one of num_parts=2 parts"),
        ({"part_index": 99, "num_parts": 100}, "holds no records"),
        ({"path_imgrec": "empty.rec"}, "'empty.rec' holds no records"),
        ({"data_shape": (16, 16)}, "data_shape=.* has wrong dimensions, expected dimension=3"),
        ({"data_shape": (2, 16, 16)}, r"Invalid output shape \[2, 16, 16\]"),
        ({"data_shape": (4, 16, 16)}, "record 0 at offset 0 .* has 3 channels of uint8, data_shape needs 4"),
        ({"label_width": 2}, "record 0 .*: the record has a 1-dimensional label but label_width is set to 2"),
        ({"path_imgrec": "vector.rec"}, "rec file provide 3-dimensional label but label_width is set to 1"),
        ({"dtype": "float16"}, "unknown dtype for ImageRecordIter: float16"),
        ({"on_error": "ignore"}, "on_error='ignore' must be one of 'raise', 'skip'"),
        ({"preprocess_threads": 0}, "preprocess_threads=0 must be at least 1"),
        ({"aug_seq": "mine"}, "aug_seq='mine' names something else than 'aug_default'"),
        ({"inter_method": 5}, "invalid inter_method: 5 is none of"),
        ({"inter_method": 0, "rotate": 3}, "invalid inter_method: 0"),
        ({"random_resized_crop": True, "rand_crop": True}, "random_resized_crop=True conflicts with"),
        ({"random_resized_crop": True, "min_random_area": 2}, "min_random_area=2 is above max_random_area=1"),
        ({"min_aspect_ratio": 2, "max_aspect_ratio": 1.5}, "min_aspect_ratio=2 is above max_aspect_ratio=1.5"),
        ({"min_crop_size": 5}, "min_crop_size=5 is above max_crop_size=-1"),
        ({"max_crop_size": 20}, "record 2 .*: input image size smaller than max_crop_size: 18 x 18 pixels, 20"),
        ({"data_shape": (1, 16, 16), "random_h": 5}, "colours change in pictures of 3 channels, data_shape has 1"),
        ({"batch_size": 15}, "number of input images must be bigger than the batch size: 7, 15"),
        ({"mean_img": "small.rec"}, "small.rec"),
        ({"mean_img": "mean.bin", "data_shape": (3, 8, 8)}, r"is \(3, 16, 16\), data_shape is \(3, 8, 8\)"),
    ],
)
def test_wrong_parameters(params: dict[str, Any], match: str) -> None:
    Path("few.lst").write_text("5\t1\tx.png\n")
    Path("bad.lst").write_text("5\t1\tx.png\nx.png\n")
    Path("empty.rec").touch()
    index = Path("small.idx").read_text()
    Path("far.idx").write_text(f"{index}7\t999999\n")
    Path("farther.idx").write_text(f"{index}7\t{10**20}\n")
    with pytest.raises(mx.MXNetError, match=match):
        small(**params)


def with_boxes(label: Any, **params: Any) -> MXDataIter:
    records = recordio.MXRecordIO("label.rec", "w")
    header = recordio.IRHeader(0, label, 0, 0)
    records.write(recordio.pack_img(header, np.zeros((20, 20, 3), np.uint8), 3, ".png"))
    records.close()
    wanted = {**BOXES, "path_imgrec": "label.rec", "batch_size": 1, "verbose": False}
    return mx.io.ImageDetRecordIter(**{**wanted, **params})


def test_labels_with_boxes() -> None:
    """Their head may have more numbers, an object, too; one without an area is left out."""
    label = [4, 6, 70, 80, 1, 0.25, 0.25, 0.5, 0.5, 9]
    found = next(with_boxes(label, rand_mirror_prob=1)).label[0].asnumpy()[0]
    np.testing.assert_allclose(found, [3, 16, 16, 10, 4, 6, 70, 80, 1, 0.5, 0.25, 0.75, 0.5, 9])
    found = next(with_boxes([2, 5, 1, 0.5, 0.2, 0.3, 0.4])).label[0].asnumpy()[0]
    assert found.tolist() == [3, 16, 16, 2, 2, 5, -1, -1, -1, -1, -1]
    Path("box.lst").write_text("0\t2\t5\t7\t0\t0\t1\t0.5\tx.png\n")
    found = next(with_boxes([2, 5, 1, 0.5, 0.2, 0.3, 0.4], path_imglist="box.lst")).label[0].asnumpy()[0]
    assert found.tolist() == [3, 16, 16, 7, 2, 5, 7, 0, 0, 1, 0.5]


@pytest.mark.parametrize(
    ("label", "params", "match"),
    [
        (1.0, {}, "record 0 at offset 0 of 'label.rec': the label is none with boxes"),
        ([2, 5, 1, 0.1, 0.2, 0.3, 0.4, 5], {}, "the label is none with boxes"),
        ([1, 5, 1, 0.1, 0.2, 0.3, 0.4], {}, "the label is none with boxes"),
        ([2, 4, 1, 0.1, 0.2, 0.3, 0.4, 0.5], {}, "the label is none with boxes"),
        ([2, 5, 1, 0, 0, 1, 1], {"label_width": 8}, "rec file provide 7-dimensional label but label_width is set to 8"),
        ([2, 5, 1, 0, 0, 1, 1], {"label_pad_width": 3}, "label_pad_width: 3 smaller than estimated width: 7"),
        ([2, 5, 1, 0, 0, 1, 1], {"min_crop_scales": (0.1, 0.2)}, "# of parameters/crop_samplers mismatch"),
        ([2, 5, 1, 0, 0, 1, 1], {"min_crop_scales": 1.0}, "must be 0 <= min < max <= 1"),
        ([2, 5, 1, 0, 0, 1, 1], {"min_crop_overlaps": 0.9, "max_crop_overlaps": 0.8}, "must be min <= max"),
        ([2, 5, 1, 0, 0, 1, 1], {"resize_mode": "stretch"}, "resize_mode='stretch' must be one of"),
        ([2, 5, 1, 0, 0, 1, 1], {"dtype": "uint8"}, "uint8 is not supported"),
        ([2, 5, 1, 0, 0, 1, 1], {"aug_seq": "aug_default"}, "names something else than 'det_aug_default'"),
    ],
)
def test_wrong_boxes(label: Any, params: dict[str, Any], match: str) -> None:
    with pytest.raises(mx.MXNetError, match=match):
        with_boxes(label, **params)


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"pip install 'mxlite\[image\]'"):
        small()


def test_a_checkpoint_goes_on_in_the_middle_of_an_epoch() -> None:
    params: dict[str, Any] = {"shuffle": True, "rand_crop": True, "seed": 2}
    it = small(**params)
    rows(it)
    it.reset()
    next(it)
    state = it.state_dict()
    rest = [rows(it)]
    it.reset()
    rest.append(rows(it))
    again = small(**params)
    again.load_state_dict(state)
    found = [rows(again)]
    again.reset()
    assert [*found, rows(again)] == rest


def test_pictures_turned_by_their_camera() -> None:
    """The direction in a JPEG is followed, as MXNet's opencv follows it."""
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, 16:] = 255
    done, data = cv2.imencode(".jpg", image)
    assert done
    exif = bytes.fromhex("ffe1 0022 457869660000 4d4d002a00000008 0001 0112 0003 00000001 00060000 00000000")
    turned = data.tobytes()[:2] + exif + data.tobytes()[2:]
    records = recordio.MXRecordIO("turned.rec", "w")
    records.write(recordio.pack(recordio.IRHeader(0, 1.0, 0, 0), turned))
    records.close()
    found = next(small(path_imgrec="turned.rec", batch_size=1, data_shape=(1, 32, 16))).data[0].asnumpy()[0, 0]
    assert found[:14].max() < 10 and found[18:].min() > 245


def test_so_much_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first batch, four that are ready, and two that are being made."""
    records = recordio.MXRecordIO("many.rec", "w")
    source = recordio.MXIndexedRecordIO("small.idx", "small.rec", "r")
    for number in range(200):
        records.write(source.read_idx(number % 7) or b"")
    records.close()
    decoded: list[int] = []

    def counted(content: bytes, iscolor: int) -> np.ndarray:
        decoded.append(len(content))
        return decode(content, iscolor)

    decode = image_rows.decode
    monkeypatch.setattr(image_rows, "decode", counted)
    it = small(path_imgrec="many.rec", batch_size=2, prefetch_buffer=4)
    end = time.monotonic() + 10
    while len(decoded) < 2 * 7 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(decoded) == 2 * 7
    assert len(list(it)) == 100 and len(decoded) == 200


def test_threads_end_with_their_iterators() -> None:
    def working() -> int:
        return sum(t.name.startswith(("mxlite-picture", "mxlite-read")) for t in threading.enumerate())

    before = working()
    its = [small() for _ in range(3)]
    assert working() > before
    del its
    gc.collect()
    end = time.monotonic() + 10
    while working() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert working() <= before


def test_a_module_is_trained(tmp_path: Path) -> None:
    draw = np.random.RandomState(0)
    records = recordio.MXRecordIO("halves.rec", "w")
    for number in range(64):
        image = draw.randint(0, 100, (20, 20, 3)).astype(np.uint8)
        image[:, :10] += np.uint8(100 * (number % 2))
        records.write(recordio.pack_img(recordio.IRHeader(0, number % 2, number, 0), image, 3, ".png"))
    records.close()
    params: dict[str, Any] = {"path_imgrec": "halves.rec", "data_shape": (3, 16, 16), "batch_size": 16}
    changes: dict[str, Any] = {"rand_crop": True, "mean_r": 50, "mean_g": 50, "mean_b": 50, "scale": 1 / 255}
    it = mx.io.ImageRecordIter(shuffle=True, **params, **changes)
    net = mx.sym.FullyConnected(mx.sym.Flatten(mx.sym.Variable("data")), num_hidden=2)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    module.fit(it, num_epoch=6, optimizer_params={"learning_rate": 0.05}, initializer=mx.init.Zero())
    assert dict(module.score(it, "acc"))["accuracy"] > 0.95
