# SPDX-License-Identifier: Apache-2.0
"""Any optax rule trains a Module: the numbers of a loop in numpy and optax, one launch a batch, states that go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

import mxlite as mx
from mxlite_compiler.program import COUNTERS

X = np.random.default_rng(0).normal(size=(12, 5)).astype("f4")
Y = X[:, :3].argmax(1).astype("f4")
NAMES = ("fc_weight", "fc_bias")

RULES: dict[str, Any] = {
    "sgd": lambda: optax.sgd(0.5, momentum=0.9),
    "adamw, a schedule, the norm of all": lambda: optax.chain(
        optax.clip_by_global_norm(0.1), optax.adamw(optax.linear_schedule(0.1, 0.0, 6), weight_decay=0.1)
    ),
    "lamb": lambda: optax.lamb(0.05),
    "adafactor": lambda: optax.adafactor(0.05),
    "inject_hyperparams": lambda: optax.inject_hyperparams(optax.rmsprop)(learning_rate=0.05),
    "multi_transform": lambda: optax.multi_transform(
        {"a": optax.adam(0.05), "b": optax.sgd(0.5)}, {"fc_weight": "a", "fc_bias": "b"}
    ),
    "masked": lambda: optax.masked(optax.adam(0.1), {"fc_weight": False, "fc_bias": True}),
    "MultiSteps": lambda: optax.MultiSteps(optax.adam(0.1), 2),
    "a random key": lambda: optax.chain(optax.add_noise(0.1, 0.5, key=jax.random.key(0)), optax.sgd(0.1)),
    "schedule_free": lambda: optax.contrib.schedule_free_sgd(0.5),
    "16-bit momentum": lambda: optax.adam(0.05, mu_dtype="bfloat16"),
}


def network(**weight: Any) -> mx.sym.Symbol:
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), mx.sym.Variable("fc_weight", **weight), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(fc, name="softmax")


def made(rule: Any, symbol: Any = None, dtype: str = "float32", **keywords: Any) -> Any:
    options = {"fixed_param_names": keywords.pop("fixed")} if "fixed" in keywords else {}
    module = mx.mod.Module(network() if symbol is None else symbol, **options)
    module.bind([mx.io.DataDesc("data", (4, 5), dtype)], [mx.io.DataDesc("softmax_label", (4,), dtype)])
    mx.random.seed(1)
    module.init_params(mx.init.Uniform(0.5))
    module.init_optimizer(optimizer=rule, **keywords)
    return module


def step(module: Any, i: int = 0) -> None:
    rows = slice(4 * (i % 3), 4 * (i % 3) + 4)
    module.forward_backward(mx.io.DataBatch([mx.nd.array(X[rows])], [mx.nd.array(Y[rows])]))
    module.update()


def weights(module: Any) -> dict[str, np.ndarray]:
    return {name: x.asnumpy() for name, x in module.get_params()[0].items()}


def gradients(params: dict[str, np.ndarray], i: int) -> dict[str, np.ndarray]:
    """The mean over batch `i`, in numpy."""
    rows = slice(4 * (i % 3), 4 * (i % 3) + 4)
    scores = np.exp(X[rows] @ params["fc_weight"].T + params["fc_bias"])
    d = scores / scores.sum(1, keepdims=True) - np.eye(3, dtype="f4")[Y[rows].astype(int)]
    return {"fc_weight": d.T @ X[rows] / 4, "fc_bias": d.sum(0) / 4}


@pytest.mark.parametrize("name", RULES)
def test_equals_a_loop_in_numpy_and_optax(name: str) -> None:
    module = made(RULES[name]())
    rule: Any = RULES[name]()
    params: Any = weights(module)
    state, update = jax.jit(rule.init)(params), jax.jit(rule.update)
    COUNTERS.reset()
    for i in range(5):
        step(module, i)
        updates, state = update(gradients(params, i), state, params)
        params = {key: params[key] + np.asarray(updates[key]) for key in NAMES}
        assert COUNTERS.launches == i + 1 and COUNTERS.traces == 1
    # Momentum of 8 bits: five steps of 0.05, each as exact as that.
    atol = 5 * 0.05 * 2**-8 if "16-bit" in name else 2e-6
    for key, value in weights(module).items():
        np.testing.assert_allclose(value, params[key], rtol=2e-5, atol=atol, err_msg=key)


#: Leaves of every kind: counts, factored moments, labels and numbers beside parameters, random keys, 16 bits.
SAVED = ("adafactor", "inject_hyperparams", "multi_transform", "MultiSteps", "a random key", "16-bit momentum")


@pytest.mark.parametrize("name", SAVED)
def test_saved_states_go_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    rule, path = RULES[name](), str(tmp_path / "m.states")
    through = made(rule)
    for i in range(3):
        step(through, i)
    through.save_optimizer_states(path)
    again = made(rule)
    again.set_params(*through.get_params())
    again.load_optimizer_states(path)
    for i in range(3):
        step(through, i)
        step(again, i)
    for key, value in weights(through).items():
        np.testing.assert_array_equal(weights(again)[key], value)


def test_states_of_another_rule_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    adam, sgd = made(optax.adam(0.1)), made(optax.sgd(0.1, momentum=0.9))
    adam.save_optimizer_states(str(tmp_path / "adam"))
    with pytest.raises(ValueError, match=r"keeps 1 arrays for 'fc_weight', the state has 3: it was saved by another"):
        sgd.load_optimizer_states(str(tmp_path / "adam"))
    step(sgd)
    (tmp_path / "adam").write_bytes((tmp_path / "adam").read_bytes()[:100])
    before = [np.asarray(x) for x in jax.tree.leaves(adam._updates.state)]
    with pytest.raises(mx.MXNetError, match="invalid optimizer states"):
        adam.load_optimizer_states(str(tmp_path / "adam"))
    for old, new in zip(before, jax.tree.leaves(adam._updates.state), strict=True):
        np.testing.assert_array_equal(old, new)


def test_fit_with_fixed_parameters_and_accuracy() -> None:
    module: Any = mx.mod.Module(network(), fixed_param_names=["fc_bias"])
    batches = mx.io.NDArrayIter(X, Y, 4)
    start = {"fc_bias": mx.nd.array([0.5, 0, 0]), "fc_weight": mx.nd.zeros((3, 5))}
    module.fit(batches, optimizer=optax.chain(optax.clip(1.0), optax.adam(0.3)), num_epoch=15, arg_params=start)
    assert module._updates.names == ("fc_weight",)
    assert weights(module)["fc_bias"].tolist() == [0.5, 0, 0]
    assert dict(module.score(batches, "acc"))["accuracy"] == 1


def test_buckets_share_one_state() -> None:
    def bucket(length: int) -> Any:
        total = mx.sym.sum(mx.sym.Variable("data"), axis=1)
        fc = mx.sym.FullyConnected(total, num_hidden=3, name="fc")
        return mx.sym.SoftmaxOutput(fc, name="softmax"), ("data",), ("softmax_label",)

    def batch(length: int) -> Any:
        x = np.repeat(X[:4, None, :] / length, length, axis=1)
        shapes = [mx.io.DataDesc("data", x.shape)], [mx.io.DataDesc("softmax_label", (4,))]
        return mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(Y[:4])], 0, None, length, *shapes)

    module = mx.mod.BucketingModule(bucket, default_bucket_key=2)
    module.bind(batch(2).provide_data, batch(2).provide_label)
    plain = made(optax.adam(0.1))
    module.init_params(arg_params=plain.get_params()[0], aux_params={})
    module.init_optimizer(optimizer=optax.adam(0.1))
    for length in (2, 3, 2, 4):
        module.forward_backward(batch(length))
        module.update()
        step(plain)
    for key, value in weights(plain).items():
        np.testing.assert_allclose(weights(module)[key], value, rtol=1e-4, atol=1e-5)


def test_extra_arguments_change_without_a_compilation() -> None:
    rule = optax.chain(optax.sgd(1.0), optax.contrib.reduce_on_plateau(factor=0.5, patience=1, cooldown=0))
    losses = iter([3.0, 2.0, 2.0, 2.0, 2.0])
    module = made(rule, optimizer_params={"extra_args": lambda: {"value": next(losses)}})
    COUNTERS.reset()
    for _ in range(4):
        step(module)
    assert COUNTERS.traces == 1
    assert float(module._updates.state[1].scale) == 0.25
    with pytest.raises(TypeError, match=r"'value'.*wants extra arguments; .*Optax\(rule, extra_args=\.\.\.\)"):
        step(made(rule))
    with pytest.raises(TypeError, match="extra_args must give a mapping of keyword arguments, got list"):
        step(made(mx.optimizer.Optax(rule, extra_args=lambda: [1.0], rescale_grad=0.25)))  # type: ignore[arg-type]


def test_gradients_are_those_of_the_mean_and_multipliers_count() -> None:
    still = made(optax.sgd(0.5), network(lr_mult=0.0))
    twice = made(optax.sgd(0.5), optimizer_params={"rescale_grad": 0.5})
    start = weights(still)
    for module in (still, twice):
        step(module)
    np.testing.assert_array_equal(weights(still)["fc_weight"], start["fc_weight"])
    np.testing.assert_allclose(weights(still)["fc_bias"], start["fc_bias"] - 0.5 * gradients(start, 0)["fc_bias"], 1e-5)
    expected = start["fc_weight"] - 1.0 * gradients(start, 0)["fc_weight"]
    np.testing.assert_allclose(weights(twice)["fc_weight"], expected, rtol=1e-5, atol=1e-6)


def test_float16_weights_with_float32_copies() -> None:
    module = made(optax.sgd(1e-4), None, "float16", optimizer_params={"multi_precision": True})
    before = weights(module)["fc_weight"]
    assert before.dtype == np.float16
    for _ in range(40):
        step(module)
    copies = module._updates.state[1]
    assert {k: v.dtype for k, v in copies.items()} == dict.fromkeys(NAMES, np.float32)
    assert np.abs(np.asarray(copies["fc_weight"]) - before).max() > 2e-4
    np.testing.assert_array_equal(weights(module)["fc_weight"], np.asarray(copies["fc_weight"]).astype("f2"))


def test_mistakes() -> None:
    with pytest.raises(
        TypeError, match=r"a name, an mx.optimizer.Optimizer or an optax.GradientTransformation, got int"
    ):
        made(3)
    with pytest.raises(TypeError, match=r"rule must be an optax.GradientTransformation, got str"):
        mx.optimizer.Optax("adam")
    with pytest.raises(TypeError, match="learning_rate, wd cannot be given beside an optax rule, which has its own"):
        made(optax.sgd(0.1), optimizer_params={"learning_rate": 0.1, "wd": 0.1})
    optimizer = made(optax.sgd(0.1))._optimizer
    for act in (lambda: optimizer.learning_rate, lambda: optimizer.set_learning_rate(0.1)):
        with pytest.raises(UserWarning, match="the optax rule owns its learning rate"):
            act()
    update = mx.optimizer.get_updater(optimizer)
    with pytest.raises(mx.MXNetError, match="an optax rule sees all parameters at once"):
        update(0, mx.nd.ones(2), mx.nd.ones(2))
