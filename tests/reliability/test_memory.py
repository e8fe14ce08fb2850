# SPDX-License-Identifier: Apache-2.0
"""Epoch after epoch the same arrays are alive; `memory.py` measures the bytes of the process."""

from __future__ import annotations

import gc
from pathlib import Path

import jax
import pytest

import mxlite as mx
from tests.reliability.trainings import TRAININGS, quietly

EPOCHS = 9


class Counting(mx.model.Checkpoint):
    """Counts the arrays that live on devices when an epoch has ended."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.alive: list[int] = []

    def end_epoch(self, *args, **kwargs):
        super().end_epoch(*args, **kwargs)
        gc.collect()
        gc.freeze()  # what is here now need not be looked at again
        self.alive.append(len(jax.live_arrays()))


@pytest.mark.parametrize("name", [name for name in TRAININGS if name != "plain"])
def test_no_array_is_left_over(name: str, tmp_path: Path):
    """Buckets come to be bound in the first epochs; threads have more or fewer batches on their way at an end."""
    checkpoint = Counting(tmp_path / "net", keep=1)
    try:
        quietly(name, checkpoint, EPOCHS)
    finally:
        gc.unfreeze()
    assert len(checkpoint.alive) == EPOCHS
    assert max(checkpoint.alive[6:]) <= max(checkpoint.alive[3:6]), checkpoint.alive
