# SPDX-License-Identifier: Apache-2.0
"""The same seeds give the same weights, bit for bit; other seeds do not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import mxlite as mx
from tests.reliability.trainings import TRAININGS, quietly, weights

PROGRAM = """
import hashlib
from tests.reliability.trainings import quietly, weights
found = weights(quietly("module", None, 1))
print(hashlib.sha256(b"".join(found[name] for name in sorted(found))).hexdigest())
"""


@pytest.mark.parametrize("name", TRAININGS)
def test_the_same_seed_twice(name: str):
    first = weights(quietly(name, None, 2))
    mx.random.seed(99)
    np.random.seed(99)
    assert weights(quietly(name, None, 2)) == first


@pytest.mark.parametrize("optimizer", ["adam", "sgld"])
def test_the_same_seed_twice_with_other_optimizers(optimizer: str):
    options = {"optimizer": optimizer, "optimizer_params": {"learning_rate": 0.01}}
    first = weights(quietly("module", None, 2, **options))
    assert weights(quietly("module", None, 2, **options)) == first


@pytest.mark.parametrize("generator", [mx.random.seed, np.random.seed])
def test_each_seed_counts(generator, monkeypatch):
    """The initial weights are drawn from one generator, the order of rows from the other."""
    first = weights(quietly("plain", None, 1))
    monkeypatch.setattr("tests.reliability.trainings._seed", lambda: None)
    mx.random.seed(1)
    np.random.seed(2)
    assert weights(quietly("plain", None, 1)) == first
    mx.random.seed(1)
    np.random.seed(2)
    generator(50)
    assert weights(quietly("plain", None, 1)) != first


def test_the_same_seed_in_two_processes(environment: dict[str, str]):
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**environment, "PYTHONHASHSEED": seed}, check=True,
            capture_output=True, text=True, timeout=300,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1
    assert len(found.pop().strip()) == 64
