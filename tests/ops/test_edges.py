# SPDX-License-Identifier: Apache-2.0
"""nan and inf, indices out of range, empty arrays, ties, integers: what MXNet 1.9.1 answered, call by call."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from tests.ops import edges
from tests.ops.golden import FOLDER

pytestmark = pytest.mark.usefixtures("quick_compile")

RECORDED: dict[str, Any] = json.loads((FOLDER / "edges.json").read_text())

#: Call -> why mxlite answers something else.
_EMPTY = "a 0 in a shape means unknown to MXNet, so it refuses most empty arrays, which are well defined here"
_NAN = "nan among the numbers: MXNet's oneDNN kernels lose it, here it comes through"
OTHERWISE: dict[str, str] = {
    **dict.fromkeys(
        ("nd.abs(E)", "nd.exp(E)", "nd.sort(E)", "nd.sum(E2, axis=1)", "nd.prod(E2, axis=1)", "nd.max(E2, axis=1)",
         "nd.concat(E2, E2, dim=0)", "nd.concat(E2, A, dim=0)", "nd.transpose(E2)", "E2 + 1", "nd.take(A, E)",
         "nd.dot(E2, nd.ones((3, 2)))", "nd.broadcast_add(E2, E2)"),
        _EMPTY,
    ),
    **dict.fromkeys(
        ("nd.softmax(M)", "nd.log_softmax(M)", "nd.softmax(nd.array([[INF, 1]]))", "nd.Activation(X, act_type='relu')",
         "nd.Pooling(M.reshape((1, 1, 3, 3)), kernel=(2, 2), pool_type='max')"),
        _NAN,
    ),
    **dict.fromkeys(("nd.sort(M)", "nd.argsort(M, axis=0)"), "MXNet leaves a row with a nan unsorted; here it is last"),
    "nd.nansum(M, axis=0)": "MXNet's compensated sum turns inf into nan",
    "nd.moments(M, axes=0)": "as nansum",
    "nd.norm(M, axis=1)": "MXNet scales by the largest element first, and inf / inf is nan",
}  # fmt: skip
RTOL = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return edges.answers(mx, edges.arrays(mx))


def values(output: list[Any]) -> np.ndarray:
    dtype, shape, texts = output
    return np.array([float(t) for t in texts]).astype(dtype).reshape(shape)


@pytest.mark.parametrize("call", list(RECORDED))
def test_call(call: str, answers: dict[str, Any]):
    got, want = answers[call], RECORDED[call]
    if call in OTHERWISE:
        assert got != want
        return
    assert (got is None) == (want is None)
    for x, y in zip(got or [], want or [], strict=True):
        assert x[:2] == y[:2]
        np.testing.assert_allclose(values(x).astype(float), values(y).astype(float), RTOL.get(y[0], 0), 1e-6)


def test_the_record_is_of_these_calls():
    assert list(RECORDED) == list(dict.fromkeys(edges.CALLS))
