# SPDX-License-Identifier: Apache-2.0
"""The eager calls that are measured: plain MXNet code that mxlite runs, and the real MXNet in `oracle_worker.py`.

A call is made some hundred times and then everything is waited for, so its time is that of issuing or of computing it,
whichever is longer, as in a program that does not look at each result; a title with `asnumpy` says that it looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import mxlite as mx

#: How often a measurement makes a call, by the name of the group.
COUNTS = {"small": 400, "large": 10}


def small() -> dict[str, Callable[[], Any]]:
    """Calls on arrays whose numbers cost next to nothing: what is measured is the way to them and back."""
    nd, random = mx.nd, np.random.RandomState(0)
    a, b, c = (nd.array(random.rand(10, 10)) for _ in range(3))
    square, row, index = nd.array(random.rand(64, 64)), nd.array(random.rand(10)), nd.array([1, 5, 3])
    table, labels = nd.array(random.rand(20, 8)), nd.array([1, 0, 3, 2, 5, 4, 7, 6])
    data, weight, bias = nd.array(random.rand(8, 16)), nd.array(random.rand(4, 16)), nd.zeros((4,))
    image, kernel = nd.array(random.rand(2, 3, 8, 8)), nd.array(random.rand(4, 3, 3, 3))
    gamma, beta, mean, var = nd.ones((3,)), nd.zeros((3,)), nd.zeros((3,)), nd.ones((3,))
    numbers = a.asnumpy()
    nested = numbers.tolist()
    return {
        "nd.zeros": lambda: nd.zeros((10, 10)),
        "nd.array of a list": lambda: nd.array(nested),
        "nd.array of numpy": lambda: nd.array(numbers),
        "random.uniform": lambda: nd.random.uniform(shape=(10, 10)),
        "a + b": lambda: a + b,
        "a + 1": lambda: a + 1,
        "2 * a": lambda: 2 * a,
        "a / b - c": lambda: a / b - c,
        "a ** 2": lambda: a**2,
        "a > b": lambda: a > b,
        "a == 1": lambda: a == 1,
        "a[1]": lambda: a[1],
        "a[1:3]": lambda: a[1:3],
        "a[1:3] + 1": lambda: a[1:3] + 1,
        "a[:, 1]": lambda: a[:, 1],
        "a[index]": lambda: a[index],
        "a.reshape": lambda: a.reshape((5, 20)),
        "a.T": lambda: a.T,
        "transpose(axes)": lambda: nd.transpose(a, axes=(1, 0)),
        "a.sum()": lambda: a.sum(),
        "sum(axis)": lambda: nd.sum(a, axis=1),
        "a.mean(axis)": lambda: a.mean(axis=0),
        "a.max()": lambda: a.max(),
        "argmax": lambda: nd.argmax(a, axis=1),
        "dot 64x64": lambda: nd.dot(square, square),
        "relu": lambda: nd.relu(a),
        "a.exp()": lambda: a.exp(),
        "sigmoid": lambda: nd.sigmoid(a),
        "a.tanh()": lambda: a.tanh(),
        "softmax": lambda: nd.softmax(a),
        "a.clip": lambda: a.clip(0, 1),
        "concat": lambda: nd.concat(a, b, dim=0),
        "stack": lambda: nd.stack(a, b),
        "split": lambda: nd.split(a, num_outputs=2),
        "slice_axis": lambda: nd.slice_axis(a, axis=1, begin=2, end=5),
        "broadcast_add": lambda: nd.broadcast_add(a, row.reshape((1, 10))),
        "where": lambda: nd.where(a, b, c),
        "one_hot": lambda: nd.one_hot(labels, depth=10),
        "take": lambda: nd.take(table, labels),
        "Embedding": lambda: nd.Embedding(labels, table, input_dim=20, output_dim=8),
        "FullyConnected": lambda: nd.FullyConnected(data, weight, bias, num_hidden=4),
        "Convolution": lambda: nd.Convolution(image, kernel, None, kernel=(3, 3), num_filter=4, no_bias=True),
        "BatchNorm": lambda: nd.BatchNorm(image, gamma, beta, mean, var),
        "Pooling": lambda: nd.Pooling(image, kernel=(2, 2), stride=(2, 2), pool_type="max"),
        "Activation": lambda: nd.Activation(a, act_type="relu"),
        "a.astype": lambda: a.astype("int32"),
        "a.copy()": lambda: a.copy(),
        "a.asnumpy()": lambda: a.asnumpy(),
        "(a + b).asnumpy()": lambda: (a + b).asnumpy(),
        "a.sum().asscalar()": lambda: a.sum().asscalar(),
        **_changes(),
    }


def _changes() -> dict[str, Callable[[], Any]]:
    """Calls that write into arrays, and a recorded one."""
    nd, random = mx.nd, np.random.RandomState(1)
    a, row, into = nd.array(random.rand(10, 10)), nd.array(random.rand(10)), nd.zeros((10, 10))
    weight, momentum, numbers = nd.ones((10, 10)), nd.zeros((10, 10)), a.asnumpy()
    x = nd.array(random.rand(10, 10))
    x.attach_grad()

    def add() -> None:
        nonlocal into
        into += a

    def backward() -> None:
        with mx.autograd.record():
            y = (x * 2 + a).exp().sum()
        y.backward()

    return {
        "a += b": add,
        "a[1] = 2": lambda: into.__setitem__(1, 2.0),
        "a[1] = row": lambda: into.__setitem__(1, row),
        "a[:] = 0.5": lambda: into.__setitem__(slice(None), 0.5),
        "a[:] = numpy": lambda: into.__setitem__(slice(None), numbers),
        "record and backward": backward,
        "sgd_mom_update": lambda: nd.sgd_mom_update(weight, a, momentum, lr=0.01, momentum=0.9, wd=1e-4, out=weight),
    }


def large() -> dict[str, Callable[[], Any]]:
    """Calls on arrays whose numbers cost more than the way to them."""
    nd, random = mx.nd, np.random.RandomState(0)
    a, b, into = nd.array(random.rand(1000, 1000)), nd.array(random.rand(1000, 1000)), nd.zeros((1000, 1000))
    square, scores, numbers = nd.array(random.rand(512, 512)), nd.array(random.rand(128, 1000)), a.asnumpy()
    words, table = nd.array(random.randint(0, 10000, (32, 35))), nd.array(random.rand(10000, 200))
    data, weight, bias = nd.array(random.rand(64, 784)), nd.array(random.rand(128, 784)), nd.zeros((128,))
    image, kernel = nd.array(random.rand(16, 16, 28, 28)), nd.array(random.rand(32, 16, 3, 3))
    gamma, beta, mean, var = nd.ones((16,)), nd.zeros((16,)), nd.zeros((16,)), nd.ones((16,))

    def add() -> None:
        nonlocal into
        into += a

    return {
        "nd.array of numpy": lambda: nd.array(numbers),
        "a + b": lambda: a + b,
        "a += b": add,
        "a.exp()": lambda: a.exp(),
        "a.T": lambda: a.T,
        "a.sum()": lambda: a.sum(),
        "sum(axis=0)": lambda: a.sum(axis=0),
        "sum(axis=1)": lambda: a.sum(axis=1),
        "argmax": lambda: a.argmax(axis=1),
        "dot 512x512": lambda: nd.dot(square, square),
        "softmax 128x1000": lambda: nd.softmax(scores),
        "concat": lambda: nd.concat(a, b, dim=0),
        "a.copy()": lambda: a.copy(),
        "a.asnumpy()": lambda: a.asnumpy(),
        "Embedding 32x35x200": lambda: nd.Embedding(words, table, input_dim=10000, output_dim=200),
        "FullyConnected 64x784": lambda: nd.FullyConnected(data, weight, bias, num_hidden=128),
        "Convolution 16x16x28x28": lambda: nd.Convolution(
            image, kernel, None, kernel=(3, 3), pad=(1, 1), num_filter=32, no_bias=True
        ),
        "BatchNorm 16x16x28x28": lambda: nd.BatchNorm(image, gamma, beta, mean, var),
        "Pooling 16x16x28x28": lambda: nd.Pooling(image, kernel=(2, 2), stride=(2, 2), pool_type="max"),
    }


class CallTimer:
    """Measures the calls of a group."""

    def __init__(self, group: str) -> None:
        self.calls, self.count = {"small": small, "large": large}[group](), COUNTS[group]

    def seconds(self, title: str) -> float:
        """Seconds of one call."""
        call = self.calls[title]
        mx.nd.waitall()
        start = time.perf_counter()
        results = [call() for _ in range(self.count)]
        mx.nd.waitall()  # for what is still held, so that all of it is computed
        seconds = time.perf_counter() - start
        del results
        return seconds / self.count
