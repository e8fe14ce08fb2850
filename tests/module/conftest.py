# SPDX-License-Identifier: Apache-2.0
"""The small network and data that the module tests share."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx


@pytest.fixture
def net():
    data = mx.sym.Variable("data")
    hidden = mx.sym.Activation(mx.sym.FullyConnected(data, num_hidden=8, name="fc1"), act_type="relu", name="relu1")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    x = rng.rand(26, 6).astype("float32")
    return x, (x[:, :3].argmax(axis=1)).astype("float32")


@pytest.fixture
def batches(data):
    return mx.io.NDArrayIter(*data, batch_size=8)


@pytest.fixture
def trained(net, batches):
    """A module that is ready for a training step."""
    mx.random.seed(0)
    module = mx.mod.Module(net)
    module.bind(batches.provide_data, batches.provide_label)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={"learning_rate": 0.1, "momentum": 0.9})
    return module
