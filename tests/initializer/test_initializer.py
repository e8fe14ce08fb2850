# SPDX-License-Identifier: Apache-2.0
"""Initializers against values, statistics and errors recorded from MXNet."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite import initializer as init
from mxlite.initializer import InitDesc
from tests.archives import read_npz

HERE = Path(__file__).parents[1] / "golden/optimizers"
GOLDEN = json.loads((HERE / "golden_optimizers.json").read_text())
BUFFERS = read_npz(HERE / "golden_optimizers.npz")


def recorded(ref):
    buffer, start, shape = ref
    return BUFFERS[buffer][start : start + int(np.prod(shape))].reshape(shape)


def make(case):
    """The initializer of a recorded case."""
    name, params = case["initializer"], dict(case["params"])
    if name.startswith("FusedRNN"):
        return init.Constant(0.5)
    if name == "Load":
        arrays = {key: mx.nd.array(value) for key, value in params["param"].items()}
        return init.Load(arrays, default_init=getattr(init, params["default_init"])())
    if name == "Mixed":
        return init.Mixed(params["patterns"], [init.Constant(3), init.Zero(), init.One()])
    if name == "Constant" and isinstance(params["value"], list):
        params["value"] = mx.nd.array(params["value"])
    return getattr(init, name)(**params)


def desc(case):
    if case.get("plain_string_name"):
        return case["name"]
    return InitDesc(case["name"], case.get("attrs"))


def identity(case):
    return f"{case['initializer'][:12]} {case['name']} {'str' if case.get('plain_string_name') else ''}"


@pytest.mark.parametrize("case", GOLDEN["initializers"], ids=identity)
def test_golden(case):
    array = mx.nd.full(tuple(case["shape"]), 7.5)
    with warnings.catch_warnings():
        if case.get("plain_string_name"):
            warnings.simplefilter("ignore", DeprecationWarning)
        make(case)(desc(case), array)
    np.testing.assert_allclose(array.asnumpy(), recorded(case["value"]), rtol=1e-6)


@pytest.mark.parametrize("case", GOLDEN["initializer_errors"], ids=identity)
def test_names_without_a_rule(case):
    array = mx.nd.full(tuple(case["shape"]), 7.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(ValueError, match=case["name"]):
            make(case)(desc(case), array)
    assert (array.asnumpy() == 7.5).all()


@pytest.mark.parametrize("case", GOLDEN["initializer_statistics"], ids=lambda c: f"{c['initializer']} {c['params']}")
def test_statistics(case):
    array = mx.nd.zeros(tuple(case["shape"]))
    getattr(init, case["initializer"])(**case["params"])(InitDesc("fc_weight"), array)
    values = array.asnumpy()
    deviation = case["std"]
    assert abs(values.mean()) < 5 * deviation / np.sqrt(values.size)
    assert values.std() == pytest.approx(deviation, rel=0.03)
    uniform = case["params"].get("rnd_type") == "uniform" or case["initializer"] == "Uniform"
    if uniform:
        assert values.max() == pytest.approx(case["max"], rel=2e-3)
        assert values.min() == pytest.approx(case["min"], rel=2e-3)


@pytest.mark.parametrize(("name", "text"), GOLDEN["initializer_dumps"].items())
def test_dumps(name, text):
    made = {
        "Uniform": lambda: init.Uniform(0.2),
        "Constant": lambda: init.Constant(3.0),
        "Normal": lambda: init.Normal(0.5),
        "FusedRNN": lambda: init.FusedRNN(init.Xavier(), 2, 1, "lstm"),
    }.get(name, getattr(init, name))()
    assert made.dumps() == text
    again = init.create(text)
    assert type(again) is type(made)
    assert again.dumps() == text
    assert again == made


def test_orthogonal_rows():
    array = mx.nd.zeros((60, 100))
    init.Orthogonal()(InitDesc("fc_weight"), array)
    product = array.asnumpy() @ array.asnumpy().T
    np.testing.assert_allclose(product, np.eye(60) * 1.414**2, atol=1e-5)


def test_seed_repeats_and_draws_differ():
    def draw():
        array = mx.nd.zeros((3, 4))
        init.Xavier()(InitDesc("fc_weight"), array)
        return array.asnumpy()

    mx.random.seed(7)
    first, second = draw(), draw()
    mx.random.seed(7)
    assert np.array_equal(first, draw())
    assert not np.array_equal(first, second)
    mx.random.seed(8)
    assert not np.array_equal(first, draw())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes(dtype):
    array = mx.nd.zeros((20, 30), dtype=dtype)
    init.Xavier()(InitDesc("fc_weight"), array)
    assert array.dtype == np.dtype(dtype)
    assert 0.2 < array.asnumpy().astype("f8").std() * np.sqrt(25) < 1.2


def test_attribute_beats_the_initializer_and_the_name():
    array = mx.nd.zeros((8,))
    init.Xavier()(InitDesc("strange", {"__init__": init.LSTMBias(2.0).dumps()}), array)
    assert array.asnumpy().tolist() == [0, 0, 2, 2, 0, 0, 0, 0]


def test_user_initializer():
    @init.register
    class Fours(init.Initializer):
        def _init_weight(self, name, arr):
            arr[:] = 4

    array = mx.nd.zeros((2, 2))
    init.create("fours")(InitDesc("fc_weight"), array)
    assert (array.asnumpy() == 4).all()
    assert Fours().dumps() == '["fours", {}]'


def test_plain_string_is_deprecated():
    with pytest.warns(DeprecationWarning, match="InitDesc"):
        init.Zero()("fc_weight", mx.nd.zeros((2, 2)))


def test_load_from_file(tmp_path, caplog):
    path = tmp_path / "net.params"
    mx.nd.save(str(path), {"arg:fc_weight": mx.nd.array([[1, 2], [3, 4]])})
    array = mx.nd.zeros((2, 2))
    with caplog.at_level(logging.INFO):
        init.Load(str(path), verbose=True)(InitDesc("fc_weight"), array)
    assert array.asnumpy().tolist() == [[1, 2], [3, 4]]
    assert "fc_weight by loading" in caplog.text


def test_verbosity(caplog):
    with caplog.at_level(logging.INFO):
        init.One().set_verbosity(True)(InitDesc("fc_weight"), mx.nd.zeros((2, 2)))
    assert "Initialized fc_weight as weight: 1.0" in caplog.text


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda a: init.Xavier()(InitDesc("strange"), a), ValueError, "Unknown initialization pattern for strange"),
        (lambda a: init.Xavier()(InitDesc("v_weight"), mx.nd.zeros(2)), ValueError, r"'v_weight' of shape \(2,\)"),
        (lambda a: init.Load({})(InitDesc("fc_weight"), a), AssertionError, "'fc_weight'.*no default"),
        (lambda a: init.Load({"w": mx.nd.ones((3, 3))})("w", a), AssertionError, r"\(2, 2\) vs loaded \(3, 3\)"),
        (lambda a: init.Mixed(["bias"], [init.Zero()])(InitDesc("w_weight"), a), ValueError, "w_weight.*did not match"),
        (lambda a: init.Mixed(["bias"], []), AssertionError, "1 patterns for 0"),
        (lambda a: init.create("nope"), AssertionError, "nope is not registered"),
        (lambda a: init.create("xavie"), AssertionError, "did you mean 'xavier'"),
        (lambda a: init.create(None), AssertionError, "name|initializer"),
        (lambda a: init.create("[broken"), ValueError, "JSON"),
        (lambda a: init.Xavier(rnd_type="x")(InitDesc("w_weight"), a), ValueError, "rnd_type.*'x'"),
        (lambda a: init.Xavier(factor_type="x")(InitDesc("w_weight"), a), ValueError, "factor_type.*'x'"),
        (lambda a: init.Orthogonal(rand_type="x")(InitDesc("w_weight"), a), ValueError, "rand_type.*'x'"),
        (lambda a: init.Orthogonal()(InitDesc("w_weight"), mx.nd.zeros(2)), ValueError, "w_weight"),
        (lambda a: init.Bilinear()(InitDesc("w_weight"), a), ValueError, "4 dimensions"),
        (lambda a: init.Constant([1, 2, 3])(InitDesc("w_weight"), a), ValueError, "w_weight"),
        (lambda a: init.Zero()(3, a), TypeError, "got 3"),  # pyright: ignore[reportArgumentType]
        (
            lambda a: init.Uniform()(InitDesc("w_weight"), mx.nd.zeros(2, dtype="int32")),
            mx.MXNetError,
            "w_weight.*int32",
        ),
        (lambda a: init.Initializer()(InitDesc("w_weight"), a), NotImplementedError, "must override _init_weight"),
        (
            lambda a: init.FusedRNN(init.One(), 2, 1, "lstm")._init_weight("p", mx.nd.zeros(5)),
            ValueError,
            "cannot hold",
        ),
        (lambda a: init.FusedRNN(None, 2, 1, "tree"), ValueError, "mode must be one of.*'tree'"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(mx.nd.zeros((2, 2)))
