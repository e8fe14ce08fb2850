# SPDX-License-Identifier: Apache-2.0
"""Every metric against numbers recorded from MXNet 1.9.1."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray import NDArray

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED = json.loads((GOLDEN / "metric" / "recorded.json").read_text())
CASES = json.loads((GOLDEN / "metric" / "metrics.json").read_text())["cases"]


def array(x: dict[str, Any]) -> NDArray:
    return mx.nd.array(np.array([float(v) for v in x["v"]]).reshape(x["s"]), dtype=x.get("t", "float32"))


def same(got: Any, want: Any, tolerance: float = 1e-6) -> bool:
    if isinstance(want, list):
        return len(got) == len(want) and all(same(a, b, tolerance) for a, b in zip(got, want, strict=True))
    if isinstance(want, str) and want not in ("nan", "inf", "-inf"):
        return got == want
    want = float(want)
    return (math.isnan(got) and math.isnan(want)) or got == want or abs(got - want) <= tolerance * max(1, abs(want))


def make(case: dict[str, Any]) -> Any:
    M = mx.metric
    made = {
        "create('acc')": lambda: M.create("acc"),
        "create(['acc','ce'])": lambda: M.create(["acc", "ce"]),
        "create('top_k_accuracy', top_k=2)": lambda: M.create("top_k_accuracy", top_k=2),
        "np": lambda: M.np(lambda label, pred: (label == pred).mean(), name="eqmean"),
        "CompositeEvalMetric": lambda: M.CompositeEvalMetric([M.Accuracy(), M.CrossEntropy()]),
    }
    if case["metric"] in made:
        return made[case["metric"]]()
    if case["metric"] == "CustomMetric":
        if "name" in case["params"]:
            return M.CustomMetric(lambda label, pred: abs(label - pred).max(), name="maxdiff")
        return M.CustomMetric(lambda label, pred: (label.size, pred.size))
    return getattr(M, case["metric"])(**case["params"])


@pytest.mark.parametrize("number", range(len(RECORDED["metrics"])))
def test_recorded(number: int) -> None:
    case = RECORDED["metrics"][number]
    metric = make(case)
    assert same(list(metric.get()), case["before_any_update"])
    for update in case["updates"]:
        metric.update([array(x) for x in update["labels"]], [array(x) for x in update["preds"]])
        name, value = metric.get()
        assert name == update["name"]
        assert same(value, update["value"])
        assert same(metric.get_global()[1], update["global_value"])
    assert same([list(pair) for pair in metric.get_name_value()], case["get_name_value"])
    metric.reset_local()
    assert same(metric.get()[1], case["after_reset_local"]["local"])
    assert same(metric.get_global()[1], case["after_reset_local"]["global_"])
    metric.reset()
    assert same(metric.get()[1], case["after_reset"])


def test_facts() -> None:
    facts = RECORDED["facts"]
    for kind, name in facts["names"].items():
        given = {"TopKAccuracy(3)": (3,), "Perplexity": (None,)}.get(kind, ())
        assert getattr(mx.metric, kind.partition("(")[0])(*given).name == name
    assert str(mx.metric.Accuracy()) == facts["str"]
    assert mx.metric.Accuracy().get_config() == facts["config"]


def run(case: dict[str, Any]) -> dict[str, Any]:
    values = []
    metric = mx.metric.create(case["metric"], **case["params"])
    for update in case["updates"]:
        if isinstance(update, str):
            getattr(metric, update)()
        else:
            metric.update([array(x) for x in update[0]], [array(x) for x in update[1]])
        values.append([metric.get()[1], metric.get_global()[1]])
    return {"name": metric.get()[0], "values": values}


@pytest.mark.parametrize("number", range(len(CASES)))
def test_case(number: int) -> None:
    case = CASES[number]
    want = case["result"]
    if "error" in want:
        with pytest.raises(Exception) as caught:
            run(case)
        assert want["error"] in [kind.__name__ for kind in type(caught.value).__mro__]
        assert str(caught.value)
        return
    got = run(case)
    half = any(x["t"] == "float16" for u in case["updates"] if isinstance(u, list) for x in u[1])
    assert got["name"] == want["name"]
    if case["metric"] == "top_k_accuracy" and len(case["updates"][0][1]) and len(case["updates"][0][1][0]["s"]) == 1:
        # MXNet forgets the global sum for one-dimensional predictions.
        got["values"], want = [v[:1] for v in got["values"]], {"values": [v[:1] for v in want["values"]]}
    assert same(got["values"], want["values"], 2e-3 if half else 1e-6), (case["metric"], got, want)
