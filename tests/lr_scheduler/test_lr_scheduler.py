# SPDX-License-Identifier: Apache-2.0
"""Schedulers against the rates recorded from MXNet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mxlite import lr_scheduler

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/optimizers/golden_optimizers.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["lr_schedulers"], ids=lambda c: f"{c['cls']} {c['params']}")
def test_golden(case):
    scheduler = getattr(lr_scheduler, case["cls"])(**case["params"])
    rates = [scheduler(n) for n in range(len(case["values"]))]
    assert rates == pytest.approx(case["values"], rel=1e-12, abs=1e-15)


def test_factor_jumps_into_a_resumed_run():
    scheduler = lr_scheduler.FactorScheduler(2, 0.5, base_lr=1.0)
    assert scheduler(9) == 0.0625


def test_warmup_until_the_end():
    scheduler = lr_scheduler.PolyScheduler(10, base_lr=1.0, warmup_steps=10)
    assert scheduler(9) == 0.9
    assert scheduler(10) == 0.0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda s: s.FactorScheduler(0), ValueError, "step must be at least 1, got 0"),
        (lambda s: s.FactorScheduler(2, factor=1.5), ValueError, "factor must not be above 1"),
        (lambda s: s.FactorScheduler(2, factor=float("nan")), ValueError, "factor"),
        (lambda s: s.FactorScheduler(2, base_lr=float("nan")), ValueError, "base_lr must be a finite number, got nan"),
        (lambda s: s.MultiFactorScheduler([5, 3]), ValueError, "increasing"),
        (lambda s: s.MultiFactorScheduler([0, 3]), ValueError, "at least 1"),
        (lambda s: s.MultiFactorScheduler(3), AssertionError, "list"),
        (lambda s: s.MultiFactorScheduler([]), AssertionError, "at least one"),
        (lambda s: s.PolyScheduler(0), ValueError, "max_update must be at least 1, got 0"),
        (lambda s: s.CosineScheduler(1.5), AssertionError, "max_update must be an integer, got 1.5"),
        (
            lambda s: s.PolyScheduler(9, base_lr=0.1, warmup_begin_lr=0.5),
            ValueError,
            "must not be below warmup_begin_lr",
        ),
        (lambda s: s.PolyScheduler(9, warmup_steps=-1), ValueError, "warmup_steps must not be negative, got -1"),
        (lambda s: s.PolyScheduler(9, warmup_mode="cubic"), ValueError, "'linear' or 'constant', got 'cubic'"),
        (lambda s: s.PolyScheduler(9).get_warmup_lr(3), AssertionError, "not in the warm-up"),
        (lambda s: s.LRScheduler()(1), NotImplementedError, "must override __call__"),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error, match=words):
        make(lr_scheduler)
