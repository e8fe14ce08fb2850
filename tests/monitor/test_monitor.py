# SPDX-License-Identifier: Apache-2.0
"""The monitor against what MXNet 1.9.1 shows for a small network."""

from __future__ import annotations

import logging

import pytest

import mxlite as mx
from mxlite.monitor import Monitor


def executor():
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    bound = mx.sym.SoftmaxOutput(fc, name="softmax").simple_bind(mx.cpu(), data=(2, 3), softmax_label=(2,))
    for array in bound.arg_dict.values():
        array[:] = 1
    return bound


def watch(batches=1, **kwargs):
    monitor, bound = Monitor(2, **kwargs), executor()
    monitor.install(bound)
    seen = []
    for _ in range(batches):
        monitor.tic()
        bound.forward(is_train=True)
        bound.backward()
        seen.append(monitor.toc())
    return seen


RECORDED = [
    (1, "fc_output", "4.0\t"),
    (1, "softmax_output", "0.5\t"),
    (1, "softmax_backward_output0", "0.5\t"),
    (1, "softmax_backward_output1", "0.0\t"),
    (1, "fc_backward_output0", "0.0\t"),
    (1, "fc_backward_output1", "1.0\t"),
    (1, "fc_backward_output2", "1.0\t"),
    (1, "data", "1.0\t"),
    (1, "fc_weight", "1.0\t"),
    (1, "fc_bias", "1.0\t"),
    (1, "softmax_label", "1.0\t"),
]


def test_every_second_batch():
    first, second, third = watch(3)
    assert first == RECORDED
    assert second == []
    assert [name for _, name, _ in third] == [name for _, name, _ in RECORDED]
    assert {step for step, _, _ in third} == {3}


def test_pattern_and_sort():
    assert watch(pattern="fc.*")[0] == [entry for entry in RECORDED if entry[1].startswith("fc")]
    assert watch(sort=True)[0] == sorted(RECORDED, key=lambda entry: entry[1])


def test_inputs_of_operators_too():
    monitor, bound = Monitor(1, monitor_all=True, pattern="fc|data|softmax_data"), executor()
    monitor.install(bound)
    monitor.tic()
    bound.forward(is_train=True)
    names = [name for _, name, _ in monitor.toc()]
    inside = ["data", "fc_data", "fc_weight", "fc_weight", "fc_bias", "fc_bias", "fc_output", "softmax_data"]
    assert names == [*inside, "data", "fc_weight", "fc_bias"]


def test_own_statistics():
    seen = watch(stat_func=lambda x: [x.max(), x.min()], pattern="fc_output")[0]
    assert seen == [(1, "fc_output", "4.0\t4.0\t")]
    with pytest.raises(AssertionError, match="'fc_output' it gave int"):
        watch(stat_func=lambda x: 3)


def test_default_is_the_root_mean_square():
    assert float(Monitor(1).stat_func(mx.nd.array([1.0, -3.0])).asscalar()) == pytest.approx(2.236068)


def test_print(caplog):
    monitor, bound = Monitor(1, pattern="fc_output"), executor()
    monitor.install(bound)
    monitor.tic()
    bound.forward()
    with caplog.at_level(logging.INFO):
        monitor.toc_print()
    assert "Batch:       1 fc_output                      4.0" in caplog.text


def test_numbers_have_the_digits_of_their_dtype():
    monitor, bound = Monitor(1, stat_func=lambda x: mx.nd.sum(x) / 3, pattern="fc_output"), executor()
    monitor.install(bound)
    monitor.tic()
    bound.forward()
    [(_, _, text)] = monitor.toc()
    assert text == "5.3333335\t"  # 16 / 3


def test_interval():
    with pytest.raises(ValueError, match="at least 1 batch, got 0"):
        Monitor(0)
