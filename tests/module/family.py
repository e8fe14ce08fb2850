# SPDX-License-Identifier: Apache-2.0
"""Trainings of other modules that MXNet 1.9.1 and mxlite run by the same code; run as a script, it records MXNet's.

python tests/module/family.py FILE     # with a Python that imports mxnet
"""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings

import numpy as np

X = np.random.RandomState(0).rand(8, 5).astype("float32")
Y = (np.arange(8) % 3).astype("float32")


class Log(logging.Handler):
    """Keeps the lines, without what time decides."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        line = re.sub(r"(Time cost=|Speed: )[0-9.]+", r"\1", record.getMessage())
        self.lines.append(re.sub(r"=([0-9]+\.[0-9]{4})[0-9]*", r"=\1", line))


def logger():
    """A logger and its lines."""
    made, log = logging.Logger("family"), Log()
    made.addHandler(log)
    return made, log.lines


def shown(params):
    """Parameters as numbers."""
    return {name: value.asnumpy().tolist() for name, value in params[0].items()}


def bags(mx):
    """The symbol of bags of any number of words."""

    def generate(length):
        embedded = mx.sym.Embedding(mx.sym.Variable("data"), input_dim=20, output_dim=4, name="emb")
        scores = mx.sym.FullyConnected(mx.sym.sum(embedded, axis=1), num_hidden=3, name="fc")
        return mx.sym.SoftmaxOutput(scores, name="softmax"), ("data",), ("softmax_label",)

    return generate


def bag(mx, length, rows=2):
    """A batch for `bags`."""
    return mx.io.DataBatch(
        [mx.nd.array(np.arange(rows * length).reshape(rows, length) % 20)],
        [mx.nd.array(np.arange(rows) % 3)],
        pad=0,
        bucket_key=length,
        provide_data=[("data", (rows, length))],
        provide_label=[("softmax_label", (rows,))],
    )


def bag_iter(mx, lengths):
    """An iterator over batches of these lengths."""

    class Bags(mx.io.DataIter):
        def __init__(self):
            super().__init__(2)
            self.provide_data, self.provide_label = [("data", (2, 5))], [("softmax_label", (2,))]
            self.reset()

        def reset(self):
            self.left = list(lengths)

        def next(self):
            if not self.left:
                raise StopIteration
            return bag(mx, self.left.pop(0))

    return Bags()


def bucketing(mx):
    """By hand, then by `fit`."""
    module = mx.mod.BucketingModule(bags(mx), default_bucket_key=5)
    module.bind([("data", (2, 5))], [("softmax_label", (2,))])
    module.init_params(mx.init.One())
    module.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.1})
    outputs = []
    for length in (3, 5, 3):
        module.forward(bag(mx, length))
        module.backward()
        module.update()
        outputs.append(module.get_outputs()[0].asnumpy().tolist())
    log, lines = logger()
    fitted = mx.mod.BucketingModule(bags(mx), default_bucket_key=5, logger=log)
    options = {"learning_rate": 0.1, "momentum": 0.9}
    fitted.fit(
        bag_iter(mx, (3, 5, 3)),
        eval_data=bag_iter(mx, (3, 2)),
        eval_metric="ce",
        num_epoch=2,
        initializer=mx.init.One(),
        optimizer_params=options,
    )
    rest = [fitted.score(bag_iter(mx, (2, 3)), "acc"), list(fitted.predict(bag_iter(mx, (2, 3))).shape)]
    return [outputs, shown(module.get_params()), lines, shown(fitted.get_params()), rest]


def sequential(mx, auto=True):
    """Two modules in a row."""
    hidden = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc1")
    first = mx.sym.Activation(hidden, act_type="relu", name="relu1")
    scores = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc2")
    log, lines = logger()
    module = mx.mod.SequentialModule(logger=log)
    module.add(mx.mod.Module(first, label_names=None))
    module.add(mx.mod.Module(mx.sym.SoftmaxOutput(scores, name="softmax")), take_labels=True, auto_wiring=auto)
    return module, lines


def fit(mx, module, lines, metric):
    """What remains of a training."""
    batches = mx.io.NDArrayIter(X, Y, 4)
    module.fit(
        batches, eval_metric=metric, num_epoch=2, initializer=mx.init.One(), optimizer_params={"learning_rate": 0.5}
    )
    return [lines, shown(module.get_params()), module.score(batches, metric), list(module.predict(batches).shape)]


def python_loss(mx):
    """A network whose loss is a Python function."""
    log, lines = logger()
    module = mx.mod.SequentialModule(logger=log)
    module.add(mx.mod.Module(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc"), label_names=None))
    loss = mx.mod.PythonLossModule(grad_func=lambda scores, labels: mx.nd.softmax(scores) - mx.nd.one_hot(labels, 3))
    module.add(loss, take_labels=True, auto_wiring=True)
    return fit(mx, module, lines, "acc")


def feed_forward(mx):
    """The way before modules, from an iterator and from arrays that are shuffled."""
    found = []
    for arrays in (False, True):
        log, lines = logger()
        scores = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            net = mx.model.FeedForward(
                mx.sym.SoftmaxOutput(scores, name="softmax"),
                num_epoch=3,
                epoch_size=None if arrays else 3,
                initializer=mx.init.One(),
                numpy_batch_size=4,
                learning_rate=0.5,
            )
            np.random.seed(3)
            batches = mx.io.NDArrayIter(X[:7], Y[:7], 4)
            net.fit(*((X, Y) if arrays else (batches,)), eval_data=batches, eval_metric="ce", logger=log)
            data = [list(x.shape) for x in net.predict(batches, return_data=True)]
            found += [lines, shown([net.arg_params]), net.score(batches, "ce"), data, net.predict(X[:7]).tolist()]
    return found


def facts(mx):
    """All of the above."""
    module, lines = sequential(mx)
    found = {
        "bucketing": bucketing(mx),
        "sequential": fit(mx, module, lines, "ce"),
        "python_loss": python_loss(mx),
        "feed_forward": feed_forward(mx),
    }
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]

    with open(sys.argv[1], "w", encoding="utf-8") as f:
        json.dump(facts(mxnet), f)
