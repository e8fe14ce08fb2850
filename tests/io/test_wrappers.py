# SPDX-License-Identifier: Apache-2.0
"""ResizeIter and PrefetchingIter, against what MXNet 1.9.1 does."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.io import DataIter, NDArrayIter, PrefetchingIter, ResizeIter


def seven(first: float = 0.0, **kwargs: Any) -> NDArrayIter:
    return NDArrayIter(np.arange(7.0) + first, np.arange(7.0), 3, **kwargs)


def epochs(it: Any, number: int = 2) -> list[list[tuple[list[float], int]]]:
    found = []
    for _ in range(number):
        found.append([(b.data[0].asnumpy().tolist(), b.pad) for b in it])
        it.reset()
    return found


A, B, C = ([0.0, 1.0, 2.0], 0), ([3.0, 4.0, 5.0], 0), ([6.0, 0.0, 1.0], 2)


def test_resize() -> None:
    assert epochs(ResizeIter(seven(), 5)) == [[A, B, C, A, B]] * 2
    assert epochs(ResizeIter(seven(), 2)) == [[A, B]] * 2
    assert epochs(ResizeIter(seven(), 2, reset_internal=False)) == [[A, B], [C, A]]


def test_resize_passes_on() -> None:
    it = ResizeIter(seven(), 2)
    assert it.provide_data == [("data", (3,))] and it.provide_label == [("softmax_label", (3,))] and it.batch_size == 3
    with pytest.raises(mx.MXNetError, match=r"call next\(\)"):
        it.getdata()
    assert it.iter_next()
    assert it.getdata()[0].asnumpy().tolist() == A[0] == it.getlabel()[0].asnumpy().tolist()
    assert (it.getpad(), it.getindex()) == (0, None)


class Empty(DataIter):
    provide_data = (("data", (2,)),)
    provide_label = ()

    def iter_next(self) -> bool:
        return False


def test_resize_of_nothing() -> None:
    assert epochs(ResizeIter(Empty(2), 2)) == [[], []]


def test_prefetching() -> None:
    assert epochs(PrefetchingIter(seven()), 3) == [[A, B, C]] * 3
    it = PrefetchingIter([seven(), seven(100)])
    assert (it.n_iter, it.batch_size) == (2, 3)
    assert it.provide_data == [("data", (3,))] * 2
    batches = list(it)
    assert [b.data[1].asnumpy()[0] for b in batches] == [100, 103, 106]
    assert [len(b.label) for b in batches] == [2] * 3 and [b.pad for b in batches] == [0, 0, 2]
    with pytest.raises(StopIteration):
        next(it)


def test_prefetching_renames() -> None:
    it = PrefetchingIter(
        [seven(), seven()],
        rename_data=[{"data": "d1"}, {"data": "d2"}],
        rename_label=[{"softmax_label": "l1"}, {"softmax_label": "l2"}],
    )
    assert [d.name for d in it.provide_data + it.provide_label] == ["d1", "d2", "l1", "l2"]
    batch = next(it)
    assert [d.name for d in batch.provide_data + batch.provide_label] == ["d1", "d2", "l1", "l2"]
    assert it.getdata() is batch.data and it.getlabel() is batch.label and it.getpad() == 0


def test_prefetching_is_reset_in_the_middle() -> None:
    it = PrefetchingIter(seven())
    next(it)
    it.reset()
    assert epochs(it, 1) == [[A, B, C]]


def test_prefetching_errors() -> None:
    with pytest.raises(AssertionError, match="at least one"):
        PrefetchingIter([])
    with pytest.raises(ValueError, match="rename_data"):
        PrefetchingIter(seven(), rename_data=[{}, {}])
    short = NDArrayIter(np.arange(4.0), np.arange(4.0), 3)
    with pytest.raises(AssertionError, match=r"pad differently|mismatches"):
        list(PrefetchingIter([seven(), short]))


class Broken(DataIter):
    provide_data = (("data", (2,)),)
    provide_label = ()

    def next(self) -> Any:
        raise ZeroDivisionError("inside")


def test_an_error_inside_comes_out() -> None:
    it = PrefetchingIter(Broken(2))
    with pytest.raises(ZeroDivisionError, match="inside"):
        it.next()


def test_threads_end() -> None:
    it = PrefetchingIter(seven())
    next(it)
    threads = list(it._pool._threads)
    assert all(isinstance(t, threading.Thread) for t in threads)
    del it
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
