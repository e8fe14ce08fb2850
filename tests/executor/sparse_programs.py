# SPDX-License-Identifier: Apache-2.0
"""What `record.py` runs in the real MXNet and `test_sparse_storage.py` here: functions of the module to try.

Plain Python 3.8 without type hints, because the real MXNet has that.
"""

import numpy as np

X = np.array([[0, 1, 0, 2], [0, 0, 0, 3], [0, 4, 0, 0]], "float32")
W = np.arange(8, dtype="float32").reshape(4, 2)


def shown(array):
    """Storage, positions and values of an array."""
    if array is None:
        return None
    if array.stype == "default":
        return ["default", np.round(array.asnumpy().astype("float64"), 4).tolist()]
    values = np.round(array.data.asnumpy().astype("float64"), 4).tolist()
    return [array.stype, array.indices.asnumpy().tolist(), values]


def storages(mx):
    """The storages that simple_bind infers: of arguments, gradients and outputs, by case."""
    sym = mx.sym
    x, y = sym.Variable("x"), sym.Variable("y")
    pairs = [(a, b) for a in ("csr", "row_sparse", "default") for b in ("csr", "row_sparse", "default")]
    cases = []
    for a, b in pairs:
        for name in ("elemwise_mul", "elemwise_add", "elemwise_sub", "broadcast_mul"):
            cases.append((f"{name} {a} {b}", getattr(sym, name)(x, y), {"x": a, "y": b}, {"x": (3, 4), "y": (3, 4)}))
        for ta in (False, True):
            for tb in (False, True):
                dot = sym.dot(x, y, transpose_a=ta, transpose_b=tb)
                shapes = {"x": (4, 3) if ta else (3, 4), "y": (2, 4) if tb else (4, 2)}
                cases.append((f"dot {a} {b} {ta} {tb}", dot, {"x": a, "y": b}, shapes))
    unary = {
        name: getattr(sym, name)(x)
        for name in ("square", "relu", "exp", "abs", "negative", "identity", "BlockGrad", "zeros_like", "softmax")
    }
    unary["twice"], unary["times"], unary["plus"] = x + x, x * 2, x + 1
    unary["sum"], unary["both"] = sym.sum(x, axis=1), sym.Group([x, sym.square(x)])
    unary["slice"], unary["concat"] = sym.slice(x, begin=(0,), end=(2,)), sym.concat(x, x, dim=0)
    unary["dense"] = sym.cast_storage(x, stype="default")
    for stype in ("csr", "row_sparse", "default"):
        cases += [(f"{name} {stype}", s, {"x": stype}, {"x": (3, 4)}) for name, s in unary.items()]
    for stype in ("csr", "row_sparse"):
        for name in ("square", "negative", "identity", "sign"):
            cast = sym.cast_storage(getattr(sym, name)(x), stype=stype)
            cases.append((f"cast {name} {stype}", cast, {"x": "default"}, {"x": (3, 4)}))
    once = sym.Embedding(x, y, input_dim=5, output_dim=2, sparse_grad=True)
    again = sym.Embedding(x, y, input_dim=5, output_dim=2)
    for name, s in (("once", once), ("twice", once + once), ("mixed", once + again), ("dense", again)):
        cases.append((f"embedding {name}", s, {"x": "default", "y": "default"}, {"x": (3,)}))
    data = sym.Variable("data", stype="csr")
    cases.append(("variable dot", sym.dot(data, y), None, {"data": (3, 4), "y": (4, 2)}))
    cases.append(("variable fc", sym.FullyConnected(data, num_hidden=2, name="fc"), None, {"data": (3, 4)}))
    cases.append(("overruled", sym.dot(data, y), {"data": "default", "y": "default"}, {"data": (3, 4), "y": (4, 2)}))
    found = {}
    for name, symbol, stypes, shapes in cases:
        ex = symbol.simple_bind(mx.cpu(), stype_dict=stypes, **shapes)
        grads = {k: None if v is None else v.stype for k, v in ex.grad_dict.items()}
        found[name] = [{k: v.stype for k, v in ex.arg_dict.items()}, grads, [o.stype for o in ex.outputs]]
    return found


def products(mx, request, data, weight, grad):
    """dot(data, weight) bound to arrays of these storages: outputs and gradients over two contents of the data."""
    arrays = {"x": mx.nd.array(X).tostype(data), "w": mx.nd.array(W).tostype(weight)}
    grads = {"w": mx.nd.ones((4, 2)).tostype(grad)}
    symbol = mx.sym.dot(mx.sym.Variable("x"), mx.sym.Variable("w"))
    ex = symbol.bind(mx.cpu(), arrays, grads, {"x": "null", "w": request})
    kept = ex.arg_dict["x"] is arrays["x"] and ex.arg_dict["w"] is arrays["w"] and ex.grad_dict["w"] is grads["w"]
    log = []
    log.append(kept)
    for content in (X, X, X[::-1] * [[1], [0], [1]]):
        arrays["x"][:] = mx.nd.array(content).tostype(data)
        log.append(shown(ex.forward(is_train=True)[0]))
        ex.backward(mx.nd.array([[1, 1], [1, -1], [0, 0]]))
        log.append(shown(grads["w"]))
    return log


