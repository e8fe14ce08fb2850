# SPDX-License-Identifier: Apache-2.0
"""What stores of one process do, as numbers: the same calls with MXNet 1.9.1 and with mxlite.

Run with a Python that has MXNet, it prints the golden file::

    python tests/kvstore/scenarios.py > tests/golden/kvstore/stores.json
"""

import json
import sys

import numpy as np

TYPES = ("local", "device")


def run(mx, kind):
    """All results of a store type, by name: nested lists of numbers, or the name of an exception class."""
    nd, sparse = mx.nd, mx.nd.sparse
    found = {}

    def show(array):
        numbers = array.asnumpy().tolist()
        return [numbers, array.indices.asnumpy().tolist()] if array.stype == "row_sparse" else numbers

    def pulled(kv, key, shape=(2, 2), dtype="float32"):
        out = nd.zeros(shape, dtype=dtype)
        kv.pull(key, out=out)
        return show(out)

    def attempt(name, call):
        try:
            found[name] = call()
        except Exception as e:  # noqa: BLE001 - its class is the result
            found[name] = type(e).__name__

    def rows(values, indices, shape=(4, 2)):
        return sparse.row_sparse_array((np.array(values, np.float32), indices), shape=shape)

    def blank():
        return sparse.zeros("row_sparse", (4, 2))

    one = nd.ones((2, 2))
    ramp = nd.array([[1.0, -2.0], [0.5, 4.0]])

    # Values without an updater.
    kv = mx.kv.create(kind)
    found["about"] = [kv.type, kv.rank, kv.num_workers, kv.is_capable("optimizer"), kv.is_capable("OPTIMIZER")]
    kv.init(3, ramp)
    found["init"] = pulled(kv, 3)
    kv.push(3, one * 8)
    found["push replaces"] = pulled(kv, 3)
    kv.push(3, [one, ramp, ramp * 2])
    found["push sums"] = pulled(kv, 3)
    kv.push(3, ramp.astype("float64"))
    found["push of another dtype"] = pulled(kv, 3)
    found["pull into another dtype"] = pulled(kv, 3, dtype="float64")
    kv.init([5, 7], [one, ramp])
    kv.push([5, 7, 5], [[one, one], ramp * 3, ramp])
    found["push of many"] = [pulled(kv, 5), pulled(kv, 7)]
    outs = [nd.zeros((2, 2)) for _ in range(3)]
    kv.pull([5, 7], out=[outs[:2], outs[2]])
    found["pull of many"] = [show(o) for o in outs]
    mixed = [nd.zeros((2, 2)), nd.zeros((2, 2))]
    kv.pushpull(5, [one, ramp], out=mixed)
    found["pushpull"] = [show(o) for o in mixed] + [pulled(kv, 5)]
    values = [one * 3, ramp * 1]
    kv.pushpull(5, values)
    found["pushpull in place"] = [show(v) for v in values]
    kv.broadcast(9, ramp, out=mixed)
    found["broadcast"] = [show(o) for o in mixed] + [pulled(kv, 9)]
    view = nd.zeros((3, 2, 2))
    kv.pull(9, out=view[1])
    found["pull into a view"] = show(view)

    # Errors.
    attempt("init again", lambda: kv.init(3, one))
    attempt("init twice in one call", lambda: kv.init([20, 20], [one, one]))
    attempt("init from two", lambda: kv.init(21, [one, one]))
    attempt("mixed key types", lambda: kv.init("a", one))
    attempt("mixed key types in a call", lambda: kv.push(["a", 3], [one, one]))
    attempt("unknown key pushed", lambda: kv.push(99, one))
    attempt("unknown key pulled", lambda: kv.pull(99, out=outs[0]))
    attempt("float key", lambda: kv.push(1.5, one))
    attempt("numpy key", lambda: kv.push(np.int64(3), one))
    attempt("no key", lambda: kv.push(None, one))
    attempt("no out", lambda: kv.pull(3))
    attempt("fewer values", lambda: kv.push([3, 5], [one]))
    attempt("numpy value", lambda: kv.push(3, np.ones((2, 2))))
    attempt("shapes of values", lambda: kv.push(3, [one, nd.ones((1, 2))]))
    attempt("shape of out", lambda: kv.pull(3, out=nd.zeros((3, 3))))
    attempt("capability", lambda: kv.is_capable("speed"))
    attempt("csr pushed", lambda: kv.push(3, sparse.csr_matrix(np.eye(2, dtype=np.float32))))
    attempt("save without optimizer", lambda: kv.save_optimizer_states("nothing.states"))
    attempt("load without optimizer", lambda: kv.load_optimizer_states("nothing.states"))
    attempt("no optimizer", lambda: kv.set_optimizer("sgd"))
    attempt("name of a store", lambda: mx.kv.create(3))

    # Updaters.
    calls = []

    def updater(key, total, stored):
        calls.append([type(key).__name__, show(total)])
        stored += total * 2

    kv = mx.kv.create(kind)
    kv.init("w", ramp)
    kv._set_updater(updater)
    kv.push("w", [one, ramp])
    found["updater"] = [pulled(kv, "w"), calls]
    for name, make in OPTIMIZERS.items():
        kv = mx.kv.create(kind)
        kv.init(["x", "y"], [ramp, one])
        kv.set_optimizer(make(mx.optimizer))
        history = []
        for i in range(3):
            kv.push(["x", "y"], [[ramp * (i + 1), one], one * (i - 1)])
            history.append([pulled(kv, "x"), pulled(kv, "y")])
        out = nd.zeros((2, 2))
        kv.pushpull("x", one, out=out)
        found["optimizer " + name] = [*history, show(out)]

    # Sparse arrays.
    kv = mx.kv.create(kind)
    stored = rows([[1, 1], [2, 2], [3, 4]], [0, 1, 3])
    kv.init(["w", "d"], [stored, nd.ones((4, 2))])
    a, b, dense = blank(), blank(), nd.zeros((4, 2))
    kv.row_sparse_pull("w", out=a, row_ids=nd.array([3, 0, 3]))
    found["rows"] = show(a)
    kv.row_sparse_pull("w", out=a, row_ids=nd.array([2, 1], dtype="int64"))
    found["rows that are not stored"] = show(a)
    kv.row_sparse_pull("w", out=[a, b], row_ids=[nd.array([0]), nd.array([[1, 3], [1, 3]])])
    found["rows for each"] = [show(a), show(b)]
    kv.row_sparse_pull("w", out=[a, b], row_ids=nd.array([1]))
    found["rows for all"] = [show(a), show(b)]
    kv.row_sparse_pull(["w", "w"], out=[a, b], row_ids=[nd.array([3]), nd.array([1])])
    found["rows of keys"] = [show(a), show(b)]
    attempt("rows into dense", lambda: kv.row_sparse_pull("w", out=dense, row_ids=nd.array([0])))
    attempt("rows of dense", lambda: kv.row_sparse_pull("d", out=a, row_ids=nd.array([0])))
    attempt("no row_ids", lambda: kv.row_sparse_pull("w", out=a))
    attempt("no out for rows", lambda: kv.row_sparse_pull("w", row_ids=nd.array([0])))
    kv.pull("w", out=dense)
    found["sparse into dense"] = show(dense)
    c = rows([[9, 9]], [2])
    kv.pull("w", out=c)
    found["sparse is ignored"] = show(c)
    kv.pull("w", out=c, ignore_sparse=False)
    found["sparse is not ignored"] = show(c)
    kv.pull("d", out=c, ignore_sparse=False)
    found["dense into sparse"] = show(c)
    steps = {
        "one": rows([[5, 6]], [2]),
        "two": [rows([[5, 6]], [2]), rows([[1, 1], [2, 2]], [1, 2])],
        "with dense": [rows([[5, 6]], [2]), nd.ones((4, 2))],
        "dense": nd.ones((4, 2)),
    }
    for name, value in steps.items():
        kv.push("w", value)
        kv.pull("w", out=c, ignore_sparse=False)
        found["sparse push of " + name] = show(c)
    kv.push("d", rows([[5, 6]], [2]))
    kv.pull("d", out=dense)
    found["sparse push to dense"] = show(dense)
    kv.pushpull("w", rows([[5, 5]], [2]), out=c)
    found["sparse pushpull"] = show(c)
    c = rows([[9, 9]], [2])
    kv.broadcast("b", stored, out=c)
    found["sparse broadcast"] = show(c)
    kv = mx.kv.create(kind)
    kv.init("w", sparse.row_sparse_array(nd.ones((4, 2))))
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.5, momentum=0.9))
    lazy = []
    for i in range(2):
        kv.push("w", [rows([[5, 5]], [2]), rows([[1, 1], [2, 2]], [i, 2])])
        kv.pull("w", out=dense)
        lazy.append(show(dense))
    kv.pushpull("w", rows([[5, 5]], [2]), out=c)
    found["sparse optimizer"] = [*lazy, show(c)]

    # Compression.
    kv = mx.kv.create(kind)
    compress = kv.set_gradient_compression
    attempt("compression", lambda: compress({"type": "2bit", "threshold": 0.5}))
    grad = nd.array([[0.1, 0.3, 0.6, -0.6, 1.7, -0.2]])
    kv.init(["g", "h"], [nd.zeros((1, 6)), nd.zeros((1, 6))])
    history = []
    for _ in range(4):
        kv.push(["g", "h"], [grad, [grad, grad * 2]])
        history.append([pulled(kv, "g", (1, 6)), pulled(kv, "h", (1, 6))])
    found["compressed"] = history
    if kind == "device":
        attempt("compression type", lambda: compress({"type": "1bit"}))
        attempt("no compression type", lambda: compress({"threshold": 0.5}))
        attempt("compression threshold", lambda: compress({"type": "2bit", "threshold": -1}))
        attempt("compression without a dict", lambda: compress("2bit"))

    # A store of tests.
    kv = mx.kv.create("teststore")
    found["teststore"] = [kv.type, kv.rank, kv.num_workers, kv.is_capable("optimizer")]
    values = [one * 1, ramp * 1]
    kv.pushpull("x", values)
    kv.broadcast("x", ramp, out=mixed)
    found["teststore sums"] = [show(v) for v in values] + [show(o) for o in mixed]
    attempt("teststore optimizer", lambda: kv.set_optimizer(None))
    attempt("base rank", lambda: mx.kv.KVStoreBase().rank)
    return found


OPTIMIZERS = {
    "sgd": lambda optimizer: optimizer.SGD(learning_rate=0.1, momentum=0.9, wd=0.01),
    "adam": lambda optimizer: optimizer.Adam(learning_rate=0.1, rescale_grad=0.5),
}

if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]

    json.dump({kind: run(mxnet, kind) for kind in TYPES}, sys.stdout, indent=None, sort_keys=True)
