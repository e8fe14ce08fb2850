# SPDX-License-Identifier: Apache-2.0
"""Calls of `fit` whose log lines are compared; they run with MXNet and with mxlite. Lines: (logger, level, text)."""

import logging
import re

X = [[1, 0], [0, 1], [1, 1], [0, 0], [1, 0.5], [0.5, 1], [0.25, 0], [0, 0.25]]
Y = [0, 1, 0, 1, 0, 1, 0, 1]


class Lines(logging.Handler):
    """Keeps what is logged, times cut."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        text = re.sub(r"Speed: [0-9.e+]* ", "Speed: * ", record.getMessage())
        text = re.sub(r"Time cost=[0-9.]*", "Time cost=*", text)
        self.lines.append([record.name, record.levelname, text])


def cases(mx, folder):
    """Name -> keywords of `fit`."""
    batches = lambda: mx.io.NDArrayIter(mx.nd.array(X), mx.nd.array(Y), 2)  # noqa: E731
    call = mx.callback
    return {
        "plain": {},
        "Speedometer": {
            "eval_data": batches(),
            "eval_metric": ["acc", "ce"],
            "batch_end_callback": call.Speedometer(2, 2),
        },
        "every callback": {
            "eval_data": batches(),
            "validation_metric": "ce",
            "batch_end_callback": [
                call.Speedometer(2, 1, auto_reset=False),
                call.log_train_metric(2, auto_reset=True),
                call.ProgressBar(4, 8),
            ],
            "eval_end_callback": call.LogValidationMetricsCallback(),
            "eval_batch_end_callback": call.ProgressBar(4, 8),
        },
        "Monitor": {
            "eval_data": batches(),
            "monitor": mx.mon.Monitor(
                2, lambda x: mx.nd.norm(x), "fc_(output|bias|weight|backward_output1)", sort=True
            ),
        },
        "do_checkpoint": {"epoch_end_callback": call.do_checkpoint(folder + "/net", 2)},
    }


def logged(mx, name, folder):
    """The lines of one case; fit runs a second time on the same module, which warns."""
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    start = {"fc_weight": mx.nd.array([[0.1, 0.2], [0.3, 0.4]]), "fc_bias": mx.nd.zeros(2)}
    root, handler = logging.getLogger(), Lines()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        for begin in (0, 2):
            batches = mx.io.NDArrayIter(mx.nd.array(X), mx.nd.array(Y), 2)
            keywords = cases(mx, folder)[name]
            module.fit(batches, arg_params=start, begin_epoch=begin, num_epoch=begin + 2, **keywords)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return [[*line[:2], line[2].replace(folder, "FOLDER")] for line in handler.lines]
