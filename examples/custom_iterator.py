# SPDX-License-Identifier: Apache-2.0
"""Two ways to feed a Module from a source of one's own: a subclass of `DataIter`, and a generator in `IterableIter`.

    python examples/custom_iterator.py

Both give real handwritten digits with noise that is drawn anew in every epoch, and train the same network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

import digits
import mxlite as mx
from networks import mlp


class NoisyDigits(mx.io.DataIter):
    """A data iterator says what it provides, starts over in `reset`, and gives a `DataBatch` in `next`.

    With `state_attributes` a checkpoint keeps its place: the generator, the order of this epoch, and how far it is.
    """

    state_attributes = ("draw", "order", "at")

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int, noise: float, seed: int = 0) -> None:
        super().__init__(batch_size)
        self.images, self.labels, self.noise = images, labels, noise
        self.draw = np.random.RandomState(seed)
        self.provide_data = [mx.io.DataDesc("data", (batch_size, *images.shape[1:]))]
        self.provide_label = [mx.io.DataDesc("softmax_label", (batch_size,))]
        self.reset()

    def reset(self) -> None:
        self.order, self.at = self.draw.permutation(len(self.images)), 0

    def next(self) -> mx.io.DataBatch:
        rows = self.order[self.at : self.at + self.batch_size]
        if len(rows) < self.batch_size:
            raise StopIteration
        self.at += self.batch_size
        images = self.images[rows] + self.draw.normal(0, self.noise, self.images[rows].shape)
        return mx.io.DataBatch([mx.nd.array(images)], [mx.nd.array(self.labels[rows])], pad=0)


def noisy_batches(
    images: np.ndarray, labels: np.ndarray, batch_size: int, noise: float, draw: np.random.RandomState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same as a generator: an epoch of (images, labels); the last batch may be smaller."""
    order = draw.permutation(len(images))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield images[rows] + draw.normal(0, noise, images[rows].shape), labels[rows]


class Result(NamedTuple):
    """Accuracy on digits without noise that were not trained on."""

    subclass: float
    adapter: float


def trained(batches: mx.io.DataIter, test: mx.io.DataIter, epochs: int) -> float:
    """The accuracy of a network that was trained on `batches`."""
    mx.random.seed(0)
    module = mx.mod.Module(mlp())
    module.fit(
        batches, num_epoch=epochs, optimizer_params={"learning_rate": 0.2}, initializer=mx.init.Xavier(magnitude=2)
    )
    return dict(module.score(test, "acc"))["accuracy"]


def main(argv: list[str] | None = None) -> Result:
    """Train twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--noise", type=float, default=0.2, metavar="X", help="deviation, where black is 0 and white 1")
    args = parser.parse_args(argv)
    data = digits.load()
    test = mx.io.NDArrayIter(data.test_images, data.test_labels, args.batch_size)
    source = data.train_images, data.train_labels, args.batch_size, args.noise
    subclass = trained(NoisyDigits(*source), test, args.epochs)
    print(f"subclass of DataIter: accuracy {subclass:.4f}")
    generator = partial(noisy_batches, *source, np.random.RandomState(0))
    adapter = trained(mx.io.IterableIter(generator), test, args.epochs)
    print(f"IterableIter around a generator: accuracy {adapter:.4f}")
    return Result(subclass, adapter)


if __name__ == "__main__":
    main()
