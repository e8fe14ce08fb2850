# SPDX-License-Identifier: Apache-2.0
"""What scripts use that reach below `Module`. Numbers and shapes are those of MXNet 1.9.1 with one device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.executor_manager import _split_input_slice
from mxlite.module.executor_group import DataParallelExecutorGroup

SHAPES = [mx.io.DataDesc("data", (8, 6))], [mx.io.DataDesc("softmax_label", (8,))]
DEVICES = [mx.cpu(0), mx.cpu(1)]


@pytest.fixture
def net():
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc"), name="softmax")


@pytest.fixture
def batch():
    return mx.io.DataBatch([mx.nd.array(np.eye(8, 6))], [mx.nd.array(np.arange(8) % 3)])


PARAMS = {"fc_weight": mx.nd.ones((3, 6)), "fc_bias": mx.nd.zeros((3,))}
# With equal scores each class has 1/3; three of the eight labels are 0, three are 1, two are 2.
BIAS_GRADIENT = [8 / 3 - 3, 8 / 3 - 3, 8 / 3 - 2]


def test_slices():
    assert _split_input_slice(10, [1, 1, 1]) == [slice(0, 3), slice(3, 6), slice(6, 10)]
    assert _split_input_slice(10, [1, 2]) == [slice(0, 3), slice(3, 10)]
    with pytest.raises(ValueError, match="Too many slices: 2 samples do not suffice for 3 parts"):
        _split_input_slice(2, [1, 1, 1])


def test_the_group_of_a_module_shows_its_arrays(net, batch):
    module = mx.mod.Module(net, context=DEVICES)
    with pytest.raises(mx.module.base_module.StateError, match="bind"):
        module._exec_group  # noqa: B018
    module.bind(*SHAPES, inputs_need_grad=True)
    module.init_params(arg_params=PARAMS)
    module.forward_backward(batch)
    group: Any = module._exec_group
    assert (group.batch_size, group.slices, group.contexts) == (8, [slice(0, 8)], DEVICES)
    assert (group.param_names, group.arg_names) == (["fc_weight", "fc_bias"], net.list_arguments())
    assert [[a.shape for a in arrays] for arrays in group.param_arrays] == [[(3, 6)], [(3,)]]
    assert group.data_arrays[0][0][1].shape == (8, 6) and group.label_arrays[0][0][0] == slice(0, 8)
    assert group.input_grad_arrays[0][0].shape == (8, 6)
    assert (group.aux_arrays, group.state_arrays, group.for_training) == ([], [], True)
    np.testing.assert_allclose(group.grad_arrays[1][0].asnumpy(), BIAS_GRADIENT, rtol=1e-5)
    group.execs[0].arg_dict["fc_bias"][:] = 2  # the module's own arrays
    assert module.get_params()[0]["fc_bias"].asnumpy().tolist() == [2, 2, 2]


def test_a_group_by_itself(net, batch):
    names = ["fc_weight", "fc_bias"]
    group: Any = DataParallelExecutorGroup(net, DEVICES, [1, 1], *SHAPES, names, True, True)
    group.set_params(PARAMS, {})
    group.forward(batch)
    group.backward()
    assert group.get_outputs()[0].shape == group.get_outputs(begin=0, end=1)[0].shape == (8, 3)
    assert group.get_input_grads()[0].shape == (8, 6)
    assert group.get_output_shapes() == [("softmax_output", (8, 3))]
    metric = mx.metric.create("ce")
    group.update_metric(metric, batch.label)
    assert metric.get()[1] == pytest.approx(np.log(3), rel=1e-6)
    np.testing.assert_allclose(group.grad_arrays[1][0].asnumpy(), BIAS_GRADIENT, rtol=1e-5)
    group.reshape([("data", (4, 6))], [("softmax_label", (4,))])
    assert group.batch_size == 4
    into = {n: mx.nd.zeros(a.shape) for n, a in PARAMS.items()}
    group.get_params(into, {})
    assert into["fc_weight"].asnumpy().sum() == 18
    other = DataParallelExecutorGroup(net, DEVICES, None, *SHAPES, names, True, False, shared_group=group)
    assert other.param_arrays[0][0] is group.param_arrays[0][0]
    assert group.decide_slices(SHAPES[0]) == [0]
    with pytest.raises(mx.MXNetError, match=r"same batch size, these have {'data': 8, 'x': 6}"):
        group.decide_slices([("data", (8, 6)), ("x", (6, 6))])
    with pytest.raises(ValueError, match="fc_wieght"):
        group.set_params({"fc_wieght": PARAMS["fc_weight"]}, {})


def test_the_manager_leaves_the_update_to_its_user(net, batch):
    data = mx.io.NDArrayIter(batch.data[0], batch.label[0], 8)
    manager: Any = mx.model.DataParallelExecutorManager(
        net, DEVICES, data, net.list_arguments(), ["fc_weight", "fc_bias"], [], logger=None
    )
    manager.set_params(PARAMS, {})
    with pytest.raises(mx.MXNetError, match="load_data_batch"):
        manager.forward(is_train=True)
    manager.load_data_batch(batch)
    manager.forward(is_train=True)
    manager.backward()
    for (weight,), (grad,) in zip(manager.param_arrays, manager.grad_arrays, strict=True):
        weight[:] = weight - 0.5 * grad
    into = {n: mx.nd.zeros(a.shape) for n, a in PARAMS.items()}
    manager.copy_to(into, {})
    np.testing.assert_allclose(into["fc_bias"].asnumpy(), -0.5 * np.array(BIAS_GRADIENT), rtol=1e-5)
    metric = mx.metric.create("ce")
    manager.update_metric(metric, batch.label)
    assert metric.get()[1] == pytest.approx(np.log(3), rel=1e-6)
    assert manager.aux_arrays == [] and manager.slices == [slice(0, 4), slice(4, 8)]
    with pytest.raises(mx.MXNetError, match="BucketingModule"):
        mx.model.DataParallelExecutorManager(net, DEVICES, data, [], [], [], sym_gen=lambda key: net)
