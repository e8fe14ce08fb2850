# SPDX-License-Identifier: Apache-2.0
"""Operators in Python from before CustomOp, and what an operator's name tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx


class Softmax(mx.operator.NumpyOp):
    """The classic example of MXNet's first versions."""

    def __init__(self) -> None:
        with pytest.warns(UserWarning, match="deprecated"):
            super().__init__(need_top_grad=False)

    def list_arguments(self) -> list[str]:
        return ["data", "label"]

    def infer_shape(self, in_shape: Any) -> Any:
        return [in_shape[0], (in_shape[0][0],)], [in_shape[0]]

    def forward(self, in_data: Any, out_data: Any) -> None:
        (x, _), (y,) = in_data, out_data
        y[:] = np.exp(x - x.max(axis=1, keepdims=True))
        y /= y.sum(axis=1, keepdims=True)

    def backward(self, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any) -> None:
        label = in_data[1].astype(int)
        in_grad[0][:] = out_data[0]
        in_grad[0][np.arange(len(label)), label] -= 1.0


class Scale(mx.operator.NDArrayOp):
    def __init__(self, by: float) -> None:
        with pytest.warns(UserWarning, match="deprecated"):
            super().__init__()
        self.by = by

    def forward(self, in_data: Any, out_data: Any) -> None:
        out_data[0][:] = in_data[0] * self.by

    def backward(self, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any) -> None:
        in_grad[0][:] = out_grad[0] * self.by


def test_numpy_op_is_a_loss():
    net = Softmax()(data=mx.sym.var("data"), name="softmax")
    assert net.list_arguments() == ["data", "softmax_label"]
    exe = net.simple_bind(mx.cpu(), data=(2, 3))
    exe.arg_dict["softmax_label"][:] = [2, 0]
    data = np.array([[1, 2, 3], [1, 1, 1]], "float32")
    exe.forward(is_train=True, data=mx.nd.array(data))
    exe.backward()
    want = np.exp(data) / np.exp(data).sum(1, keepdims=True)
    np.testing.assert_allclose(exe.outputs[0].asnumpy(), want, rtol=1e-6)
    np.testing.assert_allclose(exe.grad_dict["data"].asnumpy(), want - np.eye(3)[[2, 0]], rtol=1e-6)


def test_two_ndarray_ops_of_one_class():
    x = mx.sym.var("x")
    exe = (Scale(3)(x) + Scale(5).get_symbol(x)).bind(mx.cpu(), {"x": mx.nd.ones(2)}, {"x": mx.nd.zeros(2)})
    assert exe.forward(is_train=True)[0].asnumpy().tolist() == [8, 8]
    exe.backward(mx.nd.array([1, 2]))
    assert exe.grad_dict["x"].asnumpy().tolist() == [8, 16]
    assert Scale(1).declare_backward_dependency([0], [1], [2]) == [0, 1, 2]


def test_what_all_share():
    with pytest.warns(UserWarning, match="PythonOp has been deprecated"):
        op = mx.operator.PythonOp(need_top_grad=False)
    assert (op.list_arguments(), op.list_outputs(), op.need_top_grad()) == (["data"], ["output"], False)
    assert op.infer_shape([(2, 3)]) == ([(2, 3)], [(2, 3)])
    out, grad = mx.nd.zeros(2), mx.nd.zeros(2)
    op.forward([mx.nd.array([3, 4])], [out])
    op.backward([mx.nd.array([5, 6])], [mx.nd.array([3, 4])], [out], [grad])
    assert (out.asnumpy().tolist(), grad.asnumpy().tolist()) == ([3, 4], [1, 1])
    with pytest.raises(NotImplementedError, match="derive from NumpyOp or NDArrayOp"):
        op(mx.sym.var("x"))


def test_storage_types_of_a_description():
    prop = mx.operator.CustomOpProp()
    dense = ["default"]
    assert prop.infer_storage_type(dense) == (dense, dense, [])
    assert prop.infer_storage_type_backward(dense, dense, dense, ["undefined"], []) == (dense, dense, dense, dense, [])
    with pytest.raises(AssertionError, match="csr"):
        prop.infer_storage_type(["csr"])


def test_arguments_of_an_operator():
    found = mx.operator.get_operator_arguments("Convolution")
    assert found.narg == len(found.names) == len(found.types) == 14
    assert found.names[:5] == ["data", "weight", "bias", "kernel", "stride"]
    assert found.types[0] == "NDArray-or-Symbol"
    assert mx.operator.get_operator_arguments("Concat").names == ["data", "num_args", "dim"]
    with pytest.raises(mx.MXNetError, match=r"Convolutoin is not registered.*Convolution"):
        mx.operator.get_operator_arguments("Convolutoin")
