# SPDX-License-Identifier: Apache-2.0
"""CustomOp: in host mode and traced, eagerly, in graphs and inside a Module."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx


class NumpySoftmax(mx.operator.CustomOp):
    """The tutorial's operator, in numpy."""

    def forward(self, is_train, req, in_data, out_data, aux):
        x = in_data[0].asnumpy()
        y = np.exp(x - x.max(axis=1).reshape((x.shape[0], 1)))
        y /= y.sum(axis=1).reshape((x.shape[0], 1))
        self.assign(out_data[0], req[0], mx.nd.array(y))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        label = in_data[1].asnumpy().ravel().astype(int)
        y = out_data[0].asnumpy()
        y[np.arange(label.shape[0]), label] -= 1.0
        self.assign(in_grad[0], req[0], mx.nd.array(y))


class NdSoftmax(mx.operator.CustomOp):
    """The same in mx.nd, so that it can be traced."""

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], mx.nd.softmax(in_data[0]))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_data[0] - mx.nd.one_hot(in_data[1], depth=out_data[0].shape[1]))


def softmax_prop(op):
    class Prop(mx.operator.CustomOpProp):
        def __init__(self):
            super().__init__(need_top_grad=False)

        def list_arguments(self):
            return ["data", "label"]

        def infer_shape(self, in_shape):
            return [in_shape[0], (in_shape[0][0],)], [in_shape[0]], []

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return op()

    return Prop


@pytest.fixture(params=["host", "jit"])
def softmax(request):
    jit = request.param == "jit"
    mx.operator.register("test_softmax", jit=jit)(softmax_prop(NdSoftmax if jit else NumpySoftmax))
    return request.param


def register(name, op, jit=False, **lists):
    class Prop(mx.operator.CustomOpProp):
        def list_arguments(self):
            return lists.get("arguments", ["data"])

        def list_outputs(self):
            return lists.get("outputs", ["output"])

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return op()

    mx.operator.register(name, jit=jit)(Prop)


