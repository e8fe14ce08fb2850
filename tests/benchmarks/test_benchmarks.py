# SPDX-License-Identifier: Apache-2.0
"""What is compared in the benchmarks is the same work, and the report says what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import calls
import eager
import hand
import run
from cases import CASES, arrays
from fit import EagerTimer, FitTimer


# Twenty layers with BatchNorm blow up every rounding: after three updates float32 is 6 % from float64, in the
# hand-written step as much as in the Module.
@pytest.mark.parametrize(
    ("name", "layout", "batches", "tolerance"),
    [
        ("mlp", "NCHW", 3, 1e-3),
        ("lenet", "NCHW", 3, 1e-3),
        ("lenet", "NHWC", 3, 1e-3),
        ("resnet", "NHWC", 1, 5e-2),
    ],
)
def test_the_hand_written_step_is_the_step_of_fit(name: str, layout: str, batches: int, tolerance: float) -> None:
    """Same start, same batches: the same accuracy and the same weights after the updates."""
    case = CASES[name]
    fit = FitTimer(case, batches)
    start, start_aux = fit.params()
    trainer = hand.Trainer(case, start, start_aux, layout)
    images, labels = arrays(case, batches)
    accuracy = trainer.epoch(hand.channels_last(images) if layout == "NHWC" else images, labels)
    assert fit.epoch()["accuracy"] == pytest.approx(accuracy, abs=2.5 / len(images))
    params, aux = fit.params()
    for parameter, value in params.items():
        mine = hand.arranged(case, parameter, value, layout)
        moved = np.abs(mine - hand.arranged(case, parameter, start[parameter], layout)).max()
        difference = np.abs(np.asarray(trainer.params[parameter]) - mine).max()
        assert difference <= tolerance * moved + 1e-6, parameter
    for state, value in aux.items():
        np.testing.assert_allclose(trainer.aux[state], value, rtol=1e-2, atol=1e-4, err_msg=state)


def test_eager_timer_measures() -> None:
    assert 0 < EagerTimer(10).seconds() < 1


def test_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")
    monkeypatch.delenv("MXLITE_ORACLE", raising=False)
    assert run.main(["--rounds", "1", "--cases", "eager", "--write"]) == 0
    assert "eager a + b" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "results" / "numbers.json").read_text())
    assert numbers["rows"][0]["ms"]["mxlite"] > 0
    assert (tmp_path / "results" / "steps.png").stat().st_size > 1000
    assert numbers["command"] in (tmp_path / "results" / "README.md").read_text()


def test_table_names_the_faster_hand_written_layout() -> None:
    row = {
        "case": "lenet",
        "title": "LeNet",
        "most": 1.05,
        "ms": {"mxlite": 2.0, "hand NCHW": 4.0, "hand NHWC": 1.0, "mxnet": 8.0},
        "ratio": {"hand NCHW": 0.5, "hand NHWC": 2.0, "mxnet": 0.25},
    }
    assert run.worst(row) == 2.0
    assert "| LeNet | 2 | 4 (NCHW) / 1 (NHWC) | 2.00 (at most 1.05) | 8 | 0.25 |" in run.table([row])


def test_calls_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calls.COUNTS, "small", 1)
    timer = calls.CallTimer("small")
    assert len(timer.calls) >= 50
    for title in timer.calls:
        assert 0 < timer.seconds(title) < 30, title


def test_report_of_calls(tmp_path: Path) -> None:
    rows = [
        {"group": "small", "title": "a + b", "us": {"mxlite": 10.0, "mxnet": 20.0}, "ratio": 0.5},
        {"group": "small", "title": "a.T", "us": {"mxlite": 30.0, "mxnet": 20.0}, "ratio": 1.5},
        {"group": "large", "title": "a.T", "us": {"mxlite": 300.0, "mxnet": 600.0}, "ratio": 0.5},
    ]
    assert eager.slower(rows) == ["a.T (1.50)"]
    text = eager.table(rows)
    assert "| a + b | 10.0 | 20.0 | 0.50 |" in text
    assert "| **2 small calls together** | 40 | 40 | 1.00 |" in text
    eager.write(rows, 3, tmp_path)
    assert json.loads((tmp_path / "calls.json").read_text())["rows"] == rows
    page = (tmp_path / "calls.md").read_text()
    assert eager.COMMAND.format(3) in page and "in this run: a.T (1.50)." in page and "load average" in page
    assert (tmp_path / "calls.png").stat().st_size > 1000
    without = [{**row, "us": {"mxlite": 1.0}, "ratio": None} for row in rows]
    assert eager.slower(without) == [] and "| a + b | 1.0 | - | - |" in eager.table(without)
    eager.write(without, 3, tmp_path)
