# SPDX-License-Identifier: Apache-2.0
"""`Module.fit`: MXNet's recorded run, launches and traces a batch, callbacks, resuming."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.program import COUNTERS
from tests.archives import read_npz

GOLDEN = Path(__file__).parent.parent / "golden"


def test_fit_equals_the_recorded_run():
    facts = json.loads((GOLDEN / "training" / "fit_mlp.json").read_text())
    arrays = read_npz(GOLDEN / "training" / "fit_mlp.npz")
    events: list = []
    weights = {}
    module = mx.mod.Module(mx.sym.load(str(GOLDEN / "nets" / "mlp-symbol.json")))

    def epoch_end(epoch, symbol, arg_params, aux_params):
        weights[epoch] = {k: v.asnumpy() for k, v in arg_params.items()}
        events.append(["epoch_end", epoch])

    def evaluated(kind):
        return lambda p: events.append([kind, p.epoch, p.nbatch, p.eval_metric.get()[1]])

    module.fit(
        mx.io.NDArrayIter(arrays["X"], arrays["Y"], 8),
        eval_data=mx.io.NDArrayIter(arrays["VX"], arrays["VY"], 4),
        eval_metric="acc",
        arg_params={k[3:]: mx.nd.array(v) for k, v in arrays.items() if k.startswith("w0/")},
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.3, "momentum": 0.9, "wd": 1e-3},
        batch_end_callback=lambda p: events.append(["batch_end", p.epoch, p.nbatch, *p.eval_metric.get()]),
        epoch_end_callback=epoch_end,
        eval_batch_end_callback=evaluated("eval_batch_end"),
        eval_end_callback=evaluated("eval_end"),
        num_epoch=3,
    )
    for got, want in zip(events, facts["events"], strict=True):
        assert got[:-1] == want[:-1]
        assert got[-1] == pytest.approx(want[-1], abs=1e-12) if isinstance(want[-1], float) else got[-1] == want[-1]
    for epoch in range(3):
        for name, value in weights[epoch].items():
            np.testing.assert_allclose(value, arrays[f"w_epoch{epoch}/{name}"], rtol=2e-5, atol=1e-6)
    predicted = module.predict(mx.io.NDArrayIter(arrays["X"], arrays["Y"], 8))
    np.testing.assert_allclose(predicted.asnumpy(), arrays["predict_train"], rtol=2e-5, atol=1e-6)
    score = module.score(mx.io.NDArrayIter(arrays["VX"], arrays["VY"], 4), ["acc", "ce"])
    assert [list(s) for s in score] == [[n, pytest.approx(v, rel=1e-5)] for n, v in facts["final_score"]]
    assert module._optimizer.rescale_grad == facts["optimizer_rescale_grad"]


# Fitting a module again says, as MXNet does, that it keeps its parameters.
again = pytest.mark.filterwarnings("ignore:Parameters already initialized")


@again
@pytest.mark.parametrize("metric", ["acc", "ce", "mse", ["acc", "ce"], mx.metric.TopKAccuracy(top_k=2)])
def test_one_launch_a_batch_and_no_retrace(net, data, metric):
    """The whole step, metric included, is one program; a schedule of learning rates recompiles nothing."""
    if metric == "mse":
        net = mx.sym.LinearRegressionOutput(net.get_internals()["fc2_output"], name="softmax")
        data = (data[0], np.eye(3, dtype="float32")[data[1].astype(int)])
    schedule = mx.lr_scheduler.FactorScheduler(step=1, factor=0.9)
    module = mx.mod.Module(net)
    counts = []

    def batch_end(param):
        counts.append((COUNTERS.launches, COUNTERS.traces))
        COUNTERS.reset()

    fit = lambda first, last: module.fit(  # noqa: E731
        mx.io.NDArrayIter(*data, batch_size=8),
        eval_metric=metric,
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.1, "momentum": 0.9, "lr_scheduler": schedule},
        batch_end_callback=batch_end,
        begin_epoch=first,
        num_epoch=last,
    )
    fit(0, 1)
    counts.clear()
    COUNTERS.reset()
    fit(1, 3)
    assert len(counts) == 8
    assert set(counts) == {(1, 0)}


def launches(directory, work):
    """How often XLA really executed a program during `work`, by JAX's own profiler."""
    with jax.profiler.trace(str(directory)):
        work()
    (path,) = directory.glob("**/*.trace.json.gz")
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    return sum("ExecuteHelper" in e.get("name", "") for e in events)


