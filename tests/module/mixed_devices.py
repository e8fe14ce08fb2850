# SPDX-License-Identifier: Apache-2.0
"""Modules on one device and on two, in float16 and with an optax rule; prints their numbers as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import optax

import mxlite as mx
from mxlite.contrib import amp

X = np.random.default_rng(0).normal(size=(8, 5)).astype("f4")
Y = X[:, :3].argmax(1).astype("f4")


def trained(devices: int, rule: Any, dtype: str | None) -> dict[str, Any]:
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(fc, name="softmax"), context=[mx.cpu(i) for i in range(devices)])
    if dtype is not None:
        amp.convert_module(module, dtype, loss_scale=amp.LossScale(init=2.0**18, window=2))
    module.bind([("data", (4, 5))], [("softmax_label", (4,))])
    module.init_params(arg_params={"fc_weight": mx.nd.array(X[:3]), "fc_bias": mx.nd.zeros(3)}, aux_params={})
    module.init_optimizer(optimizer=rule)
    for i in range(6):
        rows = slice(4 * (i % 2), 4 * (i % 2) + 4)
        module.forward_backward(mx.io.DataBatch([mx.nd.array(X[rows])], [mx.nd.array(Y[rows])]))
        module.update()
    found: dict[str, Any] = {name: x.asnumpy().tolist() for name, x in module.get_params()[0].items()}
    state: Any = module._updates
    if dtype is not None:
        found["scale"] = np.asarray(state.state.scale).tolist()
    return found


if __name__ == "__main__":
    rules = {
        "optax": (optax.chain(optax.clip_by_global_norm(0.1), optax.adam(0.1)), None),
        "float16 optax": (optax.adam(0.1), "float16"),
    }
    print(json.dumps({name: [trained(n, *arguments) for n in (1, 2)] for name, arguments in rules.items()}))
