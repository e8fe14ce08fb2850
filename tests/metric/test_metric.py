# SPDX-License-Identifier: Apache-2.0
"""Making metrics, errors, users' own metrics, and that counting waits for nothing."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite import metric as M
from mxlite.metric.accumulator import Accumulator

N = mx.nd.array
PROBS = np.array([[0.3, 0.7], [0.2, 0.8]])


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    with mx.registry.preserved(M.EvalMetric):
        yield


def fitted(label: Any, pred: Any) -> float:
    return 1.0


# ------------------------------------------------------------------ create


def test_names() -> None:
    registered = "acc accuracy caffe ce composite compositeevalmetric crossentropy custommetric f1 loss mae mcc mse "
    registered += "negativeloglikelihood nll_loss pcc pearsoncorrelation pearsonr perplexity rmse top_k_acc "
    registered += "top_k_accuracy topkaccuracy torch"
    assert sorted(mx.registry.get_registry(M.EvalMetric)) == registered.split()
    assert type(M.create("CE")) is M.CrossEntropy
    assert type(M.create("Accuracy")) is M.Accuracy


def test_create_from_functions_and_classes() -> None:
    assert M.create(fitted).get()[0] == "fitted"
    assert M.create(fitted, name="other").get()[0] == "other"
    assert M.create(lambda label, pred: 1).get()[0] == "custom(<lambda>)"
    assert M.create(functools.partial(fitted)).get()[0] == "partial"
    assert type(M.create(M.MSE)) is M.MSE
    assert M.np(fitted, name="q").get()[0] == "q"


def test_create_from_lists() -> None:
    made = M.create(["acc", ["mse", "mae"], fitted, M.Loss()])
    assert made.get()[0] == ["accuracy", "mse", "mae", "fitted", "loss"]
    assert all(math.isnan(x) for x in made.get()[1])
    assert str(M.create(("acc", "mse"))) == "EvalMetric: {'accuracy': nan, 'mse': nan}"
    assert M.create(["top_k_accuracy", "top_k_acc"], top_k=3).get()[0] == ["top_k_accuracy_3"] * 2
    assert M.create([]).get() == ([], [])
    assert M.create(["acc"]).get_config() == {
        "metric": "CompositeEvalMetric",
        "name": "composite",
        "output_names": None,
        "label_names": None,
        "metrics": [M.Accuracy().get_config()],
    }


@pytest.mark.parametrize(
    "given", ['["acc", {"axis": 2}]', '{"metric": "acc", "axis": 2}', {"metric": "acc", "axis": 2}]
)
def test_create_from_config(given: Any) -> None:
    assert M.create(given).get_config() == M.Accuracy(axis=2).get_config()


def test_create_keeps_a_metric() -> None:
    metric = M.Accuracy()
    assert M.create(metric) is metric
    with pytest.raises(AssertionError, match="already an instance"):
        M.create(metric, axis=2)


@pytest.mark.parametrize("given", ["nope", None, 3, "[acc", '["acc"]'])
def test_create_errors(given: Any) -> None:
    with pytest.raises(AssertionError):
        M.create(given)
    with pytest.raises(ValueError):
        M.create(given)


def test_create_error_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"acuracy is not registered.*did you mean 'accuracy'"):
        M.create("acuracy")
    with pytest.raises(TypeError, match="foo"):
        M.create("acc", foo=1)
    with pytest.raises(TypeError, match="ignore_label"):
        M.create("perplexity")


def test_register() -> None:
    @M.register
    @M.alias("qq")
    class Mine(M.EvalMetric):
        def __init__(self) -> None:
            super().__init__("mine")

    assert type(M.create("mine")) is type(M.create("QQ")) is Mine
    with pytest.warns(UserWarning, match="overriding existing metric"):
        M.register(M.Loss, "mine")
    with pytest.raises(AssertionError, match="subclass of EvalMetric"):
        M.register(dict)
    with pytest.raises(TypeError):
        M.register(3)  # type: ignore[type-var]


# ------------------------------------------------------------------ users' own metrics


class Mine(M.EvalMetric):
    def __init__(self) -> None:
        super().__init__("mine")

    def update(self, labels: Any, preds: Any) -> None:
        self.sum_metric += 3
        self.num_inst += 2


def test_subclass() -> None:
    metric = Mine()
    metric.update(None, None)
    assert metric.get() == metric.get_global() == ("mine", 1.5)
    assert metric.get_name_value() == metric.get_global_name_value() == [("mine", 1.5)]
    metric.reset_local()
    assert math.isnan(metric.get()[1])
    assert not M.on_device(metric)
    with pytest.raises(NotImplementedError, match="update"):
        M.EvalMetric("x").update(1, 2)


def test_subclass_of_a_builtin() -> None:
    class Twice(M.Accuracy):
        def update(self, labels: Any, preds: Any) -> None:
            super().update(labels, preds)
            self.sum_metric += 1
            self.num_inst += 1

    metric = Twice()
    metric.update([N([1, 0])], [N(PROBS)])
    assert (metric.sum_metric, metric.num_inst) == (2, 3)
    assert metric.get_global() == ("accuracy", 0.5)
    metric.update([N([1, 1])], [N(PROBS)])
    assert metric.get()[1] == 5 / 6
    assert metric.get_global() == ("accuracy", 0.75)
    assert not M.on_device(metric)


def test_sums_can_be_set() -> None:
    metric = M.Accuracy()
    metric.update([N([1, 0])], [N(PROBS)])
    metric.sum_metric = 10
    metric.num_inst = 5
    assert metric.get() == ("accuracy", 2.0)
    assert metric.get_global() == ("accuracy", 0.5)
    metric.global_sum_metric = 4
    assert metric.get_global() == ("accuracy", 2.0)
    loss = M.CrossEntropy()
    loss.sum_metric, loss.num_inst = 3.0, 2
    assert loss.get()[1] == 1.5


def test_custom_metric() -> None:
    seen: list[Any] = []

    def feval(label: Any, pred: Any) -> tuple[float, int]:
        seen.append((type(label), pred.dtype))
        return 3.0, 4

    metric = M.CustomMetric(feval)
    metric.update(N([0]), N([0]))
    assert metric.get() == ("feval", 0.75)
    assert seen == [(np.ndarray, np.float32)]
    with pytest.raises(ValueError, match=r"labels 1 .* predictions 2"):
        metric.update([N([0])], [N([0]), N([0])])
    extra = M.CustomMetric(fitted, allow_extra_outputs=True)
    extra.update([N([0])], [N([0]), N([0])])
    assert (extra.get(), extra.num_inst) == (("fitted", 1.0), 1)
    with pytest.raises(NotImplementedError, match="cannot be serialized"):
        metric.get_config()
    with pytest.raises(TypeError, match="function"):
        M.CustomMetric(3)  # type: ignore[arg-type]


# ------------------------------------------------------------------ dictionaries, composites


def test_update_dict() -> None:
    labels = {"l": N([0, 1]), "z": N([1, 1])}
    preds = {"q": N([1]), "p": N(PROBS)}
    metric = M.Accuracy(output_names=["p"], label_names=["z"])
    metric.update_dict(labels, preds)
    assert metric.get()[1] == 1.0
    with pytest.raises(KeyError, match=r"no output 'nope'.*q, p"):
        M.Accuracy(output_names=["nope"], label_names=["l"]).update_dict(labels, preds)
    with pytest.raises(ValueError, match=r"labels 1 .* predictions 2"):
        M.Accuracy().update_dict({"l": N([0, 1])}, preds)
    both = M.CompositeEvalMetric([metric, M.Accuracy(output_names=["p"], label_names=["l"], name="b")])
    both.reset()
    both.update_dict(labels, preds)
    assert both.get() == (["accuracy", "b"], [1.0, 0.5])
    chosen = M.CompositeEvalMetric([M.Accuracy()], output_names=["p"], label_names=["z"])
    chosen.update_dict(labels, preds)
    assert chosen.get() == (["accuracy"], [1.0])


def test_composite() -> None:
    both = M.CompositeEvalMetric()
    both.add("acc")
    both.add(M.MSE())
    assert type(both.get_metric(0)) is M.Accuracy and both.get_metric(1) is both.metrics[1]
    with pytest.raises(ValueError, match="index 5 is out of range 0 and 2"):
        both.get_metric(5)
    assert M.CompositeEvalMetric([both, "mae"]).get()[0] == ["accuracy", "mse", "mae"]
    assert [name for name, _ in both.get_global_name_value()] == ["accuracy", "mse"]


def test_numpy_and_bare_arrays() -> None:
    metric = M.Accuracy()
    metric.update(np.array([1, 0]), PROBS)
    assert metric.get()[1] == 0.5


def test_nothing_half_done() -> None:
    metric = M.Accuracy()
    with pytest.raises(ValueError):
        metric.update([N([1, 0]), N([1])], [N(PROBS), N(PROBS)])
    assert math.isnan(metric.get()[1]) and metric.num_inst == 0


def test_check_label_shapes() -> None:
    a, b = N([1, 2]), N([1, 2])
    assert M.check_label_shapes(a, b, wrap=True) == ([a], [b])
    with pytest.raises(ValueError, match="Shape of labels 2 does not match shape of predictions 3"):
        M.check_label_shapes(a, N([1, 2, 3]))
    with pytest.raises(ValueError, match=r"\(1, 2\) .* \(1,\)"):
        M.check_label_shapes(N([[1, 2]]), N([1]), shape=True)


def test_label_without_class_is_told_when_read() -> None:
    metric = M.create("ce")
    metric.update([N([0, 5])], [N(PROBS)])
    with pytest.raises(IndexError, match="1 of the counted labels"):
        metric.get()
    metric.reset()
    metric.update([N([0, 1])], [N(PROBS)])
    assert metric.get()[1] == pytest.approx(-(math.log(0.3) + math.log(0.8)) / 2)


# ------------------------------------------------------------------ on the device


def executor() -> Any:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    bound = mx.sym.SoftmaxOutput(net, name="softmax").simple_bind(mx.cpu(), data=(4, 5), softmax_label=(4,))
    bound.arg_dict["fc_weight"][:] = np.random.randn(3, 5)
    return bound


def builtins() -> Any:
    return M.CompositeEvalMetric(["acc", "ce", M.TopKAccuracy(2), M.Loss(), M.Perplexity(1)])


def test_counting_leaves_a_step_pending() -> None:
    bound, label = executor(), N([0, 1, 2, 1])
    joined, apart = builtins(), builtins()
    assert M.on_device(joined)
    for _ in range(3):
        bound.forward(is_train=True, data=N(np.random.randn(4, 5)), softmax_label=label)
        bound.backward()
        joined.update([label], bound.outputs)
        assert bound.outputs[0]._cell.pending is not None
        apart.update([label], [N(bound.outputs[0].asnumpy())])
    assert joined.get()[1] == pytest.approx(apart.get()[1], rel=1e-12)


def test_counting_twice_in_a_step() -> None:
    bound, label = executor(), N([0, 1, 2, 1])
    metric, once = M.create("acc"), M.create("acc")
    bound.forward(is_train=True, data=N(np.random.randn(4, 5)), softmax_label=label)
    metric.update([label], bound.outputs)
    metric.update([label], bound.outputs)
    once.update([label], bound.outputs)
    assert metric.num_inst == 8
    assert metric.get()[1] == once.get()[1]


def test_label_may_change_after_counting() -> None:
    bound, label = executor(), N([0, 1, 2, 1])
    bound.forward(is_train=True, data=N(np.zeros((4, 5))), softmax_label=label)
    metric = M.create("acc")
    metric.update([label], bound.outputs)
    label[:] = 0  # all predictions are class 0
    assert metric.get()[1] == 0.25


def test_custom_functions_are_not_on_the_device() -> None:
    assert M.on_device(M.create(["acc", "mse", "f1", "mcc", "loss", "torch", "pearsonr"]))
    assert not M.on_device(M.PearsonCorrelation(average="micro"))
    assert not M.on_device(M.create(["acc", fitted]))
    assert not M.on_device(M.create("pcc"))


def test_reset_local_does_not_wait() -> None:
    metric = M.create("acc")
    for _ in range(200):
        metric.update([N([1, 0])], [N(PROBS)])
        metric.reset_local()
    assert math.isnan(metric.get()[1])
    assert metric.get_global() == ("accuracy", 0.5)
    assert metric.global_num_inst == 400


def test_many_float32_updates_lose_nothing() -> None:
    script = """