def lookups(mx, request):
    """Embedding(sparse_grad=True): gradients over two batches of ids, of which some have a gradient of zero."""
    grad = mx.nd.ones((4, 2)).tostype("row_sparse")
    symbol = mx.sym.Embedding(mx.sym.Variable("x"), mx.sym.Variable("w"), input_dim=4, output_dim=2, sparse_grad=True)
    ex = symbol.bind(
        mx.cpu(), {"x": mx.nd.array([1, 3, 1]), "w": mx.nd.array(W)}, {"w": grad}, {"x": "null", "w": request}
    )
    log = []
    for ids, head in (([1, 3, 1], [[1, 2], [0, 0], [3, 4]]), ([0, 0, 2], [[1, 2], [1, 0], [0, 0]])):
        ex.forward(is_train=True, x=mx.nd.array(ids))
        ex.backward(mx.nd.array(head))
        log.append(shown(grad))
    return log


def passes(mx, name, stype):
    """Outputs, and the gradient into an array of the same storage."""
    x = mx.sym.Variable("x")
    symbol = {
        "square": mx.sym.square(x),
        "csr": mx.sym.cast_storage(x, stype="csr"),
        "row_sparse": mx.sym.cast_storage(x, stype="row_sparse"),
        "times": x * 2,
        "plus": x + 1,
        "both": mx.sym.Group([x, x * 3]),
    }[name]
    grad = mx.nd.zeros((3, 4)).tostype(stype)
    ex = symbol.bind(mx.cpu(), {"x": mx.nd.array(X).tostype(stype)}, {"x": grad})
    log = [shown(o) for o in ex.forward(is_train=True)]
    ex.backward([mx.nd.ones((3, 4)).tostype(o.stype) for o in ex.outputs])
    return [*log, shown(grad)]


PASSES = [
    (name, stype)
    for name in ("square", "csr", "row_sparse", "times", "plus", "both")
    for stype in ("csr", "row_sparse", "default")
    # MXNet does not cast between sparse storages, and writes the square's gradient of csr past its memory.
    if (name, stype) not in (("csr", "row_sparse"), ("row_sparse", "csr"), ("square", "csr"))
]
PRODUCTS = [
    (request, "csr", weight, grad)
    for request in ("write", "add", "null")
    for weight in ("row_sparse", "default")
    for grad in ("row_sparse", "default")
    if (request, grad) != ("add", "row_sparse")  # MXNet refuses it
] + [("write", "default", "default", "row_sparse"), ("write", "csr", "default", "csr")]

OPTIMIZERS = {
    "sgd": {"learning_rate": 0.5},
    "sgd momentum": {"learning_rate": 0.5, "wd": 0.1, "momentum": 0.9},
    "adam": {"learning_rate": 0.1},
    "ftrl": {"learning_rate": 0.1},
}


def training(mx, optimizer, weight, fit):
    """Linear classification of csr data: the parameters after two epochs, and the accuracy."""
    random = np.random.RandomState(3)
    data = (random.rand(12, 7) * (random.rand(12, 7) < 0.3)).astype("float32")
    data[:, 5] = 0
    label, start = random.randint(0, 3, 12).astype("float32"), random.randn(7, 3).astype("float32")
    x, w = mx.sym.Variable("data", stype="csr"), mx.sym.Variable("weight", stype=weight, shape=(7, 3))
    product = mx.sym.broadcast_add(mx.sym.sparse.dot(x, w), mx.sym.Variable("bias", shape=(3,)))
    batches = mx.io.NDArrayIter(
        mx.nd.array(data).tostype("csr"), mx.nd.array(label), batch_size=4, last_batch_handle="discard"
    )
    module = mx.mod.Module(mx.sym.SoftmaxOutput(product, name="softmax"), context=mx.cpu())
    given = {"weight": mx.nd.array(start).tostype(weight), "bias": mx.nd.zeros((3,))}
    rule = {"optimizer": optimizer.split()[0], "optimizer_params": OPTIMIZERS[optimizer]}
    if fit:
        module.fit(batches, num_epoch=2, arg_params=given, initializer=mx.init.Zero(), **rule)
    else:
        module.bind(batches.provide_data, batches.provide_label)
        module.init_params(mx.init.Zero(), arg_params=given)
        module.init_optimizer(**rule)
        for _ in range(2):
            batches.reset()
            for batch in batches:
                module.forward_backward(batch)
                module.update()
    batches.reset()
    found, _ = module.get_params()
    whole = np.round(found["weight"].tostype("default").asnumpy().astype("float64"), 4).tolist()
    return [found["weight"].stype, whole, shown(found["bias"]), module.score(batches, "acc")[0][1]]


TRAININGS = [(o, w, False) for o in OPTIMIZERS for w in ("row_sparse", "default")] + [("sgd", "row_sparse", True)]


def recorded(mx):
    """Everything that is recorded, by what was called."""
    found = {"storages": storages(mx)}
    found["products"] = {" ".join(case): products(mx, *case) for case in PRODUCTS}
    found["lookups"] = {request: lookups(mx, request) for request in ("write", "null")}
    found["passes"] = {" ".join(case): passes(mx, *case) for case in PASSES}
    found["training"] = {" ".join(map(str, case)): training(mx, *case) for case in TRAININGS}
    return found
