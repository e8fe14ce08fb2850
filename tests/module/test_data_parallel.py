# SPDX-License-Identifier: Apache-2.0
"""Several devices compute a batch together: the numbers are those of one, but for the order of sums.

`spread.py` runs every scenario on one device and on four, in a process that has four.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mxlite as mx
from mxlite.executor import Placement, mesh
from mxlite.executor.layout import follow
from mxlite.module.devices import choose, workers_of
from tests.devices import facts_on_devices

HERE = Path(__file__).resolve().parent
MXNET = json.loads((HERE.parent / "golden" / "training" / "two_devices.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found():
    return facts_on_devices(HERE / "spread.py", 4)


@pytest.mark.parametrize(
    "scenario",
    "steps looked_at head_gradients shorter uneven parts time_first recurrent resumed own_optimizer family watched "
    "alone labels".split(),
)
def test_the_numbers_are_those_of_one_device(found, scenario):
    (one, _), (four, _) = found[scenario]
    assert one.keys() == four.keys()
    for name in one:
        np.testing.assert_allclose(four[name], one[name], rtol=1e-5, atol=2e-6, err_msg=name)


def test_the_numbers_are_those_of_mxnet_on_two_devices(found):
    mine = found["as MXNet"]
    assert mine.keys() == MXNET.keys()
    for name, expected in MXNET.items():
        np.testing.assert_allclose(mine[name], expected, rtol=1e-5, atol=2e-6, err_msg=name)


def test_a_step_is_one_launch_and_compiled_once(found):
    one, four = (facts for _, facts in found["steps"])
    assert one["counts"] == four["counts"] == [[1, 1], [1, 0], [1, 0], [1, 0]]
    assert four["told"] == []
    assert four["donated"] and one["donated"]


def test_each_device_has_its_part(found):
    (_, one), (_, four) = found["parts"]
    assert one["shapes"] == [[[8, 6]], [[1]], [[8, 6]], [[8, 6]]]
    assert four["shapes"] == [[[2, 6]] * 4, [[1]] * 4, [[2, 6]] * 4, [[2, 6]] * 4]
    assert four["contexts"] == ["cpu(0)", "cpu(1)", "cpu(2)", "cpu(3)"]


def test_states_are_split_where_the_batch_is(found):
    assert found["recurrent"][1][1]["parts"] == [[1, 2, 3]] * 4


def test_labels_of_one_device_collapse(found):
    assert found["labels"][1][1]["parts"] == ["cpu(0)", "cpu(1)"]


def test_batches_that_do_not_divide_are_told_once(found):
    assert found["uneven"][1][1] == {
        "told": ["a batch of 18 does not divide among 4 devices: Module runs on 3"],
        "parts": 3,
    }
    (told,) = found["shorter"][1][1]["told"]
    assert told == "a batch of 10 does not divide among cpu(0), cpu(1), cpu(2), cpu(3): each of them computes all of it"
    assert found["shorter"][0][1]["told"] == []


def test_what_cannot_be_split_runs_on_the_first_device_and_says_why(found):
    custom, sparse, groups = found["alone"][1][1]["told"]
    assert custom == "Module runs on cpu(0), the first of 4 devices, because twice runs Python code"
    assert sparse.endswith("because fc_weight is sparse or has a sparse gradient")
    assert groups.endswith("because group2ctxs places parts of the network")


def test_the_batch_size_is_that_of_the_layout(found):
    assert found["time_first"][1][1]["rescale"] == 1 / 8


def test_outputs_that_follow_the_batch():
    x, n = mx.sym.Variable("x"), mx.sym.Variable("n")
    flat = mx.sym.Reshape(x, shape=(-1, 5))  # the samples one after another
    mixed = mx.sym.Reshape(mx.sym.transpose(x, axes=(1, 0, 2)), shape=(-1, 5))
    outputs = mx.sym.Group([x, mx.sym.transpose(x), flat, mixed, mx.sym.sum(x), n])
    found = follow(outputs.graph, {"x": (4, 3, 5), "n": (4,)}, {"x": 0}, whole=False)
    assert [(f.shape, f.axis, f.exact) for f in found] == [
        ((4, 3, 5), 0, True),
        ((5, 3, 4), 2, True),
        ((12, 5), 0, False),
        ((12, 5), 0, False),
        ((1,), None, False),
        ((4,), None, False),
    ]
    assert follow(flat.graph, {"x": (4, 3, 5)}, {"x": 0}, whole=True)[0].axis == 0
    with pytest.raises(mx.MXNetError, match=r"of shape \(12, 5\) does not show which sample is where") as caught:
        follow(mixed.graph, {"x": (4, 3, 5)}, {"x": 0}, whole=True)
    assert str(mixed.name) in str(caught.value)
    total, squared = mx.sym.sum(x), mx.sym.dot(n, mx.sym.transpose(n))
    assert follow(total.graph, {"x": (4, 3, 5)}, {"x": 0}, whole=True)[0] == ((1,), None, False)
    with pytest.raises(mx.MXNetError, match=r"of shape \(4, 4\) does not show"):
        follow(squared.graph, {"n": (4, 2)}, {"n": 0}, whole=True)
    fixed = mx.sym.broadcast_add(x, mx.sym.ones((4, 3, 5)))
    assert follow(fixed.graph, {"x": (4, 3, 5)}, {"x": 0}, whole=False)[0].axis is None
    with pytest.raises(mx.MXNetError, match="takes batches of one size only"):
        follow(fixed.graph, {"x": (4, 3, 5)}, {"x": 0}, whole=True)


def test_one_device_needs_no_mesh(net):
    assert choose([mx.cpu(0), mx.cpu(1)], net, None, [mx.io.DataDesc("data", (4, 6))], None) is None


@pytest.mark.parametrize("kvstore", [None, "local", "device", "nccl", "dist_sync", "dist_device_sync"])
def test_a_job_of_one_worker(kvstore):
    assert workers_of(kvstore) == 1


def test_kvstores_are_names_or_have_a_type():
    with pytest.raises(TypeError, match="kvstore must be KVStore, str or None, got int"):
        workers_of(3)
    with pytest.raises(mx.MXNetError, match="there is no kvstore 'dist_snyc'; did you mean 'dist_sync'"):
        workers_of("dist_snyc")
    assert workers_of(mx.kv.create("dist_sync")) == 1


def test_devices_of_several_kinds_are_refused():
    class Gpu(mx.Context):
        @property
        def jax_device(self):
            return SimpleNamespace(platform="gpu")

    with pytest.raises(mx.MXNetError, match=r"cpu\(0\), gpu\(0\) are of several kinds"):
        Placement([mx.cpu(), Gpu("gpu", 0)])


def test_what_changes_nothing_is_taken(net, batches):
    module = mx.mod.Module(
        net, context=[mx.cpu(0), mx.cpu(1)], work_load_list=[1, 2], compression_params={"type": "2bit"}
    )
    module.fit(batches, num_epoch=1, kvstore="device")
    assert module.get_outputs()[0].shape == (8, 3)


def test_processes_turn_to_batches_of_other_shapes_together(monkeypatch):
    calls = []
    monkeypatch.setattr(mesh, "barrier", lambda name, timeout: calls.append(name))
    placement = Placement([mx.cpu()])
    for batches in ("data (8, 6)", "data (8, 6)", "data (5, 6)", "data (8, 6)"):
        placement.turn_to(batches)
    assert calls == [
        "a training step on data (8, 6), change 1 of the shapes",
        "a training step on data (5, 6), change 2 of the shapes",
        "a training step on data (8, 6), change 3 of the shapes",
    ]
