# SPDX-License-Identifier: Apache-2.0
"""Random recorded programs, for mxlite and for MXNet (Python 3.8): 6 to 10 operators on a few small arrays.

A program is JSON: the shapes of its variables, and steps ``[what, places, numbers]`` that each add an array to a list.
ORACLE tests/autograd/programs.py PROGRAMS RESULTS
"""

import importlib
import json
import random
import sys


def fit(mx, y, x):
    """`y` in the shape of `x`: its elements, as often as needed."""
    flat = y.reshape((-1,))
    count = x.shape[0] * x.shape[1]
    return mx.nd.tile(flat, reps=(-(-count // flat.shape[0]),))[0:count].reshape(x.shape)


def buffered(mx, x):
    """`x`, by way of an array that was there before."""
    buffer = mx.nd.zeros(x.shape)
    buffer[:] = x * 2
    return buffer


#: name -> (arrays it takes, what it does with them and with three numbers from 0 to 5). Shapes are always (a, b).
STEPS = {
    "add": (2, lambda mx, x, y, n: mx.nd.broadcast_add(x, fit(mx, y, x))),
    "mul": (2, lambda mx, x, y, n: x * fit(mx, y, x)),
    "sub_scalar": (1, lambda mx, x, n: n[0] - x * 0.5),
    "div": (2, lambda mx, x, y, n: x / (mx.nd.square(fit(mx, y, x)) + 1)),
    "power": (1, lambda mx, x, n: (mx.nd.abs(x) + 0.5) ** (n[0] % 3)),
    "maximum": (2, lambda mx, x, y, n: mx.nd.maximum(x, fit(mx, y, x))),
    "tanh": (1, lambda mx, x, n: mx.nd.tanh(x)),
    "sigmoid": (1, lambda mx, x, n: mx.nd.sigmoid(x) * n[0]),
    "relu": (1, lambda mx, x, n: mx.nd.relu(x + 0.01)),
    "log": (1, lambda mx, x, n: mx.nd.log(mx.nd.abs(x) + 1)),
    "softmax": (1, lambda mx, x, n: mx.nd.softmax(x, axis=n[0] % 2)),
    "norm": (1, lambda mx, x, n: mx.nd.L2Normalization(x + 2)),
    "mean": (1, lambda mx, x, n: mx.nd.broadcast_sub(x, x.mean(axis=n[0] % 2, keepdims=True))),
    "dot": (2, lambda mx, x, y, n: mx.nd.dot(x, fit(mx, y, x), transpose_b=True) * 0.3),
    "dense": (2, lambda mx, x, y, n: mx.nd.FullyConnected(x, fit(mx, y, x), num_hidden=x.shape[0], no_bias=True) * 0.3),
    "transpose": (1, lambda mx, x, n: x.T),
    "reshape": (1, lambda mx, x, n: x.reshape((x.shape[1], x.shape[0]))),
    "row": (1, lambda mx, x, n: mx.nd.broadcast_add(x, x[n[0] % x.shape[0]].reshape((1, -1)))),
    "rows": (1, lambda mx, x, n: mx.nd.concat(x[0:1], x[-1:], x, dim=0)),
    "column": (1, lambda mx, x, n: x[:, n[0] % x.shape[1]].reshape((-1, 1)) * x),
    "steps": (1, lambda mx, x, n: x[::-1, ::2] * 2),
    "take": (1, lambda mx, x, n: x[[i % x.shape[0] for i in n]]),
    "where": (2, lambda mx, x, y, n: mx.nd.where(x > 0.3, x, fit(mx, y, x))),
    "cast": (1, lambda mx, x, n: x.astype("float64").astype("float32")),
    "copy": (1, lambda mx, x, n: x.copy() * 3),
    "buffer": (1, lambda mx, x, n: buffered(mx, x)),
    "detach": (2, lambda mx, x, y, n: x * fit(mx, y, x).detach()),
    "device": (1, lambda mx, x, n: x.as_in_context(mx.cpu(1)).as_in_context(mx.cpu(0)) * 2),
    "clip": (1, lambda mx, x, n: mx.nd.clip(x, -1.1, 1.3)),
}


def make(seed):
    """A program."""
    rng = random.Random(seed)
    variables = [[rng.randint(1, 4), rng.randint(1, 4)] for _ in range(rng.randint(1, 3))]
    steps = []
    for i in range(rng.randint(6, 10)):
        name = rng.choice(sorted(STEPS))
        # Rather a late array than an early one, so that programs are deep.
        places = [rng.randint(max(0, len(variables) + i - 3), len(variables) + i - 1) for _ in range(STEPS[name][0])]
        steps.append([name, places, [rng.randint(0, 5) for _ in range(3)]])
    reqs = [rng.choice(["write", "add"]) for _ in variables]
    return {"seed": seed, "variables": variables, "steps": steps, "reqs": reqs, "heads": rng.randint(1, 2)}


def run(mx, np, program):
    """The heads and the gradients of all variables, after two backwards."""
    numbers = np.random.RandomState(program["seed"])
    arrays = [mx.nd.array(numbers.uniform(-1.5, 1.5, shape)) for shape in program["variables"]]
    for i, x in enumerate(arrays):
        x.attach_grad(program["reqs"][i])
    variables = list(arrays)
    with mx.autograd.record():
        for name, places, n in program["steps"]:
            arrays.append(STEPS[name][1](mx, *[arrays[p] for p in places], n))
        # A sum, so that every variable is reached.
        heads = arrays[-program["heads"] :]
        heads[0] = sum((x.sum() * 0.25 for x in variables), heads[0])
    given = [mx.nd.array(numbers.uniform(-1, 1, h.shape)) for h in heads]
    mx.autograd.backward(heads, given, retain_graph=True)
    mx.autograd.backward(heads)
    return [x.asnumpy().tolist() for x in heads + [v.grad for v in variables]]


if __name__ == "__main__":
    mxnet, numpy = importlib.import_module("mxnet"), importlib.import_module("numpy")
    with open(sys.argv[1]) as f:
        programs = json.load(f)
    results = [run(mxnet, numpy, p) for p in programs]
    with open(sys.argv[2], "w") as f:
        json.dump(results, f)
