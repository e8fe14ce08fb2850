# SPDX-License-Identifier: Apache-2.0
"""Two tasks at once: which digit a picture shows, and whether it is odd, from layers that both share.

    python examples/multi_task.py

The network is a Group of two outputs, each with a label of its own; the loss of the second task counts half. A metric
of our own tells the accuracy of each. Networks that learn one of the tasks alone, from the same pictures for as many
epochs, are shown beside.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

import digits
import mxlite as mx
import networks


class Task(NamedTuple):
    """How many classes it has, and how much its loss counts."""

    classes: int
    weight: float


TASKS = {"digit": Task(10, 1.0), "odd": Task(2, 0.5)}
# Divides the 360 test pictures: a last batch that is filled up would count some of them twice.
TEST_BATCH = 90


class Result(NamedTuple):
    """Accuracy on the test pictures by task: of the network for both, and of one network for each."""

    together: dict[str, float]
    alone: dict[str, float]
    seconds: float


class TaskAccuracy(mx.metric.EvalMetric):
    """The accuracy of every task; outputs and labels in the order of `tasks`."""

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = list(tasks)
        super().__init__("task-accuracy")

    def reset(self) -> None:
        self.right, self.seen = [0] * len(self.tasks), [0] * len(self.tasks)

    def update(self, labels: Sequence[mx.nd.NDArray], preds: Sequence[mx.nd.NDArray]) -> None:
        for task in range(len(self.tasks)):
            label = labels[task].asnumpy()
            self.right[task] += int((preds[task].asnumpy().argmax(axis=1) == label).sum())
            self.seen[task] += len(label)

    def get(self) -> tuple[list[str], list[float]]:
        shares = [right / seen if seen else float("nan") for right, seen in zip(self.right, self.seen)]  # noqa: B905
        return [f"{task}-accuracy" for task in self.tasks], shares


def network(tasks: Mapping[str, Task]) -> mx.sym.Symbol:
    """``data`` (N, any) and the labels ``TASK_label`` (N,) -> for each task ``TASK_output`` (N, classes)."""
    shared = networks.mlp().get_internals()["relu2_output"]
    heads = []
    for name, task in tasks.items():
        scores = mx.sym.FullyConnected(shared, num_hidden=task.classes, name=f"{name}_scores")
        heads.append(mx.sym.SoftmaxOutput(scores, grad_scale=task.weight, name=name))
    return mx.sym.Group(heads)


def batches(
    images: np.ndarray, labels: np.ndarray, tasks: Mapping[str, Task], batch_size: int, shuffle: bool = False
) -> mx.io.NDArrayIter:
    """Pictures with the label of each task."""
    known = {"digit": labels, "odd": labels % 2}
    return mx.io.NDArrayIter(images, {f"{task}_label": known[task] for task in tasks}, batch_size, shuffle)


def train(data: digits.Digits, tasks: Mapping[str, Task], args: argparse.Namespace) -> dict[str, float]:
    """Train a network for `tasks`; gives the test accuracy of each."""
    np.random.seed(args.seed)
    mx.random.seed(args.seed)
    test = batches(data.test_images, data.test_labels, tasks, TEST_BATCH)
    module = mx.mod.Module(network(tasks), label_names=[f"{task}_label" for task in tasks])
    module.fit(
        batches(data.train_images, data.train_labels, tasks, args.batch_size, shuffle=True),
        eval_data=test,
        eval_metric=TaskAccuracy(list(tasks)),
        optimizer_params={"learning_rate": args.lr, "momentum": 0.9},
        initializer=mx.init.Xavier(),
        num_epoch=args.epochs,
    )
    # What MXNet has instead of a class of one's own: metrics that choose their output and label by name.
    chosen = mx.metric.CompositeEvalMetric()
    for task in tasks:
        chosen.add(mx.metric.Accuracy(name=task, output_names=[f"{task}_output"], label_names=[f"{task}_label"]))
    return dict(module.score(test, chosen))


def main(argv: Sequence[str] | None = None) -> Result:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--lr", type=float, default=0.05)
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it tells which accelerators it does not find

    data = digits.load()
    start = time.perf_counter()
    together = train(data, TASKS, args)
    alone = {name: accuracy for task in TASKS for name, accuracy in train(data, {task: TASKS[task]}, args).items()}
    result = Result(together, alone, time.perf_counter() - start)
    print(f"accuracy on {len(data.test_labels)} test pictures, {result.seconds:.1f} s:")
    for task in TASKS:
        print(f"{task:5}: {together[task]:.4f}, alone {alone[task]:.4f}")
    return result


if __name__ == "__main__":
    main()
