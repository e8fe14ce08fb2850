# SPDX-License-Identifier: Apache-2.0
"""Two updates from row_sparse gradients, lazy and not, against MXNet 1.9.1: weights and states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

RECORDED = json.loads((Path(__file__).resolve().parent.parent / "golden" / "sparse" / "optimizers.json").read_text())


def flat(state: Any) -> list[Any]:
    """The arrays of a state."""
    if isinstance(state, tuple | list):
        return [x for part in state for x in flat(part)]
    return [] if state is None else [state]


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: f"{c['name']}-{c['weight']}")
def test_as_mxnet(case: dict[str, Any]) -> None:
    updater = mx.optimizer.get_updater(mx.optimizer.create(case["name"], **case["kw"]))
    weight = mx.nd.array(RECORDED["weight"]).tostype(case["weight"])
    for grad, want in zip(RECORDED["grads"], case["steps"], strict=True):
        updater(0, mx.nd.array(grad).tostype("row_sparse"), weight)
        np.testing.assert_allclose(weight.asnumpy(), want, rtol=1e-5, atol=1e-6)
    assert weight.stype == case["weight"]
    for state, want in zip(flat(updater.states[0]), case["states"], strict=True):
        np.testing.assert_allclose(state.asnumpy(), want, rtol=1e-5, atol=1e-6)


def test_a_lazy_update_touches_only_its_rows() -> None:
    weight = mx.nd.ones((1000, 2))
    grad = mx.nd.sparse.row_sparse_array(([[1, 1]], [7]), shape=(1000, 2))
    updater = mx.optimizer.get_updater(mx.optimizer.create("sgd", learning_rate=0.5, momentum=0.9, wd=0.1))
    updater(0, grad, weight)
    after = weight.asnumpy()
    assert (after != 1).any(axis=1).nonzero()[0].tolist() == [7]
    np.testing.assert_allclose(after[7], 1 - 0.5 * 1.1, rtol=1e-6)
