# SPDX-License-Identifier: Apache-2.0
"""Symbols on given arrays: outputs, gradients, difference quotients, several settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite import test_utils as tu

X, Y = mx.sym.Variable("x"), mx.sym.Variable("y")
S = mx.sym.elemwise_add(X * Y, mx.sym.sin(X), name="s")
A = np.array([[1.0, 2], [3, 4]], np.float32)
B = np.array([[0.5, 1], [2, 0.1]], np.float32)
OUT, DX, DY = A * B + np.sin(A), B + np.cos(A), A
ONES = np.ones_like(A)


@pytest.mark.parametrize("location", [[A, B], {"y": B, "x": A}, [mx.nd.array(A), mx.nd.array(B)]])
@pytest.mark.parametrize("expected", [[OUT], {"s_output": OUT}])
def test_check_symbolic_forward(location: Any, expected: Any) -> None:
    outputs = tu.check_symbolic_forward(S, location, expected)
    np.testing.assert_allclose(outputs[0].asnumpy(), OUT, rtol=1e-6)


def test_check_symbolic_forward_tells() -> None:
    with pytest.raises(AssertionError, match=r"\(0, 0\), EXPECTED_s_output=0.50000000, FORWARD_s_output=1.34147"):
        tu.check_symbolic_forward(S, [A, B], [A * B])
    with pytest.raises(KeyError, match="there is no 'out', only s_output"):
        tu.check_symbolic_forward(S, [A, B], {"out": OUT})
    for location in ({"x": A}, {"x": A, "z": B}):
        with pytest.raises(ValueError, match=r"keys of the given location do not match.*\['x', 'y'\]"):
            tu.check_symbolic_forward(S, location, [OUT])
    with pytest.raises(ValueError, match="1 arrays are given for the 2 args: x, y"):
        tu.check_symbolic_forward(S, [A], [OUT])


def test_dtype_of_the_location() -> None:
    wide = [A.astype(np.float64), B.astype(np.float64)]
    assert tu.check_symbolic_forward(S, wide, [OUT])[0].dtype == np.float32
    assert tu.check_symbolic_forward(S, wide, [OUT], dtype=np.float64)[0].dtype == np.float64
    assert tu.check_symbolic_forward(S, wide, [OUT], dtype="asnumpy")[0].dtype == np.float64


@pytest.mark.parametrize(
    ("expected", "grad_req"),
    [
        ([DX, DY], "write"),
        ({"x": DX}, "write"),
        ([DX, DY], "add"),
        ([DX, DY], {"x": "add", "y": "write"}),
        ({"x": DX, "y": DY}, {"x": "write", "y": "null"}),
    ],
)
def test_check_symbolic_backward(expected: Any, grad_req: Any) -> None:
    grads = tu.check_symbolic_backward(S, [A, B], [ONES], expected, grad_req=grad_req)
    assert set(grads) == (set(expected) if isinstance(expected, dict) else {"x", "y"})


def test_check_symbolic_backward_tells() -> None:
    with pytest.raises(AssertionError, match=r"EXPECTED_x=2.00000000, BACKWARD_x=1.0100075"):
        tu.check_symbolic_backward(S, [A, B], [ONES], {"x": B})
    with pytest.raises(AssertionError, match="BACKWARD_x"):
        tu.check_symbolic_backward(S, [A, B], [ONES], {"x": B}, grad_req="add")
    with pytest.raises(mx.MXNetError, match="head gradients"):
        tu.check_symbolic_backward(S, [A, B], None, [DX, DY])
    with pytest.raises(KeyError, match="there is no 'out'"):
        tu.check_symbolic_backward(S, [A, B], {"out": ONES}, [DX, DY])


@pytest.mark.parametrize("grad_nodes", [None, ["x"], {"x": "write", "y": "add"}, {"x": "null", "y": "write"}])
def test_check_numeric_gradient(grad_nodes: Any) -> None:
    tu.check_numeric_gradient(S, [A, B], grad_nodes=grad_nodes)


def test_check_numeric_gradient_in_float64_is_sharp() -> None:
    tu.check_numeric_gradient(S, [A, B], dtype=np.float64, rtol=1e-7, atol=1e-9)


def test_check_numeric_gradient_finds_a_wrong_gradient() -> None:
    with pytest.raises(AssertionError, match=r"NUMERICAL_x=.*BACKWARD_x=0.00000000"):
        tu.check_numeric_gradient(mx.sym.BlockGrad(X) * Y, [A, B])


def test_check_numeric_gradient_of_several_outputs_and_of_states() -> None:
    tu.check_numeric_gradient(mx.sym.Group([X * Y, mx.sym.exp(X)]), [A / 4, B])
    rng = np.random.default_rng(5)
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn", fix_gamma=False, momentum=0.5)
    location = {"data": rng.normal(size=(6, 2)), "bn_gamma": rng.normal(size=2), "bn_beta": rng.normal(size=2)}
    states = {"bn_moving_mean": np.zeros(2), "bn_moving_var": np.ones(2)}
    tu.check_numeric_gradient(net, location, states, dtype=np.float64, rtol=1e-5, atol=1e-7)


def test_check_numeric_gradient_leaves_the_location_alone() -> None:
    a, b = mx.nd.array(A), mx.nd.array(B)
    tu.check_numeric_gradient(S, [a, b])
    np.testing.assert_array_equal(a.asnumpy(), A)
    np.testing.assert_array_equal(b.asnumpy(), B)


def test_check_numeric_gradient_refuses() -> None:
    with pytest.raises(ValueError, match="grad_nodes"):
        tu.check_numeric_gradient(S, [A, B], grad_nodes=5)
    with pytest.raises(AssertionError, match="float16, float32, float64"):
        tu.check_numeric_gradient(S, [A, B], dtype="int32")
    with pytest.raises(mx.MXNetError, match=r"'z' is no argument of the symbol\n.*x, y"):
        tu.check_numeric_gradient(S, [A, B], grad_nodes=["z"])
    with pytest.raises(mx.MXNetError, match="dense"):
        tu.check_numeric_gradient(S, [A, B], grad_stype_dict={"x": "row_sparse"})


def test_numeric_grad() -> None:
    arrays = {"x": mx.nd.array(A, dtype="float64"), "y": mx.nd.array(B, dtype="float64")}
    found = tu.numeric_grad(S.bind(mx.cpu(), arrays), {"x": A, "y": B}, dtype=np.float64)
    np.testing.assert_allclose(found["x"], B + np.cos(A.astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose(found["y"], A, rtol=1e-6)
    assert found["x"].dtype == np.float64


def test_simple_forward_and_speed() -> None:
    np.testing.assert_allclose(tu.simple_forward(S, x=A, y=B), OUT, rtol=1e-6)
    both = tu.simple_forward(mx.sym.Group([X, Y]), x=A, y=B)
    assert [type(out) for out in both] == [np.ndarray, np.ndarray]
    assert tu.check_speed(S, {"x": A, "y": B}, N=2) > 0
    assert tu.check_speed(S, N=2, typ="forward", x=(2, 2), y=(2, 2)) > 0
    with pytest.raises(ValueError, match='typ can only be "whole" or "forward"'):
        tu.check_speed(S, N=2, typ="half", x=(2, 2), y=(2, 2))


def settings(*dtypes: str) -> list[dict[str, Any]]:
    return [{"ctx": mx.cpu(i), "x": (2, 3), "type_dict": {"x": dtype}} for i, dtype in enumerate(dtypes)]


def test_check_consistency() -> None:
    truth = tu.check_consistency(mx.sym.sin(X, name="f"), settings("float32", "float64", "float16"))
    assert set(truth) == {"f_output", "x"}
    assert truth["f_output"].dtype == np.float64
    assert set(tu.check_consistency(mx.sym.sin(X, name="f"), settings("float32", "float64"), grad_req="null")) == {
        "f_output"
    }
    given = {"x": np.full((2, 3), 0.5)}
    wanted = {"f_output": mx.nd.array(np.sin(given["x"]))}
    tu.check_consistency(mx.sym.sin(X, name="f"), settings("float32", "float32"), arg_params=given, ground_truth=wanted)


def test_check_consistency_tells(capsys: pytest.CaptureFixture[str]) -> None:
    functions = [mx.sym.sin(X, name="f"), mx.sym.cos(X, name="f")]
    with pytest.raises(AssertionError, match="Predict Err: float32 ctx 0 vs float64 ctx 1 at f_output"):
        tu.check_consistency(functions, settings("float32", "float64"))
    tu.check_consistency(functions, settings("float32", "float64"), raise_on_err=False)
    assert "Train Err: float32 ctx 0 vs float64 ctx 1 at x" in capsys.readouterr().out
    tu.check_consistency(functions, settings("float32", "float64"), atol=9.0)
    with pytest.raises(AssertionError, match="at least two settings, got 1"):
        tu.check_consistency(X, settings("float32"))
    with pytest.raises(AssertionError, match=r"list_outputs\(\) of the symbols differ"):
        tu.check_consistency([mx.sym.sin(X, name="f"), mx.sym.sin(X, name="g")], settings("float32", "float32"))
    with pytest.raises(AssertionError, match="at f_output"):
        wrong = {"f_output": np.full((2, 3), 5.0)}
        tu.check_consistency(functions[0], settings("float32", "float64"), ground_truth=wrong)


def test_compare_optimizer() -> None:
    def sgd(rate: float, momentum: float = 0.0) -> mx.optimizer.Optimizer:
        return mx.optimizer.SGD(learning_rate=rate, momentum=momentum)

    tu.compare_optimizer(sgd(0.1, 0.9), sgd(0.1, 0.9), (3, 4), "float32")
    tu.compare_optimizer(sgd(0.1), sgd(0.1), [(3, 4), (2,)], "float32", ntensors=2)
    with pytest.raises(AssertionError, match="Location of maximum error"):
        tu.compare_optimizer(sgd(0.1), sgd(0.2), (3, 4), "float32")
    with pytest.raises(ValueError, match="row_sparse"):
        tu.compare_optimizer(sgd(0.1), sgd(0.1), (3, 4), "float32", w_stype="row_sparse")


def test_states_of_the_caller_stay_as_they_are() -> None:
    net = mx.sym.BatchNorm(X, name="bn", fix_gamma=False)
    location = {"x": A, "bn_gamma": np.ones(2), "bn_beta": np.zeros(2)}
    states = {"bn_moving_mean": mx.nd.zeros((2,)), "bn_moving_var": mx.nd.ones((2,))}
    tu.check_numeric_gradient(net, location, states, grad_nodes=["bn_gamma", "bn_beta"])
    np.testing.assert_array_equal(states["bn_moving_mean"].asnumpy(), [0, 0])
    np.testing.assert_array_equal(states["bn_moving_var"].asnumpy(), [1, 1])
