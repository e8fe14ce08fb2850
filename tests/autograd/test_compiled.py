# SPDX-License-Identifier: Apache-2.0
"""What is recorded again is not compiled again; backward is one launch; nothing is kept longer than it is needed."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray import dispatch
from mxlite_compiler.program import COUNTERS

nd, ag = mx.nd, mx.autograd


def var(*shape: int, req: str = "write") -> Any:
    x = nd.array(np.random.uniform(0.5, 1.5, shape))
    x.attach_grad(req)
    return x


def counted(step: Callable[[int], Any], times: int = 10) -> tuple[int, int]:
    """How many traces and launches of backward programs the calls after the first cause."""
    step(0)
    traces, launches = COUNTERS.traces, COUNTERS.launches
    for i in range(1, times + 1):
        step(i)
    return COUNTERS.traces - traces, COUNTERS.launches - launches


X, W, B = var(8, 5), var(4, 5), var(4)
TABLE = var(16, 5)


def mlp(i: int) -> Any:
    h = nd.relu(nd.FullyConnected(X, W, B, num_hidden=4))
    return -nd.pick(nd.log_softmax(h), nd.array(np.arange(8) % 4)).mean()


@pytest.mark.parametrize(
    "compute",
    [
        mlp,
        lambda i: nd.Dropout(X * i, p=0.5) + i * 0.1,
        lambda i: X[i % 8] * TABLE[i],
        lambda i: TABLE[i : i + 3] * 2,
        lambda i: TABLE[:, i % 5],
        lambda i: nd.slice_axis(TABLE, axis=0, begin=i, end=i + 2),
        lambda i: TABLE[[i, 1]] * i,
        lambda i: nd.contrib.boolean_mask(TABLE, nd.array(np.arange(16) % 16 == i)),
        lambda i: nd.clip(X, 0.1 * i, 5.0) if i < 0 else X.reshape((5, 8)).astype("float64"),
        lambda i: nd.random.uniform(shape=(5,)) * X,
    ],
)
def test_one_program(compute: Callable[[int], Any]) -> None:
    def step(i: int) -> None:
        with ag.record():
            y = compute(i)
        y.backward()

    assert counted(step) == (0, 10)


def test_other_shapes_compile_once_each() -> None:
    def step(i: int) -> None:
        x = var(3, 2 + i % 2)
        with ag.record():
            y = nd.tanh(x).sum()
        y.backward()

    step(0)
    step(1)
    assert counted(step)[0] == 0


def test_many_losses_one_launch() -> None:
    w = var(3, req="add")

    def step(i: int) -> None:
        with ag.record():
            losses = [(w * k).sum() for k in range(4)]
        ag.backward(losses)

    assert counted(step) == (0, 10)
    np.testing.assert_allclose(w.grad.asnumpy(), np.full(3, 11 * 6))


def test_higher_orders_compile_once() -> None:
    x = var(4)

    def step(i: int) -> None:
        with ag.record():
            y = nd.sin(x * (i + 1))
            g = ag.grad(y, x, create_graph=True)[0]
            z = (g * g).sum()
        z.backward()

    assert counted(step) == (0, 20)


def test_user_code_cuts_into_two() -> None:
    class Double(ag.Function):
        def forward(self, a: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return a * 2

        def backward(self, d: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return d * 2

    x = var(4)

    def step(i: int) -> None:
        with ag.record():
            y = nd.exp(Double()(nd.sin(x)))
        y.backward()

    assert counted(step) == (0, 20)
    s = np.sin(x.asnumpy())
    np.testing.assert_allclose(x.grad.asnumpy(), np.exp(2 * s) * 2 * np.cos(x.asnumpy()), rtol=1e-5)


@mx.operator.register("autograd_cube", jit=True)
class CubeProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> Any:
        return Cube()


class Cube(mx.operator.CustomOp):
    def forward(self, is_train: Any, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
        self.assign(out_data[0], req[0], in_data[0] * in_data[0] * in_data[0])

    def backward(self, req: Any, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any, aux: Any) -> None:
        self.assign(in_grad[0], req[0], 3 * in_data[0] * in_data[0] * out_grad[0])


def test_a_pure_custom_operator_is_traced() -> None:
    x = var(4)

    def step(i: int) -> None:
        with ag.record():
            y = nd.Custom(x * 2, op_type="autograd_cube") * 3
        y.backward()

    assert counted(step) == (0, 10)
    np.testing.assert_allclose(x.grad.asnumpy(), 72 * x.asnumpy() ** 2, rtol=1e-5)
    with ag.record():
        y = nd.Custom(x, op_type="autograd_cube")
        g = ag.grad(y, x, create_graph=True)[0]
    g.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), 6 * x.asnumpy(), rtol=1e-5)


def test_an_unrolled_loop_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that is there many times, too: what differs is only how the calls are wired."""
    seen: list[str] = []
    pull = dispatch.Program.pull

    def noted(self: Any, *args: Any) -> Any:
        seen.append(self.name)
        return pull(self, *args)

    monkeypatch.setattr(dispatch.Program, "pull", noted)
    x, w = var(3, 7), var(7, 7)
    for steps in (12, 15):
        with ag.record():
            h = x
            for _ in range(steps):
                h = nd.softsign(nd.FullyConnected(h, w, num_hidden=7, no_bias=True)) + x
        h.backward()
    assert sorted(seen) == ["FullyConnected", "broadcast_add", "softsign"]


def test_backward_frees() -> None:
    x = var(4)
    with ag.record():
        y = nd.exp(x)
        z = nd.exp(y)
    node = z._entry[0]
    kept = weakref.ref(node.values[0])
    del y
    gc.disable()  # by reference counts, not when the collector comes by
    try:
        z.backward()
        assert kept() is None
    finally:
        gc.enable()


def test_what_nobody_holds_is_freed_without_backward() -> None:
    x = var(4)
    gc.disable()
    try:
        with ag.record():
            y = nd.exp(x)
            z = nd.sin(y)
        kept = weakref.ref(y)
        del y, z
        assert kept() is None
    finally:
        gc.enable()


def test_a_long_recording() -> None:
    """Deeper than Python's stack."""
    x = var(2)
    with ag.record():
        y = x
        for _ in range(1500):
            y = y * 1.0
    node, count = y._entry[0], 0
    while hasattr(node, "inputs"):
        node, count = node.inputs[0][0], count + 1
    assert count == 1500
    del node, y


def test_unrecorded_calls_leave_nothing() -> None:
    x = var(3)
    y = x[0] + x.reshape((3,)).sum() * nd.exp(x)
    assert y._entry is None
    with ag.record():
        z = nd.ones(3) * 2
    assert z._entry is None


def test_threads_record_for_themselves() -> None:
    done: list[Any] = []

    def work(k: int) -> None:
        x = nd.ones(3) * k
        x.attach_grad()
        z = x
        for _ in range(20):
            with ag.record():
                y = x[1:3] * x[0:2] * k
                with ag.pause():
                    z = y * 2
            y.backward()
        done.append((k, x.grad.asnumpy().tolist(), z._entry, ag.is_recording()))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(done) == [(k, [k * k, 2.0 * k * k, k * k], None, False) for k in range(1, 5)]
    assert not ag.is_recording()


def test_a_scope_may_be_entered_again() -> None:
    scope = ag.record()
    with scope, scope:
        assert ag.is_recording()
    assert not ag.is_recording()
    with pytest.raises(ValueError), scope:
        raise ValueError
    assert (ag.is_recording(), ag.is_training()) == (False, False)
