# SPDX-License-Identifier: Apache-2.0
"""Real handwritten digits: the 1797 scans of 43 writers (UCI, 1998) that come with scikit-learn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

import mxlite as mx

MARGIN = 2


class Digits(NamedTuple):
    """Images (N, 1, 28, 28) float32 in [0, 1] and labels (N,) float32 in 0..9."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load(test: int = 360, seed: int = 0) -> Digits:
    """The digits as LeNet takes them, split by `seed` into `test` test images and the rest to train on.

    The scans are 8x8 with values 0..16. Every pixel becomes a square of 3x3 and the picture gets a margin of 2,
    which makes the 28x28 of MNIST.
    """
    scans: Any = load_digits()
    images = np.kron(scans.images / 16, np.ones((3, 3)))
    images = np.pad(images, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))[:, np.newaxis].astype(np.float32)
    labels = scans.target.astype(np.float32)
    order = np.random.RandomState(seed).permutation(len(images))
    held_out, kept = order[:test], order[test:]
    return Digits(images[kept], labels[kept], images[held_out], labels[held_out])


class ShiftedDigits(mx.io.DataIter):
    """Training batches in which every picture is moved by up to two pixels, differently in every epoch.

    1437 pictures are few for a network of 400,000 weights; this keeps it from learning them by heart.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
        super().__init__(batch_size)
        self._images, self._labels = images, labels
        self.reset()

    @property
    def provide_data(self) -> list[mx.io.DataDesc]:
        return self._batches.provide_data

    @property
    def provide_label(self) -> list[mx.io.DataDesc]:
        return self._batches.provide_label

    def __len__(self) -> int:
        """Batches in an epoch; the last one is filled up from the start."""
        return -(-len(self._images) // self.batch_size)

    def reset(self) -> None:
        self._batches = mx.io.NDArrayIter(self._shifted(), self._labels, self.batch_size, shuffle=True)

    def next(self) -> mx.io.DataBatch:
        return self._batches.next()

    def _shifted(self) -> np.ndarray:
        count, _, height, width = self._images.shape
        down, right = np.random.randint(-MARGIN, MARGIN + 1, (2, count, 1))
        rows = (np.arange(height) - down) % height  # the margin is empty: what leaves on one side is black
        columns = (np.arange(width) - right) % width
        return self._images[np.arange(count)[:, None, None, None], 0, rows[:, None, :, None], columns[:, None, None]]
