# SPDX-License-Identifier: Apache-2.0
"""Loops and branches give what MXNet 1.9.1 gives: JSON to the letter, names, forms, numbers and gradients."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

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


def test_structures_are_those_of_mxnet():
    found = loops.structures(mx)
    for name, text in GOLDEN["structures"].items():
        assert found[name] == text, name
        assert mx.sym.load_json(text).tojson() == text
    assert found.keys() == GOLDEN["structures"].keys()


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


a, b, c = (mx.sym.var(n) for n in "abc")
foreach, while_loop, cond = mx.sym.contrib.foreach, mx.sym.contrib.while_loop, mx.sym.contrib.cond


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: foreach(lambda x, s: 3, a, b), TypeError, r"body of foreach must return a pair \(outputs, states\)"),
        (lambda: foreach(lambda x, s: (x, s, s), a, b), ValueError, "body of foreach must return a pair"),
        (lambda: foreach(lambda x, s: (3, s), a, b), AssertionError, "foreach output must be .* list of Symbol.* 3"),
        (lambda: foreach(lambda x, s: (x, 3), a, b), AssertionError, "foreach loop_vars must be .* got 3"),
        (lambda: foreach(lambda x, s: (x, [s, s]), a, b), AssertionError, "different format"),
        (lambda: foreach(lambda x, s: (x, s), 3, b), AssertionError, "foreach input must be .* got 3"),
        (lambda: foreach(lambda x, s: (x, s), a, None), AssertionError, "foreach states must be .* got None"),
        (lambda: foreach(lambda x, s: (s, s), a, b), AssertionError, "data arrays have to be used in the loop body: a"),
        (lambda: foreach(lambda x, s: (x, c), a, b), AssertionError, "state arrays have to be used .*: b"),
        (lambda: foreach(lambda x, s: (x[0] + x[1], s), [a, a], b), AssertionError, "unique names: a-0 .*identity"),
        (lambda: foreach(lambda x, s: (x, s), [], b), mx.MXNetError, "data must not be empty"),
        (lambda: foreach(lambda x, s: (x, s), a, b, name=cast(Any, None)), TypeError, "name must be a string"),
        (
            lambda: while_loop(lambda i: i < 3, lambda i: (i, i + 1), a),
            ValueError,
            "max_iterations should be specified",
        ),
        (
            lambda: while_loop(lambda i: i, lambda i: (i, i), a, cast(Any, "x")),
            ValueError,
            "max_iterations='x' must be an integer",
        ),
        (lambda: while_loop(lambda i: i, lambda i: (i, i), a, 0), mx.MXNetError, "max_iterations='0' must be at least"),
        (lambda: while_loop(lambda: c, lambda: (c, []), [], 1), ValueError, "at least one element"),
        (lambda: while_loop(lambda i: 1, lambda i: (i, i), a, 2), ValueError, "Return of cond must be a Symbol.* 1$"),
        (lambda: while_loop(lambda i: i, lambda i: 3, a, 2), TypeError, "func of while_loop must return a pair"),
        (lambda: while_loop(lambda i: i, lambda i: (i, [i, i]), a, 2), ValueError, "1 went into func, 2 came back"),
        (lambda: while_loop(lambda i, j: i, lambda i, j: (i, [i, i]), [a, b], 2), ValueError, "2-th loop_var .*'b'"),
        (lambda: cond(a < b, lambda: [a, b], lambda: a), ValueError, "Number of outputs differs.*: 2 and 1"),
        (lambda: cond(3, lambda: a, lambda: b), AssertionError, "cond outputs must be .* got 3"),
        (lambda: cond([a], lambda: a, lambda: b), AssertionError, "pred must be one Symbol"),
        (lambda: cond(a < b, lambda: 3, lambda: b), AssertionError, "cond outputs must be .* got 3"),
        (lambda: cond(a < b, a, b), TypeError, "then_func must be a function"),
        (lambda: cond(a < b, list, list), TypeError, "then of cond returned nothing"),
    ],
)
def test_mistakes_in_graphs_are_told(call, error, message: str):
    with pytest.raises(error, match=message):
        call()


one, many = mx.nd.ones(1), mx.nd.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda F: F.foreach(lambda x, s: 3, many, one), TypeError, "body of foreach must return a pair"),
        (lambda F: F.foreach(lambda x, s: (3, s), many, one), AssertionError, "foreach output must be .*NDArray.* 3"),
        (lambda F: F.foreach(lambda x, s: (x, s), 3, one), AssertionError, "foreach input must be .* got 3"),
        (lambda F: F.foreach(lambda x, s: (x, s), [], one), IndexError, "at least one array to loop over"),
        (lambda F: F.foreach(lambda x, s: (x[0], s), [many, one], []), IndexError, r"2 steps.*shape \(1,\)"),
        (lambda F: F.while_loop(lambda i: 1, lambda i: (i, i), one), ValueError, "max_iterations should be specified"),
        (lambda F: F.while_loop(lambda i: many, lambda i: (i, i), one, 2), ValueError, r"not a scalar: .*\(2, 3\)"),
        (lambda F: F.while_loop(lambda: 1, lambda: ([], []), [], 2), ValueError, "at least one element"),
        (lambda F: F.while_loop(lambda i: 1, lambda i: (i, []), one, 2), ValueError, "1 went into func, 0 came back"),
        (lambda F: F.cond(many, lambda: one, lambda: one), ValueError, "pred must be one number"),
        (lambda F: F.cond(one, one, lambda: one), TypeError, "then_func must be a function"),
    ],
)
def test_mistakes_with_arrays_are_told(call, error, message: str):
    with pytest.raises(error, match=message):
        call(mx.nd.contrib)


def test_an_eager_loop_without_a_step():
    outputs, last = mx.nd.contrib.while_loop(lambda i: i < 1, lambda i: (i, i + 1), one, max_iterations=3)
    assert outputs == []
    assert last.asscalar() == 1


def test_nan_and_infinity():
    x = mx.nd.array([1, np.inf, -np.inf, np.nan], dtype="float64")
    for name, want in (("isnan", [0, 0, 0, 1]), ("isinf", [0, 1, 1, 0]), ("isfinite", [1, 0, 0, 0])):
        function = getattr(mx.nd.contrib, name)
        assert function(x).asnumpy().tolist() == want
        assert function(x).dtype == np.float64
        whole = function(mx.nd.array([1, 2], dtype="int32"))
        assert whole.dtype == np.int32
        assert whole.asnumpy().tolist() == [name == "isfinite"] * 2
