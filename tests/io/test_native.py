# SPDX-License-Identifier: Apache-2.0
"""CSVIter, LibSVMIter and MNISTIter against the batches of MXNet 1.9.1, and what they say of files that are wrong."""

from __future__ import annotations

import gc
import gzip
import inspect
import json
import os
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.io import CSVIter, LibSVMIter, MNISTIter, MXDataIter
from mxlite.io.mnist import shuffled

GOLDEN = Path(__file__).parent.parent / "golden" / "io" / "native.json"
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text())["cases"]
MAKERS: dict[str, Callable[..., MXDataIter]] = {
    "CSVIter": CSVIter,
    "LibSVMIter": LibSVMIter,
    "MNISTIter": MNISTIter,
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened(case: dict[str, Any]) -> MXDataIter:
    for name, text in case["files"].items():
        Path(name).write_bytes(bytes.fromhex(text) if case["hex"] else text.encode())
    return MAKERS[case["iter"]](**case["params"])


def csv(text: str | bytes, **kwargs: Any) -> MXDataIter:
    Path("x.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return CSVIter(**{"data_csv": "x.csv", "data_shape": (2,), "batch_size": 1, "round_batch": False, **kwargs})


def svm(text: str, **kwargs: Any) -> MXDataIter:
    Path("x.svm").write_text(text)
    return LibSVMIter(**{"data_libsvm": "x.svm", "data_shape": (3,), "batch_size": 1, **kwargs})


def mnist(count: int = 8, said: int | None = None, magic: int = 2051, cut: int = 0, **kwargs: Any) -> MXDataIter:
    image = struct.pack(">IIII", magic, count if said is None else said, 2, 3) + bytes(range(6 * count))
    Path("im").write_bytes(image[: len(image) - cut])
    Path("la").write_bytes(struct.pack(">II", 2049, count) + bytes(range(count)))
    return MNISTIter(**{"image": "im", "label": "la", "silent": True, "batch_size": 2, "shuffle": False, **kwargs})


def data_of(it: MXDataIter) -> list[Any]:
    return [b.data[0].asnumpy().tolist() for b in it]


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_batches(case: dict[str, Any]) -> None:
    it = opened(case)
    (data,), (label,) = it.provide_data, it.provide_label
    assert isinstance(it, MXDataIter) and [data.name, label.name] == case["names"]
    assert [*data.shape] == case["data_shape"] and [*label.shape] == case["label_shape"]
    assert np.dtype(data.dtype).name == np.dtype(label.dtype).name == case["dtype"]
    for epoch in case["epochs"]:
        batches = list(it)
        assert [b.pad for b in batches] == [b["pad"] for b in epoch]
        for found, told in zip(batches, epoch, strict=True):
            (x,), (y,) = found.data, found.label
            assert x.shape == data.shape and y.shape == label.shape and x.dtype == y.dtype == data.dtype
            # Where MXNet's last batch has what was in memory before, because no batch came before it, here are zeros.
            assert x.asnumpy().tolist() == told["data"] and y.asnumpy().tolist() == told["label"]
            assert (x.stype, y.stype) == ("csr" if told["csr"] else "default", told["label_stype"])
            if told["csr"]:
                assert [p.asnumpy().tolist() for p in (x.data, x.indices, x.indptr)] == told["csr"]
            if case["iter"] != "MNISTIter":  # there MXNet tells zeros
                assert found.index.tolist() == told["index"]
        it.reset()


def test_the_order_of_a_large_set() -> None:
    """Numbers that MXNet's MNISTIter gave for 60000 images: draws that are repeated happen here, too."""
    order = shuffled(60000, 3)
    assert sorted(order[:2000].tolist() + order[2000:].tolist()) == list(range(60000))
    assert order[[*range(4), -2, -1]].tolist() == ORDER


ORDER = [27548, 48776, 47402, 59264, 11261, 43348]


def test_steps_by_hand() -> None:
    it = csv("0,1\n2,3\n4,5\n", batch_size=2, round_batch=True)
    with pytest.raises(mx.MXNetError, match=r"call next\(\)"):
        it.getdata()
    assert it.iter_next() and it.getdata().asnumpy().tolist() == [[0, 1], [2, 3]]
    assert it.getlabel().asnumpy().tolist() == [0, 0] and (it.getpad(), it.getindex().tolist()) == (0, [0, 1])
    assert it.getindex().dtype == np.uint64
    assert it.iter_next() and not it.iter_next() and not it.iter_next()
    with pytest.raises(StopIteration):
        it.next()
    assert (it.getpad(), it.getindex().tolist()) == (1, [2, 0])
    it.reset()
    assert [b.index.tolist() for b in it] == [[1, 2]]


def test_an_epoch_that_is_given_up_begins_anew() -> None:
    it = csv("0,1\n2,3\n4,5\n", batch_size=2, round_batch=True)
    for _ in range(3):
        assert next(it).index.tolist() == [0, 1]
        it.reset()
    it.reset()
    assert [b.pad for b in it] == [0, 1]


def test_the_first_batch_again() -> None:
    it = csv("0,1\n2,3\n")
    it.debug_skip_load()
    assert [next(it).data[0].asnumpy().tolist() for _ in range(3)] == [[[0, 1]]] * 3


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1,2\n\n3\n", r"'x.csv', line 3: 1 numbers, data_shape=\(2,\) needs 2"),
        ("1,2\n3,4,5\n", r"line 2: 3 numbers"),
        ("1,2\n3,x\n", r"line 2: column 2 is no float32: 'x'"),
        ("1,2\n,4\n", r"line 2: column 1 is no float32: ''"),
        ("a,b\n1,2\n", r"line 1: column 1 is no float32: 'a'"),
        ('"1","2"\n', r"line 1: column 1 is no float32: '\"1\"'"),
        (b"1,\xff\x00\n", "line 1: column 2 is no float32"),
        ("", "'x.csv' is empty"),
        ("\n\n", "there is no batch of 1 rows"),
    ],
)
def test_wrong_csv(text: str, match: str) -> None:
    with pytest.raises(mx.MXNetError, match=match):
        list(csv(text))


