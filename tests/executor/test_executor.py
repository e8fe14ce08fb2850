# SPDX-License-Identifier: Apache-2.0
"""Executor: binding, forward and backward in every order, errors."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.program import COUNTERS


def mlp():
    data = mx.sym.Variable("data")
    fc = mx.sym.FullyConnected(data, num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(fc, name="softmax")


def times_two(**kwargs):
    return (mx.sym.Variable("a") * 2).simple_bind(mx.cpu(), a=(2,), **kwargs)


def test_simple_bind_infers_and_allocates():
    executor = mlp().simple_bind(mx.cpu(), data=(2, 4))
    assert {k: v.shape for k, v in executor.arg_dict.items()} == {
        "data": (2, 4),
        "fc_weight": (3, 4),
        "fc_bias": (3,),
        "softmax_label": (2,),
    }
    assert list(executor.grad_dict) == list(executor.arg_dict)
    assert [o.shape for o in executor.outputs] == [(2, 3)]
    assert executor.output_dict["softmax_output"] is executor.outputs[0]


def test_grad_req_null_keeps_names_with_none():
    executor = mlp().simple_bind(mx.cpu(), grad_req="null", data=(2, 4))
    executor.forward(is_train=True)
    executor.backward()
    assert executor.grad_dict == dict.fromkeys(executor.arg_dict)


def test_outputs_are_the_same_arrays_every_time():
    executor = times_two()
    held = executor.forward(is_train=False)[0]
    executor.arg_dict["a"][:] = 5
    executor.forward(is_train=False)
    assert held is executor.outputs[0]
    assert held.asnumpy().tolist() == [10, 10]


def test_outputs_before_any_forward_are_zeros():
    assert times_two().outputs[0].asnumpy().tolist() == [0, 0]


def test_forward_keywords_load_and_cast():
    executor = times_two()
    assert executor.forward(a=np.array([1, 2]))[0].asnumpy().tolist() == [2, 4]
    assert executor.forward(a=mx.nd.array([3, 4], dtype="float64"))[0].dtype == np.float32


def test_a_parameter_written_after_forward_is_not_seen_by_its_backward():
    executor = (mx.sym.Variable("a") * mx.sym.Variable("b")).bind(
        mx.cpu(), {"a": mx.nd.array([2.0]), "b": mx.nd.array([3.0])}, {"a": mx.nd.zeros(1), "b": mx.nd.zeros(1)}
    )
    executor.forward(is_train=True)
    executor.arg_dict["a"][:] = 100
    executor.backward(mx.nd.ones(1))
    assert executor.outputs[0].asscalar() == 6
    assert executor.grad_dict["b"].asscalar() == 2


def test_forward_and_backward_are_one_launch_and_one_trace():
    executor = mlp().simple_bind(mx.cpu(), data=(2, 4))
    for _ in range(2):
        executor.forward(is_train=True)
        executor.backward()
        executor.grad_dict["fc_weight"].wait_to_read()
    COUNTERS.reset()
    for _ in range(5):
        executor.forward(is_train=True)
        executor.backward()
        executor.grad_dict["fc_weight"].wait_to_read()
    assert (COUNTERS.launches, COUNTERS.traces) == (5, 0)


def test_one_array_under_two_names():
    x = mx.nd.array([3.0])
    grads = {"x": mx.nd.zeros(1), "w": mx.nd.zeros(1)}
    executor = (mx.sym.Variable("x") * mx.sym.Variable("w")).bind(mx.cpu(), {"x": x, "w": x}, grads)
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones(1))
    assert executor.outputs[0].asscalar() == 9
    assert [g.asscalar() for g in executor.grad_arrays] == [3, 3]


def test_one_gradient_array_under_two_names_gathers_both():
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    a, g = mx.nd.array([2, 3]), mx.nd.array([10, 10])
    ex = (x * 5 + y * 7).bind(mx.cpu(), {"x": a, "y": a}, {"x": g, "y": g}, "add")
    for total in (22, 34):
        ex.forward(is_train=True)
        ex.backward(mx.nd.ones(2))
        assert g.asnumpy().tolist() == [total, total]


def test_a_gradient_array_that_is_not_wanted_stays_as_it_is():
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    a, grads = mx.nd.array([2, 3]), {"x": mx.nd.zeros(2), "y": mx.nd.full((2,), 9)}
    ex = (x * y).bind(mx.cpu(), {"x": a, "y": a}, grads, {"x": "write", "y": "null"})
    ex.forward(is_train=True)
    ex.backward(mx.nd.ones(2))
    assert ex.grad_dict["y"] is grads["y"] and grads["y"].asnumpy().tolist() == [9, 9]
    assert grads["x"].asnumpy().tolist() == [2, 3]


def test_backward_after_inference_forward_uses_training_gradients():
    executor = mlp().simple_bind(mx.cpu(), data=(2, 4))
    executor.forward(is_train=False)
    before = executor.outputs[0].asnumpy()
    executor.backward()
    assert abs(executor.grad_dict["fc_bias"].asnumpy()).sum() > 0
    assert (executor.outputs[0].asnumpy() == before).all()


def test_gradients_of_integer_arguments_are_zero():
    data, index = mx.sym.Variable("data"), mx.sym.Variable("index")
    net = mx.sym.MakeLoss(mx.sym.sum(data * mx.sym.Cast(index, dtype="float32")))
    executor = net.simple_bind(mx.cpu(), data=(3,), index=(3,), type_dict={"index": "int32"})
    executor.forward(is_train=True, data=mx.nd.ones(3), index=mx.nd.array([1, 2, 3], dtype="int32"))
    executor.backward()
    assert executor.grad_dict["data"].asnumpy().tolist() == [1, 2, 3]
    assert executor.grad_dict["index"].dtype == np.int32
    assert executor.grad_dict["index"].asnumpy().tolist() == [0, 0, 0]


def test_fix_gamma_is_seen_without_a_flush():
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn")
    executor = net.simple_bind(mx.cpu(), data=(4, 2))
    executor.arg_dict["bn_gamma"][:] = 7
    executor.forward(is_train=True)
    assert executor.arg_dict["bn_gamma"].asnumpy().tolist() == [1, 1]


def test_auxiliary_states_of_an_unseen_forward_are_kept():
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn", momentum=0.5)
    executor = net.simple_bind(mx.cpu(), data=(4, 2))
    for _ in range(2):
        executor.forward(is_train=True, data=mx.nd.ones((4, 2)))
    assert executor.aux_dict["bn_moving_mean"].asnumpy().tolist() == [0.75, 0.75]


def test_reshape_shares_what_stays():
    executor = mlp().simple_bind(mx.cpu(), data=(4, 4))
    smaller = executor.reshape(data=(2, 4), softmax_label=(2,))
    assert smaller.arg_dict["fc_weight"] is executor.arg_dict["fc_weight"]
    assert smaller.outputs[0].shape == (2, 3)
    with pytest.raises(mx.MXNetError, match="allow_up_sizing=True"):
        executor.reshape(data=(8, 4), softmax_label=(8,))
    with pytest.raises(mx.MXNetError, match="partial_shaping=True"):
        executor.reshape(data=(2, 4))


def test_monitor_callback_sees_every_node():
    executor = mlp().simple_bind(mx.cpu(), data=(2, 4))
    seen = []
    executor.set_monitor_callback(lambda name, array: seen.append((name, array.shape)))
    executor.forward(is_train=False)
    assert seen == [("fc_output", (2, 3)), ("softmax_output", (2, 3))]


def test_dropout_draws_anew_and_repeats_by_seed():
    net = mx.sym.Dropout(mx.sym.Variable("data"), p=0.5)
    executor = net.simple_bind(mx.cpu(), data=(100,))
    x = mx.nd.ones(100)
    draw = lambda: executor.forward(is_train=True, data=x)[0].asnumpy()  # noqa: E731
    mx.random.seed(7)
    first, second = draw(), draw()
    mx.random.seed(7)
    assert (draw() == first).all()
    assert not (first == second).all()
    assert set(np.unique(first)) == {0, 2}


@pytest.mark.parametrize(
    ("make", "exception", "words"),
    [
        (
            lambda: mlp().bind(mx.cpu(), {"data": mx.nd.ones((2, 4))}),
            ValueError,
            "key `fc_weight` is missing in `args`",
        ),
        (lambda: mlp().bind(mx.cpu(), [mx.nd.ones((2, 4))]), ValueError, "Length of args .* 1 given, 4 needed"),
        (
            lambda: mlp().bind(mx.cpu(), [mx.nd.ones((2, 4)), mx.nd.ones((3, 5)), mx.nd.ones(3), mx.nd.ones(2)]),
            mx.MXNetError,
            r"(?s)node 'fc'.*4 and 5.*data=\(2, 4\), weight=\(3, 5\).*rule:",
        ),
        (lambda: mlp().simple_bind(mx.cpu()), RuntimeError, "(?s)cannot be decided.*data=unknown"),
        (lambda: mlp().simple_bind(mx.cpu(), grad_req="wrong", data=(2, 4)), RuntimeError, "null, write, add"),
        (
            lambda: mlp().simple_bind(mx.cpu(), data=(2, 4)).forward(nope=mx.nd.ones(2)),
            TypeError,
            "Unknown argument nope",
        ),
        (
            lambda: mlp().simple_bind(mx.cpu(), data=(2, 4)).forward(data=mx.nd.ones((3, 4))),
            ValueError,
            r"Argument data, need: \(2, 4\), received: \(3, 4\)",
        ),
        (
            lambda: times_two().backward(),
            mx.MXNetError,
            "needs head gradients: output _mulscalar.*_output is not a loss",
        ),
        (lambda: times_two().backward(mx.nd.ones(3)), mx.MXNetError, r"shape \(3,\), the output \(2,\)"),
        (lambda: times_two().backward(3), TypeError, "NDArray"),
        (lambda: times_two().copy_params_from({"nope": mx.nd.ones(2)}), ValueError, 'Find name "nope"'),
        (
            lambda: times_two().copy_params_from({"a": mx.nd.ones(7)}),
            mx.MXNetError,
            r"a has shape \(7,\), bound is \(2,\)",
        ),
        (
            lambda: (mx.sym.Variable("x") * mx.sym.Variable("x")).bind(mx.cpu(), {"x": mx.nd.ones(1)}),
            mx.MXNetError,
            "two variables share the name x",
        ),
    ],
)
def test_errors_say_what_is_wrong(make, exception, words):
    with pytest.raises(exception, match=words):
        make()
