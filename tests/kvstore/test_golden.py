# SPDX-License-Identifier: Apache-2.0
"""Stores of one process against MXNet 1.9.1: every number and every exception class of `scenarios.py`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

HERE = Path(__file__).resolve().parent
GOLDEN = json.loads((HERE.parent / "golden/kvstore/stores.json").read_text())


def scenarios() -> Any:
    spec = importlib.util.spec_from_file_location("kvstore_scenarios", HERE / "scenarios.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(found: Any, expected: Any, name: str) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected), name
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b, name)
    elif isinstance(expected, float):
        # The sums have terms up to 8, whose last bit is worth 5e-7.
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=5e-7, err_msg=name)
    elif expected == "Exception":  # MXNet raises the bare class
        assert found == "MXNetError", name
    else:
        assert found == expected, name


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_as_mxnet(kind: str) -> None:
    found = json.loads(json.dumps(scenarios().run(mx, kind)))
    assert found.keys() == GOLDEN[kind].keys()
    for name, expected in GOLDEN[kind].items():
        assert_same(found[name], expected, name)
