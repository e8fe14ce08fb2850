# SPDX-License-Identifier: Apache-2.0
"""Candidate classes: `contrib.rand_zipfian` of arrays and of symbols."""

from __future__ import annotations

import json

import numpy as np

import mxlite as mx


def expected(classes: np.ndarray, num_sampled: int, range_max: int) -> np.ndarray:
    return np.log((classes + 2) / (classes + 1)) / np.log(range_max + 1) * num_sampled


def test_counts_as_mxnet():
    true = mx.nd.array([0, 3, 7])
    samples, of_true, of_samples = mx.nd.contrib.rand_zipfian(true, 4, 10)
    # recorded from MXNet 1.9.1
    np.testing.assert_allclose(of_true.asnumpy(), [1.15625931, 0.37223236, 0.19647736], rtol=1e-7)
    assert samples.dtype == np.int64 and of_true.dtype == of_samples.dtype == np.float64
    np.testing.assert_allclose(of_samples.asnumpy(), expected(samples.asnumpy(), 4, 10))


def test_draws_follow_the_distribution():
    mx.random.seed(1)
    samples, _, _ = mx.nd.contrib.rand_zipfian(mx.nd.array([0]), 100_000, 20)
    counts = np.bincount(samples.asnumpy(), minlength=20)
    want = expected(np.arange(20), 100_000, 20)
    assert len(counts) == 20
    assert np.sum((counts - want) ** 2 / want) < 43.8  # chi-square, 19 degrees of freedom, 0.1 %


def test_symbols():
    with mx.name.NameManager():
        outs = mx.sym.contrib.rand_zipfian(mx.sym.Variable("true"), 6, 10)
        net = mx.sym.Group(list(outs))
    ops = [n["op"] for n in json.loads(net.tojson())["nodes"]]
    assert ops[:5] == ["_random_uniform", "exp", "_minus_scalar", "Cast", "_mod_scalar"]
    samples, of_true, of_samples = net.bind(mx.cpu(), {"true": mx.nd.array([0, 3, 7])}).forward()
    np.testing.assert_allclose(of_true.asnumpy(), expected(np.array([0, 3, 7]), 6, 10), rtol=1e-7)
    np.testing.assert_allclose(of_samples.asnumpy(), expected(samples.asnumpy(), 6, 10))