def test_xla_executes_one_program_a_batch(net, data, tmp_path):
    """The counters above are our own; this asks the runtime. Nothing eager hides between two batches."""
    module = mx.mod.Module(net)
    batches = mx.io.NDArrayIter(*data, batch_size=8)
    module.fit(batches, num_epoch=1, optimizer="adam")
    metric = mx.metric.create("acc")

    def epoch():
        for batch in batches:
            module.forward_backward(batch)
            module.update_metric(metric, batch.label)
            module.update()
        module.get_outputs()[0].wait_to_read()

    epoch()  # settles the buffers that the program may reuse
    batches.reset()
    assert launches(tmp_path / "epoch", epoch) == 4
    x = mx.nd.ones(3)
    assert launches(tmp_path / "eager", lambda: (x + x + x).wait_to_read()) == 2


def test_the_step_is_compiled_once(net, data):
    """Tracing once is not enough: JAX compiles anew when an argument arrives committed that was not before."""
    compiled = []

    def listen(event: str, duration_secs: float, **info):
        if event.endswith("backend_compile_duration"):
            compiled.append(info.get("fun_name", ""))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        mx.mod.Module(net).fit(
            mx.io.NDArrayIter(*data, batch_size=8),
            num_epoch=3,
            optimizer="adam",
            eval_metric=["acc", "ce"],
            eval_data=mx.io.NDArrayIter(*data, batch_size=8),
            optimizer_params={"learning_rate": 0.12345},
        )
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    steps = [name for name in compiled if "train_step" in name or "predict" in name]
    assert len(steps) == len(set(steps)) == 2, compiled


def test_metric_in_numpy_sees_the_same_values(net, data):
    def fit(metric):
        mx.random.seed(3)
        seen = []
        module = mx.mod.Module(net)
        module.fit(
            mx.io.NDArrayIter(*data, batch_size=8),
            eval_metric=metric,
            num_epoch=2,
            batch_end_callback=lambda p: seen.append(p.eval_metric.get()[1]),
        )
        return seen, module.get_params()[0]

    on_host = mx.metric.np(lambda label, pred: float((pred.argmax(axis=1) == label).mean()))
    host, host_params = fit(on_host)
    device, device_params = fit("acc")
    np.testing.assert_allclose(host, device, rtol=1e-6)
    for name, value in host_params.items():
        np.testing.assert_allclose(value.asnumpy(), device_params[name].asnumpy(), rtol=1e-5, atol=1e-7)


def test_log_lines_are_mxnets(net, data, caplog):
    with caplog.at_level(logging.INFO):
        mx.mod.Module(net).fit(
            mx.io.NDArrayIter(*data, batch_size=8), eval_data=mx.io.NDArrayIter(*data, batch_size=8), num_epoch=1
        )
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 3
    assert lines[0].startswith("Epoch[0] Train-accuracy=0.")
    assert lines[1].startswith("Epoch[0] Time cost=")
    assert lines[2].startswith("Epoch[0] Validation-accuracy=0.")


def test_resuming_from_a_checkpoint_gives_the_same_weights(net, data, tmp_path):
    prefix = str(tmp_path / "net")
    options = {"optimizer_params": {"learning_rate": 0.1}, "initializer": mx.init.Xavier()}
    mx.random.seed(1)
    whole = mx.mod.Module(net)
    whole.fit(
        mx.io.NDArrayIter(*data, batch_size=8),
        num_epoch=4,
        epoch_end_callback=mx.callback.do_checkpoint(prefix),
        **options,
    )
    symbol, args, aux = mx.model.load_checkpoint(prefix, 2)
    resumed = mx.mod.Module(symbol)
    resumed.fit(
        mx.io.NDArrayIter(*data, batch_size=8), arg_params=args, aux_params=aux, begin_epoch=2, num_epoch=4, **options
    )
    for name, value in whole.get_params()[0].items():
        assert (value.asnumpy() == resumed.get_params()[0][name].asnumpy()).all()


