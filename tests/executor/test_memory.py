# SPDX-License-Identifier: Apache-2.0
"""Memory that executors share: reshape, shared_exec, shared_buffer; what MXNet 1.9.1 shares and what not."""

from __future__ import annotations

import pytest

import mxlite as mx

INPUTS = {"data", "softmax_label"}


def net():
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(mx.sym.BatchNorm(fc, name="bn"), name="softmax")


def bound(rows=4, **kwargs):
    return net().simple_bind(mx.cpu(), data=(rows, 4), **kwargs)


def shares(one, other):
    one[:] = 77
    return bool((other.asnumpy() == 77).any())


def sharing(rows, executor, buffer):
    names = [n for n in net().list_arguments() if n not in INPUTS]
    return bound(rows, shared_arg_names=names, shared_exec=executor, shared_buffer=buffer)


def test_reshape_to_less_shares_everything():
    big = bound()
    small = big.reshape(data=(2, 4), softmax_label=(2,))
    big.arg_dict["data"][:] = mx.nd.arange(16).reshape((4, 4))
    assert small.arg_dict["data"].asnumpy().tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    for name in net().list_arguments():
        assert shares(big.arg_dict[name], small.arg_dict[name]) and shares(big.grad_dict[name], small.grad_dict[name])
    small.forward(is_train=True, data=mx.nd.ones((2, 4)))
    small.backward()
    assert big.arg_dict["data"].asnumpy()[:2].tolist() == [[1] * 4] * 2


def test_reshape_to_more_allocates_what_grows_and_only_that():
    small = bound()
    big = small.reshape(partial_shaping=True, allow_up_sizing=True, data=(8, 4))
    assert not shares(small.arg_dict["data"], big.arg_dict["data"])
    assert big.arg_dict["fc_weight"] is small.arg_dict["fc_weight"]
    assert shares(small.aux_dict["bn_moving_mean"], big.aux_dict["bn_moving_mean"])


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"data": (2, 4)}, "softmax_label.*partial_shaping=True"),
        ({"data": (8, 4), "softmax_label": (8,)}, "grow arg data.*allow_up_sizing=True"),
        ({"dat": (2, 4)}, "(?s)shape of data cannot be decided.*dat is no argument; did you mean 'data'"),
        ({"data": 3}, "shape of data must be a tuple, got 3"),
    ],
)
def test_what_reshape_refuses(shapes, words):
    with pytest.raises(mx.MXNetError, match=words):
        bound().reshape(**shapes)


def test_a_buffer_gathers_what_is_not_shared_by_name():
    buffer = {}
    first = sharing(2, None, buffer)
    assert set(buffer) == {"data", "softmax_label", "grad of data", "grad of softmax_label"}
    second = sharing(1, first, buffer)
    assert shares(first.arg_dict["fc_weight"], second.arg_dict["fc_weight"])
    assert shares(first.grad_dict["fc_weight"], second.grad_dict["fc_weight"])
    assert shares(first.aux_dict["bn_moving_mean"], second.aux_dict["bn_moving_mean"])
    assert shares(first.arg_dict["data"], second.arg_dict["data"])
    sharing(4, first, buffer)
    assert buffer["data"].shape == (4, 4)


def test_nothing_is_shared_without_a_buffer():
    first = bound()
    second = bound(shared_exec=first, shared_arg_names=["fc_weight"])
    assert not shares(first.arg_dict["fc_weight"], second.arg_dict["fc_weight"])
    assert not shares(first.aux_dict["bn_moving_mean"], second.aux_dict["bn_moving_mean"])


def test_arrays_of_the_buffer_are_used_as_they_are():
    buffer = {"data": mx.nd.full((10, 4), 3), "fc_weight": mx.nd.full((3, 4), 5)}
    executor = bound(2, shared_buffer=buffer)
    assert executor.arg_dict["data"].asnumpy().tolist() == [[3] * 4] * 2
    assert executor.arg_dict["fc_weight"] is buffer["fc_weight"]
    assert {"fc_bias", "grad of bn_gamma", "softmax_label"} < set(buffer)


@pytest.mark.parametrize(
    ("make", "exception", "words"),
    [
        (lambda: bound(shared_buffer=[1]), ValueError, "shared_buffer in simple_bind must be dict or None"),
        (
            lambda: bound(shared_buffer={"data": mx.nd.ones((4, 4), dtype="float64")}),
            RuntimeError,
            "'data' as float64, this executor needs float32",
        ),
        (
            lambda: net().simple_bind(
                mx.cpu(), data=(4, 5), shared_arg_names=["fc_weight"], shared_exec=bound(), shared_buffer={}
            ),
            RuntimeError,
            r"fc_weight of shared_exec has shape \(3, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, exception, words):
    with pytest.raises(exception, match=words):
        make()


def test_an_output_that_is_a_variable_is_its_memory():
    x = mx.sym.Variable("x")
    executor = mx.sym.Group([x, x * 2]).simple_bind(mx.cpu(), x=(2,))
    executor.forward()
    executor.arg_dict["x"][:] = 7
    assert executor.outputs[0].asnumpy().tolist() == [7, 7]
    assert executor.outputs[1].asnumpy().tolist() == [0, 0]


def test_backward_again():
    executor = (mx.sym.Variable("a") * 2).simple_bind(mx.cpu(), grad_req="add", a=(1,))
    executor.forward(is_train=True)
    for total in (2, 4):
        executor.backward(mx.nd.ones(1))
        assert executor.grad_dict["a"].asscalar() == total
    executor.backward(mx.nd.ones(1))
    executor.backward(mx.nd.ones(1))
    assert executor.grad_dict["a"].asscalar() == 8


def test_of_an_output_listed_twice_the_last_head_counts():
    y = mx.sym.Variable("x") * 3
    executor = mx.sym.Group([y, y]).simple_bind(mx.cpu(), x=(1,))
    executor.forward(is_train=True)
    executor.backward([mx.nd.ones(1), mx.nd.full((1,), 10)])
    assert executor.grad_dict["x"].asscalar() == 30


def test_lists_and_dicts_stay_the_same_objects():
    executor = bound()
    for name in ("outputs", "arg_arrays", "grad_arrays", "aux_arrays", "arg_dict", "grad_dict", "output_dict"):
        assert getattr(executor, name) is getattr(executor, name)
    assert executor.forward() is executor.outputs
    assert executor.get_optimized_symbol().list_outputs() == ["softmax_output"]


def test_debug_str_tells_the_memory():
    text = bound().debug_str()
    assert "fc = FullyConnected(data, fc_weight, fc_bias)" in text
    assert "argument: " in text and text.endswith("MB allocated on cpu(0)")
