# SPDX-License-Identifier: Apache-2.0
"""NDArrayIter: recorded protocols, properties that hold for all sizes, names, dtypes, errors."""

from __future__ import annotations

import json
import pickle
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxlite as mx
from mxlite.io import DataDesc, NDArrayIter
from mxlite.ndarray import NDArray

CASES = json.loads((Path(__file__).parents[1] / "golden" / "io" / "ndarray_iter.json").read_text())["cases"]


def grid(*shape: int, dtype: str = "float64") -> np.ndarray:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


def whole(arrays: list[NDArray]) -> list[int]:
    return [int(x) for x in arrays[0].asnumpy().ravel()]


def call(it: NDArrayIter, op: str) -> Any:
    try:
        if op == "next":
            batch = it.next()
            return {"data": whole(batch.data), "label": whole(batch.label), "pad": batch.pad}
        if op in ("getdata", "getlabel"):
            return whole(getattr(it, op)())
        return it.cursor if op == "cursor" else getattr(it, op)()
    except StopIteration:
        return "StopIteration"
    except mx.MXNetError as e:
        assert str(e)
        return "error"


@pytest.mark.parametrize("number", range(len(CASES)))
def test_recorded(number: int) -> None:
    case = CASES[number]
    np.random.seed(case["seed"])
    n = case["n"]
    it = NDArrayIter(
        np.arange(n),
        np.arange(n) * 10,
        case["batch_size"],
        shuffle=case["shuffle"],
        last_batch_handle=case["last_batch_handle"],
    )
    for place, (op, want) in enumerate(zip(case["ops"], case["results"], strict=True)):
        assert call(it, op) == want, (place, case["ops"][: place + 1])


# ------------------------------------------------------------------ properties

sizes = st.tuples(st.integers(1, 30), st.integers(1, 40))


def epoch(it: NDArrayIter) -> list[tuple[list[int], int]]:
    found = []
    for batch in it:
        data = whole(batch.data)
        assert [10 * x for x in data] == whole(batch.label)
        assert len(data) == it.batch_size
        found.append((data, batch.pad))
    it.reset()
    return found


def iterator(n: int, size: int, how: str, shuffle: bool, seed: int) -> NDArrayIter:
    np.random.seed(seed)
    return NDArrayIter(np.arange(n), np.arange(n) * 10, size, shuffle, how)


@settings(max_examples=40, deadline=None)
@given(sizes, st.booleans(), st.integers(0, 9))
def test_pad_has_every_row_once(nm: tuple[int, int], shuffle: bool, seed: int) -> None:
    n, size = nm
    it = iterator(n, size, "pad", shuffle, seed)
    for _ in range(3):
        batches = epoch(it)
        real = [x for data, pad in batches for x in data[: len(data) - pad]]
        assert sorted(real) == list(range(n))
        assert all(pad == 0 for _, pad in batches[:-1])
        filled, pad = batches[-1]
        assert filled[len(filled) - pad :] == (real * size)[:pad]


@settings(max_examples=40, deadline=None)
@given(sizes, st.booleans(), st.integers(0, 9))
def test_discard_has_every_row_at_most_once(nm: tuple[int, int], shuffle: bool, seed: int) -> None:
    n, size = nm
    it = iterator(n, size, "discard", shuffle, seed)
    for _ in range(3):
        batches = epoch(it)
        rows = [x for data, _ in batches for x in data]
        assert len(rows) == len(set(rows)) == n - n % size
        assert all(pad == 0 for _, pad in batches)


@settings(max_examples=40, deadline=None)
@given(sizes, st.booleans(), st.integers(0, 9), st.integers(1, 6))
def test_roll_over_has_every_row_once_an_epoch(nm: tuple[int, int], shuffle: bool, seed: int, epochs: int) -> None:
    n, size = nm
    it = iterator(n, size, "roll_over", shuffle, seed)
    rows: list[int] = []
    for number in range(1, epochs + 1):
        batches = epoch(it)
        rows += [x for data, _ in batches for x in data]
        assert len(rows) == number * n - number * n % size
        for begin in range(0, len(rows) - n + 1, n):
            assert sorted(rows[begin : begin + n]) == list(range(n))
    assert max(Counter(rows).values(), default=0) <= epochs


