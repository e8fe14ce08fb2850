# SPDX-License-Identifier: Apache-2.0
"""IterableIter: lists, generators, mappings, loaders like torch's, and grain's loader as data iterators."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.io import IterableIter

X = np.arange(20, dtype=np.float64).reshape(10, 2)
Y = np.arange(10) % 2


class Tensor:
    """What torch's tensors have that matters here."""

    def __init__(self, values: Any):
        self.values = np.asarray(values)

    def numpy(self) -> np.ndarray:
        return self.values


class DataLoader:
    """What ``torch.utils.data.DataLoader`` has that matters here: batches as lists of tensors, shuffled each epoch."""

    def __init__(self, x: np.ndarray, y: np.ndarray, batch_size: int, shuffle: bool = False):
        self.x, self.y, self.batch_size, self.draw = x, y, batch_size, np.random.RandomState(0) if shuffle else None

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch_size)

    def __iter__(self) -> Iterator[list[Tensor]]:
        order = np.arange(len(self.x)) if self.draw is None else self.draw.permutation(len(self.x))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield [Tensor(self.x[rows]), Tensor(self.y[rows])]


def batches(size: int = 4) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(X), size):
        yield X[start : start + size], Y[start : start + size]


def labels(it: Any) -> list[list[float]]:
    return [b.label[0].asnumpy().tolist() for b in it]


@pytest.mark.parametrize("source", [list(batches()), batches, DataLoader(X, Y, 4)], ids=["list", "function", "loader"])
def test_batches(source: Any) -> None:
    it = IterableIter(source)
    assert it.batch_size == 4
    (data,), (label,) = it.provide_data, it.provide_label
    assert (data.name, data.shape, data.dtype) == ("data", (4, 2), np.float32)
    assert (label.name, label.shape, label.dtype) == ("softmax_label", (4,), np.float32)
    for _ in range(3):
        found = list(it)
        assert [b.pad for b in found] == [0, 0, 2]
        rows = np.concatenate([b.data[0].asnumpy() for b in found])
        np.testing.assert_array_equal(rows[:10], X)
        np.testing.assert_array_equal(rows[10:], X[8:])  # its own rows fill the last batch up
        assert labels([found[-1]]) == [[0, 1, 0, 1]]
        assert list(it) == []
        it.reset()


def test_rows_are_put_together() -> None:
    it = IterableIter(list(zip(X, Y, strict=True)), batch_size=4)
    assert [b.pad for b in it] == [0, 0, 2]
    assert it.provide_label[0].shape == (4,)
    few = IterableIter(list(zip(X[:3], Y, strict=False)), batch_size=8)
    assert few.provide_data[0].shape == (8, 2) and next(few).pad == 5
    np.testing.assert_array_equal(next(iter([few.getdata()[0].asnumpy()[:, 0]])), X[[0, 1, 2, 0, 1, 2, 0, 1], 0])


def test_left_over_rows_are_left_out() -> None:
    assert labels(IterableIter(batches, last_batch_handle="discard")) == [[0, 1, 0, 1]] * 2


def test_names() -> None:
    def named(item: Any, **params: Any) -> tuple[list[str], list[str]]:
        it = IterableIter([item], **params)
        return [d.name for d in it.provide_data], [d.name for d in it.provide_label]

    assert named(X) == (["data"], [])
    assert named((X, Y)) == (["data"], ["softmax_label"])
    assert named((X, X, Y)) == (["_0_data", "_1_data"], ["softmax_label"])
    assert named((X, X), label_names=()) == (["_0_data", "_1_data"], [])
    assert named((X, Y), data_names=["x"], label_names=["y"]) == (["x"], ["y"])
    assert named((X, Y), data_names="x", label_names="y") == (["x"], ["y"])
    assert named({"softmax_label": Y, "b": X, "a": X}) == (["b", "a"], ["softmax_label"])
    assert named({"y": Y, "b": X, "a": X}, data_names=["a"], label_names=["y"]) == (["a"], ["y"])
    assert named({"image": X}) == (["image"], [])


def test_dtypes() -> None:
    (found,) = IterableIter([(X.astype(np.uint8), Y)], dtype=None)
    assert (found.data[0].dtype, found.label[0].dtype) == (np.uint8, np.int64)
    (found,) = IterableIter([(mx.nd.array(X), [1, 2] * 5)], dtype="float16")
    assert found.data[0].dtype == found.label[0].dtype == np.float16


def test_a_loader_may_use_its_memory_again() -> None:
    def reusing() -> Iterator[np.ndarray]:
        memory = np.zeros((2, 3), np.float32)
        for number in range(6):
            memory[:] = number
            yield memory

    assert [b.data[0].asnumpy()[0, 0] for b in IterableIter(reusing)] == [0, 1, 2, 3, 4, 5]


def test_a_thread_goes_ahead() -> None:
    taken: list[int] = []

    def counted() -> Iterator[np.ndarray]:
        for number in range(100):
            taken.append(number)
            yield np.zeros((1, 1))

    it = IterableIter(counted, ahead=3)
    end = time.monotonic() + 10
    while len(taken) < 4 and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(taken) == 4 and threading.current_thread() is threading.main_thread()
    it.reset()  # gives the epoch up
    assert len(list(it)) == 100


