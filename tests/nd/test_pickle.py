# SPDX-License-Identifier: Apache-2.0
"""Pickles have MXNet's form."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import mxlite as mx

# pickle.dumps(mx.nd.array([1.5, 2])) of MXNet 1.9.1
FROM_MXNET = (
    b"\x80\x04\x95\x7f\x00\x00\x00\x00\x00\x00\x00\x8c\x15mxnet.ndarray.ndarray\x94\x8c\x07NDArray\x94\x93\x94N\x85\x94R"
    b"\x94}\x94\x8c\x06handle\x94\x8c\x08builtins\x94\x8c\tbytearray\x94\x93\x94C(\xc9\xfa\x93\xf9\x00\x00\x00\x00\x01\x00"
    b"\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc0?\x00\x00\x00@"
    b"\x94\x85\x94R\x94sb."
)


class Renamed(pickle.Unpickler):
    """Finds MXNet's class name here."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(module.replace("mxnet", "mxlite"), name)


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "bfloat16"]
)
def test_round_trip(dtype: str) -> None:
    a = mx.nd.array([[0, 1, 2], [3, 4, 5]], dtype=dtype)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        b = pickle.loads(pickle.dumps(a, protocol))
        assert b.dtype == a.dtype and b.shape == a.shape and b.context == a.context
        assert b.asnumpy().tolist() == a.asnumpy().tolist()


def test_reads_and_writes_mxnets_form() -> None:
    a = Renamed(io.BytesIO(FROM_MXNET)).load()
    assert a.asnumpy().tolist() == [1.5, 2]
    cls, args, state = a.__reduce__()
    assert cls is mx.nd.NDArray and args == (None,)
    assert bytes(state["handle"]) in FROM_MXNET


def test_an_unpickled_array_is_writable_and_alone() -> None:
    a = mx.nd.arange(4)
    view = pickle.loads(pickle.dumps(a[1:3]))
    view[:] = 9
    view[0] = 8
    assert view.asnumpy().tolist() == [8, 9]
    assert a.asnumpy().tolist() == [0, 1, 2, 3]


def test_damaged_pickle_is_an_error() -> None:
    a = mx.nd.NDArray(None)
    state: Any
    for state in ({"handle": b""}, {"handle": b"\x01\x02"}, {"handle": 3}, {}, None):
        with pytest.raises((mx.MXNetError, KeyError)):
            a.__setstate__(state)


def test_device_that_is_not_here_becomes_the_cpu() -> None:
    state = mx.nd.ones((2,)).__getstate__()
    raw = bytearray(state["handle"])
    at = raw.index(b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20)
    raw[at] = 2  # gpu
    raw[at + 4] = 77
    a = mx.nd.NDArray(None)
    a.__setstate__({"handle": raw})
    assert a.context == mx.cpu(0)


def test_copy_module() -> None:
    a = mx.nd.arange(3)
    for b in (copy.copy(a), copy.deepcopy(a), copy.deepcopy([a])[0]):
        b[:] = 7
    assert a.asnumpy().tolist() == [0, 1, 2]
    assert np.asarray(a).sum() == 3
