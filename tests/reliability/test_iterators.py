# SPDX-License-Identifier: Apache-2.0
"""Iterators tell where they stand, and others of the same data go on from there, at any batch and any epoch."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.checkpoint.values import decode, encode
from tests.reliability.iterators import ITERATORS, PICTURES, X, Y, arrays, sentences


def seen(batches: Any) -> list[Any]:
    """What is left of the epoch, as numbers."""
    return [
        (batch.pad, [x.asnumpy().tolist() for x in [*batch.data, *(batch.label or ())]], batch.bucket_key)
        for batch in batches
    ]


def seed() -> None:
    np.random.seed(5)
    random.seed(6)


def goes_on(make: Callable[[Path], Any], after: int | None, folder: Path) -> None:
    """Three epochs of an iterator, and of another one that is told where the first one stood."""
    seed()
    one = make(folder)
    for _ in range(2):
        seen(one)
        one.reset()
    if after is None:
        seen(one)
    else:
        for _ in range(after):
            next(one)
    state = decode(encode(one.state_dict()))
    generators = np.random.get_state(), random.getstate()
    expected = []
    for _ in range(3):
        expected.append(seen(one))
        one.reset()

    np.random.seed(77)  # another process: whatever the new one draws is forgotten
    other = make(folder)
    next(other)
    other.load_state_dict(state)
    np.random.set_state(generators[0])
    random.setstate(generators[1])
    found = []
    for _ in range(3):
        found.append(seen(other))
        other.reset()
    assert found == expected
    assert len(expected[1]) >= 3


MOMENTS = pytest.mark.parametrize(
    "after", [0, 1, 2, None], ids=["at the beginning", "after 1", "after 2", "at the end"]
)


@MOMENTS
@pytest.mark.parametrize("name", ITERATORS)
def test_it_goes_on(name: str, after: int | None, tmp_path: Path):
    goes_on(ITERATORS[name], after, tmp_path)


@MOMENTS
@pytest.mark.parametrize("name", [name for name in PICTURES if not name.startswith("Prefetching")])
def test_pictures_go_on(name: str, after: int | None, tmp_path: Path):
    pytest.importorskip("cv2")
    goes_on(PICTURES[name], after, tmp_path)


def test_pictures_that_a_thread_augments_go_on_at_the_end_of_an_epoch(tmp_path: Path):
    """In its middle a batch waits that has drawn its random numbers already."""
    pytest.importorskip("cv2")
    goes_on(PICTURES["PrefetchingIter of ImageIter"], None, tmp_path)


def test_a_state_is_a_copy():
    batches = arrays("pad")
    state = batches.state_dict()
    before = encode(state)
    batches.reset()
    next(batches)
    assert encode(state) == before
    batches.load_state_dict(state)
    batches.reset()
    assert encode(state) == before


def test_what_does_not_fit_is_refused():
    state = arrays("pad").state_dict()
    shorter = mx.io.NDArrayIter(X[:20], Y[:20], 8)
    with pytest.raises(mx.MXNetError, match="the state is one of 26 rows, this NDArrayIter has 20"):
        shorter.load_state_dict(state)
    with pytest.raises(mx.MXNetError, match=r"NDArrayIter has the state .*'cursor'.*, this one is \['idx'\]"):
        arrays("pad").load_state_dict({"idx": state["idx"]})
    with pytest.raises(mx.MXNetError, match="the state is one of 1 iterators, this one joins 2"):
        ITERATORS["PrefetchingIter of two"](Path()).load_state_dict({"iters": [state], "given": 0, "ended": False})
    other = mx.rnn.BucketSentenceIter([[0, 1]] * 8, 4)
    with pytest.raises(mx.MXNetError, match=r"the state has \[10, 10, 10\] sentences in its buckets, here are \[8\]"):
        other.load_state_dict(sentences().state_dict())


def test_a_users_iterator_names_its_attributes():
    class Counting(mx.io.DataIter):
        state_attributes = ("at", "order")

        def __init__(self):
            super().__init__(1)
            self.at, self.order = 0, [3, 1, 2]

    one = Counting()
    one.at, one.order = 2, [2, 1, 3]
    other = Counting()
    other.load_state_dict(one.state_dict() or {})
    assert (other.at, other.order) == (2, [2, 1, 3])
    assert mx.io.DataIter().state_dict() is None
