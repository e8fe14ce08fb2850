# SPDX-License-Identifier: Apache-2.0
"""Executors against what MXNet 1.9.1 gave: values that a monitor sees, and random calls in random order."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bound_programs

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "executor"
WATCH = json.loads((GOLDEN / "watch.json").read_text())
CALLS = json.loads((GOLDEN / "calls.json").read_text())


def same(found, recorded):
    if isinstance(recorded, list):
        return len(found) == len(recorded) and all(map(same, found, recorded))
    return np.isclose(found, recorded, rtol=1e-3, atol=2e-4) if isinstance(recorded, float) else found == recorded


@pytest.mark.parametrize("key", WATCH)
def test_a_monitor_sees_the_same_values_under_the_same_names_in_the_same_order(key):
    name = key.removesuffix(" with inputs")
    found = bound_programs.watch(mx, *bound_programs.watched(mx)[name], name != key, bound_programs.numbers)
    assert [name for name, _ in found] == [name for name, _ in WATCH[key]]
    for (name, values), (_, recorded) in zip(found, WATCH[key], strict=True):
        assert same(values, recorded), name


@pytest.mark.parametrize("seed", bound_programs.SEEDS)
def test_random_calls_in_random_order(seed):
    found = bound_programs.calls(mx, seed)
    for step, (entry, recorded) in enumerate(zip(found, CALLS[str(seed)], strict=True)):
        assert same(entry, recorded), (step, entry, recorded)
