# SPDX-License-Identifier: Apache-2.0
"""Model parallel: `group2ctx` and several devices, in a process that has three."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.placement import place
from tests.devices import facts_on_devices

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def found():
    return facts_on_devices(HERE / "placed.py", 3)


def close(one, other):
    """Equal but for the order of sums; the gradient of a bias before BatchNorm is nothing but rounding."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=5e-6, err_msg=name)


def test_several_devices_give_the_numbers_of_one(found):
    placed, one = found["placed"], found["one"]
    for kind in ("outputs", "gradients", "states"):
        close(placed[kind], one[kind])
    assert placed["half"] == one["half"] == [2, 3]
    assert placed["seen"] == one["seen"] and "fc2_backward_output1" in placed["seen"]


def test_arrays_are_where_their_groups_are(found):
    contexts = found["contexts"]
    assert contexts["fc1_weight"] == contexts["fc1_weight gradient"] == contexts["bn_moving_mean"] == ["cpu(1)", 1]
    assert contexts["fc2_weight"] == contexts["fc2_weight gradient"] == ["cpu(2)", 2]
    assert contexts["softmax_label"] == ["cpu(0)", 0]
    assert contexts["softmax_output"] == ["cpu(1)", 1]
    assert [line.split(" on ")[1] for line in found["debug"]] == ["cpu:1", "cpu:2", "cpu:1"]


def test_modules_train_on_several_devices(found):
    close(*found["trained"])


def test_a_graph_runs_on_the_device_it_is_bound_to(found):
    assert found["second"] == {"output": ["cpu(1)", 1], "gradient": ["cpu(1)", 1], "lone": ["cpu(2)", 2]}


def grouped(name="far"):
    with mx.AttrScope(ctx_group=name):
        return mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")


def test_nodes_without_a_group_follow_their_input():
    net = grouped() * 2
    places = {node.name: where for node, where in place(net.graph, {"far": 1}, 0).items()}
    assert set(places.values()) == {1}
    assert set(place((mx.sym.Variable("x") * 2).graph, {"far": 1}, 0).values()) == {0}


def test_labels_that_share_a_device_are_one_program():
    ex = grouped().simple_bind(mx.cpu(), group2ctx={"far": mx.cpu(0)}, data=(1, 2))
    assert ex.program.fusable


@pytest.mark.parametrize(
    ("groups", "exception", "words"),
    [
        ({"fat": mx.cpu(1)}, RuntimeError, "(?s)node 'data'.*the group 'far'; did you mean 'fat'.*group2ctx names fat"),
        ({"far": mx.gpu(97)}, RuntimeError, r"no device gpu\(97\)"),
        ({"far": "cpu"}, TypeError, "group 'far' must be a Context"),
    ],
)
def test_errors(groups, exception, words):
    with pytest.raises(exception, match=words):
        grouped().simple_bind(mx.cpu(), group2ctx=groups, data=(1, 2))


def test_bind_keeps_arrays_on_one_device_without_groups():
    with pytest.raises(mx.MXNetError, match=r"a is on cpu\(1\), the executor on cpu\(0\).*group2ctx"):
        mx.sym.Variable("a").bind(mx.cpu(), {"a": mx.nd.ones(1, ctx=mx.cpu(1))})
