# SPDX-License-Identifier: Apache-2.0
"""Loops and branches give what MXNet 1.9.1 gives: JSON to the letter, names, forms, numbers and gradients."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite.symbol import control_flow

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import loops  # noqa: E402

GOLDEN = json.loads(Path(loops.FILE).read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def fresh_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(control_flow, "_names", mx.name.NameManager())


@pytest.mark.parametrize("name", loops.LOOPS)
def test_graph_is_that_of_mxnet(name: str):
    symbol, facts = loops.describe(mx, name)
    want = GOLDEN[name]["graph"]
    assert facts["form"] == want["form"]
    assert facts["json"] == want["json"]
    assert facts["arguments"] == want["arguments"]
    assert facts["outputs"] == want["outputs"]
    assert mx.sym.load_json(symbol.tojson()).tojson() == symbol.tojson()


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", loops.LOOPS)
def test_graph_gives_the_numbers_of_mxnet(name: str):
    symbol = loops.describe(mx, name)[0]
    for graph in (symbol, mx.sym.load_json(symbol.tojson())):
        found = loops.run(mx, name, graph)
        want = GOLDEN[name]["graph"] if "values" in GOLDEN[name]["graph"] else GOLDEN[name]["eager"]
        if want is None:
            want = loops.run_eagerly(mx, name)
        check(found, want)


@pytest.mark.parametrize("name", loops.LOOPS)
def test_arrays_give_the_same(name: str):
    found = loops.run_eagerly(mx, name)
    if GOLDEN[name]["eager"] is None:
        check(found, loops.run(mx, name, loops.describe(mx, name)[0]))
    else:
        assert found["form"] == GOLDEN[name]["eager"]["form"]
        check(found, GOLDEN[name]["eager"])


def check(found, want):
    for a, b in zip(found["values"], want["values"], strict=True):
        close(a, b)
    assert found["grads"].keys() == want["grads"].keys()
    for n, g in want["grads"].items():
        close(found["grads"][n], g)
