# SPDX-License-Identifier: Apache-2.0
"""Updates of many weights: in place, one program for a whole schedule, the functions of mx.nd.contrib, mistakes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray.dispatch import program
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS
from tests.ops.call import complaint, dtypes, shapes


def nd(*numbers: float, dtype: str = "float32") -> mx.nd.NDArray:
    return mx.nd.array(numbers, dtype=dtype)


def lists() -> list[list[mx.nd.NDArray]]:
    """Weights, gradients, means and variances of two weights."""
    return [[nd(1, -2), nd(1)], [nd(0.5, 3), nd(2)], [nd(0.1, 0.2), nd(0.1)], [nd(0.3, 0.4), nd(0.2)]]


def numbers(arrays: list[mx.nd.NDArray]) -> list[float]:
    return [x for a in arrays for x in a.asnumpy().tolist()]


def test_weights_and_states_are_written():
    w0, w1, m0, m1 = nd(1, 2), nd(3), nd(0, 0), nd(1)
    args = {"lrs": (0.1, 0.2), "wds": (0, 0.1), "momentum": 0.9}
    result = mx.nd.multi_sgd_mom_update(w0, nd(1, 1), m0, w1, nd(1), m1, **args, out=[w0, w1])
    assert result[0] is w0
    np.testing.assert_allclose(numbers([w0, w1, m0, m1]), [0.9, 1.9, 3.64, -0.1, -0.1, 0.64], rtol=1e-6)


def test_num_weights_is_counted_and_out_may_be_absent():
    results = mx.nd.multi_sgd_update(nd(1), nd(1), nd(2), nd(1), lrs=(0.5, 0.25), wds=(0, 0))
    assert numbers(results) == [0.5, 1.75]
    assert numbers([mx.nd.preloaded_multi_sgd_update(nd(1), nd(1), nd(0.5), nd(0))]) == [0.5]


@pytest.mark.parametrize("name", ["multi_sgd_update", "_multi_lamb_update", "_multi_adamw_update"])
def test_a_schedule_needs_one_program(name: str):
    op = OPS[name]
    call = getattr(mx.nd._internal if name[0] == "_" else mx.nd, name)
    arrays = [nd(1, 2), nd(1, 1), *(nd(1, 1) for _ in op.group[2:]), *(nd(1) for _ in op.tail)]
    traced = []
    for step in (1, 2, 3):
        given = {"lrs": (0.1 * step,), "learning_rates": (0.1 * step,), "wds": (0.01,), "etas": (1.0,)}
        given = {n: v for n, v in {**given, "step_count": (step,)}.items() if n in op.param_types}
        call(*arrays, **given).asnumpy()
        traced.append(program(op, {**given, op.variadic: 1})[0].traces)
    assert traced[-1] == traced[0] > 0


def test_reset_arrays():
    arrays = [nd(1, 2), nd(3, dtype="float16")]
    assert cast(Any, mx.nd.reset_arrays)(*arrays, num_arrays=2) == []
    assert numbers(arrays) == [0, 0, 0]


def test_multi_adamw_of_lists():
    weights, grads, mean, var = lists()
    result = mx.nd.contrib.multi_adamw_update(
        weights, grads, mean, var, 1.0, (0.1, 0.2), (0.1, 0), (1, 0.5), out=weights
    )
    assert result is weights
    np.testing.assert_allclose(numbers(weights), [0.874437, -1.875092, 0.935761], rtol=1e-6)
    np.testing.assert_allclose(numbers(mean + var), [0.14, 0.48, 0.29, 0.29995, 0.4086, 0.2038], rtol=1e-6)


def test_multi_lamb_of_lists():
    weights, grads, mean, var = lists()
    mx.nd.contrib.multi_lamb_update(weights, grads, mean, var, (1, 2), (0.1, 0.2), (0.1, 0), out=weights)
    np.testing.assert_allclose(numbers(weights), [0.781042, -2.045357, 0.8], rtol=1e-6)


@pytest.mark.parametrize("update", ["multi_mp_adamw_update", "multi_mp_lamb_update"])
def test_copies_of_16_bit_weights(update: str):
    weights, grads, mean, var = lists()
    half = [[x.astype("float16") for x in arrays] for arrays in (weights, grads)]
    rest = (1.0, (0.1, 0.2), (0.1, 0), (1, 1)) if "adamw" in update else ((1, 2), (0.1, 0.2), (0.1, 0))
    copies = [w.copy() for w in weights]
    mixed, plain = getattr(mx.nd.contrib, update), getattr(mx.nd.contrib, update.replace("_mp_", "_"))
    mixed(*half, [m.copy() for m in mean], [v.copy() for v in var], copies, *rest, out=half[0])
    plain(weights, grads, mean, var, *rest, out=weights)
    np.testing.assert_allclose(numbers(copies), numbers(weights), rtol=1e-6)
    np.testing.assert_allclose(numbers(half[0]), numbers(weights), rtol=1e-3)


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf, -np.inf])
def test_adamw_skips_a_step_after_an_overflow(scale: float):
    w, g, mean, var = nd(1, -2), nd(0.5, 3), nd(0.1, 0.2), nd(0.3, 0.4)
    mx.nd.contrib.adamw_update(w, g, mean, var, scale, lr=0.1, eta=0.5, wd=0.1, out=w)
    np.testing.assert_array_equal(numbers([w, mean, var]), np.array([1, -2, 0.1, 0.2, 0.3, 0.4], np.float32))


def test_adamw_takes_its_scale_as_number_array_or_symbol():
    w, g, mean, var = nd(1, -2), nd(0.5, 3), nd(0.1, 0.2), nd(0.3, 0.4)
    want = [0.932676, -1.959091]
    by_array = mx.nd.contrib.adamw_update(w, g, mean.copy(), var.copy(), nd(2), 0.1, 0.5, wd=0.1)
    by_number = mx.nd.contrib.adamw_update(w, g, mean.copy(), var.copy(), 2, 0.1, 0.5, wd=0.1)
    symbol = cast(Any, mx.sym.contrib.adamw_update)(*map(mx.sym.var, "wgmv"), 2, 0.1, 0.5, wd=0.1)
    (by_symbol,) = symbol.eval(w=w, g=g, m=mean, v=var)
    for result in (by_array, by_number, by_symbol):
        np.testing.assert_allclose(result.asnumpy(), want, rtol=1e-6)


def test_group_adagrad_has_one_rate_a_row():
    w, h = mx.nd.array([[1, -2], [3, 4], [5, 6]]), mx.nd.array([[0.1], [0], [0.3]])
    g = mx.nd.array([[0.5, 3], [0, 0], [2, 1]])
    mx.nd.contrib.group_adagrad_update(w, g, h, lr=0.1, rescale_grad=0.5, clip_gradient=1.0, out=w)
    np.testing.assert_allclose(w.asnumpy(), [[0.968534, -2.125862], [3, 4], [4.896026, 5.948013]], rtol=1e-6)
    np.testing.assert_allclose(h.asnumpy(), [[0.63125], [0], [0.925]], rtol=1e-6)


SGD = {"lrs": (0.1,), "wds": (0.0,)}


@pytest.mark.parametrize(
    ("name", "attrs", "ins", "message"),
    [
        ("multi_sgd_update", {**SGD}, [(2,)] * 4, r"num_weights=1 takes 2 arrays \(weight, grad for each\), got 4"),
        ("multi_sgd_update", {**SGD}, [(2,), (3,)], "the shape of weight_0 and of what belongs to it cannot be both"),
        ("preloaded_multi_mp_sgd_mom_update", {}, [(2,)] * 4 + [(2,), (1,)], "axis 0 of lrs cannot be both"),
        ("preloaded_multi_sgd_update", {}, [(2,)], "weight, grad for each, then lrs, wds"),
        ("reset_arrays", {"num_arrays": 1}, [(2,), (3,)], "num_arrays=1, but 2 arrays are given"),
    ],
)
def test_mistakes(name: str, attrs: dict[str, Any], ins: list[Any], message: str):
    with pytest.raises(MXNetError, match=message):
        shapes(name, ins, **attrs)


def test_mistakes_of_calls():
    with pytest.raises(MXNetError, match="lrs has 2 numbers for 1 weights"):
        mx.nd.multi_sgd_update(nd(1), nd(1), lrs=(0.1, 0.2), wds=(0,))
    with pytest.raises(MXNetError, match="required parameter wds is missing"):
        mx.nd.multi_sgd_update(nd(1), nd(1), lrs=(0.1,))
    with pytest.raises(MXNetError, match="as many arrays in every list"):
        mx.nd.contrib.multi_lamb_update([nd(1)], [], [nd(1)], [nd(1)], (1,), (0.1,), (0,))
    assert "rescale_grad" in complaint("_multi_adamw_update", [(2,)] * 4 + [(2,)], **SGD, etas=(1,))


def test_dtypes():
    ins, outs = dtypes("multi_mp_sgd_mom_update", ["float16", None, None, None], **SGD)
    assert (ins, outs) == (["float16", "float16", "float32", "float32"], ["float16"])
    ins, _ = dtypes("_multi_adamw_update", ["float64", *[None] * 4], **SGD, etas=(1,))
    assert ins == ["float64"] * 4 + ["float32"]
    with pytest.raises(MXNetError, match="grad_0 must be float16, got float32"):
        dtypes("multi_mp_sgd_update", ["float16", "float32", "float32"], **SGD)


def test_names_of_the_inputs():
    symbol = mx.sym.preloaded_multi_mp_sgd_update(name="q", num_weights=2)
    assert symbol.list_arguments() == [
        "q_weight_0", "q_grad_0", "q_weight32_0", "q_weight_1", "q_grad_1", "q_weight32_1", "q_lrs", "q_wds",
    ]  # fmt: skip
    assert symbol.list_outputs() == ["q_output0", "q_output1"]