import numpy as np, mxlite as mx
from mxlite.metric import accumulator
accumulator._FLOAT32_UPDATES = 2
metric = mx.metric.create("loss")
one = mx.nd.array([1.0])
metric.update(None, [mx.nd.array([2.0 ** 24])])
for _ in range(9):
    metric.update(None, [one])
assert metric._sums.local.dtype == np.float64
assert metric.sum_metric == metric.global_sum_metric, (metric.sum_metric, metric.global_sum_metric)
assert 2 ** 24 + 8 <= metric.sum_metric <= 2 ** 24 + 9, metric.sum_metric
"""
    env = {**os.environ, "MXLITE_ENABLE_X64": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_accumulator_totals() -> None:
    sums = Accumulator(2)
    kernel = _ones
    array = N([0])
    for _ in range(3):
        sums.add(kernel, [array], [array])
    assert sums.local.tolist() == sums.total.tolist() == [3, 6]
    sums.reset_local()
    sums.add(kernel, [array], [array])
    assert (sums.local.tolist(), sums.total.tolist()) == ([1, 2], [4, 8])
    sums.set(0, local=7)
    sums.add(kernel, [array], [array])
    assert (sums.local.tolist(), sums.total.tolist()) == ([8, 4], [5, 10])
    sums.reset()
    assert sums.local.tolist() == sums.total.tolist() == [0, 0]


def _ones(labels: Any, preds: Any) -> Any:
    return jnp.array([1.0, 2.0])


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        M.create("mcc").update([N([1, 1])], [N([[1, 0], [1, 0]])])
        constant = M.create("pearsonr")
        constant.update(N([1, 1]), N([1, 2]))
        assert math.isnan(constant.get()[1])


def test_labels_and_predictions_on_different_devices() -> None:
    script = """