def test_wrong_integers() -> None:
    for field in ("99999999999999999999", "nan", "1e30", "x"):
        with pytest.raises(mx.MXNetError, match=f"line 1: column 2 is no int64: '{field}'"):
            csv(f"1,{field}\n", dtype="int64")
    assert data_of(csv("1e3,-2.9\n", dtype="int32")) == [[[1000, -2]]]


def test_a_mistake_far_behind() -> None:
    """It comes when its batch is asked for, with its line, and the iterator can begin again."""
    rows = ["1,2"] * 300_000
    rows[280_000] = "1,oops"
    it = csv("\n".join(rows), batch_size=1000)
    for _ in range(2):
        with pytest.raises(mx.MXNetError, match="line 280001: column 2 is no float32: 'oops'"):
            for count, _batch in enumerate(it):
                assert count < 280
        assert list(it) == []
        it.reset()


def test_labels_that_do_not_fit() -> None:
    Path("l.csv").write_text("1\n")
    with pytest.raises(mx.MXNetError, match="fewer labels than rows"):
        list(csv("1,2\n3,4\n", label_csv="l.csv"))
    with pytest.raises(mx.MXNetError, match=r"'l.csv', line 1: 1 numbers, label_shape=\(2,\) needs 2"):
        csv("1,2\n", label_csv="l.csv", label_shape=2)
    Path("l.svm").write_text("1 0:1\n")
    with pytest.raises(mx.MXNetError, match="fewer labels than rows"):
        list(svm("1 0:1\n1 1:1\n", label_libsvm="l.svm", label_shape=2))
    with pytest.raises(mx.MXNetError, match="number of input must be bigger than batch size"):
        csv("1,2\n", batch_size=3, round_batch=True)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 0:1\n2 3:1\n", r"'x.svm', line 2: '3:1': data_shape=\(3,\) has columns 0 to 2"),
        ("1 0:1\n\n2 -1:3\n", "line 3: expected column:value, got '-1:3'"),
        ("1 0:x\n", "line 1: expected column:value, got '0:x'"),
        ("1 0:1:2\n", "line 1: expected column:value, got '0:1:2'"),
        ("1 99999999999999999999:1\n", "has columns 0 to 2"),
        ("a 0:1\n", "line 1: expected a label, got b'a'"),
        ("# nothing\n", "there is no batch of 1 rows"),
    ],
)
def test_wrong_svm(text: str, match: str) -> None:
    with pytest.raises(mx.MXNetError, match=match):
        list(svm(text))


