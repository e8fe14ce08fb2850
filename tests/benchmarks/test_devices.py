# SPDX-License-Identifier: Apache-2.0
"""What the benchmark of several devices counts."""

from __future__ import annotations

import pytest

import devices


def test_a_step_on_two_devices_is_one_launch(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = devices.main(["--devices", "2", "--batches", "5"])
    assert (row.devices, row.launches, row.traces) == (2, 5, 0)
    assert "| 2 | 1 | 0 |" in capsys.readouterr().out
