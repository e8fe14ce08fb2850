# SPDX-License-Identifier: Apache-2.0
"""The benchmark of reading pictures runs, and measures an epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

import image_records


def test_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.delenv("MXLITE_ORACLE", raising=False)
    monkeypatch.setattr(image_records, "RESULTS", tmp_path)
    assert image_records.main(["--rounds", "1", "--images", "33", "--threads", "2", "--write"]) == 0
    told = capsys.readouterr().out
    assert "2 threads: mxlite" in told and "mxnet" not in told
    assert "2 threads: mxlite" in (tmp_path / "images.md").read_text()
