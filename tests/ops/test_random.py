# SPDX-License-Identifier: Apache-2.0
"""Random operators: the distributions, their three forms, keys and mistakes."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS, Mode
from tests.ops.golden import quick_compile

KEY = np.array([3, 7], np.uint32)
N = 20_000

#: distribution -> parameters, mean, variance.
DISTRIBUTIONS: dict[str, tuple[dict[str, float], float, float]] = {
    "uniform": ({"low": -1.0, "high": 3.0}, 1.0, 16 / 12),
    "normal": ({"loc": 2.0, "scale": 0.5}, 2.0, 0.25),
    "exponential": ({"lam": 4.0}, 0.25, 1 / 16),
    "gamma": ({"alpha": 3.0, "beta": 2.0}, 6.0, 12.0),
    "poisson": ({"lam": 5.0}, 5.0, 5.0),
    "negative_binomial": ({"k": 4, "p": 0.4}, 6.0, 15.0),
    "generalized_negative_binomial": ({"mu": 3.0, "alpha": 0.5}, 3.0, 3.0 + 0.5 * 9),
}
every_distribution = pytest.mark.parametrize("name", list(DISTRIBUTIONS))


@cache
def program(name: str, attrs: tuple[tuple[str, Any], ...]) -> Any:
    """The compiled operator: compiling a gamma or Poisson draw takes a second, so it is done once."""
    op = OPS[name]
    p = op.bind(dict(attrs))
    return jax.jit(lambda k, *xs: op.apply(p, *xs, mode=Mode(key=k))[0], compiler_options=quick_compile())


def run(name: str, attrs: dict[str, Any], *arrays: Any, key: Any = KEY) -> Any:
    outs = program(name, tuple(attrs.items()))(key, *map(jnp.asarray, arrays))
    return outs[0] if len(outs) == 1 else outs


@cache
def plain(name: str) -> np.ndarray:
    return np.asarray(run(f"_random_{name}", {**DISTRIBUTIONS[name][0], "shape": (N,)}))


def close_moments(x: np.ndarray, mean: float, variance: float) -> None:
    """Five standard errors of the mean; a tenth of the variance."""
    assert abs(x.mean() - mean) < 5 * (variance / x.size) ** 0.5
    assert abs(x.var() - variance) < 0.1 * variance


@every_distribution
def test_moments(name: str):
    x = plain(name)
    assert (x.shape, x.dtype) == ((N,), np.float32)
    close_moments(x.astype(np.float64), *DISTRIBUTIONS[name][1:])
    if name in ("poisson", "negative_binomial", "generalized_negative_binomial"):
        np.testing.assert_array_equal(x, np.floor(x))


@pytest.mark.parametrize("name", ["uniform", "normal", "exponential", "gamma", "poisson"])
def test_parameters_from_arrays(name: str):
    attrs, mean, variance = DISTRIBUTIONS[name]
    given = [np.full((2, 1), v, np.float32) for v in attrs.values()]
    x = np.asarray(run(f"_sample_{name}", {"shape": (100, 50)}, *given))
    assert (x.shape, x.dtype) == ((2, 1, 100, 50), np.float32)
    close_moments(x.astype(np.float64), mean, variance)


@pytest.mark.parametrize("name", ["uniform", "normal", "exponential"])
def test_shape_from_an_array(name: str):
    x = run(f"_random_{name}_like", DISTRIBUTIONS[name][0], np.zeros((3, 4), np.float64))
    assert (x.shape, x.dtype) == ((3, 4), np.float64)


@every_distribution
def test_the_key_decides(name: str):
    attrs = {**DISTRIBUTIONS[name][0], "shape": (N,)}
    again = run(f"_random_{name}", attrs)
    other = run(f"_random_{name}", attrs, key=np.array([3, 8], np.uint32))
    np.testing.assert_array_equal(again, plain(name))
    assert not np.array_equal(other, plain(name))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes(dtype: str):
    for name in ("uniform", "normal"):
        assert run(f"_random_{name}", {"shape": (3,), "dtype": dtype}).dtype == dtype


def test_uniform_stays_below_high():
    x = plain("uniform")
    assert x.min() >= -1
    assert x.max() < 3


def test_no_shape_is_one_number():
    assert run("_random_uniform", {}).shape == (1,)


def test_randint():
    x = np.asarray(run("_random_randint", {"low": -2, "high": 3, "shape": (2000,)}))
    assert x.dtype == np.int32
    assert set(x.tolist()) == {-2, -1, 0, 1, 2}
    assert run("_random_randint", {"low": 0, "high": 2**40, "shape": (3,), "dtype": "int64"}).dtype == np.int64


def test_multinomial_frequencies_and_probability():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.0, 1.0, 0.0]], np.float32)
    drawn, log = map(np.asarray, run("_sample_multinomial", {"shape": (5000,), "get_prob": True}, probabilities))
    assert (drawn.shape, drawn.dtype, log.shape) == ((2, 5000), np.int32, (2, 5000))
    np.testing.assert_allclose(np.bincount(drawn[0], minlength=3) / 5000, probabilities[0], atol=0.03)
    assert set(drawn[1].tolist()) == {1}
    np.testing.assert_allclose(log[0], np.log(probabilities[0])[drawn[0]], rtol=1e-6)


def test_multinomial_shapes():
    row = np.array([0.5, 0.5], np.float32)
    assert run("_sample_multinomial", {}, row).shape == (1,)
    assert run("_sample_multinomial", {"shape": 4}, row).shape == (4,)
    assert run("_sample_multinomial", {}, np.stack([row] * 3)).shape == (3,)
    assert run("_sample_multinomial", {"dtype": "uint8"}, row).dtype == np.uint8


def test_gradient_of_the_logarithm_reaches_the_probabilities():
    op = OPS["_sample_multinomial"]
    p = op.bind({"shape": (4,), "get_prob": True})
    data = jnp.asarray([0.25, 0.75], jnp.float32)
    (drawn, _), pull = jax.vjp(lambda x: op.apply(p, x, mode=Mode(key=jnp.asarray(KEY)))[0], data)
    (grad,) = pull((np.zeros(4, jax.dtypes.float0), jnp.ones(4, jnp.float32)))
    np.testing.assert_allclose(grad, np.bincount(drawn, minlength=2) / np.asarray(data), rtol=1e-6)


def test_shuffle_moves_whole_rows():
    x = np.arange(60, dtype=np.float32).reshape(20, 3)
    y = np.asarray(run("_shuffle", {}, x))
    assert not np.array_equal(x, y)
    np.testing.assert_array_equal(y[np.argsort(y[:, 0])], x)


@pytest.mark.parametrize(
    ("name", "attrs", "says"),
    [
        ("_random_normal", {"scale": -1, "shape": (2,)}, "scale=-1 must be at least 0"),
        ("_random_exponential", {"lam": -1, "shape": (2,)}, "lam=-1 must be at least 0"),
        ("_random_negative_binomial", {"p": 2, "shape": (2,)}, "p=2 must be between 0 and 1"),
        ("_random_uniform", {"shape": (2,), "dtype": "int32"}, "dtype=int32 must be one of float16"),
        ("_random_randint", {"low": 3, "high": 3, "shape": (2,)}, "low=3 must be less than high=3"),
        ("_random_randint", {"low": 0, "high": 3, "shape": (2,), "dtype": "float32"}, "must be int32 or int64"),
        ("_random_uniform", {"shape": (0, 2)}, "unknown sizes"),
    ],
)
def test_mistakes(name: str, attrs: dict[str, Any], says: str):
    with pytest.raises(MXNetError, match=says):
        run(name, attrs)


def test_needs_a_key():
    with pytest.raises(MXNetError, match="draws random numbers and needs a key"):
        OPS["_random_uniform"].apply(OPS["_random_uniform"].bind({"shape": (2,)}))
