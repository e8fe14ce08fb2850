# SPDX-License-Identifier: Apache-2.0
"""RNN: options that the recorded cases do not have, against loops over time in float64, and its mistakes.

MXNet 1.9.1 has `projection_size`, clipping and sequence lengths on a GPU only, so these have no recorded numbers.
"""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS
from tests.ops.call import KEY, Mode, call, complaint, dtypes, randn, shapes
from tests.ops.golden import quick_compile

GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}


def loops(mode: str, xs: Any, vector: Any, state: Any, cell: Any, lengths: Any, *, layers: int, sides: int,
          projection: int | None, clip: tuple[float, float] | None) -> tuple[Any, Any, Any]:  # fmt: skip
    """The network one sequence, step, layer and direction at a time: outputs and final states."""
    steps, batch, _ = xs.shape
    units = (state if cell is None else cell).shape[2]
    out_size = projection or units
    rows, at, weights = GATES[mode] * units, 0, []

    def take(*shape: int) -> Any:
        nonlocal at
        at += int(np.prod(shape))
        return vector[at - int(np.prod(shape)) : at].reshape(shape)

    for layer in range(layers):
        for _ in range(sides):
            width = out_size * sides if layer else xs.shape[2]
            weights.append([take(rows, width), take(rows, out_size), take(out_size, units) if projection else None])
    for w in weights:
        w += [take(rows), take(rows)]
    assert at == vector.size
    sigmoid = lambda v: 1 / (1 + jnp.exp(-v))  # noqa: E731
    last_h, last_c = [], []
    for layer in range(layers):
        out: Any = [[[None] * sides for _ in range(batch)] for _ in range(steps)]
        ends: Any = [[None] * batch for _ in range(sides)]
        for side in range(sides):
            wx, wh, wr, bx, bh = weights[layer * sides + side]
            for n in range(batch):
                c: Any
                length = steps if lengths is None else int(lengths[n])
                h = state[layer * sides + side, n]
                c = cell[layer * sides + side, n] if cell is not None else None
                for t in range(length)[:: -1 if side else 1]:
                    gx, gh = jnp.split(wx @ xs[t, n] + bx, GATES[mode]), jnp.split(wh @ h + bh, GATES[mode])
                    if mode == "lstm":
                        i, f, g, o = (a + b for a, b in zip(gx, gh, strict=True))
                        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
                        c = jnp.clip(c, *clip) if clip else c
                        h = sigmoid(o) * jnp.tanh(c)
                        h = wr @ h if projection else h
                    elif mode == "gru":
                        r, z = sigmoid(gx[0] + gh[0]), sigmoid(gx[1] + gh[1])
                        h = (1 - z) * jnp.tanh(gx[2] + r * gh[2]) + z * h
                    else:
                        h = (jnp.tanh if mode == "rnn_tanh" else lambda v: jnp.maximum(v, 0))(gx[0] + gh[0])
                    out[t][n][side] = h
                for t in range(length, steps):
                    out[t][n][side] = jnp.zeros(out_size)
                ends[side][n] = (h, c)
        xs = jnp.stack([jnp.stack([jnp.concatenate(o) for o in row]) for row in out])
        last_h += [jnp.stack([e[0] for e in side]) for side in ends]
        last_c += [jnp.stack([e[1] for e in side]) for side in ends] if cell is not None else []
    return xs, jnp.stack(last_h), jnp.stack(last_c) if last_c else None


