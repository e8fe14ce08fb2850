# SPDX-License-Identifier: Apache-2.0
"""The example that is killed ends with the weights of one that was not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import resume

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_killed_training_ends_with_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT, ROOT / "compiler"))))
    result = resume.main(["--epochs", "5", "--kills", "1", "--before", "0.05"])
    assert result is not None
    assert result.same
    assert 1 <= result.resumed[0] <= 5
    assert result.accuracy > 0.9