@again
def test_momentum_survives_through_saved_states(net, data, tmp_path):
    prefix = str(tmp_path / "net")
    options: dict[str, Any] = {"optimizer_params": {"learning_rate": 0.1, "momentum": 0.9}}
    mx.random.seed(1)
    whole = mx.mod.Module(net)
    save = mx.callback.module_checkpoint(whole, prefix, save_optimizer_states=True)
    whole.fit(mx.io.NDArrayIter(*data, batch_size=8), num_epoch=4, epoch_end_callback=save, **options)
    resumed = mx.mod.Module.load(prefix, 2, load_optimizer_states=True)
    resumed.fit(mx.io.NDArrayIter(*data, batch_size=8), begin_epoch=2, num_epoch=4, **options)
    for name, value in whole.get_params()[0].items():
        np.testing.assert_array_equal(value.asnumpy(), resumed.get_params()[0][name].asnumpy())


def test_fit_accepts_a_users_own_iterator(net, data):
    """The tutorial's classes: `provide_data` is a zip that is spent after one look, batches are plain objects."""

    class SimpleBatch:
        def __init__(self, data, label, pad=0):
            self.data, self.label, self.pad = data, label, pad

    class SimpleIter:
        def __init__(self):
            self._provide_data = zip(["data"], [(13, 6)], strict=True)
            self._provide_label = zip(["softmax_label"], [(13,)], strict=True)
            self.cur = 0

        def __iter__(self):
            return self

        def reset(self):
            self.cur = 0

        def __next__(self):
            return self.next()

        @property
        def provide_data(self):
            return self._provide_data

        @property
        def provide_label(self):
            return self._provide_label

        def next(self):
            if self.cur == 2:
                raise StopIteration
            rows = slice(13 * self.cur, 13 * self.cur + 13)
            self.cur += 1
            return SimpleBatch([mx.nd.array(data[0][rows])], [mx.nd.array(data[1][rows])])

    mx.random.seed(0)
    module = mx.mod.Module(net)
    module.fit(
        SimpleIter(),
        num_epoch=30,
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.5, "momentum": 0.9},
    )
    assert module.score(SimpleIter(), "acc")[0][1] > 0.9


def test_an_iterator_of_wrong_shape_changes_nothing(net, trained, batches):
    before = {k: v.asnumpy() for k, v in trained.get_params()[0].items()}
    wrong = mx.io.DataBatch([mx.nd.ones((8, 5))], [mx.nd.ones(8)])
    said = r"(?s)the batch has shapes.*\(8, 5\).*bound are.*\(8, 6\).*parameter fc1_weight would change from"
    with pytest.raises(mx.MXNetError, match=said):
        trained.forward_backward(wrong)
    trained.forward_backward(next(batches))
    for name, value in trained.get_params()[0].items():
        assert (value.asnumpy() == before[name]).all()


def test_a_nan_learning_rate_is_refused(net, data):
    with pytest.raises(ValueError, match="learning_rate"):
        mx.mod.Module(net).fit(
            mx.io.NDArrayIter(*data, batch_size=8), num_epoch=1, optimizer_params={"learning_rate": float("nan")}
        )


def test_fit_wants_the_number_of_epochs(net, batches):
    with pytest.raises(AssertionError, match="num_epoch"):
        mx.mod.Module(net).fit(batches)


def test_callbacks_find_the_variables_of_fit(net, batches):
    seen = []
    mx.mod.Module(net).fit(batches, num_epoch=2, begin_epoch=1, batch_end_callback=lambda p: seen.append(p.locals))
    assert [(found["num_epoch"], found["begin_epoch"], found["epoch"]) for found in seen] == [(2, 1, 1)] * 4
    assert [found["nbatch"] for found in seen] == [0, 1, 2, 3]
    assert seen[0]["data_batch"] is not seen[0]["next_data_batch"]
    assert {"self", "train_data", "eval_metric", "optimizer", "optimizer_params", "arg_params"} <= set(seen[0])


def test_an_epoch_without_batches_is_refused():
    data = mx.io.NDArrayIter(np.zeros((4, 3)), np.zeros(4), 2)
    list(data)
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2), name="softmax")
    with pytest.raises(mx.MXNetError, match=r"NDArrayIter has no batch for epoch 0; call its reset\(\) first"):
        mx.mod.Module(net).fit(data, num_epoch=2)
    data.reset()
    data.reset = lambda: None  # type: ignore[method-assign]
    with pytest.raises(mx.MXNetError, match=r"no batch for epoch 1; its reset\(\) must begin it anew"):
        mx.mod.Module(net).fit(data, num_epoch=2)
