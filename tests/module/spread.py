# SPDX-License-Identifier: Apache-2.0
"""Modules on one device and on four, for test_data_parallel.py: every scenario gives its numbers as JSON, twice."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from typing import Any

import numpy as np

import mxlite as mx
from mxlite_compiler.program import COUNTERS
from tests.module import two_devices

FOUR = [mx.cpu(i) for i in range(4)]
rng = np.random.RandomState(7)
X = rng.rand(48, 6).astype("float32")
Y = X[:, :3].argmax(axis=1).astype("float32")

SCENARIOS = {}
RECURRENT = {"rnn_weight": (84,), "fc_weight": (3, 3), "fc_bias": (3,)}


@mx.optimizer.register
class Halving(mx.optimizer.Optimizer):
    def update(self, index, weight, grad, state):
        weight[:] = weight - 0.5 * self.rescale_grad * grad


class Double(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0] * 2)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_grad[0] * 2)


@mx.operator.register("double_it")
class DoubleProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Double()


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Lines(logging.Handler):
    """Keeps what was logged."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def logger():
    log = logging.Logger("spread")
    log.addHandler(Lines())
    return log


def network(drop=0.0):
    data = mx.sym.Variable("data")
    hidden = mx.sym.FullyConnected(data, num_hidden=8, no_bias=True, name="fc1")
    hidden = mx.sym.Activation(mx.sym.BatchNorm(hidden, fix_gamma=False, name="bn"), act_type="tanh")
    if drop:
        hidden = mx.sym.Dropout(hidden, p=drop)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")


def batch(begin, size):
    return mx.io.DataBatch([mx.nd.array(X[begin : begin + size])], [mx.nd.array(Y[begin : begin + size])])


def ready(ctx, size=16, symbol=None, optimizer="sgd", kvstore="device", **bound):
    mx.random.seed(5)
    module = mx.mod.Module(network() if symbol is None else symbol, context=ctx, logger=logger())
    module.bind([("data", (size, 6))], [("softmax_label", (size,))], **bound)
    module.init_params(mx.init.Xavier())
    rates = {"learning_rate": 0.2, "momentum": 0.9} if optimizer == "sgd" else {}
    module.init_optimizer(kvstore, optimizer, rates)
    return module


def numbers(arrays):
    return {name: np.asarray(a.asnumpy() if hasattr(a, "asnumpy") else a).tolist() for name, a in arrays.items()}


def learned(module):
    args, aux = module.get_params()
    return numbers({**args, **aux})


def train(module, count=3, size=16):
    for i in range(count):
        module.forward_backward(batch(i * size % 32, size))
        module.update()


def lines(module):
    return module.logger.handlers[0].lines


@scenario
def steps(ctx):
    """Dropout, statistics of the whole batch, input gradients; each step one launch, and no second compilation."""
    module, metric = ready(ctx, symbol=network(drop=0.4), inputs_need_grad=True), mx.metric.create(["acc", "ce"])
    counts, donated = [], []
    cell: Any = module._bound("steps").arg_dict["fc1_weight"]._cell
    for i in range(4):
        COUNTERS.reset()
        held = cell._spread if isinstance(ctx, list) else cell._array
        module.forward(batch(16 * (i % 2), 16), is_train=True)
        module.update_metric(metric, batch(16 * (i % 2), 16).label)
        module.backward()
        module.update()
        counts.append([COUNTERS.launches, COUNTERS.traces])
        donated.append(held is not None and held.is_deleted())
    values = {**learned(module), "metric": np.array(metric.get()[1])}
    values |= {"output": module.get_outputs()[0], "grad": module.get_input_grads()[0]}
    return numbers(values), {"counts": counts, "told": lines(module), "donated": donated[-1]}


