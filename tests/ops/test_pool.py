# SPDX-License-Identifier: Apache-2.0
"""Pooling: conventions, layouts, ties, long windows, dtypes, errors."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests.ops.call import call, complaint, grads, randn, shapes


def naive_max_gradient(x, kernel, stride, pad, outs, head):
    """Every head gradient at the first element that has the maximum of its window."""
    dx = np.zeros_like(x)
    for n, c, i, j in itertools.product(*map(range, (*x.shape[:2], *outs))):
        best, at = -np.inf, None
        for a, b in itertools.product(range(kernel[0]), range(kernel[1])):
            y, z = i * stride[0] + a - pad[0], j * stride[1] + b - pad[1]
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3] and x[n, c, y, z] > best:
                best, at = x[n, c, y, z], (y, z)
        if at:  # a window may see only padding
            dx[(n, c, *at)] += head[n, c, i, j]
    return dx


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "convention"),
    [
        ((2, 2), (2, 2), (0, 0), "valid"),
        ((3, 3), (2, 2), (1, 1), "valid"),
        ((3, 2), (1, 3), (0, 1), "full"),
        ((2, 2), (3, 3), (0, 0), "full"),  # the stride leaves elements out
        ((4, 3), (2, 1), (2, 0), "valid"),
    ],
)
def test_max_and_its_ties(kernel, stride, pad, convention):
    x = np.random.RandomState(0).randint(0, 3, (2, 2, 7, 8)).astype(np.float32)  # few values: many ties
    attrs = {"kernel": kernel, "stride": stride, "pad": pad, "pooling_convention": convention}
    (y,) = call("Pooling", x, **attrs)
    head = randn(*y.shape)
    (dx,) = grads("Pooling", x, head=head, **attrs)
    np.testing.assert_allclose(dx, naive_max_gradient(x, kernel, stride, pad, y.shape[2:], head), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pool_type", ["max", "avg", "sum", "lp"])
@pytest.mark.parametrize("convention", ["valid", "full", "same"])
def test_gradients_numerically(pool_type, convention):
    x = np.abs(randn(1, 2, 7, 6, dtype=np.float64)) + 0.1

    def f(x):
        return call(
            "Pooling", x, kernel=(3, 2), stride=(2, 1), pool_type=pool_type, p_value=3, pooling_convention=convention
        )[0]

    check_grads(f, (jnp.asarray(x),), order=1, modes=["rev"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool_type", ["max", "avg", "sum", "lp"])
@pytest.mark.parametrize("layout", ["NWC", "NHWC", "NDHWC"])
@pytest.mark.parametrize("whole", [False, True])
def test_channel_last(pool_type, layout, whole):
    n = len(layout) - 2
    x = randn(2, 3, *(6, 5, 4)[:n])
    attrs = {"pool_type": pool_type, "p_value": 2}
    attrs |= {"global_pool": True} if whole else {"kernel": (3,) * n, "stride": (2,) * n, "pad": (1,) * n}
    (want,) = call("Pooling", x, **attrs)
    (got,) = call("Pooling", np.moveaxis(x, 1, -1), layout=layout, **attrs)
    np.testing.assert_allclose(got, np.moveaxis(np.asarray(want), 1, -1), rtol=1e-6)


@pytest.mark.parametrize("pool_type", ["max", "avg"])
def test_long_windows_take_another_form(pool_type):
    x = randn(1, 2, 200)
    (y,) = call("Pooling", x, kernel=(100,), stride=(50,), pool_type=pool_type)
    want = [getattr(x[0, :, i : i + 100], {"max": "max", "avg": "mean"}[pool_type])(1) for i in (0, 50, 100)]
    np.testing.assert_allclose(y[0], np.stack(want, 1), rtol=1e-5)


def test_global_maximum_gives_its_gradient_to_the_first():
    x = np.array([[[[1, 3, 3], [3, 0, 2]]]], np.float32)
    (dx,) = grads("Pooling", x, global_pool=True)
    assert dx.tolist() == [[[[0, 1, 0], [0, 0, 0]]]]


def test_float16_average_adds_in_float32():
    x = np.full((1, 1, 64, 64), 100, np.float16)
    forms: list[dict[str, Any]] = [{"kernel": (64, 64)}, {"global_pool": True}]
    for attrs in forms:
        (y,) = call("Pooling", x, pool_type="avg", **attrs)
        assert y.dtype == np.float16
        assert y.item() == 100


@pytest.mark.parametrize(
    ("attrs", "size"),
    [
        ({}, 3),
        ({"pooling_convention": "full"}, 4),
        ({"pooling_convention": "same"}, 4),
        ({"pad": (1,)}, 4),
        ({"pad": (1,), "pooling_convention": "full"}, 5),
        ({"stride": ()}, 6),
    ],
)
def test_sizes(attrs, size):
    attrs = {"kernel": (3,), "stride": (2,)} | attrs
    assert shapes("Pooling", [(2, 3, 8)], **attrs)[1] == [(2, 3, size)]
    assert call("Pooling", randn(2, 3, 8), **attrs)[0].shape == (2, 3, size)


def test_partial_shapes():
    assert shapes("Pooling", [(0, 3, 8, 0)], kernel=(2, 2), stride=(2, 2))[1] == [(0, 3, 4, 0)]
    assert shapes("Pooling", [None], [(5, 3, 4, 4)], kernel=(2, 2), stride=(2, 2))[0] == [(5, 3, 0, 0)]


def test_errors():
    assert "kernel must be given" in complaint("Pooling", [(1, 1, 4, 4)])
    assert "larger than the padded data" in complaint("Pooling", [(1, 1, 4, 4)], kernel=(5, 5))
    assert "pad=(2, 2) must be less than kernel=(2, 2)" in complaint(
        "Pooling", [(1, 1, 4, 4)], kernel=(2, 2), pad=(2, 2)
    )
    assert "needs 4-d data" in complaint("Pooling", [(1, 1, 4)], kernel=(2, 2))
    assert "p_value" in complaint("Pooling", [(1, 1, 4, 4)], kernel=(2, 2), pool_type="lp")
