# SPDX-License-Identifier: Apache-2.0
"""A module of float16 arrays with optimizers that keep float32 weights; runs with MXNet and with mxlite.

``ORACLE_PYTHON tests/module/half_weights.py`` records tests/golden/training/half_weights.json with the real MXNet.
"""

import json
import os

OPTIMIZERS = {
    "sgd": {},
    "sgd with momentum": {"momentum": 0.9},
    "nag": {"momentum": 0.9},
    "adam": {},
    "rmsprop": {},
}


def trained(mx, np, name):
    """The weight after 20 steps, and the state: float32 weight and momentum or moments, in MXNet's order."""
    data, weight = mx.sym.Variable("data"), mx.sym.Variable("w_weight", shape=(1, 3))
    product = mx.sym.broadcast_mul(data, weight)
    module = mx.mod.Module(mx.sym.LinearRegressionOutput(product, mx.sym.Variable("softmax_label"), name="lr"))
    shapes = [mx.io.DataDesc(n, (2, 3), np.float16) for n in ("data", "softmax_label")]
    module.bind(shapes[:1], shapes[1:])
    half = lambda x: mx.nd.array(x, dtype="float16")  # noqa: E731
    module.init_params(arg_params={"w_weight": half([[0.5, 0.25, 1]])}, aux_params={})
    params = {"learning_rate": 0.001, "multi_precision": True, **OPTIMIZERS[name]}
    module.init_optimizer(optimizer=name.split()[0], optimizer_params=params)
    batch = mx.io.DataBatch([half([[1, 2, 3], [0.5, 0.25, 0.1]])], [half([[1, 1, 1], [0, 0, 0]])])
    for _ in range(20):
        module.forward_backward(batch)
        module.update()
    states = module._updates.states() if hasattr(module, "_updates") else module._updater.states
    arrays = []
    _flatten(states[0], arrays)
    weight = module.get_params()[0]["w_weight"].asnumpy()
    return {"weight": [str(weight.dtype), weight.tolist()], "state": [[str(a.dtype), a.tolist()] for a in arrays]}


def _flatten(state, found):
    for part in state if isinstance(state, (tuple, list)) else [state]:
        if isinstance(part, (tuple, list)):
            _flatten(part, found)
        elif part is not None:
            found.append(part.asnumpy())


if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]
    import numpy

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "training", "half_weights.json")
    with open(path, "w") as file:
        json.dump({name: trained(mxnet, numpy, name) for name in OPTIMIZERS}, file, indent=1)
        file.write("\n")