def test_an_error_of_the_source() -> None:
    def failing() -> Iterator[np.ndarray]:
        yield X
        yield X
        raise RuntimeError("the disk is gone")

    it = IterableIter(failing)
    for _ in range(2):
        next(it)
        next(it)
        with pytest.raises(RuntimeError, match="the disk is gone"):
            next(it)
        assert list(it) == []
        it.reset()


def test_what_can_be_iterated_only_once() -> None:
    it = IterableIter(batches())
    assert len(list(it)) == 3
    with pytest.raises(mx.MXNetError, match="a generator is iterated only once; give a function that makes it"):
        it.reset()


def test_items_without_end() -> None:
    def endless() -> Iterator[np.ndarray]:
        number = 0
        while True:
            yield np.full((2, 1), number)
            number += 1

    it = mx.io.ResizeIter(IterableIter(endless), 3, reset_internal=False)
    found = []
    for _ in range(2):
        found += [b.data[0].asnumpy()[0, 0] for b in it]
        it.reset()
    assert found == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("source", "params", "kind", "match"),
    [
        ([], {}, ValueError, "there is no batch in a list"),
        (3, {}, TypeError, "takes an iterable of batches, or a function that returns one, got int"),
        ([X], {"batch_size": 0}, ValueError, "batch_size must be a positive integer or None, got 0"),
        ([X], {"last_batch_handle": "roll_over"}, ValueError, "'roll_over' is none of pad, discard"),
        (
            [(X, Y, Y)],
            {"data_names": ["data"]},
            ValueError,
            "an item has 3 arrays, expected 2: .'data', 'softmax_label'",
        ),
        ([{"a": X}], {"data_names": ["b"]}, ValueError, r"an item has \['a'\], not 'b'"),
        ([(X, Y[:3])], {}, ValueError, r"equally many rows, got data \(10, 2\), softmax_label \(3,\)"),
        ([3.0], {}, ValueError, r"equally many rows, got data \(\)"),
        ([X[:0]], {}, ValueError, r"equally many rows, got data \(0, 2\)"),
        ([["a", "b"]], {"dtype": None}, ValueError, "a str is no array of numbers"),
        ([X, X[:, :1]], {}, ValueError, r"a batch has data \(10, 1\), the first had data \(10, 2\)"),
        ([X[:3], X], {}, ValueError, r"a batch has data \(10, 2\), the first had data \(3, 2\)"),
        ([X[0], X[0, :1]], {"batch_size": 2}, ValueError, r"a row has data \(1,\), the one before data \(2,\)"),
    ],
)
def test_mistakes(source: Any, params: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        list(IterableIter(source, **params))


def test_before_the_first_batch() -> None:
    it = IterableIter([X])
    with pytest.raises(mx.MXNetError, match=r"call next\(\)"):
        it.getdata()
    assert it.iter_next() and (it.getpad(), it.getlabel()) == (0, []) and not it.iter_next()


def module(**params: Any) -> mx.mod.Module:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2)
    return mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"), **params)


def separable() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.RandomState(0).randn(70, 2)
    return x, (x[:, 0] > x[:, 1]).astype(np.int64)


def test_a_module_is_trained_scored_and_asked() -> None:
    """70 rows, 16 a batch: `predict` leaves out those that only fill up the last one; 70 are a multiple of 14."""
    x, y = separable()
    it = IterableIter(DataLoader(x, y, 16, shuffle=True))
    trained = module()
    trained.fit(it, num_epoch=12, optimizer_params={"learning_rate": 1.0}, initializer=mx.init.Zero())
    plain = IterableIter(DataLoader(x, y, 16))
    found = trained.predict(plain).asnumpy()
    assert found.shape == (70, 2)
    accuracy = (found.argmax(1) == y).mean()
    assert accuracy > 0.9
    whole = IterableIter(DataLoader(x, y, 14))
    assert dict(trained.score(whole, "acc"))["accuracy"] == pytest.approx(accuracy)


def test_a_loader_of_grain() -> None:
    grain = pytest.importorskip("grain.python")
    x, y = separable()
    rows = [{"data": a.astype(np.float32), "softmax_label": b} for a, b in zip(x, y, strict=True)]

    def loader(operations: list[Any]) -> Any:
        sampler = grain.IndexSampler(len(rows), shuffle=True, seed=1, num_epochs=1, shard_options=grain.NoSharding())
        return grain.DataLoader(data_source=rows, sampler=sampler, operations=operations, worker_count=0)

    it = IterableIter(loader([grain.Batch(16)]))
    assert [b.pad for b in it] == [0, 0, 0, 0, 10]
    it.reset()
    np.testing.assert_array_equal(
        sorted(np.concatenate([b.data[0].asnumpy() for b in it])[:70, 0]), sorted(x.astype("f")[:, 0])
    )
    trained = module()
    it.reset()
    trained.fit(it, num_epoch=12, optimizer_params={"learning_rate": 1.0}, initializer=mx.init.Zero())
    one_by_one = IterableIter(loader([]), batch_size=16)
    assert dict(trained.score(one_by_one, "acc"))["accuracy"] > 0.9
