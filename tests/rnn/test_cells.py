# SPDX-License-Identifier: Apache-2.0
"""Cells build MXNet's graphs to the letter, and fused and unfused ones compute the same."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import mxlite as mx
from tests.rnn import cases

GOLDEN = Path(__file__).parent.parent / "golden" / "rnn" / "cells.json.gz"
R = mx.rnn


@cache
def recorded():
    return json.loads(gzip.decompress(GOLDEN.read_bytes()))


@cache
def built():
    return cases.facts(mx)


def test_all_recorded_graphs_are_built():
    assert built().keys() == recorded()["graphs"].keys()
    assert len(built()) > 300


@pytest.mark.parametrize("name", [*cases.cells(mx), *cases.steps(mx)])
def test_graphs_equal_mxnets_to_the_letter(name):
    """The number of outputs, the names of the states, the JSON; for all ways to unroll."""
    wanted = {k: v for k, v in recorded()["graphs"].items() if k == name or k.startswith(name + "/")}
    assert wanted
    assert {k: built()[k] for k in wanted} == wanted


@pytest.mark.parametrize("name", list(recorded()["values"]))
def test_fused_and_unfused_cells_give_mxnets_numbers(name):
    wanted, found = recorded()["values"][name], computed()[name]
    assert found["gates"] == wanted["gates"]
    for way in ("fused", "unfused"):
        np.testing.assert_allclose(found[way], wanted[way], rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(found["fused"], found["unfused"], rtol=1e-5, atol=2e-6)


@cache
def computed():
    return cases.values(mx)


def _weights(cell, inputs, seed=0):
    """Random weights of a cell, by the names and shapes that inference gives."""
    network = cell.unroll(2, mx.sym.Variable("data"), layout="TNC", merge_outputs=True)[0]
    shapes = network.infer_shape(data=(2, 1, inputs))[0]
    rng = np.random.RandomState(seed)
    named = zip(network.list_arguments(), shapes, strict=True)
    return {n: mx.nd.array(rng.uniform(-1, 1, s)) for n, s in named if n != "data"}


@pytest.mark.parametrize("mode", ["rnn_relu", "rnn_tanh", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_weights_survive_packing_and_change_hands(mode, bidirectional):
    fused = R.FusedRNNCell(2, 2, mode, bidirectional=bidirectional)
    given = _weights(fused, 5)
    given["other"] = mx.nd.ones(2)
    gates = fused.unpack_weights(given)
    assert list(given) == [f"{mode}_parameters", "other"]
    stack = fused.unfuse()
    assert set(stack.pack_weights(gates)) == {*_weights(stack, 5), "other"}
    there = fused.pack_weights(stack.unpack_weights(stack.pack_weights(gates)))
    assert there.keys() == given.keys()
    np.testing.assert_array_equal(there[f"{mode}_parameters"].asnumpy(), given[f"{mode}_parameters"].asnumpy())


def test_unpacked_weights_are_copies_in_their_dtype():
    cell = R.LSTMCell(2)
    given = {n: x.astype("float16") for n, x in _weights(cell, 3).items()}
    before = given["lstm_i2h_weight"].asnumpy()
    gates = cell.unpack_weights(given)
    assert {x.dtype for x in gates.values()} == {np.float16}
    gates["lstm_i2h_f_weight"][:] = 7
    np.testing.assert_array_equal(given["lstm_i2h_weight"].asnumpy(), before)
    packed = cell.pack_weights(gates)
    assert packed["lstm_i2h_weight"].dtype == np.float16
    assert (packed["lstm_i2h_weight"].asnumpy()[2:4] == 7).all()


def test_sequence_lengths_share_one_set_of_weights():
    cell = R.GRUCell(2)
    for length in (1, 4):
        outputs, _ = cell.unroll(length, mx.sym.Variable("data"), merge_outputs=True)
        assert outputs.list_arguments() == [
            "data",
            *(f"gru_{g}_{k}" for g in ("i2h", "h2h") for k in ("weight", "bias")),
        ]
        assert outputs.infer_shape(data=(3, length, 5))[1] == [(3, length, 2)]


def test_zoneout_and_dropout_do_nothing_at_prediction():
    def outputs(cell):
        network = cell.unroll(3, mx.sym.Variable("data"), merge_outputs=True)[0]
        bound = network.simple_bind(mx.cpu(), data=(2, 3, 4), grad_req="null")
        bound.copy_params_from(_weights(cell, 4))
        bound.arg_dict["data"][:] = np.linspace(-1, 1, 24).reshape(2, 3, 4)
        return bound.forward(is_train=False)[0].asnumpy()

    plain = outputs(R.RNNCell(4))
    np.testing.assert_allclose(outputs(R.ZoneoutCell(R.RNNCell(4), 0.5, 0.5)), plain, rtol=1e-6)
    x = np.linspace(-1, 1, 24).reshape(2, 3, 4)
    np.testing.assert_allclose(outputs(R.ResidualCell(R.RNNCell(4))), plain + x, rtol=1e-5)


def test_zoneout_keeps_outputs_of_the_step_before_in_training():
    network = R.ZoneoutCell(R.RNNCell(64), 0.5).unroll(2, mx.sym.Variable("data"), merge_outputs=True)[0]
    bound = network.simple_bind(mx.cpu(), data=(8, 2, 64), grad_req="null")
    mx.random.seed(1)
    for x in bound.arg_arrays:
        x[:] = mx.nd.random.uniform(0.1, 0.2, x.shape)
    first, second = bound.forward(is_train=True)[0].asnumpy().transpose(1, 0, 2)
    assert 0.4 < (first == 0).mean() < 0.6  # before the first step the output was 0
    assert 0.4 < (first == second).mean() < 0.6


def test_zoneout_of_a_stack_works():
    """In MXNet 1.9.1 it is an AttributeError."""
    stack = R.SequentialRNNCell()
    stack.add(R.LSTMCell(2))
    stack.add(R.GRUCell(2))
    outputs, states = R.ZoneoutCell(stack, 0.5, 0.5).unroll(2, mx.sym.Variable("data"))
    assert len(outputs) == 2
    assert len(states) == 3


def test_conv_gru_with_channels_last_runs():
    """MXNet's cuts another axis than that of the channels, and fails."""
    results = []
    for layout, shape in (("NCHW", (1, 2, 3, 4)), ("NHWC", (1, 3, 4, 2))):
        cell = R.ConvGRUCell(shape, 3, conv_layout=layout, prefix="c_", i2h_weight_initializer="ones")
        network = cell.unroll(2, [mx.sym.Variable("x"), mx.sym.Variable("y")])[0][1]
        bound = network.simple_bind(mx.cpu(), x=shape, y=shape, grad_req="null")
        for name, x in bound.arg_dict.items():
            axes = (0, 2, 3, 1) if layout == "NHWC" and x.ndim == 4 else (0, 1, 2, 3)
            plain = tuple(x.shape[axes.index(i)] for i in range(4)) if x.ndim == 4 else x.shape
            value = np.sin(np.arange(np.prod(plain)) + len(name)).reshape(plain) * 0.3
            x[:] = value.transpose(axes) if x.ndim == 4 else value
        out = bound.forward()[0].asnumpy()
        results.append(out.transpose(0, 3, 1, 2) if layout == "NHWC" else out)
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


