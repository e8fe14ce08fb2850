# SPDX-License-Identifier: Apache-2.0
"""A network on three CPU devices and on one; prints what `test_placement.py` compares, as JSON."""

from __future__ import annotations

import json

import numpy as np

import mxlite as mx

GROUPS = {"first": mx.cpu(1), "second": mx.cpu(2)}


def network() -> mx.sym.Symbol:
    """Two devices in turn, dropout and moving statistics on the way, a loss without a group."""
    with mx.AttrScope(ctx_group="first"):
        x = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=5, name="fc1")
        x = mx.sym.Dropout(mx.sym.BatchNorm(x, name="bn"), p=0.5, name="drop1")
    with mx.AttrScope(ctx_group="second"):
        y = mx.sym.Dropout(mx.sym.FullyConnected(x, num_hidden=5, name="fc2"), p=0.5, name="drop2")
    with mx.AttrScope(ctx_group="first"):
        y = mx.sym.FullyConnected(mx.sym.elemwise_add(x, y, name="sum"), num_hidden=3, name="fc3")
    return mx.sym.SoftmaxOutput(y, name="softmax")


def numbers(arrays):
    return {name: array.asnumpy().tolist() for name, array in arrays.items() if array is not None}


def contexts(arrays):
    """The label of each array, and the device that really holds it."""
    return {name: [str(a.context), next(iter(a._data.devices())).id] for name, a in arrays.items()}


def bound(groups):
    net, random = network(), np.random.RandomState(0)
    ex = net.simple_bind(mx.cpu(), group2ctx=groups, data=(4, 6))
    for array in ex.arg_arrays:
        array[:] = random.randn(*array.shape) if array.ndim > 1 else random.randint(0, 3, array.shape)
    mx.random.seed(3)
    seen = []
    ex.set_monitor_callback(lambda name, array: seen.append(name))
    for _ in range(2):
        ex.forward(is_train=True)
        ex.backward()
    half = ex.reshape(data=(2, 6), softmax_label=(2,))
    half.forward()
    return ex, {
        "outputs": numbers(ex.output_dict),
        "gradients": numbers(ex.grad_dict),
        "states": numbers(ex.aux_dict),
        "half": half.outputs[0].shape,
        "seen": seen,
    }


def trained(groups):
    random = np.random.RandomState(0)
    shapes = network().infer_shape(data=(8, 6))[0]
    params = {n: mx.nd.array(random.randn(*s)) for n, s in zip(network().list_arguments(), shapes, strict=True)}
    data = mx.io.NDArrayIter(random.randn(24, 6), random.randint(0, 3, 24), 8)
    module = mx.mod.Module(network(), context=mx.cpu(), group2ctxs=groups)
    module.bind(data.provide_data, data.provide_label)
    module.init_params(arg_params=params, aux_params={"bn_moving_mean": mx.nd.zeros(5), "bn_moving_var": mx.nd.ones(5)})
    mx.random.seed(5)
    module.init_optimizer(optimizer_params={"learning_rate": 0.1, "momentum": 0.9})
    for batch in data:
        module.forward_backward(batch)
        module.update()
    args, aux = module.get_params()
    return numbers({**args, **aux})


def on_the_second_device():
    double = mx.sym.Variable("a") * 2
    ex = double.bind(mx.cpu(1), {"a": mx.nd.ones(2, ctx=mx.cpu(1))}, {"a": mx.nd.zeros(2, ctx=mx.cpu(1))})
    ex.forward(is_train=True)
    ex.backward(mx.nd.ones(2))
    lone = mx.sym.arange(3).simple_bind(mx.cpu(2))
    lone.forward()
    return contexts({"output": ex.outputs[0], "gradient": ex.grad_dict["a"], "lone": lone.outputs[0]})


if __name__ == "__main__":
    ex, placed = bound(GROUPS)
    every = {**ex.arg_dict, **ex.aux_dict, **{f"{n} gradient": g for n, g in ex.grad_dict.items()}, **ex.output_dict}
    print(
        json.dumps(
            {
                "placed": placed,
                "one": bound(None)[1],
                "contexts": contexts(every),
                "debug": ex.debug_str().splitlines()[-3:],
                "trained": [trained(GROUPS), trained(None)],
                "second": on_the_second_device(),
            }
        )
    )
