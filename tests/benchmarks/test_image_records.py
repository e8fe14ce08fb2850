# SPDX-License-Identifier: Apache-2.0
"""The benchmark of reading pictures runs, and measures an epoch."""

from __future__ import annotations

import pytest

import image_records


def test_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("MXLITE_ORACLE", raising=False)
    assert image_records.main(["--rounds", "1", "--images", "33", "--threads", "2"]) == 0
    told = capsys.readouterr().out
    assert "2 threads: mxlite" in told and "mxnet" not in told
