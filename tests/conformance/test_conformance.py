# SPDX-License-Identifier: Apache-2.0
"""Operators have all the names that MXNet 1.9.1 gives them, and the report counts right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import mxlite as mx
from mxlite_compiler.op import OPS
from tests.conformance.run import Row, draw, facts, main, measure, report, table
from tests.ops.cases import DIFFERENCES

FACTS = facts()
THERE = sorted(name for name in FACTS if name in OPS)


@pytest.mark.parametrize("name", THERE)
def test_every_registered_name(name: str):
    wanted = {n for n in FACTS[name]["names"] if n == name or not n.startswith("_np")}
    assert {n for n in wanted if OPS.get(n) is not OPS[name]} == set()
    assert OPS[name].name == name


@pytest.mark.parametrize("name", THERE)
def test_every_public_name(name: str):
    for path in FACTS[name]["public"]:
        _, front, *rest = path.split(".")
        if front in ("nd", "sym") and "numpy" not in rest:
            found = getattr(mx, front)
            for part in rest:
                found = getattr(found, part)
            assert callable(found), path


def test_operators_that_mxnet_does_not_have():
    """Names that are in no MXNet would be written into files that it cannot read."""
    known = {n for fact in FACTS.values() for n in fact["names"]}
    assert sorted(n for n in OPS if n not in known and not n.startswith("_backward_")) == []


def test_a_report_of_two_operators(capsys: pytest.CaptureFixture[str]):
    rows = measure(lambda op: op in ("abs", "_random_uniform", "_np_copy"))
    assert [(r.tier, r.group, r.operators, r.there) for r in rows] == [
        (1, "elementwise", 1, 1), (1, "random", 1, 1), (3, "numpy", 1, 0),
    ]  # fmt: skip
    assert rows[0].values == rows[0].value_cases > 3
    assert rows[0].gradients == rows[0].gradient_cases > 1
    assert rows[1].value_cases == 0
    assert "| 1 (classic) | **all** | 2 | 2 |" in table(rows)
    assert all(why in report(rows) for why in DIFFERENCES.values())
    assert main(["--only", "abs"]) == 0
    assert "| elementwise | 1 | 1 |" in capsys.readouterr().out


def test_what_does_not_agree_is_told():
    row = dataclasses.replace(Row(1, "nn"), operators=2, there=1, values=1, value_cases=2, missing=["Nothing"])
    row.failures.append("abs/1: output 0: shape (2,), MXNet (3,)")
    text = report([row])
    assert "These do not agree:\n\n- abs/1: output 0" in text
    assert "Missing of tiers 1 and 2: Nothing (nn)." in text
    assert "1 of 2" in text


def test_the_picture(tmp_path: Path):
    pytest.importorskip("matplotlib")
    draw([Row(1, "nn", 3, 2, 5, 6, 1, 1), Row(2, "nn", 1, 1), Row(1, "loss", 2, 2)], tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes()[:4] == b"\x89PNG"
