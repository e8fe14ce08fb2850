# SPDX-License-Identifier: Apache-2.0
"""Losses inside of graphs, and which outputs need head gradients, against what MXNet 1.9.1 gave."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

sys.path.insert(0, str(Path(__file__).resolve().parent))

import loss_programs

RECORDED = json.loads((Path(__file__).resolve().parent.parent / "golden" / "executor" / "losses.json").read_text())


@pytest.mark.parametrize("with_heads", [False, True])
@pytest.mark.parametrize("name", RECORDED)
def test_gradients(name, with_heads):
    found: Any = loss_programs.gradients(mx, name, with_heads)
    recorded = RECORDED[name][with_heads]
    if "refused" in (found, recorded):
        assert found == recorded
        return
    assert found.keys() == recorded.keys()
    for argument, values in recorded.items():
        if values is None:
            assert found[argument] is None
        else:
            np.testing.assert_allclose(found[argument], values, rtol=1e-3, atol=2e-4, err_msg=argument)


def test_the_weight_of_a_blocked_loss_trains_in_one_launch_with_the_update():
    fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    loss = mx.sym.SoftmaxOutput(fc, name="softmax")
    batch = mx.io.DataBatch([mx.nd.array(np.eye(4, 5))], [mx.nd.array([0, 1, 2, 0])])
    trained = []
    for symbol in (loss, mx.sym.BlockGrad(loss)):
        module = mx.mod.Module(symbol)
        module.bind([("data", (4, 5))], [("softmax_label", (4,))])
        module.init_params(mx.init.One())
        module.init_optimizer(optimizer_params={"learning_rate": 0.5})
        for _ in range(2):
            module.forward_backward(batch)
            module.update()
        trained.append(module.get_params()[0]["fc_weight"].asnumpy())
    assert not np.allclose(trained[0], 1)
    np.testing.assert_array_equal(*trained)