def test_svm_forms() -> None:
    assert data_of(svm("# head\n1 qid:3 0:2 # 1:5\n2 1\n")) == [[[2, 0, 0]], [[0, 1, 0]]]


def test_svm_parts_hold_every_row_once() -> None:
    rows = [f"{i} {i % 3}:{i}" for i in range(50)]
    Path("l.svm").write_text("\n".join(f"0 1:{i}" for i in range(50)))
    for parts in (1, 2, 3, 7):
        found = []
        for part in range(parts):
            labels: dict[str, Any] = {"label_libsvm": "l.svm", "label_shape": 2}
            for b in svm("\n".join(rows), num_parts=parts, part_index=part, **labels):
                found.append((b.data[0].asnumpy().sum(), b.label[0].asnumpy()[0, 1]))
        assert found == [(i, i) for i in range(50)]


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"data_shape": (2, 3)}, "dimension of data_shape is expected to be 1"),
        ({"label_shape": (2,)}, r"label_shape is expected to be \(1,\) without label_libsvm"),
        ({"label_libsvm": "x.svm"}, r"label_shape is not expected to be \(1,\)"),
        ({"round_batch": False}, "round_batch=False is not supported"),
        ({"dtype": "int32"}, "int32 is not supported"),
        ({"num_parts": 2, "part_index": 2}, "part_index=2 is not one of num_parts=2 parts"),
    ],
)
def test_wrong_svm_parameters(kwargs: dict[str, Any], match: str) -> None:
    with pytest.raises(mx.MXNetError, match=f"LibSVMIter: {match}"):
        svm("1 0:1\n", **kwargs)


def test_parameters() -> None:
    assert csv("1,2\n", data_shape="(2,)", batch_size="1", dtype=np.int32).provide_data[0].dtype == np.int32
    assert data_of(csv("1,2\n", data_csv=Path("x.csv"))) == [[[1, 2]]]
    for kwargs, match in (
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"batch_size": "x"}, "batch_size='x' must be an integer"),
        ({"dtype": "foo"}, "dtype='foo' must be one of"),
        ({"dtype": "float64"}, "float64 is not supported; dtypes are: float32, int32, int64"),
        ({"ctx": "tpu"}, "ctx='tpu' must be one of 'cpu', 'gpu'"),
        ({"data_csv": "nope.csv"}, "cannot open 'nope.csv': No such file"),
        ({"label_csv": "nope.csv"}, "cannot open 'nope.csv': No such file"),
    ):
        with pytest.raises(mx.MXNetError, match=f"CSVIter: {match}"):
            csv("1,2\n", **kwargs)
    with pytest.raises(mx.MXNetError, match="Required parameter batch_size of int"):
        CSVIter(data_csv="x.csv", data_shape=2)
    with pytest.raises(TypeError, match="only accept keyword arguments"):
        CSVIter("x.csv")
    with pytest.warns(UserWarning, match="no parameter 'batchsize', which is ignored; did you mean 'batch_size'"):
        csv("1,2\n", batchsize=3)