@pytest.mark.parametrize(
    ("mode", "layers", "sides", "projection", "clip", "lengths"),
    [
        ("lstm", 2, 2, 2, None, None),
        ("lstm", 1, 1, 5, (-0.3, 0.2), [3, 1]),
        ("lstm", 2, 2, None, (-0.1, 0.4), [2, 3]),
        ("gru", 2, 2, None, None, [3, 2]),
        ("rnn_tanh", 3, 1, None, None, [1, 3]),
        ("rnn_relu", 2, 2, None, None, [3, 2]),
    ],
)
def test_options_equal_loops(mode: str, layers: int, sides: int, projection: Any, clip: Any, lengths: Any):
    attrs: dict[str, Any] = {"mode": mode, "state_size": 3, "num_layers": layers, "bidirectional": sides == 2,
                             "state_outputs": True, "projection_size": projection}  # fmt: skip
    if clip:
        attrs.update(lstm_state_clip_min=clip[0], lstm_state_clip_max=clip[1])
    attrs["use_sequence_length"] = lengths is not None
    ins, outs = shapes("RNN", [(3, 2, 2), *[None] * (2 + (mode == "lstm") + bool(lengths))], **attrs)
    arrays = [0.7 * randn(*s, dtype=np.float64, seed=i) for i, s in enumerate(ins[: 3 + (mode == "lstm")])]
    heads = [randn(*s, dtype=np.float64, seed=9 + i) for i, s in enumerate(outs)]
    op, tail = OPS["RNN"], [jnp.asarray(lengths, jnp.int32)] if lengths else []
    p = op.bind(attrs)

    def fused(*xs: Any) -> Any:
        return op.apply(p, *xs, *tail, mode=Mode(True, jnp.asarray(KEY)))[0]

    def slow(*xs: Any) -> Any:
        cell = xs[3] if mode == "lstm" else None
        found = loops(
            mode, xs[0], xs[1], xs[2], cell, lengths, layers=layers, sides=sides, projection=projection, clip=clip
        )
        return tuple(y for y in found if y is not None)

    def both(f: Any) -> Any:
        return jax.jit(
            lambda xs: (lambda outs, pull: (outs, pull(tuple(heads))))(*jax.vjp(f, *xs)),
            compiler_options=quick_compile(),
        )(arrays)

    for got, want in zip(jax.tree.leaves(both(fused)), jax.tree.leaves(both(slow)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)


def test_nan_is_clipped_on_request():
    xs = [np.full((1, 1, 1), np.nan, np.float32), np.ones(16, np.float32), *2 * [np.zeros((1, 1, 1), np.float32)]]
    attrs: dict[str, Any] = {"mode": "lstm", "state_size": 1, "num_layers": 1, "state_outputs": True,
                             "lstm_state_clip_min": -0.5, "lstm_state_clip_max": 0.5}  # fmt: skip
    assert np.isnan(call("RNN", *xs, **attrs)[2])
    assert call("RNN", *xs, **attrs, lstm_state_clip_nan=True)[2] == -0.5


def test_dropout_is_between_layers_and_in_training():
    size = {"mode": "rnn_relu", "state_size": 64, "p": 0.5}
    data, one = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 64), np.float32)
    ones = lambda layers: np.ones(shapes("RNN", [data.shape, None, None], **size, num_layers=layers)[0][1], np.float32)  # noqa: E731
    for train in (False, True):  # one layer drops nothing
        assert (np.asarray(call("RNN", data, ones(1), one, train=train, **size, num_layers=1)[0]) == 3).all()
    two = [data, ones(2), np.concatenate([one, one])]
    assert (np.asarray(call("RNN", *two, **size, num_layers=2)[0]) == 64 * 3 + 2).all()
    trained = np.asarray(call("RNN", *two, train=True, **size, num_layers=2)[0])
    assert len(np.unique(trained)) == 1  # all units of layer 2 sum the same kept ones
    kept = (trained[0, 0, 0] - 2) / 6
    assert kept == int(kept)
    assert 16 < kept < 48


def test_dtypes_stay():
    for dtype in (np.float16, np.float64):
        xs = [randn(3, 2, 2, dtype=dtype), randn(84, dtype=dtype), *2 * [np.zeros((1, 2, 3), dtype)]]
        outs = call("RNN", *xs, mode="lstm", state_size=3, num_layers=1, state_outputs=True)
        assert [y.dtype for y in outs] == [dtype] * 3
    attrs: dict[str, Any] = {"mode": "gru", "state_size": 3, "num_layers": 1, "use_sequence_length": True}
    assert dtypes("RNN", ["float64", None, None, None], **attrs) == (["float64"] * 4, ["float64"])
    assert dtypes("RNN", [None, None, "float32", "int32"], **attrs) == ([*["float32"] * 3, "int32"], ["float32"])


