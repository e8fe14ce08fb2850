# SPDX-License-Identifier: Apache-2.0
"""What the tests of jobs run in each worker: ``worker.py SCENARIO``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np

import mxlite as mx

RANK, WORKERS = mx.distributed.rank(), mx.distributed.num_workers()
DTYPES = ("float32", "float64", "float16", "bfloat16", "int32", "int64", "uint8", "int8", "bool")


def say(what: Any) -> None:
    print(what, flush=True)


def collectives() -> None:
    """Sums and copies of host and device arrays of every dtype and of odd shapes."""
    arrays = [(mx.nd.arange(6).reshape((2, 3)) % 2 + RANK).astype(d if d != "bool" else "float32") for d in DTYPES]
    device = [a._data if d != "bool" else a._data > 1 for a, d in zip(arrays, DTYPES, strict=True)]
    odd = [np.array(1.5 + RANK), np.zeros((0, 3), np.float32)]
    for before, after in zip([*device, *odd], mx.distributed.allreduce([*device, *odd]), strict=True):
        kinds = [(type(x), x.dtype, x.shape) for x in (before, after)]
        assert kinds[0] == kinds[1], kinds
        parts = [np.asarray(before).astype("float64") - RANK + r for r in range(WORKERS)]
        expected = np.sum(parts, axis=0) if after.dtype != bool else np.full((2, 3), True) & (np.asarray(after))
        np.testing.assert_array_equal(np.asarray(after).astype("float64"), np.asarray(expected, "float64"))
    special = np.array([-0.0, np.nan, np.inf, 1 + RANK], np.float32)
    (sent,) = mx.distributed.broadcast([special if RANK == 1 else np.ones(4, np.float32)], root=1)
    assert sent.tobytes() == np.array([-0.0, np.nan, np.inf, 2], np.float32).tobytes()
    second = mx.nd.ones((2,), ctx=mx.cpu(1))._data
    (total,) = mx.distributed.allreduce([second])
    assert total.devices() == second.devices() and np.asarray(total).tolist() == [WORKERS] * 2
    for _ in range(2):
        mx.distributed.barrier("twice")
    assert mx.distributed.describe(os.environ).startswith(f"worker {RANK} of {WORKERS}, coordinator 127.0.0.1:")
    inner = "import mxlite as mx; print(mx.distributed.num_workers())"
    assert subprocess.run([sys.executable, "-c", inner], capture_output=True, text=True, check=True).stdout == "1\n"


def stores() -> None:
    """A store of all workers: every number by hand."""
    kv: Any = mx.kv.create("dist_sync")
    assert (kv.rank, kv.num_workers) == (RANK, WORKERS) == (RANK, 2)
    a, b = mx.nd.zeros((2, 2)), mx.nd.zeros((3,))
    kv.broadcast(["a", "b"], [mx.nd.ones((2, 2)) * (RANK + 1), mx.nd.ones((3,)) * RANK], out=[a, b])
    assert (a.asnumpy() == 1).all() and (b.asnumpy() == 0).all()
    kv.pushpull(["a", "b"], [[mx.nd.ones((2, 2)) * (RANK + 1)] * 2, mx.nd.ones((3,)) * (RANK + 5)], out=[a, b])
    assert (a.asnumpy() == 6).all() and (b.asnumpy() == 11).all()
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.5, momentum=0.5))
    for expected in (6 - 1.5, 6 - 1.5 - 1.5 - 0.75):
        kv.pushpull("a", mx.nd.ones((2, 2)) * (RANK + 1), out=a)
        assert (a.asnumpy() == expected).all()
    kv = mx.kv.create("dist_sync")
    table = mx.nd.sparse.row_sparse_array((np.full((2, 1), RANK + 1, np.float32), [RANK, 3]), shape=(6, 1))
    out = mx.nd.sparse.zeros("row_sparse", (6, 1))
    kv.init("table", table)
    kv.pull("table", out=out, ignore_sparse=False)
    assert (out.indices.asnumpy() == [0, 3]).all() and (out.data.asnumpy().ravel() == [1, 1]).all()
    kv.push("table", table)
    kv.row_sparse_pull("table", out=out, row_ids=mx.nd.array([5, 1, 3]))
    assert (out.indices.asnumpy() == [1, 3, 5]).all() and (out.data.asnumpy().ravel() == [2, 3, 0]).all()
    kv = mx.kv.create("dist_device_sync")
    kv.set_gradient_compression({"type": "2bit", "threshold": 0.5})
    kv.init("g", mx.nd.zeros((3,)))
    for expected in ([0, 1, -1], [1, 1, -1]):
        kv.push("g", mx.nd.array([0.3, 0.6 * (RANK + 1), -1]))
        kv.pull("g", out=b)
        assert b.asnumpy().tolist() == expected


def devices() -> None:
    """Stores of one process with two devices: gradients come from both, values go to both."""
    places = [mx.cpu(0), mx.cpu(1)]
    assert places[0].jax_device != places[1].jax_device
    for kind, home in (("local", 0), ("device", 1)):
        kv: Any = mx.kv.create(kind)
        kv.init(["w", "table"], [mx.nd.ones((2,)), mx.nd.ones((3, 1)).tostype("row_sparse")])
        kv.set_optimizer(mx.optimizer.Adam(learning_rate=0.1))
        grads = [mx.nd.ones((2,), ctx=c) * 2 for c in places[::-1]]
        outs = [mx.nd.zeros((2,), ctx=c) for c in places]
        for step in (1, 2):
            kv.pushpull("w", grads, out=outs)
            assert [o.context for o in outs] == places
            for o in outs:
                np.testing.assert_allclose(o.asnumpy(), 1 - 0.1 * step, rtol=1e-5)
        assert kv.handle.values["w"].context == places[home]
        rows = [mx.nd.sparse.row_sparse_array((np.ones((1, 1), np.float32), [i]), shape=(3, 1), ctx=c)
                for i, c in enumerate(places[::-1])]  # fmt: skip
        kv.push("table", rows)
        out = mx.nd.sparse.zeros("row_sparse", (3, 1), ctx=places[1])
        kv.row_sparse_pull("table", out=out, row_ids=mx.nd.array([0, 1, 2]))
        np.testing.assert_allclose(out.asnumpy().ravel(), [0.9, 0.9, 1.0], rtol=1e-5)


def train(end: str) -> None:
    """Steps, in the middle of which worker 1 ends, or worker 0 where `end` says so."""
    kv: Any = mx.kv.create("dist_sync")
    kv.init("w", mx.nd.ones((4, 4)))
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.1))
    grad = mx.nd.ones((4, 4))
    for step in range(100):
        kv.pushpull("w", grad, out=grad)
        grad.wait_to_read()
        if step == 10 and str(RANK) == end[-1]:
            say(f"worker {RANK} ends")
            if end.startswith("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            elif end.startswith("raise"):
                raise ValueError("a mistake in the script")
            else:
                sys.exit(3)
        time.sleep(0.01)
    say("not reached")


def main(scenario: str) -> None:
    if scenario == "all":
        collectives()
        stores()
        devices()
    else:
        train(scenario)
    say(f"worker {RANK} of {WORKERS} is done")


if __name__ == "__main__":
    main(sys.argv[1])
