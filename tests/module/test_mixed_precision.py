# SPDX-License-Identifier: Apache-2.0
"""Modules that train in float16 and bfloat16: numbers, the scale of the loss, one launch a batch, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.contrib import amp
from mxlite_compiler.program import COUNTERS
from tests.devices import facts_on_devices
from tests.module import half_weights

HERE = Path(__file__).resolve().parent
X = np.random.default_rng(0).normal(size=(64, 6)).astype("f4")
Y = X[:, :3].argmax(1).astype("f4")
BATCH = mx.io.DataBatch([mx.nd.array(X[:8])], [mx.nd.array(Y[:8])])


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    amp.reset()


def network(norm: bool = False) -> mx.sym.Symbol:
    hidden = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=8, name="fc1")
    hidden = mx.sym.BatchNorm(hidden, name="bn") if norm else hidden
    hidden = mx.sym.Activation(hidden, act_type="relu", name="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")


def made(dtype: str | None = "float16", symbol: Any = None, optimizer: Any = "sgd", **keywords: Any) -> Any:
    module = mx.mod.Module(network() if symbol is None else symbol)
    bind = {k: keywords.pop(k) for k in ("inputs_need_grad", "grad_req") if k in keywords}
    params = keywords.pop("optimizer_params", {"learning_rate": 0.1, "momentum": 0.9} if optimizer == "sgd" else {})
    if dtype is not None:
        amp.convert_module(module, dtype, **{"loss_scale": amp.LossScale(init=2.0**10), **keywords})
    module.bind([("data", (8, 6))], [("softmax_label", (8,))], **bind)
    mx.random.seed(0)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer=optimizer, optimizer_params=params)
    return module


def step(module: Any, scale: float = 1.0) -> None:
    module.forward_backward(mx.io.DataBatch([mx.nd.array(X[:8] * scale)], BATCH.label))
    module.update()


def weights(module: Any) -> dict[str, np.ndarray]:
    return {name: x.asnumpy() for name, x in module.get_params()[0].items()}


def state(module: Any) -> tuple[float, int]:
    scaled = module._updates.state
    return float(scaled.scale[0]), int(scaled.good[0])


# Numbers.


@pytest.mark.parametrize(("dtype", "eps"), [("float16", 2.0**-10), ("bfloat16", 2.0**-7)])
def test_gradients_are_those_of_float32_as_exactly_as_16_bits_allow(dtype: str, eps: float) -> None:
    plain, mixed = made(None, inputs_need_grad=True), made(dtype, inputs_need_grad=True)
    for module in (plain, mixed):
        module.forward_backward(BATCH)
    assert mixed.get_outputs()[0].dtype is np.float32
    np.testing.assert_allclose(mixed.get_outputs()[0].asnumpy(), plain.get_outputs()[0].asnumpy(), atol=4 * eps)
    for name in ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"):
        got, want = (m._executor.grad_dict[name].asnumpy() for m in (mixed, plain))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, atol=8 * eps * np.abs(want).max(), err_msg=name)
        assert not np.array_equal(got, want)
    got, want = (m.get_input_grads()[0].asnumpy() for m in (mixed, plain))
    np.testing.assert_allclose(got, want, atol=8 * eps * np.abs(want).max())


def test_gradients_that_float16_cannot_hold_arrive_scaled() -> None:
    """Gradients of 1e-9: below the smallest float16, 6e-8."""
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, no_bias=True, name="fc")
    net = mx.sym.MakeLoss(net, grad_scale=1e-9, name="loss")
    found = {}
    for scale in (None, 2.0**14):
        module = amp.convert_module(mx.mod.Module(net, label_names=None), "float16", loss_scale=scale)
        module.bind([("data", (8, 6))])
        module.init_params(mx.init.One())
        module.forward_backward(mx.io.DataBatch([mx.nd.ones((8, 6))]))
        found[scale] = module._executor.grad_dict["fc_weight"].asnumpy()  # type: ignore[union-attr]
    assert (found[None] == 0).all()
    np.testing.assert_allclose(found[2.0**14], 8e-9, rtol=1e-3)


def test_real_digits_are_learned_as_well_as_in_float32() -> None:
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    images, labels = (digits.data / 16).astype("f4"), digits.target.astype("f4")
    accuracy, launches = {}, {}
    for dtype in (None, "bfloat16", "float16"):
        np.random.seed(0)
        mx.random.seed(0)
        amp.reset()
        if dtype is not None:
            amp.init(dtype)
        net = mx.sym.BatchNorm(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=64, name="fc1"), name="bn")
        net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type="relu"), num_hidden=10, name="fc2")
        module: Any = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
        COUNTERS.reset()
        train = mx.io.NDArrayIter(images[:1440], labels[:1440], 48, shuffle=True)
        options = {"learning_rate": 0.1, "momentum": 0.9}
        module.fit(train, num_epoch=4, initializer=mx.init.Xavier(), optimizer_params=options)
        launches[dtype] = COUNTERS.launches, COUNTERS.traces
        accuracy[dtype] = dict(module.score(mx.io.NDArrayIter(images[1440:], labels[1440:], 51), "acc"))["accuracy"]
    assert 64 <= state(module)[0] <= 2**14  # found without waiting for the device
    assert set(launches.values()) == {(120, 1)}
    assert accuracy[None] > 0.9 and min(accuracy.values()) > accuracy[None] - 0.01


# The scale.


def test_a_step_that_overflows_changes_nothing_and_halves_the_scale() -> None:
    module = made(loss_scale=amp.LossScale(init=2.0**10, window=3))
    step(module)
    before, momentum = weights(module), module._updates.states()
    assert state(module) == (1024, 1)
    step(module, scale=1e5)  # inputs that are infinite in float16
    assert state(module) == (512, 0)
    for name, value in weights(module).items():
        np.testing.assert_array_equal(value, before[name])
    for i, old in momentum.items():
        if i < 4:
            np.testing.assert_array_equal(module._updates.states()[i].asnumpy(), old.asnumpy())
    for good in (1, 2):
        step(module)
        assert state(module) == (512, good)
    step(module)
    assert state(module) == (1024, 0)
    assert not np.array_equal(weights(module)["fc1_weight"], before["fc1_weight"])
    assert module._executor.arg_dict["amp_loss_scale"].asnumpy() == 1024


def test_the_scale_has_bounds() -> None:
    module = made(loss_scale=amp.LossScale(init=2.0, window=1, most=4.0, least=1.0))
    seen = []
    for scale in (1, 1, 1, 1e5, 1e5, 1e5, 1e5, 1):
        step(module, scale)
        seen.append(state(module)[0])
    assert seen == [4, 4, 4, 2, 1, 1, 1, 2]


def test_parameters_that_are_all_fixed() -> None:
    names = ["fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"]
    module: Any = amp.convert_module(mx.mod.Module(network(), fixed_param_names=names), loss_scale=1024)
    module.bind([("data", (8, 6))], [("softmax_label", (8,))])
    module.init_params(mx.init.Xavier())
    before = weights(module)
    module.init_optimizer()
    step(module)
    for name, value in weights(module).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_scale_that_stays() -> None:
    module = made(loss_scale=128)
    for scale in (1, 1e5, 1):
        step(module, scale)
        assert state(module) == (128, 0)
    assert np.isfinite(weights(module)["fc1_weight"]).all()
    assert "amp_loss_scale" not in made("bfloat16")._executor.arg_dict
    assert "amp_loss_scale" not in made("float16", loss_scale=None)._executor.arg_dict


def test_looking_between_changes_no_number() -> None:
    one, two = made(optimizer="adam"), made(optimizer="adam")
    for scale in (1, 1, 1e5, 1):
        step(one, scale)
        two.forward_backward(mx.io.DataBatch([mx.nd.array(X[:8] * scale)], BATCH.label))
        finite = np.isfinite(two._executor.grad_dict["fc1_weight"].asnumpy()).all()
        assert finite == (scale == 1)
        two.update()
    assert state(one) == state(two) == (2.0**9, 1)
    for name, value in weights(one).items():
        np.testing.assert_allclose(weights(two)[name], value, rtol=1e-6, atol=1e-7)


def test_the_graph_of_a_loss_that_is_none() -> None:
    """Head gradients travel scaled, too, and come out true."""
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    heads, found = mx.nd.array(np.full((8, 3), 1e-6)), []
    for dtype in (None, "float16"):
        module: Any = mx.mod.Module(net, label_names=None)
        if dtype:
            amp.convert_module(module, dtype)
        module.bind([("data", (8, 6))])
        module.init_params(mx.init.One())
        module.forward(mx.io.DataBatch(BATCH.data), is_train=True)
        module.backward([heads])
        found.append(module._executor.grad_dict["fc_bias"].asnumpy())
    np.testing.assert_allclose(found[1], found[0], rtol=2e-3)


# Life of a module.


def test_checkpoints_are_those_of_float32_and_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    options = {"symbol": network(norm=True), "loss_scale": amp.LossScale(init=2.0**10, window=3), "optimizer": "adam"}
    through, prefix = made(**options), str(tmp_path / "net")
    for scale in (1, 1e5, 1):
        step(through, scale)
    through.save_checkpoint(prefix, 3, save_optimizer_states=True)
    assert "amp" not in (tmp_path / "net-symbol.json").read_text()
    _, args, aux = mx.model.load_checkpoint(prefix, 3)
    assert "amp_loss_scale" not in args and {x.dtype for x in (*args.values(), *aux.values())} == {np.float32}
    again = made(**options)
    again.set_params(args, aux)
    again.load_optimizer_states(f"{prefix}-0003.states")
    again._optimizer._index_update_count.update(through._optimizer._index_update_count)  # no file has Adam's count
    assert again._executor.arg_dict["amp_loss_scale"].asnumpy() == 512
    for scale in (1, 1, 1e5, 1):
        step(through, scale)
        step(again, scale)
    assert state(again) == state(through)
    for name, value in weights(through).items():
        np.testing.assert_array_equal(weights(again)[name], value)
    plain = mx.mod.Module.load(prefix, 3)
    plain.bind([("data", (8, 6))], [("softmax_label", (8,))])


def test_batches_of_other_sizes_buckets_and_the_switch() -> None:
    amp.init()
    module: Any = mx.mod.Module(network())
    batches = mx.io.NDArrayIter(X[:20], Y[:20], 8, last_batch_handle="pad")
    module.fit(batches, num_epoch=2, optimizer_params={"learning_rate": 0.1})
    step(module)
    short = mx.io.DataBatch([mx.nd.array(X[:3])], [mx.nd.array(Y[:3])])
    module.forward_backward(short)
    module.update()
    scale, good = state(module)
    assert scale < 2**16 and good < 8  # 65536 is more than float16 holds: a step was lost to find that out
    assert module.predict(mx.nd.array(X[:5])).shape == (5, 3)

    def bucket(length: int) -> Any:
        total = mx.sym.sum(mx.sym.Variable("data"), axis=1)
        fc = mx.sym.FullyConnected(total, num_hidden=3, name="fc")
        return mx.sym.SoftmaxOutput(fc, name="softmax"), ("data",), ("softmax_label",)

    def batch(length: int) -> Any:
        x = np.repeat(X[:4, None, :], length, axis=1)
        shapes = [mx.io.DataDesc("data", x.shape)], [mx.io.DataDesc("softmax_label", (4,))]
        return mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(Y[:4])], 0, None, length, *shapes)

    buckets: Any = mx.mod.BucketingModule(bucket, default_bucket_key=2)
    buckets.bind(batch(2).provide_data, batch(2).provide_label)
    buckets.init_params(mx.init.Xavier())
    buckets.init_optimizer()
    for length in (2, 1, 2, 1):
        buckets.forward_backward(batch(length))
        buckets.update()
    scales = [buckets._buckets[i]._executor.arg_dict["amp_loss_scale"].asscalar() for i in (1, 2)]
    assert scales == [state(buckets._buckets[2])[0]] * 2 and scales[0] < 2**16
    COUNTERS.reset()
    again: Any = mx.mod.Module(module.symbol)
    again.fit(batches, num_epoch=1, optimizer_params={"learning_rate": 0.1})
    assert COUNTERS.traces == 0  # programs are shared with the other module of this symbol
    amp.reset()
    assert "amp_loss_scale" not in made(None)._executor.arg_dict


def test_several_devices() -> None:
    for name, (one, two) in facts_on_devices(HERE / "mixed_devices.py", 2).items():
        for key, value in one.items():
            # The halves of a batch are rounded to 16 bits before they are added.
            np.testing.assert_allclose(two[key], value, atol=2e-5 if name == "optax" else 2e-3, err_msg=f"{name} {key}")


# Mistakes.


def test_mistakes() -> None:
    bound = made(None)
    with pytest.raises(amp.AmpError, match=r"the module is bound; convert it before bind\(\) or fit\(\)"):
        amp.convert_module(bound)
    with pytest.raises(amp.AmpError, match=r"takes a Module, got Symbol; others follow amp.init"):
        amp.convert_module(network())  # type: ignore[arg-type]
    with pytest.raises(amp.AmpError, match="Only target_dtype float16 and bfloat16 are supported currently, as text"):
        amp.convert_module(mx.mod.Module(network()), "float64")
    with pytest.raises(amp.AmpError, match="loss_scale must be a positive number, a LossScale or None, got -1"):
        amp.convert_module(mx.mod.Module(network()), loss_scale=-1)

    class Own(mx.optimizer.Optimizer):
        def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
            weight -= 0.1 * grad

    with pytest.raises(mx.MXNetError, match=r"Own updates weights by Python code of its own.*or train in bfloat16"):
        made(optimizer=Own(rescale_grad=1 / 8))
    step(made("bfloat16", optimizer=Own(rescale_grad=1 / 8)))
    sparse = mx.sym.FullyConnected(mx.sym.Variable("data"), mx.sym.Variable("fc1_weight", stype="row_sparse"),
                                   num_hidden=3, name="fc1")  # fmt: skip
    with pytest.raises(mx.MXNetError, match="a loss that is scaled needs an update in the training step's program"):
        step(made(symbol=mx.sym.SoftmaxOutput(sparse, name="softmax")))


# Modules of 16-bit arrays.


@pytest.mark.parametrize("name", half_weights.OPTIMIZERS)
def test_float16_arrays_with_float32_weights_in_the_optimizer(name: str) -> None:
    recorded = json.loads((HERE.parent / "golden" / "training" / "half_weights.json").read_text())[name]
    found = half_weights.trained(mx, np, name)
    assert found["weight"] == recorded["weight"]
    for (dtype, got), (want_dtype, want) in zip(found["state"], recorded["state"], strict=True):
        assert dtype == want_dtype
        np.testing.assert_allclose(got, want, rtol=2e-6)