def mlp(head):
    hidden = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=16, name="fc1")
    hidden = mx.sym.Activation(hidden, act_type="relu", name="relu1")
    return head(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"))


def test_eager_call(softmax):
    x = mx.nd.array([[1, 2, 3], [1, 1, 1]])
    out = mx.nd.Custom(x, mx.nd.array([0, 1]), op_type="test_softmax")
    np.testing.assert_allclose(out.asnumpy(), mx.nd.softmax(x).asnumpy(), rtol=1e-6)
    by_name = mx.nd.Custom(data=x, label=mx.nd.array([0, 1]), op_type="test_softmax")
    np.testing.assert_array_equal(by_name.asnumpy(), out.asnumpy())


def test_auto_created_label_and_names(softmax):
    net = mlp(lambda x: mx.sym.Custom(data=x, name="softmax", op_type="test_softmax"))
    assert net.list_arguments() == ["data", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias", "softmax_label"]
    assert net.list_outputs() == ["softmax_output"]
    assert net.infer_shape(data=(5, 4))[0][-1] == (5,)


def test_trains_in_a_module_to_the_same_weights_as_softmax_output(softmax):
    rng = np.random.RandomState(0)
    x = rng.rand(40, 4).astype("float32")
    y = x[:, :3].argmax(axis=1).astype("float32")

    def train(head):
        mx.random.seed(5)
        module = mx.mod.Module(mlp(head))
        module.fit(
            mx.io.NDArrayIter(x, y, 10),
            num_epoch=5,
            initializer=mx.init.Xavier(),
            optimizer_params={"learning_rate": 0.5, "momentum": 0.9},
        )
        return {k: v.asnumpy() for k, v in module.get_params()[0].items()}

    custom = train(lambda x: mx.sym.Custom(data=x, name="softmax", op_type="test_softmax"))
    builtin = train(lambda x: mx.sym.SoftmaxOutput(x, name="softmax"))
    for name, value in builtin.items():
        np.testing.assert_allclose(custom[name], value, rtol=1e-4, atol=1e-6)


def test_several_inputs_outputs_and_attributes():
    class SumDiff(mx.operator.CustomOp):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def forward(self, is_train, req, in_data, out_data, aux):
            a, b = in_data
            self.assign(out_data[0], req[0], self.scale * (a + b))
            self.assign(out_data[1], req[1], self.scale * (a - b))

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            s, d = out_grad
            self.assign(in_grad[0], req[0], self.scale * (s + d))
            self.assign(in_grad[1], req[1], self.scale * (s - d))

    class Prop(mx.operator.CustomOpProp):
        def __init__(self, scale):
            super().__init__()
            assert scale == "2.5"
            self.scale = float(scale)

        def list_arguments(self):
            return ["a", "b"]

        def list_outputs(self):
            return ["sum", "diff"]

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return SumDiff(self.scale)

    for jit in (False, True):
        mx.operator.register("test_sumdiff", jit=jit)(Prop)
        a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
        net = mx.sym.Custom(a * 2, b, op_type="test_sumdiff", scale=2.5, name="sd")
        assert net.list_outputs() == ["sd_sum", "sd_diff"]
        total = net[0] * net[1]
        executor = total.bind(
            mx.cpu(), {"a": mx.nd.array([3.0]), "b": mx.nd.array([1.0])}, {"a": mx.nd.zeros(1), "b": mx.nd.zeros(1)}
        )
        executor.forward(is_train=True)
        executor.backward(mx.nd.ones(1))
        # 2.5^2 * ((2a)^2 - b^2)
        assert executor.outputs[0].asscalar() == 6.25 * 35
        assert executor.grad_dict["a"].asscalar() == pytest.approx(6.25 * 8 * 3)
        assert executor.grad_dict["b"].asscalar() == pytest.approx(-6.25 * 2)


def test_assign_obeys_every_request():
    op = mx.operator.CustomOp()
    x = mx.nd.ones(2)
    op.assign(x, "null", mx.nd.array([5, 5]))
    assert x.asnumpy().tolist() == [1, 1]
    op.assign(x, "add", mx.nd.array([5, 5]))
    assert x.asnumpy().tolist() == [6, 6]
    op.assign(x, "write", mx.nd.array([2, 2]))
    op.assign(x, "inplace", 3)
    assert x.asnumpy().tolist() == [3, 3]
    with pytest.raises(ValueError, match="null, write, inplace or add, got 'wirte'"):
        op.assign(x, "wirte", 0)


def test_state_of_the_operator_lives_from_forward_to_backward():
    class Stateful(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            self.kept = in_data[0].asnumpy()
            self.assign(out_data[0], req[0], in_data[0])

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            self.assign(in_grad[0], req[0], mx.nd.array(self.kept) * out_grad[0])

    register("test_stateful", Stateful)
    executor = mx.sym.Custom(mx.sym.Variable("x"), op_type="test_stateful").simple_bind(mx.cpu(), x=(2,))
    executor.forward(is_train=True, x=mx.nd.array([3, 4]))
    executor.backward(mx.nd.ones(2))
    assert executor.grad_dict["x"].asnumpy().tolist() == [3, 4]


def test_a_user_exception_surfaces_as_itself_with_the_nodes_name():
    class Boom(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            raise KeyError("boom")

    register("test_boom", Boom)
    executor = mx.sym.Custom(mx.sym.Variable("x"), op_type="test_boom", name="bang").simple_bind(mx.cpu(), x=(2,))
    with pytest.raises(KeyError, match="boom") as caught:
        executor.forward(is_train=False)
    assert "forward of the custom operator 'test_boom', node 'bang'" in caught.value.__notes__[0]


def test_a_traced_operator_that_looks_at_values_is_told():
    register("test_peek", NumpySoftmax, jit=True, arguments=["data", "label"])
    net = mx.sym.Custom(mx.sym.Variable("data"), mx.sym.Variable("label"), op_type="test_peek", name="peek")
    executor = net.simple_bind(mx.cpu(), data=(2, 3), label=(2, 3))
    with pytest.raises(mx.MXNetError, match=r"(?s)jit=True.*looks at values.*mx.nd operators only"):
        executor.forward(is_train=False)[0].wait_to_read()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mx.nd.Custom(mx.nd.ones(2), op_type="neverregistered"), "no custom operator .*'neverregistered'"),
        (lambda: mx.nd.Custom(mx.nd.ones(2)), "op_type is missing"),
        (
            lambda: mx.nd.Custom(mx.nd.ones(2), mx.nd.ones(2), op_type="test_identity"),
            r"takes 1 inputs \(data\), got 2",
        ),
        (lambda: mx.nd.Custom(dta=mx.nd.ones(2), op_type="test_identity"), "no input 'dta'; did you mean 'data'"),
    ],
)
def test_errors(call, words):
    register("test_identity", NumpySoftmax)
    with pytest.raises(mx.MXNetError, match=words):
        call()