def test_forget_bias_beats_the_initializer():
    """In the input's bias of an LSTMCell only; in both of a fused one."""
    for cell, wanted in ((R.LSTMCell(2, forget_bias=3.0), {"i2h": 3.0, "h2h": 0.0}), (R.FusedRNNCell(2), None)):
        network = cell.unroll(1, mx.sym.Variable("data"), layout="TNC", merge_outputs=True)[0]
        module = mx.mod.Module(network, label_names=None)
        module.bind([("data", (1, 3, 4))])
        module.init_params(mx.init.Xavier())
        gates = cell.unpack_weights(module.get_params()[0])
        prefix = cell._prefix if wanted else f"{cell._prefix}l0_"
        for group in ("i2h", "h2h"):
            bias = {g: gates[f"{prefix}{group}_{g}_bias"].asnumpy() for g in "ifco"}
            assert (bias["f"] == (wanted or {"i2h": 1.0, "h2h": 1.0})[group]).all()
            assert all((bias[g] == 0).all() for g in "ico")
            assert np.ptp(gates[f"{prefix}{group}_f_weight"].asnumpy()) > 0


def test_a_fused_cell_warns_of_the_slower_layout():
    with pytest.warns(UserWarning, match="Consider using TNC"):
        R.FusedRNNCell(2).unroll(2, mx.sym.Variable("x"))


def test_rnn_unroll_is_deprecated_and_makes_inputs():
    with pytest.warns(UserWarning, match="deprecated"):
        outputs, _ = R.rnn_unroll(R.RNNCell(2), 2, input_prefix="p_")
    assert sorted(a for a in outputs[1].list_arguments() if a.startswith("p_")) == ["p_t0_data", "p_t1_data"]


def _other(params):
    return R.BidirectionalCell(R.RNNCell(2), R.RNNCell(2), params=params)


