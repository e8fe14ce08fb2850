# SPDX-License-Identifier: Apache-2.0
"""`mx.image` gives what MXNet 1.9.1 gave (tests/golden/image/cases.json, made by record.py): pixels, rows and draws."""

from __future__ import annotations

import builtins
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mxlite as mx

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE.parent / "golden" / "image" / "cases.json").read_text())

pytestmark = pytest.mark.filterwarnings("ignore:`min_area`")


def load(name: str) -> ModuleType:
    """A module beside this one; tests are no package, and names such as `record` are taken twice."""
    spec = importlib.util.spec_from_file_location(f"image_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every case by its name; nothing has run yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pictures", load("pictures"))
        folder = str(tmp_path_factory.mktemp("pictures"))
        modules = {name: load(name) for name in load("record").MODULES}
        return {f"{m}/{name}": f for m, module in modules.items() for name, f in module.cases(mx, np, folder).items()}


def same(mine: Any, theirs: Any, where: str = "") -> None:
    if isinstance(theirs, dict):
        kind = ("shape", "dtype", "digest")
        assert {k: mine.get(k) for k in kind} == {k: theirs.get(k) for k in kind}, where
        if theirs["dtype"].startswith("float"):
            largest = max(map(abs, theirs["values"]), default=0)
            np.testing.assert_allclose(mine["values"], theirs["values"], rtol=1e-5, atol=1e-6 * largest, err_msg=where)
        else:
            assert mine.get("values") == theirs.get("values"), where
    elif isinstance(theirs, list) and isinstance(mine, list) and len(mine) == len(theirs):
        for i, (m, t) in enumerate(zip(mine, theirs, strict=True)):
            same(m, t, f"{where}[{i}]")
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=1e-6), where
    else:
        assert mine == theirs, where


@pytest.mark.parametrize("name", GOLDEN)
def test_recorded(name: str, found: dict[str, Any]):
    theirs = GOLDEN[name]
    if "error" in theirs:
        kind = mx.MXNetError if theirs["error"] == "MXNetError" else getattr(builtins, theirs["error"])
        with pytest.raises(kind):
            found[name]()
        return
    mine = load("record").run(mx, np, found[name])
    assert "error" not in mine, found[name]()
    same(mine["value"], theirs["value"], "value")
    assert mine["drawn"] == theirs["drawn"]


def test_every_case_is_recorded(found: dict[str, Any]):
    assert set(found) == set(GOLDEN)
