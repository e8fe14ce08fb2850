# SPDX-License-Identifier: Apache-2.0
"""The whole line in seconds: the first thing to run after a change."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler import graph_from_json, lower


def network() -> mx.sym.Symbol:
    net = mx.sym.Variable("data")
    net = mx.sym.FullyConnected(net, num_hidden=16, name="fc1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.FullyConnected(net, num_hidden=2, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def spirals(count: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Two half moons (N, 2) float32 and which one (N,) float32."""
    random = np.random.RandomState(0)
    angle, label = random.rand(count) * np.pi, np.arange(count) % 2
    points = np.stack([np.cos(angle) + label, np.sin(angle) * (1 - 2 * label) + label * 0.3], axis=1)
    return points.astype(np.float32), label.astype(np.float32)


def trained(epochs: int = 30) -> tuple[mx.mod.Module, mx.io.NDArrayIter]:
    data = mx.io.NDArrayIter(*spirals(), batch_size=32)
    module = mx.mod.Module(network())
    module.fit(
        data,
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.5, "momentum": 0.9},
        initializer=mx.init.Xavier(),
        num_epoch=epochs,
    )
    return module, data


def test_arrays() -> None:
    a = mx.nd.array([[1, 2], [3, 4]])
    a[0] += 10
    view = a[1]
    view[:] = 0
    assert (a * 2 + 1).asnumpy().tolist() == [[23, 25], [1, 1]]
    assert mx.nd.dot(a, a.T).shape == (2, 2)
    assert a.dtype == np.float32


def test_symbol() -> None:
    net = network()
    arguments, outputs, _ = net.infer_shape(data=(8, 2))
    assert dict(zip(net.list_arguments(), arguments, strict=True))["fc1_weight"] == (16, 2)
    assert outputs == [(8, 2)]
    assert mx.sym.load_json(net.tojson()).tojson() == net.tojson()


def test_gradients() -> None:
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    executor = (x * x * y).bind(
        mx.cpu(),
        {"x": mx.nd.array([2, 3]), "y": mx.nd.array([5, 7])},
        args_grad={"x": mx.nd.zeros((2,)), "y": mx.nd.zeros((2,))},
    )
    executor.forward(is_train=True)
    executor.backward([mx.nd.ones((2,))])
    assert executor.grad_dict["x"].asnumpy().tolist() == [20, 42]
    assert executor.grad_dict["y"].asnumpy().tolist() == [4, 9]


def test_module_trains_saves_and_loads(tmp_path: Path) -> None:
    module, data = trained()
    accuracy = dict(module.score(data, "acc"))["accuracy"]
    assert accuracy > 0.97
    module.save_checkpoint(str(tmp_path / "net"), 30)
    again = mx.mod.Module.load(str(tmp_path / "net"), 30)
    again.bind(data.provide_data, data.provide_label, for_training=False)
    assert dict(again.score(data, "acc"))["accuracy"] == accuracy
    assert again.predict(data).shape == (256, 2)


def test_lowered_graph_is_a_jax_function() -> None:
    run = lower(graph_from_json(network().tojson()))
    random = np.random.RandomState(0)
    shapes = {"data": (3, 2), "fc1_weight": (16, 2), "fc1_bias": (16,), "fc2_weight": (2, 16), "fc2_bias": (2,)}
    args = {name: random.rand(*shape).astype(np.float32) for name, shape in shapes.items()}
    args["softmax_label"] = np.zeros(3, np.float32)
    (output,), _ = jax.jit(lambda args: run(args, {}))(args)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output.sum(axis=1), 1, rtol=1e-6)


def test_export(tmp_path: Path) -> None:
    module, _ = trained(1)
    symbol, (args, aux) = module.symbol, module.get_params()
    mx.deploy.export_symbol(symbol, args, aux, shapes={"data": ("batch", 2)}).save(tmp_path / "net.mxhlo")
    artefact = mx.deploy.load(tmp_path / "net.mxhlo")
    points, _ = spirals(5)
    (output,) = artefact(data=points)
    module_output = module.predict(mx.io.NDArrayIter(points, batch_size=5)).asnumpy()
    np.testing.assert_allclose(output, module_output, rtol=1e-5, atol=1e-6)


def test_mistakes_are_explained() -> None:
    with pytest.raises(mx.MXNetError, match="num_hiden"):
        mx.sym.FullyConnected(mx.sym.Variable("data"), num_hiden=3)
    with pytest.raises(mx.MXNetError):
        mx.nd.dot(mx.nd.ones((2, 3)), mx.nd.ones((2, 3)))
