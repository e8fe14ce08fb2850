# SPDX-License-Identifier: Apache-2.0
"""BatchNorm and its relatives: the hand-written gradient, modes, dtypes, shape rules, errors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from mxlite_compiler.errors import MXNetError
from tests.ops.call import both, call, complaint, dtypes, grads, randn, shapes


def batch(c: int = 3, dtype: Any = np.float32, shape: Any = (4, 3, 5, 2)) -> tuple[Any, ...]:
    x = randn(*shape, dtype=dtype) * 2 + 3
    wide = np.float32 if dtype == np.float16 else dtype
    gamma, beta = (randn(c, dtype=wide, seed=s) for s in (1, 2))
    return x, gamma, beta, randn(c, dtype=wide, seed=3), np.abs(randn(c, dtype=wide, seed=4)) + 0.5


@pytest.mark.parametrize("axis", [1, -1, 2])
def test_batch_norm_gradient_is_that_of_the_formula(axis):
    x, gamma, beta, mean, var = batch(c=3, shape={1: (4, 3, 5), -1: (4, 5, 3), 2: (4, 5, 3)}[axis])
    head = randn(*x.shape, seed=9)

    def formula(x, gamma, beta):
        other = tuple(i for i in range(3) if i != axis % 3)
        y = (x - x.mean(other, keepdims=True)) / jnp.sqrt(x.var(other, keepdims=True) + 1e-3)
        shape = [3 if i == axis % 3 else 1 for i in range(3)]
        return y * gamma.reshape(shape) + beta.reshape(shape)

    want, pull = jax.vjp(formula, *map(jnp.asarray, (x, gamma, beta)))
    attrs = {"fix_gamma": False, "axis": axis}
    np.testing.assert_allclose(
        call("BatchNorm", x, gamma, beta, mean, var, train=True, **attrs)[0], want, rtol=1e-4, atol=1e-4
    )
    got = grads("BatchNorm", x, gamma, beta, mean, var, head=head, **attrs)
    for a, b in zip(got, pull(jnp.asarray(head)), strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    assert not np.any(got[3])
    assert not np.any(got[4])


def test_batch_norm_gradient_numerically():
    args = [jnp.asarray(a) for a in batch(dtype=np.float64, shape=(3, 3, 4))]
    for train in (True, False):
        f = lambda *xs: call("BatchNorm", *xs, *args[3:], train=train, fix_gamma=False)[0]  # noqa: B023, E731
        check_grads(f, args[:3], order=1, modes=["rev"], rtol=1e-5, atol=1e-5)


def test_batch_norm_modes():
    x, gamma, beta, mean, var = batch()
    trained = both("BatchNorm", x, gamma, beta, mean, var, train=True, fix_gamma=False)
    frozen = both("BatchNorm", x, gamma, beta, mean, var, train=True, fix_gamma=False, use_global_stats=True)
    predicted = both("BatchNorm", x, gamma, beta, mean, var, fix_gamma=False)
    np.testing.assert_array_equal(frozen[0][0], predicted[0][0])
    np.testing.assert_allclose(trained[1][0], 0.9 * mean + 0.1 * x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(trained[1][1], 0.9 * var + 0.1 * x.var((0, 2, 3)), rtol=1e-5)
    for written in (frozen[1], predicted[1]):
        np.testing.assert_array_equal(written[0], mean)
        np.testing.assert_array_equal(written[1], var)


@pytest.mark.parametrize("train", [True, False])
def test_fixed_gamma_is_written_and_has_no_gradient(train):
    args = batch()
    outs, (_, _, gamma) = both("BatchNorm", *args, train=train)
    assert gamma.tolist() == [1, 1, 1]
    ones = (args[0], np.ones(3, np.float32), *args[2:])
    np.testing.assert_array_equal(outs[0], call("BatchNorm", *ones, train=train, fix_gamma=False)[0])
    assert not np.any(grads("BatchNorm", *args, train=train)[1])


def test_batch_norm_of_float16_data_has_float32_statistics():
    args = batch(dtype=np.float16)
    outs, written = both("BatchNorm", *args, train=True, fix_gamma=False)
    assert [o.dtype for o in outs] == [np.float16, np.float32, np.float32]
    assert [w.dtype for w in written] == [np.float32] * 3
    wide = call("BatchNorm", args[0].astype(np.float32), *args[1:], train=True, fix_gamma=False)
    np.testing.assert_allclose(outs[0], wide[0], rtol=5e-3, atol=5e-3)
    assert [g.dtype for g in grads("BatchNorm", *args, fix_gamma=False)] == [np.float16] + [np.float32] * 4
    assert dtypes("BatchNorm", ["float16"] + [None] * 4) == (
        ["float16"] + ["float32"] * 4,
        ["float16", "float32", "float32"],
    )
    with pytest.raises(MXNetError, match="gamma must be float32 for float16 data, got float16"):
        dtypes("BatchNorm", ["float16", "float16", None, None, None])


def test_variance_of_data_far_from_zero():
    """The variance is not the difference of two large numbers."""
    x = (randn(64, 2, 8) + 1e4).astype(np.float32)
    ones, zeros = np.ones(2, np.float32), np.zeros(2, np.float32)
    _, mean, inv = call("BatchNorm", x, ones, zeros, zeros, ones, train=True, output_mean_var=True)
    np.testing.assert_allclose(mean, x.mean((0, 2), dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(inv, 1 / np.sqrt(x.var((0, 2), dtype=np.float64) + 1e-3), rtol=1e-3)


def test_batch_norm_shapes():
    ins, outs = shapes("BatchNorm", [(0, 7, 4), None, None, None, None])
    assert ins == [(0, 7, 4), (7,), (7,), (7,), (7,)]
    assert outs == [(0, 7, 4), (7,), (7,)]
    assert shapes("BatchNorm", [None] * 5, [(2, 7), None, None])[0][1] == (7,)
    assert shapes("BatchNorm", [None, (3,), None, None, None])[0] == [None, (3,), None, None, None]


def test_errors():
    assert "moving_var must have the shape (3,), got (4,)" in complaint("BatchNorm", [(2, 3), None, None, None, (4,)])
    assert "axis=2 is not an axis of data (2, 3)" in complaint("BatchNorm", [(2, 3), *[None] * 4], axis=2)
    assert "gamma must have the shape (4,), got (3,)" in complaint("LayerNorm", [(2, 3, 4), (3,), None])
    assert "axis=3" in complaint("LayerNorm", [(2, 3, 4), None, None], axis=3)
    assert "InstanceNorm" in complaint("InstanceNorm", [(2, 3, 4), (2,), None])
    assert "multiple of num_groups=3" in complaint("GroupNorm", [(2, 4, 4), None, None], num_groups=3)


@pytest.mark.parametrize(
    ("name", "size", "attrs"),
    [("LayerNorm", 6, {}), ("LayerNorm", 4, {"axis": 1}), ("InstanceNorm", 4, {}), ("GroupNorm", 2, {"num_groups": 2})],
)
def test_others_numerically_and_in_float16(name, size, attrs):
    args = [
        randn(3, 4, 6, dtype=np.float64),
        randn(size, dtype=np.float64, seed=1),
        randn(size, dtype=np.float64, seed=2),
    ]
    f = lambda *xs: call(name, *xs, **attrs)[0]  # noqa: E731
    check_grads(f, tuple(map(jnp.asarray, args)), order=1, modes=["rev"], rtol=1e-5, atol=1e-5)
    (want, *_), (got, *_) = call(name, *args, **attrs), call(name, *(a.astype(np.float16) for a in args), **attrs)
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, want, rtol=1e-2, atol=1e-2)
