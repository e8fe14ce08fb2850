# SPDX-License-Identifier: Apache-2.0
"""What `record.py` runs in the real MXNet and `test_losses.py` here: losses inside of graphs, and who needs heads.

Plain Python 3.8 without type hints, because the real MXNet has that.
"""

import numpy as np

SHAPES = {"x": (2, 3), "label": (2,)}


def graphs(mx):
    """Symbols by name: with a loss that something blocks or follows, and with outputs without a gradient."""
    sym = mx.sym
    x, fc = sym.Variable("x"), sym.FullyConnected(sym.Variable("x"), num_hidden=3, name="fc")
    label = sym.Variable("label")
    loss = sym.SoftmaxOutput(fc, label, name="softmax")
    made = sym.MakeLoss(sym.square(x))
    found = {
        "loss": loss,
        "blocked": sym.BlockGrad(loss),
        "blocked plus": sym.BlockGrad(loss) + 1,
        "zeros": sym.zeros_like(loss),
        "rounded": sym.round(made),
        "times zero": loss * 0,
        "blocked before": sym.SoftmaxOutput(sym.BlockGrad(fc), label, name="softmax"),
        "made": sym.BlockGrad(made),
        "made before": sym.MakeLoss(sym.BlockGrad(sym.square(x))),
        "beside": sym.Group([sym.square(x), sym.BlockGrad(made)]),
        "beside a block": sym.Group([made, sym.BlockGrad(sym.square(x))]),
        "in a sum": sym.BlockGrad(made) + sym.square(x),
        "twice": sym.Group([made, sym.BlockGrad(made) * 2]),
    }
    names = "BlockGrad zeros_like ones_like round floor ceil rint fix trunc sign argmax argmin argsort logical_not"
    found.update({name: getattr(sym, name)(x) for name in names.split()})
    found["one_hot"], found["equal"], found["compared"] = sym.one_hot(x, depth=3), x == 1, sym.broadcast_greater(x, x)
    return found


def gradients(mx, name, with_heads):
    """The gradients of one of the graphs, or that MXNet wants head gradients."""
    symbol = graphs(mx)[name]
    arguments = symbol.list_arguments()
    shapes = {k: v for k, v in SHAPES.items() if k in arguments}
    requests = {n: "null" if n == "label" else "write" for n in arguments}
    executor = symbol.simple_bind(mx.cpu(), grad_req=requests, **shapes)
    for i, n in enumerate(arguments):
        array = executor.arg_dict[n]
        array[:] = mx.nd.array(np.arange(array.size).reshape(array.shape) / 4 - 0.5 + i)
    executor.forward(is_train=True)
    try:
        executor.backward([mx.nd.ones(o.shape) * 2 for o in executor.outputs] if with_heads else None)
    except mx.MXNetError:
        return "refused"
    grads = executor.grad_dict
    return {n: None if g is None else np.round(g.asnumpy().astype("float64"), 4).tolist() for n, g in grads.items()}


def recorded(mx):
    """Gradients without and with head gradients, by graph."""
    return {name: [gradients(mx, name, False), gradients(mx, name, True)] for name in graphs(mx)}
