# SPDX-License-Identifier: Apache-2.0
"""What is measured: three networks, their batches, and the optimizer, the same for everybody.

Imports nothing but numpy, because the real MXNet reads this file too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.05, 0.9, 1e-4


class Case(NamedTuple):
    """A network of `examples/networks.py`, the shape of a batch, and how many batches one measurement takes."""

    name: str
    title: str
    shape: tuple[int, ...]
    batches: int
    most: float
    """`Module.fit` may cost so many times the hand-written step."""


CASES = {
    case.name: case
    for case in (
        Case("mlp", "MLP 128-64-10, batch 32", (32, 784), 600, 1.5),
        Case("lenet", "LeNet, batch 64", (64, 1, 28, 28), 25, 1.05),
        Case("resnet", "ResNet-20, 3x32x32, batch 32", (32, 3, 32, 32), 12, 1.05),
    )
}


def arrays(case: Case, batches: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images (batches * N, ...) float32 and labels (batches * N,) float32, the same in every process."""
    random = np.random.RandomState(0)
    count = (batches or case.batches) * case.shape[0]
    return random.rand(count, *case.shape[1:]).astype(np.float32), random.randint(0, 10, count).astype(np.float32)


def optimizer_params() -> dict[str, float]:
    """For `mx.optimizer.SGD`."""
    return {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "wd": WEIGHT_DECAY}
