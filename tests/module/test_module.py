# SPDX-License-Identifier: Apache-2.0
"""The machine: states, parameters, prediction, shapes that change, files, wrong use."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.program import COUNTERS


def step(module, batch):
    module.forward_backward(batch)
    module.update()


def weights(module):
    return {k: v.asnumpy() for k, v in module.get_params()[0].items()}


def test_looking_between_the_calls_gives_the_same_numbers(net, batches):
    """forward, outputs, backward, gradients, update: split into launches, the step stays the same."""

    def run(look):
        mx.random.seed(0)
        module = mx.mod.Module(net)
        module.bind(batches.provide_data, batches.provide_label, inputs_need_grad=True)
        module.init_params(mx.init.Xavier())
        module.init_optimizer(optimizer="adam")
        batches.reset()
        for batch in batches:
            module.forward(batch, is_train=True)
            if "outputs" in look:
                assert module.get_outputs()[0].asnumpy().shape == (8, 3)
            module.backward()
            if "gradients" in look:
                assert abs(module.get_input_grads()[0].asnumpy()).sum() > 0
            module.update()
        return weights(module)

    plain = run([])
    for look in (["outputs"], ["gradients"], ["outputs", "gradients"]):
        for name, value in run(look).items():
            np.testing.assert_allclose(value, plain[name], rtol=1e-5, atol=1e-7)


def test_gradients_can_be_read_after_the_update(trained, batches):
    step(trained, next(batches))
    assert all(abs(g.asnumpy()).sum() > 0 for g in trained._executor.grad_arrays if g is not None)


def test_gradients_that_the_user_changes_are_used(trained, batches):
    before = weights(trained)
    trained.forward_backward(next(batches))
    for g in trained._executor.grad_arrays:
        if g is not None:
            g[:] = 0
    trained.update()
    for name, value in weights(trained).items():
        np.testing.assert_array_equal(value, before[name])


def test_tutorial_order_is_one_launch_too(trained, batches):
    """forward, update_metric, backward, update."""
    metric = mx.metric.create("acc")
    for _ in range(2):
        batches.reset()
        for batch in batches:
            COUNTERS.reset()
            trained.forward(batch, is_train=True)
            trained.update_metric(metric, batch.label)
            trained.backward()
            trained.update()
        assert COUNTERS.launches == 1
    assert metric.num_inst == 64


def test_predict_merges_and_cuts_padding(trained, batches, data):
    merged = trained.predict(batches)
    assert merged.shape == (26, 3)
    parts = trained.predict(batches, merge_batches=False)
    assert [p[0].shape for p in parts] == [(8, 3), (8, 3), (8, 3), (2, 3)]
    np.testing.assert_array_equal(np.concatenate([p[0].asnumpy() for p in parts]), merged.asnumpy())
    assert len(trained.predict(batches, num_batch=1, always_output_list=True)) == 1
    assert trained.predict(data[0][:5]).shape == (5, 3)
    seen = [(i, outs[0].shape, batch.pad) for outs, i, batch in trained.iter_predict(batches)]
    assert seen == [(0, (8, 3), 0), (1, (8, 3), 0), (2, (8, 3), 0), (3, (2, 3), 6)]


def test_score_takes_several_metrics(trained, batches):
    assert [name for name, _ in trained.score(batches, ["acc", "ce"])] == ["accuracy", "cross-entropy"]


def test_a_smaller_batch_shares_the_parameters(trained, data):
    small = mx.io.DataBatch([mx.nd.array(data[0][:3])], [mx.nd.array(data[1][:3])])
    before = weights(trained)
    step(trained, small)
    assert trained.get_outputs()[0].shape == (3, 3)
    assert trained.data_shapes[0].shape == (3, 6)
    assert any((value != before[name]).any() for name, value in weights(trained).items())


def test_inference_without_labels(trained, data):
    trained.forward(mx.io.DataBatch([mx.nd.array(data[0][:8])]), is_train=False)
    assert trained.get_outputs()[0].shape == (8, 3)
    trained.forward(mx.io.DataBatch([mx.nd.array(data[0][:2])]), is_train=False)
    assert trained.get_outputs()[0].shape == (2, 3)


def test_get_params_gives_copies(trained, batches):
    held = trained.get_params()[0]["fc1_weight"]
    before = held.asnumpy()
    step(trained, next(batches))
    np.testing.assert_array_equal(held.asnumpy(), before)
    held[:] = 0
    assert abs(weights(trained)["fc1_weight"]).sum() > 0


def test_set_params_copies_and_ignores_extra_names(trained):
    given = {**trained.get_params()[0], "extra": mx.nd.ones(1)}
    given["fc2_bias"] = mx.nd.array([1, 2, 3])
    trained.set_params(given, {})
    assert weights(trained)["fc2_bias"].tolist() == [1, 2, 3]


def test_failed_set_params_changes_nothing(trained):
    before = weights(trained)
    full = trained.get_params()[0]
    with pytest.raises(mx.MXNetError, match=r"fc2_weight has shape \(3, 5\), the module needs \(3, 8\)"):
        trained.set_params({**full, "fc1_bias": mx.nd.ones(8), "fc2_weight": mx.nd.ones((3, 5))}, {})
    with pytest.raises(RuntimeError, match="fc2_weight is not presented"):
        trained.set_params({k: v * 0 for k, v in full.items() if k != "fc2_weight"}, {})
    for name, value in weights(trained).items():
        np.testing.assert_array_equal(value, before[name])


def test_fixed_parameters_stay(net, batches):
    module = mx.mod.Module(net, fixed_param_names=["fc1_weight"])
    module.bind(batches.provide_data, batches.provide_label)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={"learning_rate": 0.5})
    before = weights(module)
    step(module, next(batches))
    changed = {k for k, v in weights(module).items() if (v != before[k]).any()}
    assert "fc1_weight" not in changed
    assert "fc2_weight" in changed


def test_batch_norm_statistics_and_gamma_in_the_fused_step(batches):
    data = mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn", momentum=0.5)
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(data, num_hidden=3, name="fc"), name="softmax")
    module = mx.mod.Module(net)
    module.bind(batches.provide_data, batches.provide_label)
    module.init_params(mx.init.Uniform(0.1))
    module.init_optimizer(optimizer_params={"learning_rate": 0.1, "wd": 0.5})
    batch = next(batches)
    step(module, batch)
    mean = batch.data[0].asnumpy().mean(axis=0)
    np.testing.assert_allclose(module.get_params()[1]["bn_moving_mean"].asnumpy(), 0.5 * mean, rtol=1e-5)
    # fix_gamma resets gamma to 1 before the update, whose weight decay then takes lr * wd * 1 off.
    np.testing.assert_allclose(weights(module)["bn_gamma"], 0.95, rtol=1e-6)


def test_a_user_defined_optimizer_runs_step_by_step(trained, net, batches):
    class Plain(mx.optimizer.Optimizer):
        def create_state(self, index, weight):
            return None

        def update(self, index, weight, grad, state):
            weight[:] = weight - 0.5 * grad

    module = mx.mod.Module(net)
    module.bind(batches.provide_data, batches.provide_label)
    module.init_params(mx.init.Xavier())
    with pytest.warns(UserWarning, match="rescale_grad is not normalized"):
        module.init_optimizer(optimizer=Plain())
    before = weights(module)
    module.forward_backward(next(batches))
    grads = {k: g.asnumpy() for k, g in module._bound("grads").grad_dict.items() if g is not None}
    module.update()
    for name, value in weights(module).items():
        np.testing.assert_allclose(value, before[name] - 0.5 * grads[name], rtol=1e-6)


def test_two_modules_share_parameters(net, trained, batches):
    other = mx.mod.Module(net)
    other.bind(batches.provide_data, batches.provide_label, for_training=False, shared_module=trained)
    step(trained, next(batches))
    batch = next(batches)
    other.forward(batch)
    trained.forward(batch, is_train=False)
    np.testing.assert_array_equal(other.get_outputs()[0].asnumpy(), trained.get_outputs()[0].asnumpy())


def test_force_rebind_keeps_parameters_and_optimizer(trained, batches):
    step(trained, next(batches))
    before = weights(trained)
    trained.bind([("data", (4, 6))], [("softmax_label", (4,))], force_rebind=True)
    for name, value in weights(trained).items():
        np.testing.assert_array_equal(value, before[name])
    step(trained, mx.io.DataBatch([mx.nd.ones((4, 6))], [mx.nd.ones(4)]))


def test_states_are_carried(batches):
    state = mx.sym.Variable("state")
    net = mx.sym.Group([mx.sym.Variable("data") + state, mx.sym.BlockGrad(state + 1)])
    module = mx.mod.Module(net, label_names=None, state_names=["state"])
    module.bind([("data", (2, 2))], for_training=False)
    module.init_params()
    module.set_states(value=3)
    module.forward(mx.io.DataBatch([mx.nd.ones((2, 2))]))
    assert module.get_outputs()[0].asnumpy().tolist() == [[4, 4], [4, 4]]
    module.set_states(states=[module.get_outputs()[1]])
    assert module.get_states()[0].asnumpy().tolist() == [[4, 4], [4, 4]]


def test_outputs_and_gradients_by_device(net, batches):
    module = mx.mod.Module(net)
    module.bind(batches.provide_data, batches.provide_label, inputs_need_grad=True)
    module.init_params()
    module.forward_backward(next(batches))
    for call in (module.get_outputs, module.get_input_grads):
        [[part]], [whole] = call(merge_multi_context=False), call()
        np.testing.assert_array_equal(part.asnumpy(), whole.asnumpy())


@pytest.mark.parametrize("name", ["lab", "softmax_lable"])
def test_a_label_that_reaches_nothing_is_refused(net, name):
    # MXNet: KeyError. Trained without it, the network would learn zeros.
    module = mx.mod.Module(net)
    with pytest.raises(KeyError, match=f"label_shapes name '{name}'.*its inputs are: data, softmax_label"):
        module.fit(mx.io.NDArrayIter(np.ones((8, 6)), np.ones(8), 4, label_name=name), num_epoch=1)
    assert not module.binded


def test_input_gradients_need_training(net):
    with pytest.raises(AssertionError, match="for_training=True"):
        mx.mod.Module(net).bind([("data", (8, 6))], for_training=False, inputs_need_grad=True)


@pytest.mark.parametrize("given", ["digits.npz", 3, [[1.0, 2.0]]])
def test_predict_takes_an_iterator_or_an_array(trained, given):
    with pytest.raises(ValueError, match="eval_data must be a data iterator"):
        trained.predict(given)


def test_checkpoint_loads_into_a_module(trained, batches, tmp_path):
    prefix = str(tmp_path / "net")
    trained.save_checkpoint(prefix, 3, save_optimizer_states=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net-0003.params", "net-0003.states", "net-symbol.json"]
    loaded = mx.mod.Module.load(prefix, 3)
    loaded.bind(batches.provide_data, batches.provide_label)
    np.testing.assert_array_equal(loaded.predict(batches).asnumpy(), trained.predict(batches).asnumpy())
    params = str(tmp_path / "only.params")
    trained.save_params(params)
    loaded.load_params(params)


@pytest.mark.parametrize(
    ("use", "exception", "words"),
    [
        (lambda m, b: m.forward(b), AssertionError, r"call bind\("),
        (lambda m, b: m.init_params(), AssertionError, r"init_params: .* call bind\("),
        (lambda m, b: m.get_params(), AssertionError, r"call bind\("),
        (lambda m, b: m.bind([("x", (4, 4))]), ValueError, r"\['x'\] vs. \['data'\]"),
        (lambda m, b: (bind(m), m.forward(b)), AssertionError, r"call init_params\(\)"),
        (lambda m, b: (bind(m), m.init_optimizer()), AssertionError, r"call init_params\(\)"),
        (lambda m, b: (ready(m), m.forward_backward(b), m.update()), AssertionError, r"call init_optimizer\(\)"),
        (lambda m, b: (ready(m), m.backward()), AssertionError, r"call forward\(batch, is_train=True\)"),
        (lambda m, b: (ready(m, for_training=False), m.forward(b), m.backward()), AssertionError, "for_training=True"),
        (lambda m, b: (ready(m), m.forward_backward(b), m.get_input_grads()), AssertionError, "inputs_need_grad=True"),
        (
            lambda m, b: (ready(m), m.forward(mx.io.DataBatch([*b.data, *b.data]))),
            mx.MXNetError,
            "2 data arrays, .* bound to 1",
        ),
        (lambda m, b: (ready(m), m.init_optimizer(optimizer="sgdd")), ValueError, "sgdd"),
        (lambda m, b: (ready(m), m.save_optimizer_states("x")), AssertionError, r"call init_optimizer\(\)"),
        (
            lambda m, b: mx.mod.Module(m.symbol, data_names=("x",)),
            ValueError,
            "Did you mean one of: data, softmax_label",
        ),
        (lambda m, b: mx.mod.Module(m.symbol, fixed_param_names=["nope"]), ValueError, "'nope' is not in"),
        (
            lambda m, b: m.bind([("data", (8, 6))], [("softmax_label", (7,))]),
            RuntimeError,
            "(?s)node 'softmax'.*8 and 7",
        ),
    ],
)
def test_wrong_use_names_the_call_to_make(net, batches, use, exception, words):
    with pytest.raises(exception, match=words):
        use(mx.mod.Module(net), next(batches))


def bind(module, **options):
    module.bind([("data", (8, 6))], [("softmax_label", (8,))], **options)


def ready(module, **options):
    bind(module, **options)
    module.init_params()


def test_an_unknown_label_name_only_warns(net):
    with pytest.warns(UserWarning, match="'lbl' is not in"):
        mx.mod.Module(net, label_names=("lbl",))


def test_repeated_calls_are_ignored_as_in_mxnet(trained, batches, caplog):
    trained.bind(batches.provide_data, batches.provide_label)
    trained.init_optimizer()
    assert [r.getMessage() for r in caplog.records] == [
        "Already bound, ignoring bind()",
        "optimizer already initialized, ignoring...",
    ]
    with pytest.warns(UserWarning, match="init_params call ignored"):
        trained.init_params()


def test_a_surplus_parameter_beside_missing_ones(trained):
    """MXNet looks at the names only where some may be missing."""
    before = weights(trained)
    some = {"fc1_bias": mx.nd.ones(8), "fc9_bias": mx.nd.ones(8)}
    trained.set_params({**trained.get_params()[0], "fc9_bias": mx.nd.ones(1)}, {})
    with pytest.raises(ValueError, match=r"fc9_bias.*not in the arguments"):
        trained.set_params(some, {}, allow_missing=True)
    with pytest.warns(UserWarning, match="set_params call ignored"):
        trained.set_params(some, {}, allow_missing=True, force_init=False)
    assert np.array_equal(weights(trained)["fc1_bias"], before["fc1_bias"])
    trained.set_params(some, {}, allow_missing=True, allow_extra=True)
    assert np.array_equal(weights(trained)["fc1_bias"], np.ones(8))
    assert np.array_equal(weights(trained)["fc2_bias"], before["fc2_bias"])


def test_the_batch_axis_is_the_one_that_the_layout_names():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, flatten=False, name="fc")
    net = mx.sym.SoftmaxOutput(net, mx.sym.Variable("softmax_label"), name="softmax", preserve_shape=True)
    module = mx.mod.Module(net)
    data, label = ("data", (4, 6, 3), "float32", "TNC"), ("softmax_label", (4, 6), "float32", "TN")
    module.bind([mx.io.DataDesc(*data)], [mx.io.DataDesc(*label)])
    module.init_params()
    module.init_optimizer()
    assert module._optimizer.rescale_grad == 1 / 6  # 0.16666666666666666 in MXNet 1.9.1
