# SPDX-License-Identifier: Apache-2.0
"""boolean_mask, whose result has as many rows as the mask says: eager, in a bound graph, and of a given size."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler import lower
from mxlite_compiler.errors import MXNetError
from tests.ops.call import call, shapes

X = np.arange(8, dtype=np.float32).reshape(4, 2)
mask = mx.nd.contrib.boolean_mask


def test_rows_that_are_kept():
    x = mx.nd.array(X)
    np.testing.assert_array_equal(mask(x, mx.nd.array([1, 0, np.nan, -1])).asnumpy(), X[[0, 2, 3]])
    assert mask(x, mx.nd.zeros(4)).shape == (0, 2)
    np.testing.assert_array_equal(mask(x, mx.nd.array([0, 1]), axis=1).asnumpy(), X[:, 1:])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int8", "int64", "float16", "float64", "bool"])
def test_any_dtype(dtype: str):
    ones = mx.nd.array([1, 0, 1, 0], dtype=dtype)
    assert mask(mx.nd.array(X, dtype=dtype), ones).dtype == np.dtype(dtype)


def gradient(x: mx.nd.NDArray) -> np.ndarray:
    assert x.grad is not None
    return x.grad.asnumpy()


def test_gradient():
    x, m = mx.nd.array(X), mx.nd.array([1, 0, 1, 1])
    x.attach_grad()
    m.attach_grad()
    with mx.autograd.record():
        y = (mask(x, m) ** 2).sum()
    y.backward()
    np.testing.assert_array_equal(gradient(x), 2 * X * [[1], [0], [1], [1]])
    np.testing.assert_array_equal(gradient(m), 0)
    with mx.autograd.record():
        y = mask(x, mx.nd.zeros(4)).sum()
    y.backward()
    np.testing.assert_array_equal(gradient(x), 0)


def test_in_a_bound_graph_the_shape_follows_the_values():
    symbol = mx.sym.contrib.boolean_mask(mx.sym.var("x") * 2, mx.sym.var("m")) + 1
    x, m = mx.nd.array(X), mx.nd.array([1, 0, 1, 1])
    executor = symbol.bind(mx.cpu(), {"x": x, "m": m}, {"x": mx.nd.zeros((4, 2))}, {"x": "write", "m": "null"})
    for kept in ([0, 2, 3], [1], []):
        m[:] = mx.nd.array([float(i in kept) for i in range(4)])
        for train in (False, True):
            (out,) = executor.forward(is_train=train)
            assert out.shape == (len(kept), 2)
            np.testing.assert_array_equal(out.asnumpy(), 2 * X[kept] + 1)
        executor.backward([mx.nd.ones_like(out)])
        want = np.zeros_like(X)
        want[kept] = 2
        np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), want)


def test_an_operator_with_a_known_shape_may_follow():
    symbol = mx.sym.sum(mx.sym.contrib.boolean_mask(mx.sym.var("x"), mx.sym.var("m")))
    executor = symbol.simple_bind(mx.cpu(), x=(4, 2), m=(4,), grad_req={"x": "write", "m": "null"})
    executor.forward(is_train=True, x=X, m=np.array([0, 1, 1, 0], np.float32))
    executor.backward([mx.nd.ones(1)])
    assert executor.outputs[0].asnumpy() == [14]
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), [[0, 0], [1, 1], [1, 1], [0, 0]])


def test_size_makes_it_an_operator_like_others():
    m = np.array([0, 1, 0, 1], np.float32)
    (three,) = call("_contrib_boolean_mask", X, m, size=3)
    np.testing.assert_array_equal(three, [X[1], X[3], [0, 0]])
    np.testing.assert_array_equal(call("_contrib_boolean_mask", X, m, size=1)[0], X[1:2])
    assert shapes("_contrib_boolean_mask", [(4, 2), None], size=3) == ([(4, 2), (4,)], [(3, 2)])
    symbol = mx.sym.contrib.boolean_mask(mx.sym.var("x"), mx.sym.var("m"), size=2)
    (out,), _ = lower(symbol.graph)({"x": jnp.asarray(X), "m": jnp.asarray(m)})
    np.testing.assert_array_equal(out, X[[1, 3]])


def test_mistakes():
    x = mx.nd.array(X)
    with pytest.raises(MXNetError, match="the size of axis 0 of data and of index cannot be both 4 and 3"):
        mask(x, mx.nd.ones(3))
    with pytest.raises(MXNetError, match="index must have 1 dimension"):
        mask(x, mx.nd.ones((4, 2)))
    with pytest.raises(MXNetError, match="axis=5 is out of range"):
        mask(x, mx.nd.ones(4), axis=5)
    with pytest.raises(MXNetError, match="at least 0"):
        mask(x, mx.nd.ones(4), size=-1)
    graph = mx.sym.contrib.boolean_mask(mx.sym.var("x"), mx.sym.var("m")).graph
    with pytest.raises(MXNetError, match="say how many are kept with size="):
        lower(graph)
    with pytest.raises(MXNetError, match="depends on the values of index"):
        call("_contrib_boolean_mask", X, np.ones(4, np.float32))
