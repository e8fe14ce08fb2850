# SPDX-License-Identifier: Apache-2.0
"""Random numbers as users draw them: their distributions, their seeds, and what stays random in compiled graphs.

Continuous samplers are compared by the Kolmogorov-Smirnov statistic, discrete ones by chi-square, each at a bound that
a right sampler exceeds about once in 10,000 runs; the seeds are fixed, so a test that passes goes on passing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import mxlite as mx

pytestmark = pytest.mark.usefixtures("quick_compile")
N = 20_000
nd, sym = mx.nd, mx.sym
_erf = np.vectorize(math.erf)
_lgamma = np.vectorize(math.lgamma)


def _gamma_cdf(x: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    return np.asarray(jax.scipy.special.gammainc(alpha, x / beta))


def _poisson(n: np.ndarray, lam: float) -> np.ndarray:
    return np.exp(n * math.log(lam) - lam - _lgamma(n + 1))


def _negative_binomial(n: np.ndarray, k: float, p: float) -> np.ndarray:
    return np.exp(_lgamma(n + k) - _lgamma(n + 1) - math.lgamma(k) + k * math.log(p) + n * math.log1p(-p))


def _generalized(n: np.ndarray, mu: float, alpha: float) -> np.ndarray:
    return _negative_binomial(n, 1 / alpha, 1 / (1 + alpha * mu))


#: sampler -> two sets of parameters, and the cumulative distribution function.
CONTINUOUS: dict[str, tuple[list[tuple[float, ...]], Callable[..., Any]]] = {
    "uniform": ([(-1, 3), (10, 10.5)], lambda x, low, high: (x - low) / (high - low)),
    "normal": ([(2, 0.5), (-100, 3)], lambda x, mu, s: (1 + _erf((x - mu) / (s * math.sqrt(2)))) / 2),
    "exponential": ([(4,), (0.1,)], lambda x, scale: 1 - np.exp(-x / scale)),
    "gamma": ([(3, 2), (0.3, 1)], _gamma_cdf),
}
#: sampler -> two sets of parameters, and the probability of each number.
DISCRETE: dict[str, tuple[list[tuple[float, ...]], Callable[..., Any]]] = {
    "poisson": ([(5,), (0.3,)], _poisson),
    "negative_binomial": ([(4, 0.4), (1, 0.8)], _negative_binomial),
    "generalized_negative_binomial": ([(3, 0.5), (1, 2)], _generalized),
}
EVERY = [*CONTINUOUS, *DISCRETE]


def kolmogorov_smirnov(x: np.ndarray, cdf: np.ndarray) -> float:
    """The largest distance between the empirical distribution and `cdf` at sorted `x`, times the root of its size."""
    n = len(x)
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max())


def chi_square_excess(x: np.ndarray, probabilities: np.ndarray) -> float:
    """How many standard deviations chi-square is above its mean; rare numbers count as one."""
    counts = np.bincount(x.astype(int), minlength=len(probabilities)).astype(float)
    keep = probabilities * len(x) > 10
    expected = np.append(probabilities[keep], 1 - probabilities[keep].sum()) * len(x)
    found = np.append(counts[: len(probabilities)][keep], len(x) - counts[: len(probabilities)][keep].sum())
    if expected[-1] < 5:
        expected, found = expected[:-1], found[:-1]
    return float(((found - expected) ** 2 / expected).sum() - (len(expected) - 1)) / math.sqrt(2 * len(expected))


def check(name: str, x: np.ndarray, parameters: tuple[float, ...]) -> None:
    """The numbers `x` are from the distribution `name`."""
    x = np.sort(x.astype(np.float64).ravel())
    if name in CONTINUOUS:
        assert kolmogorov_smirnov(x, CONTINUOUS[name][1](x, *parameters)) < 2.2
    else:
        np.testing.assert_array_equal(x, np.floor(x))
        assert x[0] >= 0
        numbers = np.arange(200, dtype=float)
        assert chi_square_excess(np.minimum(x, 199), DISCRETE[name][1](numbers, *parameters)) < 4.5


def sets_of(name: str) -> list[tuple[float, ...]]:
    return (CONTINUOUS.get(name) or DISCRETE[name])[0]


@pytest.mark.parametrize("name", EVERY)
def test_numbers_as_parameters(name: str):
    for parameters in sets_of(name):
        x = getattr(nd.random, name)(*parameters, shape=(N // 100, 100))
        assert (x.shape, x.dtype) == ((N // 100, 100), np.float32)
        check(name, x.asnumpy(), parameters)


@pytest.mark.parametrize("name", EVERY)
def test_arrays_as_parameters(name: str):
    both = sets_of(name)
    x = getattr(nd.random, name)(*(nd.array(column) for column in zip(*both, strict=True)), shape=N)
    assert (x.shape, x.dtype) == ((2, N), np.float32)
    for row, parameters in zip(x.asnumpy(), both, strict=True):
        check(name, row, parameters)
    assert np.abs(np.corrcoef(x.asnumpy())[0, 1]) < 5 / math.sqrt(N)


@pytest.mark.parametrize("name", EVERY)
def test_in_a_compiled_graph(name: str):
    parameters = sets_of(name)[0]
    executor = getattr(sym.random, name)(*parameters, shape=(N,)).bind(mx.cpu(), {})
    mx.random.seed(11)
    first, second = executor.forward()[0].asnumpy(), executor.forward()[0].asnumpy()
    check(name, first, parameters)
    assert not np.array_equal(first, second)
    mx.random.seed(11)
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), first)
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), second)


@pytest.mark.parametrize("name", EVERY)
def test_a_seed_repeats_to_the_bit(name: str):
    def draw() -> np.ndarray:
        return getattr(nd.random, name)(*sets_of(name)[0], shape=(N // 100, 100)).asnumpy()

    mx.random.seed(5)
    first, second = draw(), draw()
    mx.random.seed(5)
    np.testing.assert_array_equal(draw(), first)
    np.testing.assert_array_equal(draw(), second)
    mx.random.seed(6)
    assert not np.array_equal(draw(), first)
    assert not np.array_equal(first, second)


def test_every_device_has_its_stream():
    def draw(number: int) -> list[float]:
        return nd.random.uniform(shape=3, ctx=mx.cpu(number)).asnumpy().tolist()

    mx.random.seed(7)
    start = [draw(0), draw(1)]
    assert start[0] != start[1]
    mx.random.seed(7)
    assert draw(1) == start[1]  # whatever the other device has drawn
    mx.random.seed(9, ctx=mx.cpu(1))
    assert draw(0) == start[0]
    other = draw(1)
    mx.random.seed(9, ctx=mx.cpu(1))
    assert draw(1) == other != start[1]


def test_nodes_of_one_graph_draw_independently():
    both = sym.Group([sym.random.normal(shape=(N,)), sym.random.normal(shape=(N,))]).bind(mx.cpu(), {}).forward()
    assert np.abs(np.corrcoef(both[0].asnumpy(), both[1].asnumpy())[0, 1]) < 5 / math.sqrt(N)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["uniform", "normal", "exponential"])
def test_dtypes(name: str, dtype: str):
    parameters = sets_of(name)[0]
    x = getattr(nd.random, name)(*parameters, shape=(2000,), dtype=dtype)
    assert x.dtype == np.dtype(dtype)
    if dtype != "float16":  # whose few digits make steps in the distribution
        check(name, x.asnumpy(), parameters)
    values = [nd.array([p], dtype=dtype) for p in parameters]
    assert getattr(nd.random, name)(*values, shape=2, dtype=dtype).dtype == np.dtype(dtype)


def test_float64_uniform_uses_its_digits():
    x = nd.random.uniform(shape=1000, dtype="float64").asnumpy()
    assert (x != x.astype(np.float32)).mean() > 0.9


def test_randint():
    x = nd.random.randint(-3, 4, shape=N).asnumpy()
    assert x.dtype == np.int32
    assert chi_square_excess(x + 3, np.full(7, 1 / 7)) < 4.5
    big = nd.random.randint(0, 2**40, shape=1000, dtype="int64").asnumpy()
    assert big.dtype == np.int64
    assert big.max() > 2**38


def test_multinomial():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0]], np.float32)
    drawn, logs = nd.random.multinomial(nd.array(p), shape=N, get_prob=True)
    assert (drawn.shape, drawn.dtype, logs.dtype) == ((2, N), np.int32, np.float32)
    for row, found, log in zip(p, drawn.asnumpy(), logs.asnumpy(), strict=True):
        assert chi_square_excess(found, row) < 4.5
        np.testing.assert_allclose(log, np.log(row[found]), rtol=1e-6)
    assert nd.random.multinomial(nd.array(p[0])).shape == (1,)
    assert nd.random.multinomial(nd.array(p), shape=(2, 5), dtype="uint8").shape == (2, 2, 5)


def test_shuffle_is_a_permutation_and_every_one_is_as_likely():
    x = nd.arange(60).reshape((20, 3))
    y = nd.random.shuffle(x).asnumpy()
    np.testing.assert_array_equal(y[np.argsort(y[:, 0])], x.asnumpy())
    counts: dict[tuple[float, ...], int] = {}
    three = nd.arange(3)
    for _ in range(600):
        key = tuple(nd.shuffle(three).asnumpy().tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 6
    assert min(counts.values()) > 60


def test_dropout_draws_anew_and_its_gradient_has_the_same_mask():
    net = sym.Dropout(sym.Variable("x"), p=0.25)
    executor = net.simple_bind(mx.cpu(), x=(N,))
    executor.arg_dict["x"][:] = 1
    first = executor.forward(is_train=True)[0].asnumpy()
    executor.backward(nd.ones(N))
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), first)
    second = executor.forward(is_train=True)[0].asnumpy()
    for out in (first, second):
        assert set(np.unique(out)) == {np.float32(0), np.float32(4 / 3)}
        assert abs((out == 0).mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / N)
    assert abs(((first == 0) & (second == 0)).mean() - 1 / 16) < 0.01
    np.testing.assert_array_equal(executor.forward(is_train=False)[0].asnumpy(), np.ones(N))


@pytest.mark.parametrize(("name", "parameters"), [("gamma", (0.0, 1.0)), ("poisson", (0.0,)), ("exponential", (0.0,))])
def test_limits_of_parameters(name: str, parameters: tuple[float, ...]):
    """A scale, rate or mean of 0 leaves nothing to chance."""
    with np.errstate(divide="ignore"):
        values = [nd.array([p]) for p in parameters]
        x = getattr(nd.random, name)(*values, shape=5).asnumpy()
    np.testing.assert_array_equal(x, 0)