@scenario
def looked_at(ctx):
    """Outputs and gradients that somebody reads before the update, which then is a launch of its own, or does not."""
    module, metric, seen = ready(ctx), mx.metric.create("ce"), []
    for i in range(3):
        module.forward(batch(16 * i, 16), is_train=True)
        module.update_metric(metric, batch(16 * i, 16).label)
        if i != 1:
            seen.append(module.get_outputs()[0].asnumpy())
        module.backward()
        if i != 1:
            gradients: Any = module._bound("looked_at").grad_dict
            seen.append(gradients["fc2_weight"].asnumpy())
        module.update()
    one = ready(mx.cpu(1))
    one.forward(batch(0, 16))
    one.update_metric(metric, batch(0, 16).label)  # of a module elsewhere
    seen.append(np.array(metric.get()[1]))
    return numbers({**learned(module), "seen": np.concatenate([s.ravel() for s in seen])}), {}


@scenario
def head_gradients(ctx):
    """An output that is no loss, with a head gradient, before and after a look at it; gradients that add up."""
    symbol = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    mx.random.seed(1)
    module = mx.mod.Module(symbol, label_names=None, context=ctx, logger=logger())
    module.bind([("data", (8, 6))], inputs_need_grad=True, grad_req="add")
    module.init_params(mx.init.Uniform(1.0))
    module.init_optimizer(optimizer_params={"learning_rate": 0.1})
    for i in range(3):
        module.forward(mx.io.DataBatch([mx.nd.array(X[8 * i : 8 * i + 8])], None), is_train=True)
        if i:
            module.get_outputs()[0].wait_to_read()
        module.backward([mx.nd.array(X[:8, :3])])
        module.update()
    return numbers({**learned(module), "grad": module.get_input_grads()[0]}), {}


@scenario
def shorter(ctx):
    """Batches that are shorter than the bound one, even ones and others; then longer again; then prediction."""
    module = ready(ctx)
    for size in (16, 8, 10, 16, 10):
        module.forward_backward(batch(0, size))
        module.update()
    data = mx.io.NDArrayIter(X[:42], Y[:42], batch_size=16, last_batch_handle="pad")
    score = module.score(data, "ce")[0][1]
    return numbers({**learned(module), "predicted": module.predict(data), "score": score}), {"told": lines(module)}


@scenario
def uneven(ctx):
    """A batch that four devices do not divide, but three do."""
    module = ready(ctx, size=18)
    train(module, 2, 18)
    return learned(module), {"told": lines(module), "parts": len(module.get_outputs(merge_multi_context=False)[0])}


@scenario
def parts(ctx):
    """What each device has, and the way back."""
    data, state = mx.sym.Variable("data"), mx.sym.Variable("state")
    total = mx.sym.sum(data)
    symbol = mx.sym.Group([data * 2 + state, mx.sym.BlockGrad(total)])
    module = mx.mod.Module(symbol, label_names=None, state_names=["state"], context=ctx, logger=logger())
    module.bind([("data", (8, 6))], inputs_need_grad=True)
    module.init_params()
    module.set_states(value=1)
    module.forward(mx.io.DataBatch([mx.nd.array(X[:8])], None), is_train=True)
    module.backward([mx.nd.array(X[:8]), mx.nd.ones((1,))])
    out = module.get_outputs(merge_multi_context=False)
    grads, states = module.get_input_grads(False), module.get_states(False)
    facts = {
        "shapes": [[list(p.shape) for p in a] for a in (*out, *grads, *states)],
        "contexts": [str(p.context) for p in out[0]],
    }
    together = {name: np.concatenate([p.asnumpy() for p in a]) for name, a in (("out", out[0]), ("grad", grads[0]))}
    module.set_states(out[:1])
    together["state"] = module.get_states()[0]
    together["sum"] = out[1][-1]
    metric = mx.metric.create("loss")
    module.update_metric(metric, [[p] for p in states[0]], pre_sliced=True)
    together["metric"] = np.array(metric.get()[1])
    return numbers(together), facts


