# SPDX-License-Identifier: Apache-2.0
"""Autograd gives what MXNet 1.9.1 gave (tests/golden/autograd/cases.json, made by record.py)."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mxlite as mx

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE.parent / "golden" / "autograd" / "cases.json").read_text())


@cache
def load(name: str) -> ModuleType:
    """A module beside this one; tests are no package, and names such as `cases` are taken twice."""
    spec = importlib.util.spec_from_file_location(f"autograd_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def found(module: str) -> dict[str, Any]:
    return load(module).cases(mx, np)


def same(mine: Any, theirs: Any, where: str = "") -> None:
    if isinstance(theirs, dict) and "values" in theirs:
        assert {k: mine[k] for k in ("shape", "dtype")} == {k: theirs[k] for k in ("shape", "dtype")}, where
        rtol = 2e-3 if theirs["dtype"] == "float16" else 1e-5
        a, b = (np.array([float(v) for v in x["values"]]) for x in (mine, theirs))
        np.testing.assert_allclose(a, b, rtol, 1e-6, err_msg=where)
    elif isinstance(theirs, dict):
        assert mine.keys() == theirs.keys(), f"{mine} against {theirs}"
        for key, value in theirs.items():
            same(mine[key], value, f"{where}.{key}")
    elif isinstance(theirs, list):
        assert len(mine) == len(theirs), where
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            same(a, b, f"{where}[{i}]")
    else:
        assert mine == theirs, where


@pytest.mark.parametrize("module, name", [(m, n) for m, names in GOLDEN.items() for n in names])
def test_case(module: str, name: str) -> None:
    recorder = load("record")
    mine = json.loads(json.dumps(recorder.run(mx, np, found(module)[name])))
    same(mine, GOLDEN[module][name])


def test_every_case_is_recorded() -> None:
    assert {m: sorted(found(m)) for m in load("record").MODULES} == {m: sorted(names) for m, names in GOLDEN.items()}
