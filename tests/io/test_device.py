# SPDX-License-Identifier: Apache-2.0
"""DeviceIter: batches on another device, ahead of what is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.io import DeviceIter, NDArrayIter

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10) % 2


class Counting(NDArrayIter):
    """Counts the batches that were taken."""

    taken = 0

    def next(self) -> mx.io.DataBatch:
        batch = super().next()
        self.taken += 1
        return batch


def test_batches_are_on_the_device_ahead() -> None:
    inner = Counting(X, Y, 2)
    it = DeviceIter(inner, mx.cpu(1), ahead=2)
    assert it.provide_data == inner.provide_data and it.provide_label == inner.provide_label and it.batch_size == 2
    found = []
    for number, batch in enumerate(it, 1):
        assert inner.taken == min(number + 2, 5)
        assert batch.data[0].context == batch.label[0].context == mx.cpu(1)
        found.append(batch.data[0].asnumpy())
    np.testing.assert_array_equal(np.concatenate(found), X)
    it.reset()
    assert len(list(it)) == 5


def test_padding_goes_through() -> None:
    pads = [b.pad for b in DeviceIter(NDArrayIter(X, Y, 4), mx.cpu(1))]
    assert pads == [0, 0, 2]


def test_views_and_sparse_arrays() -> None:
    class Source(mx.io.DataIter):
        provide_data, provide_label = [("data", (2, 2))], []
        left = 1

        def reset(self) -> None:
            self.left = 1

        def next(self) -> mx.io.DataBatch:
            if not self.left:
                raise StopIteration
            self.left -= 1
            view, sparse = mx.nd.array(X)[2:4], mx.nd.sparse.csr_matrix(X[:2])
            return mx.io.DataBatch([view, sparse], [])

    (batch,) = DeviceIter(Source(2), mx.cpu(1))
    np.testing.assert_array_equal(batch.data[0].asnumpy(), X[2:4])
    assert batch.data[0].context == mx.cpu(1) and batch.data[1].stype == "csr"


def test_a_checkpoint_goes_on_in_the_middle() -> None:
    np.random.seed(0)
    it = DeviceIter(NDArrayIter(X, Y, 2, shuffle=True), mx.cpu(1))
    next(it)
    next(it)
    state = it.state_dict()
    rest = [b.data[0].asnumpy().tolist() for b in it]
    again = DeviceIter(NDArrayIter(X, Y, 2, shuffle=True), mx.cpu(1))
    assert state is not None
    again.load_state_dict(state)
    assert [b.data[0].asnumpy().tolist() for b in again] == rest and len(rest) == 3


def test_a_module_is_trained() -> None:
    x = np.random.RandomState(0).randn(64, 2)
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"), context=mx.cpu(1))
    it = DeviceIter(NDArrayIter(x, (x[:, 0] > x[:, 1]).astype(int), 16), mx.cpu(1))
    module.fit(it, num_epoch=12, optimizer_params={"learning_rate": 1.0}, initializer=mx.init.Zero())
    assert dict(module.score(it, "acc"))["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("args", "kind", "match"),
    [
        (([X], mx.cpu()), TypeError, "takes a data iterator, got list"),
        ((NDArrayIter(X, Y, 2), "gpu"), TypeError, r"takes a Context such as mx.gpu\(0\), got str"),
        ((NDArrayIter(X, Y, 2), mx.gpu(99)), mx.MXNetError, r"gpu\(99\)"),
    ],
)
def test_mistakes(args: Any, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        DeviceIter(*args)
    with pytest.raises(mx.MXNetError, match=r"call next\(\)"):
        DeviceIter(NDArrayIter(X, Y, 2), mx.cpu()).getdata()
