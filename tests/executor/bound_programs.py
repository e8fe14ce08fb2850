# SPDX-License-Identifier: Apache-2.0
"""What `record.py` runs in the real MXNet and `test_recorded.py` here: functions of the module to try.

Plain Python 3.8 without type hints, because the real MXNet has that.
"""

import numpy as np

SEEDS = [0, 3, 5, 6, 9, 10, 13, 15, 19, 22, 23, 37]


def watched(mx):
    """Symbols and input shapes whose inner values a monitor sees."""
    sym, data, other = mx.sym, mx.sym.Variable("data"), mx.sym.Variable("other")
    deep = sym.FullyConnected(data, num_hidden=3, name="fc")
    deep = sym.BatchNorm(sym.Activation(deep, act_type="relu", name="act"), name="bn")
    two = sym.split(data, num_outputs=2, name="split")
    twice = sym.FullyConnected(data, num_hidden=2, name="fc")
    return {
        "deep": (sym.SoftmaxOutput(deep, name="softmax"), {"data": (4, 3)}),
        "split": (
            sym.Group([sym.elemwise_mul(two[0], two[1], name="mul"), sym.square(two[0], name="sq"), data]),
            {"data": (2, 4)},
        ),
        "twice": (sym.elemwise_mul(twice, twice, name="mul"), {"data": (2, 3)}),
        "broadcast": (sym.broadcast_mul(data, other, name="mul"), {"data": (2, 3), "other": (1, 3)}),
        "concat": (sym.concat(data, data, name="cc"), {"data": (2, 3)}),
        "loss": (sym.MakeLoss(sym.square(data, name="sq"), name="loss"), {"data": (2, 3)}),
        "norm": (sym.LayerNorm(data, name="ln"), {"data": (2, 3)}),
        "shapes": (sym.transpose(sym.expand_dims(data, axis=0, name="ed"), name="tr"), {"data": (2, 3)}),
    }


def watch(mx, symbol, shapes, inputs, content):
    """Names and values that a monitor sees in forward and, unless it sees inputs, in backward."""
    executor = symbol.simple_bind(mx.cpu(), **shapes)
    random = np.random.RandomState(0)
    for name in symbol.list_arguments():
        executor.arg_dict[name][:] = random.randint(-3, 4, executor.arg_dict[name].shape) / 2
    seen = []
    executor.set_monitor_callback(lambda name, array: seen.append([str(name), content(array)]), inputs)
    executor.forward(is_train=True)
    mx.nd.waitall()
    if not inputs:  # with them the backward pass of MXNet hangs
        executor.backward([mx.nd.array(random.randint(-2, 3, out.shape)) for out in executor.outputs])
        mx.nd.waitall()
    return seen


def graph(mx, random):
    """A small graph over 3 x 3 arrays."""
    sym = mx.sym
    makers = [
        lambda x, y, name: sym.elemwise_mul(x, y, name=name),
        lambda x, y, name: sym.elemwise_sub(x, y, name=name),
        lambda x, y, name: sym.Activation(x, act_type="tanh", name=name),
        lambda x, y, name: sym.FullyConnected(x, num_hidden=3, name=name),
        lambda x, y, name: sym.BlockGrad(x, name=name),
        lambda x, y, name: sym.square(x, name=name),
        lambda x, y, name: sym.broadcast_add(x, sym.sum(y, axis=1, keepdims=True, name=name + "s"), name=name),
    ]
    pool = [sym.Variable(name) for name in "abc"]
    for k in range(random.randint(1, 6)):
        x, y = pool[random.randint(len(pool))], pool[random.randint(len(pool))]
        pool.append(makers[random.randint(7)](x, y, f"n{k}"))
    outs = [pool[-1]] + ([pool[random.randint(len(pool))]] if random.randint(3) == 0 else [])
    return outs[0] if len(outs) == 1 else sym.Group(outs)


def numbers(array):
    """The content of an array, rounded, as JSON takes it."""
    return None if array is None else [round(float(x), 4) for x in array.asnumpy().ravel()]


def calls(mx, seed):
    """A random graph, and random calls of its executor: what they show, one entry a call."""
    random = np.random.RandomState(seed)
    symbol = graph(mx, random)
    names, reqs = symbol.list_arguments(), ["write", "add", "null"]
    form = random.randint(3)
    chosen = [reqs[random.randint(3)] for _ in names]
    grad_req = chosen[0] if form == 0 else chosen if form == 1 else {n: chosen[i] for i, n in enumerate(names)}
    executor = symbol.simple_bind(mx.cpu(), grad_req=grad_req, **{n: (3, 3) for n in "abc" if n in names})
    for name in names:
        executor.arg_dict[name][:] = random.randint(-4, 5, executor.arg_dict[name].shape) / 2
        if executor.grad_dict[name] is not None:
            executor.grad_dict[name][:] = 1
    log = []
    executor.forward(is_train=True)
    fresh = True
    for _ in range(8):
        call, train, name = random.randint(7), bool(random.randint(2)), names[random.randint(len(names))]
        value = mx.nd.array(random.randint(-4, 5, executor.arg_dict[name].shape) / 2)
        heads = [mx.nd.array(random.randint(-2, 3, out.shape)) for out in executor.outputs]
        if call <= 1 and fresh:  # MXNet's backward reads arguments written after forward, and inference keeps less
            executor.backward(heads)
            log.append(["backward"])
        elif call <= 1:
            executor.forward(is_train=True)
            log.append(["forward"])
            fresh = True
        elif call == 2:
            log.append(["outputs"] + [numbers(out) for out in executor.outputs])
        elif call == 3:
            log.append(["gradients"] + [numbers(g) for g in executor.grad_arrays])
        elif call == 4:
            executor.arg_dict[name][:] = value
            log.append(["write", name])
            fresh = False
        elif call == 5:
            executor.forward(is_train=train, **{name: value})
            log.append(["forward", name, train])
            fresh = train
        else:
            try:
                executor.backward()
                log.append(["backward without heads"])
            except RuntimeError:
                log.append(["refused"])
    return [*log, [numbers(x) for x in [*executor.outputs, *executor.grad_arrays]]]
