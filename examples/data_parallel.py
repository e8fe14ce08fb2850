# SPDX-License-Identifier: Apache-2.0
"""A network learns real digits on several devices, in one process or several, and ends with the weights of one device.

python examples/data_parallel.py --devices 4
mxlite launch -n 2 python examples/data_parallel.py --devices 2       # two processes with two devices each

The devices are CPU devices, which share the cores of the machine: this shows that the numbers are the same, not that
it is faster. With GPUs it is ``context=[mx.gpu(0), mx.gpu(1)]``; nothing else changes.

Sums over the batch are added up in another order, so the weights differ by roundings. With ``--network lenet`` that may
be a little more: the larger of two nearly equal pixels, to which max pooling sends the gradient, may be the other one.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import jax
import numpy as np

import digits
import mxlite as mx
import networks


class Trained(NamedTuple):
    """What `train` leaves: weights by name, accuracy on the test pictures, median seconds of a step."""

    weights: dict[str, np.ndarray]
    accuracy: float
    step: float


class Result(NamedTuple):
    """What `main` compares: the largest distance of a weight, and of one that it moved in training."""

    difference: float
    moved: float
    together: Trained
    alone: Trained


def part(array: np.ndarray, batch_size: int, rank: int, workers: int) -> np.ndarray:
    """The rows that worker `rank` feeds: its share of every batch of `batch_size`; a last short batch is left out."""
    whole = array[: len(array) // batch_size * batch_size]
    batches = whole.reshape(-1, workers, batch_size // workers, *array.shape[1:])
    return np.ascontiguousarray(batches[:, rank]).reshape(-1, *array.shape[1:])


def train(
    data: digits.Digits,
    args: argparse.Namespace,
    contexts: list[mx.Context],
    rank: int = 0,
    workers: int = 1,
    kvstore: str = "device",
) -> Trained:
    """Train for `args.epochs` epochs in batches of `args.batch_size`, of which this is worker `rank` of `workers`."""
    mine = [part(a, args.batch_size, rank, workers) for a in (data.train_images, data.train_labels)]
    batches = mx.io.NDArrayIter(*mine, batch_size=args.batch_size // workers)
    module = mx.mod.Module(networks.get_symbol(args.network), context=contexts)
    mx.random.seed(0)
    times = [time.perf_counter()]

    def watch(param: mx.model.BatchEndParam) -> None:
        module.get_outputs()[0].wait_to_read()  # else only the launch would be timed
        times.append(time.perf_counter())

    module.fit(
        batches,
        num_epoch=args.epochs,
        kvstore=kvstore,
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.05, "momentum": 0.9},
        batch_end_callback=watch,
    )
    weights = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    test = mx.io.NDArrayIter(data.test_images, data.test_labels, args.batch_size // workers)
    return Trained(weights, dict(module.score(test, "acc"))["accuracy"], float(np.median(np.diff(times))))


def main(argv: list[str] | None = None) -> Result:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--devices", type=int, default=4, help="CPU devices of each process")
    p.add_argument("--network", choices=sorted(networks.NETWORKS), default="mlp")
    p.add_argument("--epochs", type=int, default=2)
    p.add_argument("--batch-size", type=int, default=64, help="of all devices together")
    args = p.parse_args(argv)
    rank, workers = mx.distributed.rank(), mx.distributed.num_workers()
    if args.devices < 1 or args.batch_size < 1 or args.batch_size % (args.devices * workers):
        p.error(f"--batch-size {args.batch_size} must be a multiple of {workers} processes x {args.devices} devices")
    jax.config.update("jax_num_cpu_devices", args.devices)  # before the first array
    data = digits.load()
    devices = [mx.cpu(i) for i in range(args.devices)]
    together = train(data, args, devices, rank, workers, "dist_sync" if workers > 1 else "device")
    alone = train(data, args, devices[:1])

    mx.random.seed(0)
    start = mx.mod.Module(networks.get_symbol(args.network))
    start.bind([("data", (args.batch_size, 1, 28, 28))], [("softmax_label", (args.batch_size,))])
    start.init_params(mx.init.Xavier())
    first = {name: value.asnumpy() for name, value in start.get_params()[0].items()}
    difference = max(np.abs(together.weights[n] - w).max() for n, w in alone.weights.items())
    moved = max(np.abs(first[n] - w).max() for n, w in alone.weights.items())
    if rank == 0:
        print(
            f"{workers} x {args.devices} devices: {1e3 * together.step:.1f} ms a step, accuracy {together.accuracy:.4f}"
        )
        print(f"1 device:      {1e3 * alone.step:.1f} ms a step, accuracy {alone.accuracy:.4f}")
        print(f"weights moved by up to {moved:.2g} and differ by up to {difference:.2g}")
    return Result(float(difference), float(moved), together, alone)


if __name__ == "__main__":
    main()
