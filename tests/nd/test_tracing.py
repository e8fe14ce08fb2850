# SPDX-License-Identifier: Apache-2.0
"""NDArrays pass through jax.jit, jax.grad and jax.vmap, and leave nothing of JAX's tracing behind."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx


def numbers() -> mx.nd.NDArray:
    return mx.nd.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def mixed(a: Any) -> Any:
    """Operators, views, indexing and writes, as a script has them."""
    y = a * 2
    y[0] = 5
    y[1, 1:] += a[0, :2]
    y[[0, 1], [2, 0]] = a[mx.nd.array([0, 1]), 1]
    flat = y.reshape((-1,))
    flat[1:3] = mx.nd.relu(flat[3:5])
    return {"y": y, "sum": y.sum(axis=1), "rows": y[::-1], "whole": y.astype("int32")}


def test_a_compiled_function_gives_what_the_eager_one_gives() -> None:
    eager, compiled = mixed(numbers()), jax.jit(mixed)(numbers())
    for name, value in eager.items():
        assert isinstance(compiled[name], mx.nd.NDArray)
        assert compiled[name].dtype == value.dtype and compiled[name].context == value.context
        np.testing.assert_array_equal(compiled[name].asnumpy(), value.asnumpy())


def test_gradients_equal_those_of_autograd() -> None:
    def loss(a: Any) -> Any:
        return (mx.nd.exp(a[0]) * a[:, ::2].sum() + mx.nd.softmax(a)[1]).sum()

    a = numbers()
    a.attach_grad()
    with mx.autograd.record():
        value = loss(a)
    value.backward()
    found, gradient = jax.value_and_grad(lambda a: loss(a).to_jax()[0])(a)
    assert isinstance(gradient, mx.nd.NDArray)
    assert float(found) == pytest.approx(value.asscalar())
    assert a.grad is not None
    np.testing.assert_allclose(gradient.asnumpy(), a.grad.asnumpy(), rtol=1e-6)


def test_vmap_takes_an_axis_away_and_puts_one_on() -> None:
    a = numbers()
    rows = jax.vmap(lambda row: row * 2 + row[0])(a)
    np.testing.assert_array_equal(rows.asnumpy(), (a * 2 + a[:, :1]).asnumpy())
    columns = jax.vmap(mx.nd.sum, in_axes=1)(a)
    np.testing.assert_array_equal(columns.asnumpy(), a.sum(axis=0).reshape((3, 1)).asnumpy())


def test_views_outside_of_the_function_stay_what_they_are() -> None:
    base = mx.nd.arange(6).reshape((2, 3))
    row = base[1]
    np.testing.assert_array_equal(jax.jit(lambda x: x + row)(mx.nd.ones(3)).asnumpy(), [4, 5, 6])
    assert row.asnumpy().tolist() == [3, 4, 5]
    base += 1
    assert row.asnumpy().tolist() == [4, 5, 6]


def test_trees_hold_anything() -> None:
    a = numbers()
    leaves, tree = jax.tree.flatten({"a": a})
    marker = object()
    assert jax.tree.flatten(jax.tree.unflatten(tree, [marker]))[0] == [marker]
    again = jax.tree.unflatten(tree, leaves)["a"]
    again[:] = 0
    assert a.asnumpy()[0, 0] == 1
    on_host = jax.tree.map(np.asarray, a)
    assert on_host.shape == a.shape and on_host.asnumpy().tolist() == a.asnumpy().tolist()
    assert jax.eval_shape(lambda a: a.T, a).shape == (3, 2)
    other = mx.nd.ones(2, ctx=mx.cpu(1))
    assert jax.jit(lambda x: x + 1)(other).context == mx.cpu(1)


def test_jax_functions_take_arrays() -> None:
    a: Any = numbers()
    assert float(jnp.sum(a)) == float(a.sum().asscalar())
    assert isinstance(jnp.asarray(a), jax.Array)


def test_in_and_out_without_a_copy() -> None:
    x = jnp.arange(4.0)
    a = mx.nd.from_jax(x)
    assert a.to_jax() is x
    a[1:3] += 10
    a += 1
    kept = a.to_jax()
    a[:] = 0
    a[0] = 5
    assert x.tolist() == [0, 1, 2, 3] and kept.tolist() == [1, 12, 13, 4] and a.asnumpy().tolist() == [5, 0, 0, 0]
    inside = jax.jit(lambda x: mx.nd.from_jax(x) * 2)(x)
    assert inside.context == mx.cpu(0) and inside.asnumpy().tolist() == [0, 2, 4, 6]
    with pytest.raises(TypeError, match=r"mx\.nd\.array"):
        mx.nd.from_jax(np.ones(2))  # pyright: ignore[reportArgumentType]


def test_random_numbers_are_not_compiled_in() -> None:
    for draw in (lambda a: mx.nd.random.uniform(shape=(2,)), lambda a: mx.nd.Dropout(a, mode="always")):
        with pytest.raises(mx.MXNetError, match="same random numbers"):
            jax.jit(draw)(numbers())
    np.testing.assert_array_equal(jax.jit(mx.nd.Dropout)(numbers()).asnumpy(), numbers().asnumpy())


def test_looking_at_a_tracer_is_an_error_of_jax() -> None:
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda a: a.sum().asscalar())(numbers())
