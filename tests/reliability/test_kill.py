# SPDX-License-Identifier: Apache-2.0
"""A few kills of `kill.py`; all fifty are in tests/benchmarks/results/kill.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_killed_trainings_go_on(environment: dict[str, str]):
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.kill", "--times", "3", "--trainings", "plain"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    assert "3 of " in done.stdout
