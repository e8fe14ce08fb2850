# SPDX-License-Identifier: Apache-2.0
"""The warm-up of LBSGD against steps recorded from MXNet 1.9.1, whose weights and gradients are 1."""

from __future__ import annotations

import pytest

import mxlite as mx

#: (begin_num_update, begin_epoch, updates_per_epoch, warmup_strategy): how far each of nine calls went.
RECORDED = {
    (0, 0, 2, "linear"): [0, 0.12, 0, 0.14, 0, 0.16, 0, 0.18, 0],
    (7, 0, 2, "linear"): [0, 0.12, 0, 0.14, 0, 0.16, 0, 0.18, 0],
    (7, 1, 3, "linear"): [0.0633, 0, 0.14, 0, 0.1533, 0, 0.1667, 0, 0.18],
    (7, 1, 3, "sqrt"): [0.0758, 0, 0.1632, 0, 0.173, 0, 0.1816, 0, 0.1894],
    (7, 2, 3, "power2"): [0, 0.1284, 0, 0.1444, 0, 0.164, 0, 0.1871, 0],
}


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_warm_up_counts_the_gradients_of_a_parameter(case: tuple[int, int, int, str]) -> None:
    begin_num_update, begin_epoch, updates_per_epoch, strategy = case
    optimizer = mx.optimizer.create(
        "lbsgd", learning_rate=0.1, batch_scale=2, warmup_epochs=5, begin_num_update=begin_num_update,
        begin_epoch=begin_epoch, updates_per_epoch=updates_per_epoch, warmup_strategy=strategy,
    )  # fmt: skip
    update = mx.optimizer.get_updater(optimizer)
    weights = [mx.nd.ones((1,)), mx.nd.ones((1,))]
    for step in RECORDED[case]:
        for index, weight in enumerate(weights):
            before = weight.asscalar()
            update(index, mx.nd.ones((1,)), weight)
            assert before - weight.asscalar() == pytest.approx(step, abs=1e-4)