import jax, numpy as np, mxlite as mx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
N, probs = mx.nd.array, [[0.3, 0.7], [0.2, 0.8]]
assert len(jax.devices()) == 2
metric = mx.metric.create(["acc", "ce", "f1"])
metric.update([N([1, 0])], [N(probs, ctx=mx.cpu(1))])
metric.update([N([1, 0], ctx=mx.cpu(1))], [N(probs)])
sharding = NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec("batch"))
metric.update([N([1, 0])], [mx.nd.from_jax(jax.device_put(np.float32(probs), sharding))])
metric.update([N([1, 0])], [N(probs)])
assert np.allclose(metric.get()[1], [0.5, -np.log(0.7 * 0.2) / 2, 2 / 3]), metric.get()
"""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "label", "pred", "told"),
    [
        ("f1", (3,), (3,), r"f1: predictions must be \(batch, classes\), got shape \(3,\)"),
        ("mcc", (3,), (3,), r"mcc: predictions must be \(batch, classes\), got shape \(3,\)"),
        ("pcc", (1, 3), (1, 3, 2), r"pcc: labels of shape \(1, 3\) do not fit predictions of \(1, 3, 2\)"),
    ],
)
def test_predictions_without_classes_are_index_errors_as_in_mxnet(
    name: str, label: tuple[int, ...], pred: tuple[int, ...], told: str
) -> None:
    metric = M.create(name)
    with pytest.raises(IndexError, match=told):
        metric.update([mx.nd.zeros(label)], [mx.nd.zeros(pred)])
    assert math.isnan(metric.get()[1])
