# SPDX-License-Identifier: Apache-2.0
"""BucketingModule, SequentialModule, PythonModule and PythonLossModule."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import mxlite as mx
from mxlite.module import bucketing_module
from tests.module import family

RECORDED = json.loads((Path(__file__).parent.parent / "golden" / "training" / "family.json").read_text())


@cache
def computed() -> Any:
    return family.facts(mx)


def _same(found: Any, wanted: Any) -> None:
    """Numbers to float32, all else exactly."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            _same(found[key], wanted[key])
    elif isinstance(wanted, list) and wanted and isinstance(wanted[0], list | dict | str):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            _same(a, b)
    elif isinstance(wanted, str):
        assert found == wanted
    else:
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", list(RECORDED))
def test_trainings_equal_mxnets(name):
    """Outputs, weights, log lines, scores."""
    _same(computed()[name], RECORDED[name])


@pytest.fixture
def bucketing():
    module = mx.mod.BucketingModule(family.bags(mx), default_bucket_key=5)
    module.bind([("data", (2, 5))], [("softmax_label", (2,))])
    module.init_params(mx.init.One())
    return module


def _outputs(module, length):
    module.forward(family.bag(mx, length), is_train=False)
    return module.get_outputs()[0].asnumpy()


def test_buckets_share_parameters_and_gradients(bucketing):
    for length in (3, 4):
        bucketing.forward(family.bag(mx, length), is_train=True)
        bucketing.backward()
    executors = [m._executor for m in bucketing._buckets.values()]
    assert len(executors) == 3
    for held in ("arg_dict", "grad_dict"):
        assert len({id(getattr(e, held)["fc_weight"]) for e in executors}) == 1
    args, aux = bucketing.get_params()
    bucketing.set_params({n: x * 0 for n, x in args.items()}, aux)
    np.testing.assert_allclose(_outputs(bucketing, 3), 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(_outputs(bucketing, 2), 1 / 3, rtol=1e-6)


def test_preparing_a_batch_binds_its_bucket_and_leaves_the_current_one(bucketing):
    _outputs(bucketing, 3)
    bucketing.prepare(family.bag(mx, 2))
    assert sorted(bucketing._buckets) == [2, 3, 5]
    assert bucketing.data_shapes[0].shape == (2, 3)
    assert bucketing.get_outputs()[0].shape == (2, 3)


def test_a_bucket_takes_batches_of_another_size(bucketing):
    _outputs(bucketing, 3)
    bucketing.forward(family.bag(mx, 3, rows=4), is_train=False)
    assert bucketing.get_outputs()[0].shape == (4, 3)


def test_checkpoints_of_buckets(bucketing, tmp_path):
    bucketing.init_params(mx.init.Uniform(1.0), force_init=True)
    wanted = _outputs(bucketing, 3)
    prefix = str(tmp_path / "a")
    bucketing.save_checkpoint(prefix, 7)
    names = ["a-0007.params", "a-3-symbol.json", "a-5-symbol.json", "a.buckets"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert sorted(mx.nd.load(f"{prefix}.buckets")[0].asnumpy().tolist()) == [3, 5]

    again = mx.mod.BucketingModule.load(prefix, 7, family.bags(mx), 5)
    assert again.params_initialized
    assert not again.binded
    again.bind([("data", (2, 5))], [("softmax_label", (2,))], for_training=False)
    np.testing.assert_array_equal(_outputs(again, 3), wanted)


def test_keys_that_are_tuples_are_saved_and_loaded(tmp_path):
    """MXNet writes them, and does not find them again."""
    prefix = str(tmp_path / "a")
    module = mx.mod.BucketingModule(lambda key: family.bags(mx)(key[0]), default_bucket_key=(5, 1))
    module.bind([("data", (2, 5))], [("softmax_label", (2,))])
    module.init_params()
    module.save_checkpoint(prefix, 1)
    again = mx.mod.BucketingModule.load(prefix, 1, lambda key: family.bags(mx)(key[0]), (5, 1))
    assert list(again._symbols) == [(5, 1)]


def test_the_bucket_used_longest_ago_is_let_go_and_returns_with_a_warning(bucketing, monkeypatch):
    monkeypatch.setattr(bucketing_module, "MAX_BUCKETS", 3)
    before = _outputs(bucketing, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for length in (2, 3, 4):
            _outputs(bucketing, length)
    assert list(bucketing._buckets) == [5, 3, 4]
    with pytest.warns(UserWarning, match=r"bucket 1 .* \{'data': \(2, 1\), 'softmax_label': \(2,\)\}"):
        np.testing.assert_array_equal(_outputs(bucketing, 1), before)


def test_a_monitor_sees_all_buckets(bucketing):
    monitor = mx.mon.Monitor(1, pattern="fc_output")
    bucketing.install_monitor(monitor)
    for length in (3, 5):
        monitor.tic()
        bucketing.forward(family.bag(mx, length))
        assert [name for _, name, _ in monitor.toc()] == ["fc_output"]


def _bound():
    made = mx.mod.BucketingModule(family.bags(mx), default_bucket_key=5)
    made.bind([("data", (2, 5))], [("softmax_label", (2,))])
    made.init_params()
    return made


def _other_parameters():
    def generate(length):
        name = "fc" if length == 5 else "other"
        scores = mx.sym.FullyConnected(
            mx.sym.sum(mx.sym.Variable("data"), axis=1, keepdims=True), num_hidden=3, name=name
        )
        return mx.sym.SoftmaxOutput(scores, name="softmax"), ("data",), ("softmax_label",)

    made = mx.mod.BucketingModule(generate, default_bucket_key=5)
    made.bind([("data", (2, 5))], [("softmax_label", (2,))])
    made.init_params()
    made.forward(family.bag(mx, 3))


def _of_two_parts(length):
    """A network whose first layer is in the longest bucket only."""
    x = mx.sym.sum(mx.sym.Variable("data"), axis=1, keepdims=True) / 100
    x = mx.sym.FullyConnected(x, num_hidden=2, name="pre") if length == 5 else mx.sym.tile(x, reps=(1, 2))
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=3, name="fc"), name="softmax")


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "eager"])
def test_a_bucket_with_fewer_parameters_trains_those(optimizer):
    """Each parameter as by an updater of its own; "eager" has no compiled rule, as an optimizer of a user."""

    class Eager(mx.optimizer.SGD):
        @property
        def fused(self):
            return False

    def made() -> Any:
        options: Any = {"momentum": 0.9} if optimizer == "sgd" else {}
        given = {"rescale_grad": 0.5, "param_idx2name": dict(enumerate(names))}
        if optimizer == "eager":
            return Eager(learning_rate=0.1, momentum=0.9, **given)
        return mx.optimizer.create(optimizer, learning_rate=0.1, **options, **given)

    names = ["pre_weight", "pre_bias", "fc_weight", "fc_bias"]
    module = mx.mod.BucketingModule(
        lambda length: (_of_two_parts(length), ("data",), ("softmax_label",)), default_bucket_key=5
    )
    module.bind([("data", (2, 5))], [("softmax_label", (2,))])
    module.init_params(mx.init.One())
    module.init_optimizer(optimizer=made())
    weights, update = module.get_params()[0], mx.optimizer.get_updater(made())
    for step, length in enumerate((3, 5, 3, 2, 5)):
        batch = family.bag(mx, length)
        symbol = _of_two_parts(length)
        mine = {n: weights[n] for n in symbol.list_arguments() if n in weights}
        inputs = {"data": batch.data[0], "softmax_label": batch.label[0]}
        grads = {n: mx.nd.zeros(x.shape) for n, x in mine.items()}
        bound = symbol.bind(mx.cpu(), {**mine, **inputs}, grads, dict.fromkeys(mine, "write"))
        bound.forward(is_train=True)
        bound.backward()
        for n, weight in mine.items():
            update(names.index(n), grads[n], weight)
        module.forward_backward(batch)
        if step % 2:
            module.get_outputs()[0].wait_to_read()  # then the update is a launch of its own
        module.update()
        for n, value in module.get_params()[0].items():
            np.testing.assert_allclose(value.asnumpy(), weights[n].asnumpy(), rtol=1e-5, err_msg=f"{n} after {step}")