# ------------------------------------------------------------------ names, dtypes


def test_descriptions() -> None:
    it = NDArrayIter(grid(7, 2), grid(7), 3)
    assert it.provide_data == [("data", (3, 2))] and it.provide_label == [("softmax_label", (3,))]
    assert repr(it.provide_data[0]) == "DataDesc[data,(3, 2),<class 'numpy.float32'>,NCHW]"
    assert (it.num_data, it.num_source, it.batch_size, it.cursor) == (7, 2, 3, -3)
    assert NDArrayIter(grid(4, 2), batch_size=2, layout="NT").provide_data[0].layout == "NT"
    assert isinstance(it.provide_data[0], DataDesc)


def names(descs: list[DataDesc]) -> list[str]:
    return [d.name for d in descs]


def test_lists_and_dictionaries() -> None:
    it = NDArrayIter([grid(4, 2), grid(4, 3)], [grid(4), grid(4, 5)], 2)
    assert names(it.provide_data) == ["_0_data", "_1_data"]
    assert names(it.provide_label) == ["_0_softmax_label", "_1_softmax_label"]
    it = NDArrayIter([grid(4, 2)], [grid(4)], 2, data_name="x", label_name="y")
    assert names(it.provide_data + it.provide_label) == ["x", "y"]
    it = NDArrayIter({"b": grid(4, 2), "a": mx.nd.ones((4, 3))}, {"z": grid(4), "y": grid(4, 1)}, 2)
    assert it.provide_data == [("a", (2, 3)), ("b", (2, 2))]
    assert it.provide_label == [("y", (2, 1)), ("z", (2,))]
    assert [x.shape for x in it.next().data] == [(2, 3), (2, 2)]
    assert [name for name, _ in it.data] == ["a", "b"]
    assert len(it.data_list) == 4
    it = NDArrayIter([[1, 2], [3, 4]], batch_size=1)
    assert it.provide_data == [("_0_data", (1,)), ("_1_data", (1,))]


def test_no_label() -> None:
    for label in (None, [], {}):
        it = NDArrayIter(grid(4, 2), label, 2)
        assert (it.provide_label, it.label, it.next().label) == ([], [], [])


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "int64", "uint8", "bool"])
def test_numpy_becomes_float32(dtype: str) -> None:
    it = NDArrayIter(grid(4, 2, dtype=dtype), grid(4, dtype=dtype), 2)
    batch = it.next()
    assert it.provide_data[0].dtype is it.provide_label[0].dtype is np.float32
    assert batch.data[0].dtype is batch.label[0].dtype is np.float32


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "int64", "uint8"])
def test_ndarrays_keep_their_dtype(dtype: str) -> None:
    it = NDArrayIter(mx.nd.array(grid(4, 2), dtype=dtype), batch_size=2)
    assert np.dtype(it.provide_data[0].dtype) == np.dtype(it.next().data[0].dtype) == dtype


def test_dataset() -> None:
    class Dataset:
        """What h5py gives."""

        shape, dtype = (3, 2), np.dtype("f4")

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return grid(3, 2, dtype="float32")

    assert whole(NDArrayIter(Dataset(), batch_size=2).next().data) == [0, 1, 2, 3]


# ------------------------------------------------------------------ whose memory


def test_numpy_sources_are_copied() -> None:
    source = grid(4, 2, dtype="float32")
    it = NDArrayIter(source, batch_size=2)
    source[:] = 7
    assert whole(it.next().data) == [0, 1, 2, 3]


def test_ndarray_sources_are_not() -> None:
    source = mx.nd.array(grid(4, 2))
    it = NDArrayIter(source, batch_size=2)
    first = it.next().data
    source[:] = 7
    assert whole(it.next().data) == [7] * 4
    assert whole(first) == [0, 1, 2, 3]


def test_the_data_can_be_changed() -> None:
    it = NDArrayIter(grid(4, 2), batch_size=2)
    it.data[0][1][0:1] = 9
    assert whole(it.next().data) == [9, 9, 2, 3]


