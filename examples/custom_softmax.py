# SPDX-License-Identifier: Apache-2.0
"""An output layer written in numpy trains an MLP on real digits: `mx.operator.CustomOp` inside a Module.

    python examples/custom_softmax.py

The layer runs on the host, between two compiled programs: one up to it, one after it. What it does is plain Python,
so it may call numpy, print, or stop in a debugger.
"""

from __future__ import annotations

import argparse

import numpy as np

import digits
import mxlite as mx


class NumpySoftmax(mx.operator.CustomOp):
    """Softmax forward; backward the gradient of cross-entropy, so no loss is needed behind it."""

    def forward(self, is_train, req, in_data, out_data, aux):
        scores = in_data[0].asnumpy()
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.assign(out_data[0], req[0], mx.nd.array(exponentials / exponentials.sum(axis=1, keepdims=True)))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        labels = in_data[1].asnumpy().astype(int)
        gradient = out_data[0].asnumpy()
        gradient[np.arange(len(labels)), labels] -= 1
        self.assign(in_grad[0], req[0], mx.nd.array(gradient))


@mx.operator.register("numpy_softmax")
class NumpySoftmaxProp(mx.operator.CustomOpProp):
    """Two inputs, one output; a loss, so it takes no gradient from above."""

    def __init__(self):
        super().__init__(need_top_grad=False)

    def list_arguments(self):
        return ["data", "label"]

    def list_outputs(self):
        return ["output"]

    def infer_shape(self, in_shape):
        data = in_shape[0]
        return [data, data[:1]], [data], []

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return NumpySoftmax()


def network(hidden: int = 64) -> mx.sym.Symbol:
    net = mx.sym.Flatten(mx.sym.Variable("data"))
    net = mx.sym.FullyConnected(net, num_hidden=hidden, name="fc1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.FullyConnected(net, num_hidden=10, name="fc2")
    return mx.sym.Custom(net, op_type="numpy_softmax", name="softmax")


def main(argv: list[str] | None = None) -> float:
    """Train and return the test accuracy."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--epochs", type=int, default=10)
    args = p.parse_args(argv)
    data = digits.load()
    np.random.seed(0)
    mx.random.seed(0)
    module = mx.mod.Module(network())
    module.fit(
        mx.io.NDArrayIter(data.train_images, data.train_labels, 60, shuffle=True),
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.1, "momentum": 0.9},
        initializer=mx.init.Xavier(),
        num_epoch=args.epochs,
    )
    accuracy = dict(module.score(mx.io.NDArrayIter(data.test_images, data.test_labels, 60), "acc"))["accuracy"]
    print(f"a softmax written in numpy, {args.epochs} epochs: test accuracy {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