def test_folders_and_addresses() -> None:
    Path("folder").mkdir()
    for name, text in (("b", "3,4"), ("a", "1,2")):
        Path("folder", name).write_text(text)
    assert data_of(csv("", data_csv="folder")) == [[[1, 2]], [[3, 4]]]
    assert data_of(csv("", data_csv=f"file://{os.path.abspath('folder/b')}")) == [[[3, 4]]]


def test_packed_mnist() -> None:
    plain = data_of(mnist())
    for name in ("im", "la"):
        Path(name).write_bytes(gzip.compress(Path(name).read_bytes()))
    assert data_of(MNISTIter(image="im", label="la", silent=True, batch_size=2, shuffle=False)) == plain


def test_wrong_mnist() -> None:
    tracemalloc.start()
    for make, match in (
        (lambda: mnist(magic=2049), "'im': expected the magic number 2051 at offset 0, got 2049"),
        (lambda: mnist(cut=1), r"'im': expected \[8, 2, 3\] bytes from offset 16 on, got only 47"),
        (lambda: mnist(said=2**32 - 1), "got only 48"),
        (lambda: mnist(count=0, cut=9), "'im': expected a head of 16 bytes, got 7"),
        (lambda: mnist(said=7), "'im' has 7 images, 'la' has 8 labels"),
        (lambda: mnist(batch_size=9), "there is no batch of 9 rows"),
        (lambda: mnist(dtype="int32"), "int32 is not supported"),
        (lambda: mnist(num_parts=2, part_index=2), "part_index=2 is not one of"),
        (lambda: mnist(image="nope"), "cannot open 'nope': No such file"),
    ):
        with pytest.raises(mx.MXNetError, match=match):
            make()
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()
    mnist()
    packed = gzip.compress(Path("im").read_bytes())
    for data in (packed[:-10], packed[:20] + b"\0\0\0\0" + packed[24:]):
        Path("im").write_bytes(data)
        with pytest.raises(mx.MXNetError, match="'im'"):
            MNISTIter(image="im", label="la", silent=True, batch_size=2)


def test_a_large_file_is_read_in_pieces() -> None:
    text = "0.5,0.25\n" * 300_000
    it = csv(text, batch_size=1000)
    tracemalloc.start()
    count = sum(1 for _, _batch in zip(range(150), it, strict=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 150 and peak < 1e7  # its lines as Python objects are 12 MB, its numbers and labels 12 MB


def test_threads_end_with_their_iterators() -> None:
    def reading() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name.startswith("mxlite-read")]

    before = len(reading())
    its = [csv("1,2\n3,4\n") for _ in range(3)]
    assert len(reading()) > before
    del its
    gc.collect()
    end = time.monotonic() + 10
    while len(reading()) > before and time.monotonic() < end:
        time.sleep(0.01)
    assert len(reading()) <= before


def test_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    it = csv("1,2\n3,4\n")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert next(it)  # read already
    with pytest.raises(mx.MXNetError, match="make one in this process"):
        next(it)
    monkeypatch.undo()


def test_a_module_is_trained() -> None:
    numbers = np.random.RandomState(0).rand(64, 2)
    Path("l.csv").write_text("\n".join(str(int(a > b)) for a, b in numbers))
    it = csv("\n".join(f"{a},{b}" for a, b in numbers), batch_size=8, label_csv="l.csv", round_batch=True)
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2), name="softmax")
    module = mx.mod.Module(net)
    module.fit(it, num_epoch=12, optimizer_params={"learning_rate": 1.0}, initializer=mx.init.Zero())
    assert dict(module.score(it, "acc"))["accuracy"] > 0.9


def test_signatures() -> None:
    shown = inspect.signature(CSVIter).parameters
    assert (shown["round_batch"].default, shown["batch_size"].default) == (True, inspect.Parameter.empty)
    assert CSVIter.__name__ == "CSVIter" and "round_batch" in (CSVIter.__doc__ or "")