MISTAKES = {
    "step a fused cell": (lambda: R.FusedRNNCell(3)(mx.sym.var("x"), []), NotImplementedError, "unroll"),
    "step both ways": (lambda: _other(None)(mx.sym.var("x"), []), NotImplementedError, "unroll"),
    "step a stack both ways": (
        lambda: R.FusedRNNCell(3, bidirectional=True).unfuse()(mx.sym.var("x"), [None, None]),
        AssertionError,
        "use unroll",
    ),
    "zoneout fused": (lambda: R.ZoneoutCell(R.FusedRNNCell(3)), AssertionError, "unfuse"),
    "zoneout both ways": (lambda: R.ZoneoutCell(_other(None)), AssertionError, "underneath"),
    "zoneout stack both ways": (
        lambda: R.ZoneoutCell(R.FusedRNNCell(3, bidirectional=True).unfuse()),
        AssertionError,
        "underneath",
    ),
    "dropout of text": (lambda: R.DropoutCell(cast(Any, "a")), AssertionError, "must be a number"),
    "too few inputs": (lambda: R.RNNCell(3).unroll(2, [mx.sym.var("x")]), AssertionError, "1 inputs for 2 steps"),
    "too few inputs, fused": (
        lambda: R.FusedRNNCell(3).unroll(2, [mx.sym.var("x")], layout="TNC"),
        AssertionError,
        "1 inputs for 2 steps",
    ),
    "grouped inputs": (
        lambda: R.RNNCell(3).unroll(2, mx.sym.Group([mx.sym.var("x"), mx.sym.var("y")])),
        AssertionError,
        "grouped symbol",
    ),
    "params twice": (lambda: _other(R.RNNParams("q_")), AssertionError, "not both"),
    "no cell": (lambda: R.SequentialRNNCell().add(cast(Any, 3)), TypeError, "got int"),
    "even kernel": (lambda: R.ConvRNNCell((1, 2, 4, 4), 3, h2h_kernel=(2, 2)), AssertionError, "odd"),
    "unknown mode": (lambda: R.FusedRNNCell(3, mode="x"), ValueError, "rnn_relu"),
    "unknown activation": (
        lambda: R.RNNCell(3, activation="zz").unroll(1, mx.sym.var("x")),
        mx.MXNetError,
        "sigmoid",
    ),
    "no weight": (
        lambda: R.LSTMCell(2).unpack_weights(cast(Any, {"lstm_i2h_wieght": None})),
        KeyError,
        "lstm_i2h_weight",
    ),
    "no gate": (lambda: R.LSTMCell(2).pack_weights({}), KeyError, "lstm_i2h_i_weight"),
    "no vector": (lambda: R.FusedRNNCell(2).unpack_weights(cast(Any, {"q": None})), KeyError, "lstm_parameters"),
    "no fused gate": (lambda: R.FusedRNNCell(2).pack_weights({}), KeyError, "lstm_l0_i2h_i_weight"),
    "wrong length": (
        lambda: R.FusedRNNCell(2).unpack_weights({"lstm_parameters": mx.nd.ones(5)}),
        AssertionError,
        "of 5 numbers",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    call, kind, words = MISTAKES[mistake]
    with pytest.raises(kind, match=words):
        call()


def test_the_cell_below_a_modifier_is_asked_through_it():
    cell = R.LSTMCell(2)
    modifier = R.ResidualCell(cell)
    with pytest.raises(AssertionError, match="modifier cell"):
        cell.begin_state()
    assert [s.name for s in modifier.begin_state()] == ["lstm_begin_state_0", "lstm_begin_state_1"]
    with pytest.raises(AssertionError, match="modifier cell"):
        cell.begin_state()


def test_a_cell_of_ones_own_unrolls():
    class Sum(R.BaseRNNCell):
        @property
        def state_info(self):
            return [{"shape": (0, 3), "__layout__": "NC"}]

        def __call__(self, inputs, states):
            output = inputs + states[0]
            return output, [output]

    stack = R.SequentialRNNCell()
    stack.add(Sum(prefix="sum_"))
    network = stack.unroll(3, mx.sym.Variable("data"), merge_outputs=True)[0]
    assert stack.unpack_weights(cast(Any, {"a": 1})) == {"a": 1}
    x = np.arange(18).reshape(2, 3, 3)
    bound = network.simple_bind(mx.cpu(), data=x.shape)
    np.testing.assert_array_equal(bound.forward(data=mx.nd.array(x))[0].asnumpy(), x.cumsum(axis=1))