@scenario
def time_first(ctx):
    """Data with the batch on its second axis, as its layout says, and an output with the samples in no axis."""
    data = mx.sym.Variable("data")
    cells = mx.rnn.SequentialRNNCell()
    cells.add(mx.rnn.LSTMCell(5, prefix="lstm_"))
    hidden, _ = cells.unroll(3, data, layout="TNC", merge_outputs=True)
    scores = mx.sym.FullyConnected(mx.sym.Reshape(hidden, shape=(-1, 5)), num_hidden=2, name="fc")
    symbol = mx.sym.SoftmaxOutput(scores, mx.sym.Reshape(mx.sym.Variable("softmax_label"), shape=(-1,)), name="softmax")
    mx.random.seed(2)
    module = mx.mod.Module(symbol, context=ctx, logger=logger())
    shapes = [mx.io.DataDesc("data", (3, 8, 2), layout="TNC")], [mx.io.DataDesc("softmax_label", (3, 8), layout="TN")]
    module.bind(*shapes)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer="adam")
    metric = mx.metric.create("acc")
    for _ in range(2):
        one = mx.io.DataBatch(
            [mx.nd.array(X.reshape(-1)[:48].reshape(3, 8, 2))], [mx.nd.array(Y[:24].reshape(3, 8) % 2)]
        )
        module.forward_backward(one)
        metric.update([one.label[0].reshape((-1,))], module.get_outputs())
        module.update()
    facts = {"rescale": module._optimizer.rescale_grad}
    return numbers({**learned(module), "out": module.get_outputs()[0], "acc": np.array(metric.get()[1])}), facts


@scenario
def recurrent(ctx):
    """States whose second axis is the batch, from step to step as the devices have them."""
    variables = [mx.sym.Variable(n) for n in ("data", "hidden", "cell")]
    rnn = mx.sym.RNN(
        variables[0], mx.sym.Variable("rnn_weight"), *variables[1:], state_size=3, num_layers=1, mode="lstm",
        state_outputs=True, name="rnn",
    )  # fmt: skip
    last = mx.sym.FullyConnected(mx.sym.SequenceLast(rnn[0]), num_hidden=3, name="fc")
    symbol = mx.sym.Group([mx.sym.SoftmaxOutput(last, name="softmax"), *map(mx.sym.BlockGrad, (rnn[1], rnn[2]))])
    module = mx.mod.Module(symbol, context=ctx, state_names=["hidden", "cell"], logger=logger())
    module.bind([mx.io.DataDesc("data", (3, 8, 2), layout="TNC")], [("softmax_label", (8,))])
    module.init_params(arg_params={n: mx.nd.array(np.resize(X - 0.5, s)) for n, s in RECURRENT.items()})
    module.init_optimizer()
    module.set_states(value=0)
    for i in range(3):
        one = mx.io.DataBatch([mx.nd.array(X.reshape(-1)[i : i + 48].reshape(3, 8, 2))], [mx.nd.array(Y[:8])])
        module.forward_backward(one)
        module.update()
        module.set_states(module.get_outputs(merge_multi_context=False)[1:])
    hidden, cell = module.get_states()
    parts = [list(p.shape) for p in module.get_states(merge_multi_context=False)[0]]
    return numbers({**learned(module), "hidden": hidden, "cell": cell}), {"parts": parts}


@scenario
def resumed(ctx):
    """States of the optimizer in a file; parameters that are fixed; a second binding."""
    module = ready(ctx, optimizer="adam")
    train(module)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "adam")
        module.save_checkpoint(path, 1, save_optimizer_states=True)
        again = mx.mod.Module.load(path, 1, True, context=ctx, logger=logger(), fixed_param_names=["fc1_weight"])
        again.bind([("data", (16, 6))], [("softmax_label", (16,))])
        again.init_optimizer(optimizer="adam")
        train(again)
        again.bind([("data", (8, 6))], [("softmax_label", (8,))], force_rebind=True)
        train(again, size=8)
        updates: Any = again._updates
        states = {f"state {i}": s[0] for i, s in updates.states().items()}
    return numbers({**learned(again), **states}), {}


@scenario
def own_optimizer(ctx):
    """An optimizer in Python, that updates array by array."""

    module = ready(ctx, optimizer="halving")
    train(module)
    return learned(module), {}