def test_symbol_as_in_mxnet():
    data = mx.sym.var("data")
    lstm = mx.sym.RNN(data, state_size=3, num_layers=2, mode="lstm", state_outputs=True, name="r")
    assert lstm.list_arguments() == ["data", "r_parameters", "r_state", "r_state_cell"]
    assert lstm.list_outputs() == ["r_output", "r_state_output", "r_statecell_output"]
    gru = mx.sym.RNN(data, state_size=3, num_layers=2, mode="gru", use_sequence_length=True, name="r")
    assert gru.list_arguments() == ["data", "r_parameters", "r_state", "r_sequence_length"]
    bi = mx.sym.RNN(data, state_size=3, num_layers=2, mode="lstm", bidirectional=True, name="r")
    assert bi.infer_shape(data=(5, 4, 7)) == ([(5, 4, 7), (552,), (4, 4, 3), (4, 4, 3)], [(5, 4, 6)], [])


def test_shapes_in_both_directions():
    attrs: dict[str, Any] = {"mode": "lstm", "state_size": 3, "num_layers": 2}
    assert shapes("RNN", [None, (240,), (2, 4, 0), None], [(5, 0, 3)], **attrs) == (
        [(5, 4, 7), (240,), (2, 4, 3), (2, 4, 3)],
        [(5, 4, 3)],
    )
    ins, outs = shapes("RNN", [(5, 4, 7), *[None] * 3], **attrs, bidirectional=True, projection_size=2,
                       state_outputs=True)  # fmt: skip
    assert ins == [(5, 4, 7), (480,), (4, 4, 2), (4, 4, 3)]
    assert outs == [(5, 4, 4), (4, 4, 2), (4, 4, 3)]


def test_begin_states_of_unknown_batch():
    state = mx.sym.zeros((1, 0, 3), name="begin")
    net = mx.sym.RNN(mx.sym.var("x"), mx.sym.var("w"), state, state_size=3, num_layers=1, mode="gru")
    executor = net.simple_bind(mx.cpu(), x=(2, 5, 4))
    assert executor.forward()[0].shape == (2, 5, 3)


LSTM = {"mode": "lstm", "state_size": 3, "num_layers": 2}


@pytest.mark.parametrize(
    ("ins", "attrs", "message"),
    [
        ([(5, 4), None, None, None], {}, r"data \(time, batch, input\) must have the shape .*, got \(5, 4\)"),
        ([(5, 4, 7), (10,), None, None], {}, r"parameters must have the shape \(240,\), got \(10,\)"),
        ([(5, 4, 0), (241,), None, None], {}, "parameters has 241 elements, which fits no size of the input"),
        ([(5, 4, 7), None, (2, 4, 4), None], {}, r"state must have the shape \(2, 4, 3\), got \(2, 4, 4\)"),
        ([(5, 4, 7), None, None, (2, 3, 3)], {}, r"state_cell must have the shape \(2, 4, 3\), got \(2, 3, 3\)"),
        ([(5, 4, 7), None, None], {"mode": "gru", "projection_size": 2}, "projection_size=2 is for mode=lstm, not gru"),
        ([(5, 4, 7), None, None, None], {"lstm_state_clip_min": -1}, "are given together, and for mode=lstm"),
    ],
)  # fmt: skip
def test_mistakes_are_told(ins: list[Any], attrs: dict[str, Any], message: str):

    assert re.search(message, complaint("RNN", ins, **{**LSTM, **attrs}))


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"mode": "foo"}, "mode='foo' must be one of 'rnn_relu', 'rnn_tanh', 'lstm', 'gru'"),
        ({"p": 1.5}, "p=1.5 must be between 0 and 1"),
        ({"state_size": 0}, "state_size=0 must be at least 1"),
        ({"num_layers": -1}, "num_layers=-1 must be at least 1"),
    ],
)
def test_parameters_out_of_range_are_told(attrs: dict[str, Any], message: str):
    with pytest.raises(MXNetError, match=message):
        OPS["RNN"].bind({**LSTM, **attrs})


def test_mixed_dtypes_are_told():
    with pytest.raises(MXNetError, match="data, parameters, states and outputs have one dtype"):
        dtypes("RNN", ["float32", None, "float64", None], **LSTM)
    with pytest.raises(MXNetError, match="dtype int32 must be one of float32"):
        dtypes("RNN", ["int32", None, None, None], **LSTM)
