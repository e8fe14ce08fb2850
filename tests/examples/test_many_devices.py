# SPDX-License-Identifier: Apache-2.0
"""The example that trains on several devices gives the weights of one, in one process and in two."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import data_parallel

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(
    ("launch", "shown"),
    [([], "1 x 4 devices"), (["-m", "mxlite", "launch", "-n", "2", sys.executable], "2 x 2 devices")],
)
def test_data_parallel(launch: list[str], shown: str) -> None:
    devices = "2" if launch else "4"
    options = [
        str(ROOT / "examples" / "data_parallel.py"),
        "--devices",
        devices,
        "--epochs",
        "1",
        "--batch-size",
        "128",
    ]
    done = subprocess.run(
        [sys.executable, *launch, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")]), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert shown in done.stdout
    found = re.search(r"moved by up to (\S+) and differ by up to (\S+)", done.stdout)
    assert found is not None
    moved, difference = map(float, found.groups())
    assert moved > 0.05 and difference < 1e-5


def test_each_worker_has_its_part_of_every_batch() -> None:
    rows = np.arange(13)
    assert data_parallel.part(rows, 6, 0, 2).tolist() == [0, 1, 2, 6, 7, 8]
    assert data_parallel.part(rows, 6, 1, 2).tolist() == [3, 4, 5, 9, 10, 11]