@scenario
def family(ctx):
    """Buckets, a module that shares parameters, and two in a row."""

    def bucket(length):
        data = mx.sym.Variable("data")
        summed = mx.sym.sum(mx.sym.Embedding(data, input_dim=9, output_dim=4, name="embed"), axis=1)
        out = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(summed, num_hidden=3, name="fc"), name="softmax")
        return out, ("data",), ("softmax_label",)

    mx.random.seed(4)
    buckets = mx.mod.BucketingModule(bucket, default_bucket_key=6, context=ctx, logger=logger())
    buckets.bind([("data", (8, 6))], [("softmax_label", (8,))])
    buckets.init_params(mx.init.Xavier())
    buckets.init_optimizer("device", "sgd", {"learning_rate": 0.1, "momentum": 0.5})
    for length in (6, 3, 6, 3):
        ids = mx.nd.array((X[:8, :length] * 9).astype(int))
        one = mx.io.DataBatch([ids], [mx.nd.array(Y[:8])], bucket_key=length)
        one.provide_data, one.provide_label = [("data", (8, length))], [("softmax_label", (8,))]
        buckets.forward_backward(one)
        buckets.update()
    first = ready(ctx)
    second = mx.mod.Module(network(), context=ctx, logger=logger())
    second.bind([("data", (8, 6))], [("softmax_label", (8,))], shared_module=first)
    second.borrow_optimizer(first)
    for module, size in ((first, 16), (second, 8), (first, 16)):
        train(module, 1, size)
    body = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="low")
    head = mx.sym.SoftmaxOutput(
        mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="high"), name="softmax"
    )
    row = mx.mod.SequentialModule(logger=logger())
    row.add(mx.mod.Module(body, label_names=None, context=ctx, logger=logger()))
    row.add(mx.mod.Module(head, context=ctx, logger=logger()), take_labels=True, auto_wiring=True)
    row.bind([("data", (16, 6))], [("softmax_label", (16,))])
    row.init_params(mx.init.Xavier())
    row.init_optimizer()
    train(row)
    return {**learned(buckets), **{f"second {k}": v for k, v in learned(second).items()}, **learned(row)}, {}


@scenario
def watched(ctx):
    """A monitor, and an executor of the user's on the arrays of the module."""
    seen = []

    def stat(x):
        seen.append(float(x.abs().sum().asscalar()))
        return x

    monitor, module = mx.mon.Monitor(1, pattern=".*output|.*weight", stat_func=stat), ready(ctx)
    module.install_monitor(monitor)
    train(module, 1)
    monitor.tic()
    module.forward_backward(batch(0, 16))
    monitor.toc()
    module.update()
    executor = module._bound("watched")
    mine = module.symbol.bind(ctx[0] if isinstance(ctx, list) else ctx, executor.arg_dict, aux_states=executor.aux_dict)
    return numbers(
        {"seen": np.array(seen), "mine": mine.forward()[0], "sum": executor.arg_dict["fc1_weight"] + mx.nd.ones((8, 6))}
    ), {}


@scenario
def alone(ctx):
    """What no program over several devices can run: the first device does, and a line says why."""

    data = mx.sym.Variable("data")
    custom = mx.sym.FullyConnected(mx.sym.Custom(data, op_type="double_it", name="twice"), num_hidden=3, name="fc")
    rows = mx.sym.dot(data, mx.sym.Variable("fc_weight", stype="row_sparse", shape=(6, 3)))
    found, told = {}, []
    for name, symbol in (("custom", custom), ("sparse", rows)):
        module = ready(ctx, symbol=mx.sym.SoftmaxOutput(symbol, name="softmax"))
        train(module)
        found |= {f"{name} {k}": v for k, v in learned(module).items()}
        told += lines(module)
    groups = mx.mod.Module(network(), context=ctx, logger=logger(), group2ctxs={"a": mx.cpu(1)})
    groups.bind([("data", (16, 6))], [("softmax_label", (16,))])
    return found, {"told": told + lines(groups)}


@scenario
def labels(ctx):
    """More labels than devices."""
    several = isinstance(ctx, list)
    module = ready([mx.cpu(0), mx.cpu(4), mx.cpu(1), mx.cpu(5)] if several else ctx)
    train(module)
    return learned(module), {"parts": [str(x.context) for x in module.get_outputs(merge_multi_context=False)[0]]}


def main():
    warnings.simplefilter("error")
    found: dict[str, Any] = {name: [run(mx.cpu(0)), run(FOUR)] for name, run in SCENARIOS.items()}
    found["as MXNet"] = two_devices.facts(mx)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
