# SPDX-License-Identifier: Apache-2.0
"""MXNet's own way to go on: the same code for MXNet 1.9.1 and mxlite, whose files the other one reads.

    python tests/reliability/plain_way.py train PREFIX adam     # two epochs, saved with the optimizer's states
    python tests/reliability/plain_way.py states PREFIX adam    # on from them to epoch four: prints the weights
    python tests/reliability/plain_way.py params PREFIX adam    # the same from the parameters alone
    python tests/reliability/plain_way.py record FOLDER         # all of it, as tests/golden/resume holds it

with a Python that imports mxnet; it has no warm start of its own.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings

import numpy as np

OPTIMIZERS = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01},
    "adam": {"learning_rate": 0.02},
    "nadam": {"learning_rate": 0.02},
    "rmsprop": {"learning_rate": 0.01},
    "ftrl": {"learning_rate": 0.1},
    "adadelta": {},
}
X = np.random.RandomState(0).rand(40, 6).astype("float32")
Y = X[:, :3].argmax(axis=1).astype("float32")


def batches(mx):
    return mx.io.NDArrayIter(X, Y, 8)


def network(mx):
    """No bias before the normalization: its gradient would be nothing but rounding, which Adam makes large."""
    hidden = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=5, no_bias=True, name="fc1")
    hidden = mx.sym.Activation(mx.sym.BatchNorm(hidden, fix_gamma=False, name="bn"), act_type="tanh", name="act")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")


def start(mx):
    """The first weights, the same for both."""
    shapes = {
        "fc1_weight": (5, 6),
        "bn_gamma": (5,),
        "bn_beta": (5,),
        "fc2_weight": (3, 5),
        "fc2_bias": (3,),
    }
    draws = np.random.RandomState(1)
    args = {name: mx.nd.array(draws.uniform(-0.5, 0.5, shape)) for name, shape in sorted(shapes.items())}
    return args, {"bn_moving_mean": mx.nd.zeros((5,)), "bn_moving_var": mx.nd.ones((5,))}


def shown(module):
    """Parameters and auxiliary states as numbers."""
    args, aux = module.get_params()
    return {name: value.asnumpy().tolist() for name, value in sorted(list(args.items()) + list(aux.items()))}


def train(mx, prefix, optimizer):
    """Two epochs, each saved by the callback."""
    module = mx.mod.Module(network(mx))
    args, aux = start(mx)
    module.fit(
        batches(mx), num_epoch=2, optimizer=optimizer, optimizer_params=OPTIMIZERS[optimizer], arg_params=args,
        aux_params=aux, epoch_end_callback=mx.callback.module_checkpoint(module, prefix, save_optimizer_states=True),
    )  # fmt: skip
    return module


def states(mx, prefix, optimizer):
    """On with `Module.load`."""
    module = mx.mod.Module.load(prefix, 2, load_optimizer_states=True)
    module.fit(
        batches(mx), begin_epoch=2, num_epoch=4, optimizer=optimizer, optimizer_params=OPTIMIZERS[optimizer]
    )  # fmt: skip
    return module


def params(mx, prefix, optimizer):
    """On with `load_checkpoint`; momenta and counts begin anew."""
    net, args, aux = mx.model.load_checkpoint(prefix, 2)
    module = mx.mod.Module(net)
    module.fit(
        batches(mx), begin_epoch=2, num_epoch=4, optimizer=optimizer, optimizer_params=OPTIMIZERS[optimizer],
        arg_params=args, aux_params=aux,
    )  # fmt: skip
    return module


def record(mx, folder):
    """For every optimizer the files after two epochs, and the weights after two more."""
    found = {}
    for optimizer in OPTIMIZERS:
        prefix = os.path.join(folder, optimizer)
        train(mx, prefix, optimizer)
        found[optimizer] = {
            "states": shown(states(mx, prefix, optimizer)),
            "params": shown(params(mx, prefix, optimizer)),
        }
    for name in os.listdir(folder):
        if name.endswith(("-0001.params", "-0001.states")):
            os.unlink(os.path.join(folder, name))
    with open(os.path.join(folder, "weights.json"), "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if sys.argv[1] == "record":
        record(mxnet, sys.argv[2])
    else:
        made = {"train": train, "states": states, "params": params}[sys.argv[1]](mxnet, *sys.argv[2:])
        print(json.dumps(shown(made)))
