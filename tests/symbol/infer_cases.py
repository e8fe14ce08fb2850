# SPDX-License-Identifier: Apache-2.0
"""Calls of infer_shape and infer_type that are run both by mxlite and by MXNet 1.9.1 (Python 3.8)."""

import warnings

import numpy as np

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def fc(mx):
    return mx.sym.FullyConnected(mx.sym.Variable("data"), name="fc1", num_hidden=3)


def bn(mx):
    return mx.sym.BatchNorm(fc(mx), name="bn")


@case
def forward(mx):
    return fc(mx).infer_shape(data=(2, 3))


@case
def nothing_given(mx):
    return fc(mx).infer_shape()


@case
def backward_only(mx):
    return fc(mx).infer_shape(fc1_weight=(3, 7))


@case
def partial_nothing(mx):
    return fc(mx).infer_shape_partial()


@case
def partial_weight(mx):
    return fc(mx).infer_shape_partial(fc1_weight=(3, 7))


@case
def partial_batch(mx):
    return fc(mx).infer_shape_partial(data=(0, 4))


@case
def unknown_batch(mx):
    return fc(mx).infer_shape(data=(0, 4))


@case
def auxiliary(mx):
    return bn(mx).infer_shape(data=(2, 4))


@case
def auxiliary_given(mx):
    return bn(mx).infer_shape(data=(2, 4), bn_moving_mean=(3,))


@case
def partial_auxiliary(mx):
    return bn(mx).infer_shape_partial()


@case
def elementwise_both_ways(mx):
    return (mx.sym.Variable("a", shape=(0, 3)) + mx.sym.Variable("b", shape=(2, 0))).infer_shape()


@case
def given_beats_attribute(mx):
    return (mx.sym.Variable("a", shape=(2, 3)) + mx.sym.Variable("b")).infer_shape(a=(4, 3))


@case
def chain_backward(mx):
    a = mx.sym.Variable("a")
    return (mx.sym.Activation(a * 2, act_type="relu") + mx.sym.Variable("b")).infer_shape(b=(2, 5))


@case
def partial_elementwise(mx):
    return (mx.sym.Variable("a") + mx.sym.Variable("b") * 2).infer_shape_partial(a=(0, 3))


@case
def negative_is_unknown(mx):
    return (mx.sym.Variable("a") + mx.sym.Variable("b") * 2).infer_shape(a=(-1, 3))


@case
def empty_tuple_is_unknown(mx):
    return (mx.sym.Variable("a") + mx.sym.Variable("b") * 2).infer_shape(a=())


@case
def zeros_take_the_rest(mx):
    return (mx.sym.zeros((0, 3)) + mx.sym.Variable("x")).infer_shape(x=(2, 3))


@case
def constant(mx):
    return mx.sym.zeros((2, 3)).infer_shape()


@case
def single_variable(mx):
    return mx.sym.Variable("a").infer_shape(a=(1,))


@case
def several_outputs(mx):
    return mx.sym.split(mx.sym.Variable("x"), num_outputs=2).infer_shape(x=(4, 6))


@case
def one_of_several_outputs(mx):
    return mx.sym.split(mx.sym.Variable("x"), num_outputs=2)[1].infer_shape(x=(4, 6))


@case
def internals(mx):
    return bn(mx).get_internals().infer_shape(data=(2, 4))


@case
def group(mx):
    return mx.sym.Group([mx.sym.Variable("a") + 1, mx.sym.Variable("b")]).infer_shape(a=(1,), b=(2,))


@case
def lenet_shapes(mx):
    net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(5, 5), num_filter=20, name="c")
    net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=10, name="f")
    return mx.sym.SoftmaxOutput(net, name="softmax").infer_shape(data=(64, 1, 28, 28))


@case
def reshaped(mx):
    return (mx.sym.Reshape(mx.sym.Variable("x"), shape=(2, -1)) + mx.sym.Variable("b")).infer_shape(x=(4, 3))


@case
def type_forward(mx):
    return fc(mx).infer_type(data="float16")


@case
def type_of_numpy(mx):
    return fc(mx).infer_type(data=np.dtype("int32"))


@case
def type_nothing(mx):
    return fc(mx).infer_type()


@case
def type_partial(mx):
    return fc(mx).infer_type_partial()


@case
def type_auxiliary(mx):
    return bn(mx).infer_type(data="float32")


@case
def type_attribute(mx):
    return (mx.sym.Variable("a", dtype="float16") + mx.sym.Variable("b")).infer_type()


@case
def type_given_beats_attribute(mx):
    return (mx.sym.Variable("a", dtype="float16") + mx.sym.Variable("b")).infer_type(a="float32")


@case
def type_cast(mx):
    return mx.sym.Cast(mx.sym.Variable("a"), dtype="uint8").infer_type(a="float16")


@case
def type_cast_nothing(mx):
    return mx.sym.Cast(mx.sym.Variable("a"), dtype="uint8").infer_type()


@case
def type_cast_partial(mx):
    return mx.sym.Cast(mx.sym.Variable("a"), dtype="uint8").infer_type_partial()


@case
def type_constant(mx):
    return mx.sym.zeros((2, 3)).infer_type()


@case
def type_python(mx):
    a = mx.sym.Variable("a") + mx.sym.Variable("b") * 2
    return a.infer_type(a=float)


@case
def type_bool(mx):
    return (mx.sym.Variable("a") * 2).infer_type(a=bool)


@case
def type_comparison(mx):
    return (mx.sym.softmax(mx.sym.Variable("x")) > 2).infer_type(x="float16")


@case
def type_backward(mx):
    return (mx.sym.Activation(mx.sym.Variable("a") * 2, act_type="relu") + mx.sym.Variable("b")).infer_type(b="float64")


def describe(mx, name):
    """What the call returns, dtypes by name, and what it warns of."""
    with mx.name.NameManager(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = CASES[name](mx)
    plain = [
        None if p is None else [list(x) if isinstance(x, tuple) else x and np.dtype(x).name for x in p] for p in parts
    ]
    return {"result": plain, "warnings": [str(w.message) for w in caught if w.category is UserWarning]}
