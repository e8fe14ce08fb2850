# SPDX-License-Identifier: Apache-2.0
"""Every public name of MXNet 1.9.1 is here with a compatible signature, or has a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import names, signatures
from tests.conformance.run import draw_names

FOUND = names.names()


def test_no_name_is_missing_without_a_reason():
    assert [f"{name.path}: {name.problem}" for name in FOUND if name.problem and not name.reason] == []


def test_no_reason_for_a_name_that_is_there():
    assert names.needless(FOUND) == []


def test_what_is_counted():
    core = [name for name in FOUND if names.is_core(name.module)]
    assert {name.module.partition(".")[0] for name in core} == set(names.CORE)
    assert len(core) == len({(name.module, name.path) for name in core}) == 1852
    assert sum(not name.problem for name in core) > 1740
    assert {name.kind for name in FOUND} == set(names.KINDS)


def test_the_report():
    some = [
        names.Name("nd", "nd.array", "functions", ""),
        names.Name("nd", "nd.get_oshape_of_gather_nd_op", "functions", "missing"),
        names.Name("gone", "gone.A", "classes", "missing"),
        names.Name("gone", "gone.A.b", "methods", "missing"),
        names.Name("sym", "sym.pi", "functions", "takes x where MXNet has y"),
    ]
    text = names.report(some)
    assert "| mx.nd | 1 of 2 |  |  |  |  |  | 1 of 2 |" in text
    assert "| **further modules** |  | 0 of 1 | 0 of 1 |  |  |  | 0 of 2 |" in text
    assert "| `mx.nd.get_oshape_of_gather_nd_op` | steps of MXNet's own indexing and metrics" in text
    assert "| `mx.gone`, `mx.sym.pi` (takes x where MXNet has y) | **nobody said why** |" in text
    assert "nd.get_oshape_of_gather_nd_op" in names.patterns()
    assert "lr_scheduler.pi" in names.needless(some)


def test_the_picture(tmp_path: Path):
    pytest.importorskip("matplotlib")
    draw_names(FOUND, tmp_path / "names.png")
    assert (tmp_path / "names.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("theirs", "ours", "wrong"),
    [
        ("(a, b=1)", "(a, b=1, c=2)", ""),
        ("(a, b=_Null)", "(a, b=7)", ""),
        ("(a=<class 'x'>, *args, **kwargs)", "(a=3, *rest, **more)", ""),
        ("(a, b=[1, 2])", "(a, b=(1, 2))", ""),
        ("(a, b={})", "(a, b=None)", ""),
        ("(a, b)", "(b, a)", "takes b where MXNet has a"),
        ("(a, b)", "(a, *, b)", "takes nothing where MXNet has b"),
        ("(a, b=1)", "(a)", "has no parameter b"),
        ("(a, b=1)", "(a, b)", "b is required, in MXNet 1 by default"),
        ("(a, b=1)", "(a, b=2)", "b is 2 by default, in MXNet 1 by default"),
        ("(a)", "(a, b)", "needs b, which MXNet does not have"),
        ("(*a)", "(a)", "takes no *a"),
        ("(a, **kwargs)", "(a)", "takes no **kwargs"),
    ],
)
def test_signatures(theirs: str, ours: str, wrong: str):
    assert signatures.problem(signatures.parse(theirs), signatures.parse(ours)) == wrong
    assert signatures.problem(signatures.parse(theirs), signatures.parse(theirs)) == ""
