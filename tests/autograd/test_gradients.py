# SPDX-License-Identifier: Apache-2.0
"""Where mxlite gives more than MXNet: it differentiates again, sums heads, and keeps to what was recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray import dispatch
from mxlite_compiler.op import Op

nd, ag = mx.nd, mx.autograd
ROOT = Path(__file__).resolve().parents[2]


def var(values: Any, req: str = "write", dtype: str = "float64") -> Any:
    x = nd.array(np.asarray(values, dtype), dtype=dtype)
    x.attach_grad(req)
    return x


NETS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "product": (lambda x, w: x * x * w, lambda x, w: x * x * w),
    "dense": (
        lambda x, w: nd.sigmoid(nd.FullyConnected(x, w, num_hidden=3, no_bias=True)),
        lambda x, w: jax.nn.sigmoid(x @ w.T),
    ),
    "softmax": (
        lambda x, w: nd.softmax(nd.dot(x, w.T)) * nd.exp(x),
        lambda x, w: jax.nn.softmax(x @ w.T) * jnp.exp(x),
    ),
    "rows": (
        lambda x, w: nd.concat(x[0] * w[1], nd.tanh(x[[0, 2]] * w[:2]).reshape((-1,)), dim=0),
        lambda x, w: jnp.concatenate([x[0] * w[1], jnp.tanh(x[jnp.array([0, 2])] * w[:2]).reshape(-1)]),
    ),
    "mean": (
        lambda x, w: nd.log(nd.broadcast_add(x.mean(axis=1, keepdims=True), nd.square(w))).sum(),
        lambda x, w: jnp.log(x.mean(axis=1, keepdims=True) + w**2).sum(),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_second_order_is_that_of_jax(name: str) -> None:
    net, twin = NETS[name]
    rng = np.random.default_rng(0)
    x, w = (var(rng.uniform(0.3, 1.2, (3, 3))) for _ in range(2))
    with ag.record():
        y = net(x, w)
        gx, gw = ag.grad(y, [x, w], create_graph=True)
        penalty = (gx * gx).sum() + (gw * x).sum() + y.sum()
    penalty.backward()

    def of(a: Any, b: Any) -> Any:
        ga, gb = jax.grad(lambda a, b: twin(a, b).sum(), (0, 1))(a, b)
        return (ga * ga).sum() + (gb * a).sum() + twin(a, b).sum()

    a, b = jnp.asarray(x.asnumpy()), jnp.asarray(w.asnumpy())
    wanted = jax.grad(of, (0, 1))(a, b)
    first = jax.grad(lambda a, b: twin(a, b).sum(), (0, 1))(a, b)
    for mine, theirs in zip((gx, gw, x.grad, w.grad), (*first, *wanted), strict=True):
        np.testing.assert_allclose(mine.asnumpy(), theirs, rtol=1e-8, atol=1e-10)


def test_orders_up_to_four() -> None:
    x = var([0.3, 0.7])
    with ag.record():
        g = nd.sin(x) * x
        for _ in range(3):
            (g,) = ag.grad(g, x, create_graph=True)
    g.backward()
    derivative: Any = lambda v: jnp.sin(v) * v  # noqa: E731
    for _ in range(4):
        derivative = jax.grad(derivative)
    np.testing.assert_allclose(x.grad.asnumpy(), [derivative(0.3), derivative(0.7)], rtol=1e-10)


def test_head_gradients_are_differentiated() -> None:
    x, h = var([1.0, 2.0, 3.0]), var([1.0, 10.0, 100.0])
    with ag.record():
        y = x * x
        (g,) = ag.grad(y, x, h * h, create_graph=True)
    g.backward()
    np.testing.assert_allclose(g.asnumpy(), [2, 400, 60000])
    np.testing.assert_allclose(x.grad.asnumpy(), [2, 200, 20000])
    np.testing.assert_allclose(h.grad.asnumpy(), [4, 80, 1200])


def test_gradient_that_does_not_depend_on_the_variable() -> None:
    x = var([1.0, 2.0])
    with ag.record():
        (g,) = ag.grad(x * 3, x, create_graph=True)
    g.backward()
    assert g.asnumpy().tolist() == [3, 3] and x.grad.asnumpy().tolist() == [0, 0]


def test_grad_for_one_variable_twice() -> None:
    x = var([1.0, 2.0])
    with ag.record():
        y = x * x
    for create_graph in (True, False):
        a, b = ag.grad(y, [x, x], create_graph=create_graph)
        assert a.asnumpy().tolist() == b.asnumpy().tolist() == [2, 4]


def test_heads_are_summed() -> None:
    """MXNet takes only the last of the head gradients of one head."""
    x = var([1.0, 2.0])
    with ag.record():
        y = x * x
    ag.backward([y, y], [nd.ones(2, dtype="float64") * 3, nd.ones(2, dtype="float64") * 10])
    assert x.grad.asnumpy().tolist() == [26, 52]


def test_writes_after_recording_change_no_gradient() -> None:
    """MXNet takes the numbers that the arrays hold when backward comes."""
    x = var([1.0, 2.0])
    with ag.record():
        y = x * 2
        z = y * y * x
    x[:] = 100
    y += 7
    z.backward(retain_graph=True)
    assert x.grad.asnumpy().tolist() == [12, 48]
    z.backward()
    assert x.grad.asnumpy().tolist() == [12, 48]


def test_second_order_after_a_write() -> None:
    x = var([1.0, 2.0])
    with ag.record():
        y = x * x
    y[:] = 5
    with ag.record():
        z = y * y * x
        (g,) = ag.grad(z, x, create_graph=True)  # y was 5 then: 2 * 5 * x * 2x + 25
    np.testing.assert_allclose(g.asnumpy(), [45, 105])
    x = var([1.0, 2.0])
    with ag.record():
        y = (x * x).reshape((2, 1))
    y[:] = 5
    with ag.record():
        (g,) = ag.grad(y * y, x, create_graph=True)  # 2 * y * 2x
    g.backward()  # 2 * 2x * 2x + 2 * y * 2
    np.testing.assert_allclose(g.asnumpy(), [20, 40])
    np.testing.assert_allclose(x.grad.asnumpy(), [28, 52])


def test_gradients_into_parts_of_one_array() -> None:
    x, w, flat = nd.ones(2), nd.ones(3), nd.zeros(5)
    ag.mark_variables([x, w], [flat[0:2], flat[2:5]], ["write", "add"])
    for _ in range(2):
        with ag.record():
            y = (x * 3).sum() + (w * 4).sum()
        y.backward()
    assert flat.asnumpy().tolist() == [3, 3, 8, 8, 8]


def test_an_array_on_the_way_to_an_executor() -> None:
    """What a bound symbol has computed may be recorded on; the executor itself is not."""
    x = nd.ones((2, 2))
    out = (mx.sym.Variable("a") * 2).bind(mx.cpu(), {"a": x}).forward()[0]
    w = var([[1.0, 2.0], [3.0, 4.0]], dtype="float32")
    with ag.record():
        y = out * w
    y.backward()
    assert w.grad.asnumpy().tolist() == [[2, 2], [2, 2]]


def test_prediction_is_differentiated_as_it_was_computed() -> None:
    """MXNet mixes the formula of training with the statistics of prediction here."""
    x, ones, zeros = var(np.arange(6.0).reshape(3, 2)), *(f(2, dtype="float64") for f in (nd.ones, nd.zeros))
    with ag.record(train_mode=False):
        y = nd.BatchNorm(x, ones, zeros, zeros.copy(), ones * 3, eps=1e-5)
    y.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), np.full((3, 2), 1 / np.sqrt(3 + 1e-5)), rtol=1e-6)


def test_statistics_are_written_once() -> None:
    x, ones, zeros = var(np.arange(6.0).reshape(3, 2)), *(f(2, dtype="float64") for f in (nd.ones, nd.zeros))
    mean = zeros.copy()
    with ag.record():
        y = nd.BatchNorm(x, ones, zeros, mean, ones.copy(), momentum=0.5)
    y.backward(retain_graph=True)
    y.backward()
    assert mean.asnumpy().tolist() == [1.0, 1.5]


class Pair(ag.Function):
    def forward(self, a: Any, b: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.save_for_backward(a, b)
        return a * b, a + b

    def backward(self, d: Any, e: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        a, b = self.saved_tensors
        return d * b + e, d * a + e


def test_function_behind_a_constant_and_with_add() -> None:
    """Both give zero gradients in MXNet."""
    x, c = var([1.0, 2.0], req="add"), nd.array([5.0, 6.0], dtype="float64")
    for _ in range(2):
        with ag.record():
            y, z = Pair()(c, x)
        ag.backward([y, z])
    assert x.grad.asnumpy().tolist() == [12, 14]


def test_function_without_a_gradient_for_an_input() -> None:
    class Left(ag.Function):
        def forward(self, a: Any, b: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return a * b

        def backward(self, d: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return d, None

    x, w = var([1.0]), var([2.0])
    with ag.record():
        y = Left()(x, w)
    y.backward()
    assert (x.grad.asscalar(), w.grad.asscalar()) == (1, 0)


def test_exceptions_of_user_code_surface() -> None:
    class Fails(ag.Function):
        def forward(self, a: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return a * 2

        def backward(self, d: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            raise LookupError("mine")

    x = var([1.0])
    with ag.record():
        y = Fails()(x)
    with pytest.raises(LookupError, match="mine") as e:
        y.backward()
    assert e.value.__notes__ == ["raised by backward of the autograd.Function Fails"]
    assert (ag.is_recording(), ag.is_training()) == (False, False)


def test_custom_with_states_and_extra_outputs() -> None:
    class Counted(mx.operator.CustomOp):
        def forward(self, is_train: Any, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
            aux[0][:] = aux[0] + 1
            self.assign(out_data[0], req[0], in_data[0] * aux[0])
            self.assign(out_data[1], req[1], in_data[1] * 2)

        def backward(self, req: Any, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any, aux: Any) -> None:
            self.assign(in_grad[0], req[0], out_grad[0] * aux[0])
            self.assign(in_grad[1], req[1], out_grad[1] * 2)

    @mx.operator.register("autograd_states")
    class Prop(mx.operator.CustomOpProp):
        def list_arguments(self) -> list[str]:
            return ["a", "b"]

        def list_outputs(self) -> list[str]:
            return ["x", "y"]

        def list_auxiliary_states(self) -> list[str]:
            return ["count"]

        def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> Any:
            return Counted()

    a, b = var([1.0, 2.0], dtype="float32"), var([3.0, 4.0], dtype="float32")
    count = nd.ones(2)
    with ag.record():
        x, y = nd.Custom(a, b, count, op_type="autograd_states")
        z = x * 3 + y[0]
    z.backward()
    assert count.asnumpy().tolist() == [2, 2]
    assert a.grad.asnumpy().tolist() == [6, 6] and b.grad.asnumpy().tolist() == [4, 0]


def test_an_operator_that_runs_python() -> None:
    class Host(Op):
        def host_forward(self, node: Any, train: bool, inputs: Any, state: Any) -> Any:
            return [jnp.asarray(np.sort(inputs[0]))], []

        def host_backward(self, node: Any, heads: Any, inputs: Any, outputs: Any, state: Any) -> Any:
            return [heads[0][np.argsort(np.argsort(inputs[0]))]]

    def kernel(data: Any) -> Any:
        """Not run."""

    op = Host("autograd_host_sort", kernel, shapes="n -> n", host=True)
    x = var([3.0, 1.0, 2.0])
    with ag.record():
        y = dispatch.invoke(type(x), op, (x * 2,), {})
        z = y * nd.array([1.0, 10.0, 100.0], dtype="float64")
    z.backward()
    assert y.asnumpy().tolist() == [2, 4, 6] and x.grad.asnumpy().tolist() == [200, 2, 20]


DEVICES = """
import json
import mxlite as mx
nd, ag = mx.nd, mx.autograd
out = []
x = nd.array([1, 2, 3], ctx=mx.cpu(1)); x.attach_grad()
w = nd.ones(3, ctx=mx.cpu(2)); w.attach_grad("add")
def show(*arrays):
    out.append([[a.asnumpy().tolist(), str(a.context), a._data.devices() == {a.context.jax_device}] for a in arrays])