MISTAKES = {
    "no default": (lambda: mx.mod.BucketingModule(family.bags(mx)), AssertionError, "default_bucket_key"),
    "no triple": (
        lambda: mx.mod.BucketingModule(cast(Any, lambda key: 3), 5),
        TypeError,
        "symbol, data_names, label_names",
    ),
    "unbound": (lambda: mx.mod.BucketingModule(family.bags(mx), 5).data_shapes, AssertionError, "bind"),
    "shared": (lambda: _bound().bind([("data", (2, 5))], shared_module=_bound()), AssertionError, "shared_module"),
    "no key": (
        lambda: _bound().forward(mx.io.DataBatch([mx.nd.ones((2, 5))], [mx.nd.ones(2)])),
        TypeError,
        "bucket_key=None",
    ),
    "no sym_gen": (lambda: mx.mod.BucketingModule.load("x", 1), AssertionError, "sym_gen is required"),
    "no key to load": (
        lambda: mx.mod.BucketingModule.load_dict(sym_gen=family.bags(mx)),
        AssertionError,
        "default_bucket_key is required",
    ),
    "no file": (lambda: mx.mod.BucketingModule.load("/none", 1, family.bags(mx), 5), mx.MXNetError, "none.buckets"),
    "other parameters": (_other_parameters, AssertionError, "other_weight"),
    "unknown meta": (
        lambda: mx.mod.SequentialModule().add(family.sequential(mx)[0], zz=1),
        AssertionError,
        'Unknown meta "zz"',
    ),
    "empty": (lambda: mx.mod.SequentialModule().bind([("data", (1, 2))]), AssertionError, "empty SequentialModule"),
    "no wiring": (
        lambda: family.sequential(mx, auto=False)[0].bind([("data", (4, 5))], [("softmax_label", (4,))]),
        ValueError,
        "relu1_output",
    ),
    "two inputs of a loss": (lambda: mx.mod.PythonLossModule(data_names=("a", "b")), AssertionError, "one input"),
    "a loss that is no function": (lambda: mx.mod.PythonLossModule(grad_func=cast(Any, 3)), AssertionError, "got 3"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    call, kind, words = MISTAKES[mistake]
    with pytest.raises(kind, match=words):
        call()


def test_a_sequence_of_modules_tells_names_twice():
    module = mx.mod.SequentialModule()
    for _ in range(2):
        dense = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc")
        module.add(mx.mod.Module(dense, label_names=None), auto_wiring=True)
    module.bind([("data", (4, 4))])
    with pytest.raises(AssertionError, match='"fc_weight" in layer 1'):
        module.init_params()


def test_input_gradients_of_a_sequence_equal_those_of_one_module():
    batch = next(mx.io.NDArrayIter(family.X, family.Y, 4))
    whole = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc1")
    whole = mx.sym.FullyConnected(mx.sym.Activation(whole, act_type="relu"), num_hidden=3, name="fc2")
    one = mx.mod.Module(mx.sym.SoftmaxOutput(whole, name="softmax"))
    grads = []
    rng = np.random.RandomState(1)
    shapes = {"fc1_weight": (4, 5), "fc1_bias": (4,), "fc2_weight": (3, 4), "fc2_bias": (3,)}
    weights = {n: mx.nd.array(rng.uniform(-1, 1, s)) for n, s in shapes.items()}
    for module in (one, family.sequential(mx)[0]):
        module.bind([("data", (4, 5))], [("softmax_label", (4,))], inputs_need_grad=True)
        module.init_params(arg_params=weights, aux_params={})
        module.forward_backward(batch)
        grads.append(module.get_input_grads()[0].asnumpy())
    np.testing.assert_allclose(*grads, rtol=1e-5, atol=1e-7)
    assert np.abs(grads[0]).max() > 0.01


def test_a_python_module_of_ones_own():
    class Twice(mx.mod.PythonModule):
        def __init__(self):
            super().__init__(["data"], ["softmax_label"], ["twice_output"])

        def _compute_output_shapes(self):
            return [("twice_output", self.data_shapes[0][1])]

        def forward(self, data_batch, is_train=None):
            self.x = data_batch.data[0] * 2

        def backward(self, out_grads=None):
            self.grad = out_grads[0] * 2

        def get_outputs(self, merge_multi_context=True):
            return [self.x]

    module = Twice()
    with pytest.raises(AssertionError, match="data_names are"):
        module.bind([("zz", (2, 2))])
    with pytest.raises(AssertionError, match="only support write"):
        module.bind([("data", (2, 2))], grad_req="add")
    module.bind([("data", (2, 2))], [("softmax_label", (2,))])
    assert module.output_shapes == [("twice_output", (2, 2))]
    assert module.get_params() == ({}, {})
    metric = mx.metric.Accuracy()
    module.forward(mx.io.DataBatch([mx.nd.array([[1, 2], [2, 1]])], None))
    module.update_metric(metric, [mx.nd.array([1, 1])])
    assert metric.get() == ("accuracy", 0.5)


def test_states_go_on_from_batch_to_batch():
    state = mx.sym.Variable("h")
    total = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc") + state
    module = mx.mod.Module(total, label_names=None, state_names=["h"])
    module.bind([("data", (4, 5))], for_training=False)
    module.init_params(mx.init.One())
    assert list(module.get_params()[0]) == ["fc_weight", "fc_bias"]
    module.set_states(value=2)
    batch = mx.io.DataBatch([mx.nd.array(family.X[:4])], None)
    module.forward(batch)
    for steps in (1, 2):
        wanted = 2 + steps * family.X[:4].sum(axis=1, keepdims=True).repeat(3, axis=1)
        np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), wanted, rtol=1e-5)
        module.set_states(states=module.get_outputs(merge_multi_context=False))
        np.testing.assert_allclose(module.get_states(merge_multi_context=False)[0][0].asnumpy(), wanted, rtol=1e-5)
        module.forward(batch)
