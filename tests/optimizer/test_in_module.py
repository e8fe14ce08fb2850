# SPDX-License-Identifier: Apache-2.0
"""In a Module the update is a part of the training step's program: it must do what the updater does on its own."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx

NAMES = sorted(set(mx.optimizer.Optimizer.opt_registry) - {"sgld", "groupadagrad"})
DATA = np.random.default_rng(0).normal(size=(4, 5)).astype("f4")
LABEL = np.array([0, 1, 2, 1], "f4")


def module(name, params):
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    made = mx.mod.Module(mx.sym.SoftmaxOutput(fc, name="softmax"))
    made.bind([("data", (4, 5))], [("softmax_label", (4,))])
    mx.random.seed(1)
    made.init_params(mx.init.Uniform(0.5))
    made.init_optimizer(optimizer=name, optimizer_params={"wd": 0.01, **params})
    return made


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_updater(name):
    params: dict[str, object] = {"momentum": 0.9} if name in ("sgd", "nag", "lars", "ccsgd") else {}
    params["lr_scheduler"] = mx.lr_scheduler.FactorScheduler(1, 0.5, base_lr=0.1)
    made = module(name, params)
    params["lr_scheduler"] = mx.lr_scheduler.FactorScheduler(1, 0.5, base_lr=0.1)
    names = {0: "fc_weight", 1: "fc_bias"}
    other = mx.optimizer.create(name, wd=0.01, rescale_grad=0.25, param_idx2name=names, **params)
    update = mx.optimizer.get_updater(other)
    weights = [made.get_params()[0][n].copy() for n in names.values()]
    batch = mx.io.DataBatch([mx.nd.array(DATA)], [mx.nd.array(LABEL)])
    for _ in range(3):
        w, b = (x.asnumpy() for x in weights)
        scores = np.exp(DATA @ w.T + b)
        d = scores / scores.sum(1, keepdims=True) - np.eye(3)[LABEL.astype(int)]
        made.forward_backward(batch)
        made.update()
        update([0, 1], [mx.nd.array(d.T @ DATA), mx.nd.array(d.sum(0))], weights)
        for n, want in zip(names.values(), weights, strict=True):
            got = made.get_params()[0][n].asnumpy()
            np.testing.assert_allclose(got, want.asnumpy(), rtol=2e-5, atol=2e-6, err_msg=n)
