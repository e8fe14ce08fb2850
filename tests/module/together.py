# SPDX-License-Identifier: Apache-2.0
"""Modules that several workers train, for test_processes.py.

``mxlite launch -n 2 python together.py FOLDER`` writes the numbers of each worker; in one process, `run` gives those of
training on the whole batches.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np

import mxlite as mx
from mxlite_compiler.program import COUNTERS

rng = np.random.RandomState(3)
X = rng.rand(64, 6).astype("float32")
Y = X[:, :3].argmax(axis=1).astype("float32")


class Worker:
    """One of `workers`, with the devices `ctx`; each batch is split among them."""

    def __init__(self, rank: int, workers: int, ctx: list[mx.Context]):
        self.rank, self.workers, self.ctx = rank, workers, ctx

    def own(self, a: np.ndarray, size: int) -> np.ndarray:
        """What this worker has of the batches of `size` in `a`."""
        mine = size // self.workers
        return np.concatenate([a[i + self.rank * mine :][:mine] for i in range(0, len(a), size)])

    def data(self, size: int = 16) -> mx.io.NDArrayIter:
        return mx.io.NDArrayIter(self.own(X, size), self.own(Y, size), batch_size=size // self.workers)

    def module(self, symbol, seed=None, **kwargs):
        # The workers begin differently; worker 0 has the parameters that count.
        mx.random.seed(11 + self.rank if seed is None else seed)
        return mx.mod.Module(symbol, context=self.ctx, logger=logging.Logger("together"), **kwargs)


def network(drop=0.0):
    data = mx.sym.Variable("data")
    hidden = mx.sym.FullyConnected(data, num_hidden=8, no_bias=True, name="fc1")
    hidden = mx.sym.Activation(mx.sym.BatchNorm(hidden, fix_gamma=False, name="bn"), act_type="tanh")
    if drop:
        hidden = mx.sym.Dropout(hidden, p=drop)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")


@mx.optimizer.register
class Thirds(mx.optimizer.Optimizer):
    def update(self, index, weight, grad, state):
        weight[:] = weight - 0.3 * self.rescale_grad * grad


def learned(module):
    args, aux = module.get_params()
    return {name: a.asnumpy().tolist() for name, a in {**args, **aux}.items()}


def fitted(worker, folder):
    module, data, metric = worker.module(network()), worker.data(), mx.metric.create(["acc", "ce"])
    counts = []

    def count(param):
        counts.append([COUNTERS.launches, COUNTERS.traces])
        COUNTERS.reset()

    module.fit(
        data, eval_metric=metric, num_epoch=2, kvstore="dist_sync", optimizer="adam", batch_end_callback=count,
        optimizer_params={"learning_rate": 0.05}, initializer=mx.init.Xavier(),
    )  # fmt: skip
    module.save_checkpoint(f"{folder}/of{worker.workers}-{worker.rank}", 2, save_optimizer_states=True)
    facts = {"metric": metric.get()[1], "counts": counts[1:4], "rescale": module._optimizer.rescale_grad}
    facts["output"] = module.get_outputs()[0].asnumpy().tolist()
    if worker.rank == 0:  # each predicts for itself
        facts["score"] = module.score(worker.data(), "ce")[0][1]
        facts["predicted"] = module.predict(worker.data()).asnumpy().tolist()
    return learned(module), facts


def by_hand(worker, folder):
    """Batches of two sizes, outputs that are read in between, input gradients, dist_async."""
    module = worker.module(network())
    size = 16 // worker.workers
    module.bind([("data", (size, 6))], [("softmax_label", (size,))], inputs_need_grad=True)
    module.init_params(mx.init.Xavier())
    module.init_optimizer("dist_async", "sgd", {"learning_rate": 0.2, "momentum": 0.9})
    for n, size in enumerate((16, 8, 16)):
        x, y = (worker.own(a[n * 16 :][:size], size) for a in (X, Y))
        module.forward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)]), is_train=True)
        if n:
            module.get_outputs()[0].wait_to_read()
        module.backward()
        module.update()
    parts = [list(p.shape) for p in module.get_outputs(merge_multi_context=False)[0]]
    facts = {"grad": module.get_input_grads()[0].asnumpy().tolist(), "parts": parts}
    return learned(module), facts


def in_python(worker, folder):
    module, store = worker.module(network()), mx.kv.create("dist_device_sync")
    module.fit(worker.data(), num_epoch=1, kvstore=store, optimizer="thirds", initializer=mx.init.Xavier())
    return learned(module), {}


def in_buckets(worker, folder):
    def bucket(length):
        summed = mx.sym.sum(mx.sym.Embedding(mx.sym.Variable("data"), input_dim=9, output_dim=4, name="embed"), axis=1)
        out = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(summed, num_hidden=3, name="fc"), name="softmax")
        return out, ("data",), ("softmax_label",)

    mx.random.seed(worker.rank)
    module, size = mx.mod.BucketingModule(bucket, 6, context=worker.ctx), 8 // worker.workers
    module.bind([("data", (size, 6))], [("softmax_label", (size,))])
    module.init_params(mx.init.Xavier())
    module.init_optimizer("dist_sync", "sgd", {"learning_rate": 0.1, "momentum": 0.5})
    for length in (6, 3, 6):
        ids, y = worker.own((X[:8, :length] * 9).astype(int), 8), worker.own(Y[:8], 8)
        one = mx.io.DataBatch([mx.nd.array(ids)], [mx.nd.array(y)], bucket_key=length)
        one.provide_data, one.provide_label = [("data", (size, length))], [("softmax_label", (size,))]
        module.forward_backward(one)
        module.update()
    return learned(module), {}


def dropped(worker, folder):
    """Dropout: one mask for the whole batch, whatever the seeds of the workers."""
    module = worker.module(network(drop=0.5))
    module.fit(worker.data(), num_epoch=1, kvstore="dist_sync", initializer=mx.init.Xavier())
    return learned(module), {}


def noisy(worker, folder):
    """An optimizer that draws: one noise for all, whatever the seeds of the workers."""
    module = worker.module(network())
    module.fit(worker.data(), num_epoch=1, kvstore="dist_sync", optimizer="sgld", initializer=mx.init.Xavier())
    return learned(module), {}


def refused(worker, folder):
    """A network that no program over several processes can train."""
    rows = mx.sym.dot(mx.sym.Variable("data"), mx.sym.Variable("rows_weight", stype="row_sparse", shape=(6, 3)))
    try:
        worker.module(mx.sym.SoftmaxOutput(rows, name="softmax")).fit(worker.data(), num_epoch=1, kvstore="dist_sync")
    except mx.MXNetError as e:
        return {}, {"error": str(e)}
    return {}, {"error": ""}


SCENARIOS = (fitted, by_hand, in_python, in_buckets, dropped, noisy, refused)


def run(worker: Worker, folder: str) -> dict:
    """The numbers and facts of every scenario."""
    return {scenario.__name__: scenario(worker, folder) for scenario in SCENARIOS}


def unlike(worker: Worker) -> None:
    """The workers have different learning rates."""
    rate = {"learning_rate": 0.1 * (1 + worker.rank)}
    worker.module(network()).fit(worker.data(), num_epoch=1, kvstore="dist_sync", optimizer_params=rate)


def main(folder: str) -> None:
    devices = [mx.cpu(i) for i in range(2)]
    worker = Worker(mx.distributed.rank(), mx.distributed.num_workers(), devices)
    found = run(worker, folder)
    Path(folder, f"{worker.rank}.json").write_text(json.dumps(found), encoding="utf-8")
    unlike(worker)


if __name__ == "__main__":
    main(sys.argv[1])
