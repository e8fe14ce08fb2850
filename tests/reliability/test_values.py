# SPDX-License-Identifier: Apache-2.0
"""Values come back from a record exactly as they were, and nothing else is written or read."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest

import mxlite as mx
from mxlite import _rng
from mxlite.checkpoint import state
from mxlite.checkpoint.values import decode, encode


def again(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 2**80, "text", "", 0.1, 1e-320, -0.0, math.inf, -math.inf, [], (), {}, [1, [2.5, None]],
        (1, (2, "a")), {"a": 1, "b": {"c": (1,)}}, {1: "one", 2.5: [3]}, {("a", 0): 1}, {"$tuple": [1]},
        {"$a": 1, "b": 2},
    ],
)  # fmt: skip
def test_values_come_back(value):
    found = again(value)
    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)


def test_nan_comes_back():
    assert math.isnan(again([math.nan])[0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "uint8", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_arrays_come_back(dtype: str, shape: tuple[int, ...]):
    value = np.random.rand(*shape) * 5 if shape else np.asarray(1.7)
    value = np.asarray(value).astype(dtype)
    written = again(value)
    assert type(written) is np.ndarray
    assert (written.dtype, written.shape, written.tobytes()) == (value.dtype, shape, value.tobytes())
    written[...] = 0  # it belongs to nobody else
    if dtype != "uint64":  # MXNet has none
        array = again(mx.nd.array(value, dtype=dtype))
        assert type(array) is mx.nd.NDArray
        np.testing.assert_array_equal(array.asnumpy().reshape(shape), value)
        assert array.dtype == np.dtype(dtype).type
    scalar = again(value.reshape(-1)[:1].max(initial=0))
    assert type(scalar) is np.dtype(dtype).type


def test_what_is_no_value_is_named():
    with pytest.raises(TypeError, match=r"opt\['hook'\]\[1\] is of type function, which is no number"):
        encode({"hook": [1, lambda: None]}, "opt")
    with pytest.raises(TypeError, match="is of type ndarray"):
        encode(np.array([object()]))


@pytest.mark.parametrize("value", [{"$array": "?", "dtype": "f4", "shape": [1]}, {"$array": "AAAA"}, {"$tuple": 3}])
def test_what_was_never_written_is_refused(value):
    with pytest.raises(ValueError, match=r"not an encoded value|base64|padding"):
        decode(value)


def test_all_generators_go_on():
    mx.random.seed(3)
    mx.random.seed(4, ctx=mx.cpu(1))
    np.random.seed(5)
    random.seed(6)
    np.random.randn(1)  # the second number of the pair is kept
    mx.nd.random.uniform(shape=(2,))
    saved = again(state.random_state())

    def draws():
        return [
            mx.nd.random.uniform(shape=(2,)).asnumpy().tolist(),
            mx.nd.random.uniform(shape=(2,), ctx=mx.cpu(1)).asnumpy().tolist(),
            np.random.randn(3).tolist(), random.gauss(0, 1), random.random(),
        ]  # fmt: skip

    expected = draws()
    mx.random.seed(0)
    np.random.seed(0)
    random.seed(0)
    assert draws() != expected
    state.load_random(saved)
    assert draws() == expected
    assert _rng.state_dict()["seed"] == 3