with ag.record():
    y = x.reshape((3, 1))
y.backward(); show(x.grad)
with ag.record():
    a = x * x
    b = a.as_in_context(mx.cpu(2)) * w
    c = (b * b).copyto(mx.cpu(1)) + a
c.backward(); show(x.grad, w.grad)
buffer = nd.zeros(3, ctx=mx.cpu(3))
with ag.record():
    buffer[:] = x * 7
    heads = [(x * 3).sum(), (w * 5).sum(), (x.as_in_context(mx.cpu(2)) * w).sum(), buffer]
ag.backward(heads, [None, None, None, nd.ones(3)]); show(x.grad, w.grad)
class Double(ag.Function):
    def forward(self, a): show(a); return a * 2
    def backward(self, d): show(d); return d * 2
with ag.record():
    y = Double()(x).as_in_context(mx.cpu(3)) * 2
y.backward(); show(x.grad)
print(json.dumps(out))
"""


def test_devices() -> None:
    """Four CPU devices in a process of its own: the number of devices is fixed at its start."""
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    done = subprocess.run([sys.executable, "-c", DEVICES], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = "cpu(1)", "cpu(2)"
    assert json.loads(done.stdout) == [
        [[[1, 1, 1], one, True]],
        [[[6, 36, 114], one, True], [[2, 32, 162], two, True]],
        [[[11, 11, 11], one, True], [[8, 39, 170], two, True]],
        [[[1, 2, 3], one, True]],
        [[[2, 2, 2], one, True]],
        [[[4, 4, 4], one, True]],
    ]
