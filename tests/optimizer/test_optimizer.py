# SPDX-License-Identifier: Apache-2.0
"""Creating optimizers, their rates and counts, user classes, many parameters at once, and wrong use."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
import pytest

import mxlite as mx
from mxlite import lr_scheduler, optimizer
from mxlite.optimizer import base, transforms


def test_create_by_name_in_any_case():
    assert type(optimizer.create("SGD", momentum=0.5)) is optimizer.SGD
    made = optimizer.Adam()
    assert optimizer.create(made) is made
    assert made.learning_rate == 0.001
    assert optimizer.SGD().learning_rate == 0.01


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1, "fast"])
@pytest.mark.parametrize("name", ["sgd", "adam", "ftrl"])
def test_impossible_learning_rates(name, rate):
    with pytest.raises(ValueError, match=f"learning_rate.*{rate}"):
        optimizer.create(name, learning_rate=rate)


def test_rate_that_becomes_impossible():
    made = optimizer.SGD()
    with pytest.raises(ValueError, match=r"learning_rate.*nan"):
        made.set_learning_rate(float("nan"))
    made.lr = float("nan")
    with pytest.raises(ValueError, match=r"learning_rate.*nan"):
        made.hyper([0])
    scheduled = optimizer.SGD(lr_scheduler=lambda n: float("nan"))
    with pytest.raises(ValueError, match=r"lr_scheduler at 1.*nan"):
        scheduled.hyper([0])


def test_wrong_parameters():
    with pytest.raises(ValueError, match="Cannot find optimizer sdg; did you mean 'sgd'"):
        optimizer.create("sdg")
    with pytest.raises(TypeError, match="SGD got an unexpected keyword argument 'momentun'; did you mean 'momentum'"):
        optimizer.create("sgd", momentun=0.9)
    with pytest.raises(TypeError, match="from its name, got 3"):
        optimizer.create(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="exists already"):
        optimizer.create(optimizer.SGD(), momentum=0.9)
    with pytest.raises(AssertionError, match="param_idx2name must be a dict"):
        optimizer.SGD(param_idx2name=["a"])
    with pytest.raises(ValueError, match="clip_gradient must be a number, got 'x'"):
        optimizer.SGD(clip_gradient="x")
    with pytest.raises(ValueError, match="wd must be a number, got None"):
        optimizer.SGD(wd=None)
    with pytest.raises(UserWarning, match="lr_scheduler"):
        optimizer.SGD(lr_scheduler=lr_scheduler.FactorScheduler(2)).set_learning_rate(0.1)
    with pytest.raises(DeprecationWarning, match="set_lr_mult"):
        optimizer.SGD().set_lr_scale({})


def test_scheduler_takes_the_learning_rate():
    scheduler = lr_scheduler.FactorScheduler(2, 0.5, base_lr=0.3)
    assert optimizer.SGD(learning_rate=0.7, lr_scheduler=scheduler).learning_rate == 0.7
    scheduler = lr_scheduler.FactorScheduler(2, 0.5, base_lr=0.3)
    assert optimizer.SGD(lr_scheduler=scheduler).learning_rate == 0.3


def test_multipliers():
    names = {0: "a_weight", 1: "b_bias", 2: "c_gamma", 3: "d"}
    made = optimizer.SGD(learning_rate=0.1, wd=0.5, param_idx2name=names)
    assert made.wd_mult == {"b_bias": 0.0, "d": 0.0}
    made.set_lr_mult({"a_weight": 0.5, 2: 3.0})
    made.set_wd_mult({"b_bias": 0.2})
    hyper = made.hyper([0, 1, 2, 3])
    np.testing.assert_allclose(hyper["lr"], [0.05, 0.1, 0.3, 0.1], rtol=1e-6)
    np.testing.assert_allclose(hyper["wd"], [0.5, 0.1, 0.5, 0.0], rtol=1e-6)
    assert hyper["lr"].dtype == hyper["wd"].dtype == hyper["rescale_grad"].dtype == np.float32


def test_multipliers_from_a_symbol():
    weight = mx.sym.Variable("fc_weight", lr_mult=2, wd_mult=3)
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), weight=weight, num_hidden=3, name="fc")
    made = optimizer.SGD(learning_rate=0.1, sym=net, param_idx2name={0: "fc_weight", 1: "fc_bias"})
    assert made.lr_mult == {"fc_weight": 2.0}
    assert made.wd_mult == {"fc_weight": 3.0, "fc_bias": 0.0}


def test_multipliers_from_gluon_parameters():
    class Parameter:
        lr_mult, wd_mult = 0.1, 0.0

    made = optimizer.SGD(learning_rate=1.0, wd=1.0, param_dict={0: Parameter()})
    assert made._get_lr(0) == 0.1
    assert made._get_wd(0) == 0.0
    assert made._get_lr(1) == 1.0


def test_counts():
    made = optimizer.SGD(begin_num_update=5)
    made.hyper([0, 1])
    made.hyper([0])
    assert made.num_update == 7
    assert made._index_update_count == {0: 7, 1: 6}


def test_float32_weights_stay_float32():
    for name in ("sgd", "adam", "rmsprop", "lamb"):
        made = optimizer.create(name)
        params = {"w": np.ones((2, 3), np.float32)}
        chain = made.transformation()
        text = (
            jax.jit(lambda p, s, h, c=chain, m=made: c.update(p, s, p, **m.spread(h, ["w"])))
            .lower(params, chain.init(params), made.hyper([0]))
            .as_text()
        )
        assert "f64" not in text


@pytest.mark.parametrize("name", ["sgd", "nag", "adam", "adagrad", "rmsprop", "lamb", "ftrl", "dcasgd"])
def test_many_parameters_in_one_call(name):
    """A list gives what single calls give, though all of it is one program."""
    params = {"momentum": 0.9} if name in ("sgd", "nag") else {}
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s).astype("f4") for s in ((3, 4), (4,), (2, 2, 2))]
    names = {0: "a_weight", 1: "a_bias", 2: "b_weight"}
    results = []
    for many in (True, False):
        update = optimizer.get_updater(optimizer.create(name, wd=0.1, param_idx2name=names, **params))
        weights = [mx.nd.array(w) for w in start]
        for _ in range(2):
            grads = [w * 0.5 for w in weights]
            if many:
                update([0, 1, 2], grads, weights)
            else:
                for i, (g, w) in enumerate(zip(grads, weights, strict=True)):
                    update(i, g, w)
        results.append([w.asnumpy() for w in weights])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_schedule_compiles_nothing():
    base._program.cache_clear()
    update = optimizer.get_updater(
        optimizer.SGD(learning_rate=0.1, momentum=0.9, lr_scheduler=lr_scheduler.CosineScheduler(9))
    )
    weight, grad = mx.nd.ones((3,)), mx.nd.ones((3,))
    for _ in range(6):
        update(0, grad, weight)
    run: Any = base._program(optimizer.SGD, optimizer.SGD.static, (None, 0.9), False)
    assert run._cache_size() == 1


def test_equal_settings_share_a_transformation():
    assert optimizer.SGD(learning_rate=1.0).transformation() is optimizer.SGD(learning_rate=2.0).transformation()
    assert optimizer.SGD(momentum=0.9).transformation() is not optimizer.SGD().transformation()


def test_a_changed_momentum_counts():
    made = optimizer.SGD(learning_rate=1.0, momentum=0.9)
    update = optimizer.get_updater(made)
    weight = mx.nd.zeros((1,))
    update(0, mx.nd.ones((1,)), weight)
    made.momentum = 0.5
    update(0, mx.nd.ones((1,)), weight)
    assert weight.asscalar() == -2.5


def test_user_optimizer_the_classic_way():
    @optimizer.register
    class Halver(optimizer.Optimizer):
        def create_state(self, index, weight):
            return mx.nd.zeros(weight.shape)

        def update(self, index, weight, grad, state):
            self._update_count(index)
            state += 1
            weight[:] = weight * 0.5 - self._get_lr(index) * grad

    made = optimizer.create("halver", learning_rate=0.5)
    assert not made.fused
    update = optimizer.get_updater(made)
    weights = [mx.nd.ones((2,)), mx.nd.ones((3,))]
    update([0, 1], [mx.nd.ones((2,)), mx.nd.zeros((3,))], weights)
    assert weights[0].asnumpy().tolist() == [0, 0]
    assert weights[1].asnumpy().tolist() == [0.5, 0.5, 0.5]
    assert update.states[1].asnumpy().tolist() == [1, 1, 1]


def test_user_optimizer_in_multi_precision():
    class Plain(optimizer.Optimizer):
        def update(self, index, weight, grad, state):
            assert weight.dtype == grad.dtype == np.float32
            weight[:] = weight - 2.0**-13 * grad

    update = optimizer.get_updater(Plain(multi_precision=True))
    weight = mx.nd.ones((1,), dtype="float16")
    for _ in range(8):
        update(0, mx.nd.ones((1,), dtype="float16"), weight)
    assert weight.asscalar() == 1 - 2.0**-10


def test_user_optimizer_as_a_chain():
    class Descent(optimizer.Optimizer):
        def build(self):
            return optax.chain(transforms.rescale(), transforms.descend())

    made = Descent(learning_rate=0.5, rescale_grad=0.5)
    assert made.fused
    weight = mx.nd.ones((1,))
    optimizer.get_updater(made)(0, mx.nd.ones((1,)), weight)
    assert weight.asscalar() == 0.75


def test_subclass_of_a_built_in_keeps_its_own_update():
    class Logged(optimizer.SGD):
        calls = 0

        def update(self, index, weight, grad, state):
            Logged.calls += 1
            super().update(index, weight, grad, state)

    made = Logged(learning_rate=1.0)
    assert not made.fused
    weight = mx.nd.ones((1,))
    optimizer.get_updater(made)([0], [mx.nd.ones((1,))], [weight])
    assert Logged.calls == 1
    assert weight.asscalar() == 0


def test_wrong_use_of_the_updater():
    update = optimizer.get_updater(optimizer.SGD(param_idx2name={0: "fc_weight"}))
    with pytest.raises(ValueError, match=r"gradient of 'fc_weight' has shape \(3,\), its weight \(2,\)"):
        update(0, mx.nd.ones((3,)), mx.nd.ones((2,)))
    with pytest.raises(ValueError, match="2 indices, 1 gradients and 2 weights"):
        update([0, 1], [mx.nd.ones((2,))], [mx.nd.ones((2,)), mx.nd.ones((2,))])
    with pytest.raises(NotImplementedError, match="must override update"):
        optimizer.get_updater(optimizer.Optimizer())(0, mx.nd.ones((2,)), mx.nd.ones((2,)))


def test_state_of_another_optimizer():
    adam, sgd = optimizer.Adam(), optimizer.SGD(momentum=0.9)
    params = {"w": np.ones((2,), np.float32)}
    state = adam.transformation().init(params)
    with pytest.raises(ValueError, match=r"Adam: the state of 'w' needs 2 arrays, got array\(2,\)"):
        adam.with_mx_state(state, "w", np.zeros(2))
    with pytest.raises(ValueError, match=r"SGD: the state 'mom' of 'w' has shape \(3,\), expected \(2,\)"):
        sgd.with_mx_state(sgd.transformation().init(params), "w", np.zeros(3))


def test_float16_without_multi_precision_warns():
    with pytest.warns(UserWarning, match="Accumulating with float16"):
        optimizer.SGD().create_state_multi_precision(0, mx.nd.ones((2,), dtype="float16"))


def test_sgld_is_seeded():
    def run():
        weight = mx.nd.zeros((4,))
        optimizer.get_updater(optimizer.create("sgld", learning_rate=0.1))(0, mx.nd.zeros((4,)), weight)
        return weight.asnumpy()

    mx.random.seed(3)
    first, second = run(), run()
    mx.random.seed(3)
    assert np.array_equal(first, run())
    assert not np.array_equal(first, second)
    assert 0.05 < np.abs(first).mean() < 1


def test_group_adagrad():
    weight = mx.nd.ones((2, 2))
    update = optimizer.get_updater(optimizer.create("groupadagrad", learning_rate=1.0, eps=0.0))
    update(0, mx.nd.array([[3, 4], [1, 1]]), weight)
    size = np.sqrt([[12.5], [1.0]])
    np.testing.assert_allclose(weight.asnumpy(), 1 - np.array([[3, 4], [1, 1]]) / size, rtol=1e-6)
    np.testing.assert_allclose(update.states[0].asnumpy(), size**2, rtol=1e-6)
    with pytest.raises(AssertionError, match=r"takes no wd, got 0\.1"):
        optimizer.create("groupadagrad", wd=0.1).hyper([0])


def test_replacing_a_registered_optimizer_warns():
    class Twice(optimizer.Optimizer):
        pass

    optimizer.register(Twice)
    with pytest.warns(UserWarning, match="'twice'"):
        optimizer.register(type("Twice", (optimizer.Optimizer,), {}))
    del optimizer.Optimizer.opt_registry["twice"]