def test_batches_are_their_own() -> None:
    it = NDArrayIter(grid(4, 2), batch_size=2)
    batch = it.next()
    batch.data[0][:] = -1
    it.reset()
    assert whole(it.next().data) == [0, 1, 2, 3]


def test_shuffled_data_is_seen_in_its_order() -> None:
    np.random.seed(3)
    it = NDArrayIter(np.arange(7), np.arange(7), 3, shuffle=True)
    assert whole([it.data[0][1]]) == [4, 6, 5, 3, 1, 0, 2]
    assert whole([it.label[0][1]]) == [4, 6, 5, 3, 1, 0, 2]


def test_pickle() -> None:
    it = NDArrayIter(grid(5, 2), {"y": mx.nd.array(grid(5), dtype="int32")}, 2, last_batch_handle="roll_over")
    it.next()
    copy = pickle.loads(pickle.dumps(it))
    assert whole(copy.next().data) == whole(it.next().data)
    assert copy.provide_label[0].dtype is np.int32


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (None, AssertionError),
        ([], AssertionError),
        ({}, ValueError),
        ("abc", TypeError),
        (3, TypeError),
        ({"a": 3}, TypeError),
        (["abc"], TypeError),
        (np.array(3.0), ValueError),
        (np.array(["a"]), TypeError),
        ([[1, 2], [3]], mx.MXNetError),
    ],
)
def test_bad_data(data: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        NDArrayIter(data, batch_size=1)
    assert str(caught.value)


@pytest.mark.parametrize("size", [0, -1, 2.0, "3", None, True])
def test_bad_batch_size(size: Any) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        NDArrayIter(grid(4), batch_size=size)


def test_bad_last_batch_handle() -> None:
    with pytest.raises(ValueError, match="did you mean 'discard'"):
        NDArrayIter(grid(4), last_batch_handle="discrd")


def test_lengths() -> None:
    with pytest.raises(mx.MXNetError, match="'softmax_label' has 5 rows, but 'data' has 7"):
        NDArrayIter(grid(7), grid(5), 2)
    with pytest.warns(UserWarning, match="the last 2 are never used"):
        it = NDArrayIter(grid(5), grid(7), 2)
    assert [whole(b.label) for b in it] == [[0, 1], [2, 3], [4, 0]]


def test_empty() -> None:
    it = NDArrayIter(np.zeros((0, 3)), batch_size=2)
    assert it.provide_data == [("data", (2, 3))] and list(it) == []
    assert list(NDArrayIter(grid(3, 2), batch_size=4, last_batch_handle="discard")) == []


def test_the_protocol_is_explained() -> None:
    it = NDArrayIter(grid(4), batch_size=2)
    with pytest.raises(mx.MXNetError, match=r"call next\(\)"):
        it.getdata()
    list(it)
    with pytest.raises(AssertionError, match=r"reset\(\)"):
        it.getlabel()
    with pytest.raises(StopIteration):
        it.next()
    assert it.getindex() is None


# ------------------------------------------------------------------ cost


def test_a_batch_runs_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    it = NDArrayIter({"a": grid(90, 4), "b": mx.nd.array(grid(90), dtype="int32")}, grid(90), 8, shuffle=True)
    list(it)  # the copy on the host is made with the first batch
    traced = []
    monkeypatch.setattr(jax, "jit", lambda *a, **k: traced.append(a))
    for _ in range(20):
        it.reset()
        with jax.log_compiles(), warnings.catch_warnings():
            warnings.simplefilter("error")
            for batch in it:
                assert all(x.context == mx.cpu() for x in batch.data)
    assert not traced


def test_batches_go_to_the_current_context() -> None:
    with mx.Context("cpu", 1):
        it = NDArrayIter(grid(4), batch_size=2)
    assert it.next().data[0].context == mx.cpu(1)
    assert NDArrayIter(mx.nd.ones((4,), ctx=mx.cpu(2)), batch_size=2).next().data[0].context == mx.cpu(2)
