# SPDX-License-Identifier: Apache-2.0
"""Checking that random numbers have the distribution they should have.

A generator here is a function of the number of samples that gives them as a numpy array or an NDArray.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.scipy.special as special
import numpy as np

from .comparison import host

Generator = Callable[[int], Any]


def _draw(generator: Generator, nsamples: int) -> np.ndarray:
    return np.asarray(host(generator(nsamples)), np.float64).ravel()


def mean_check(generator: Generator, mu: float, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the mean of the samples is `mu` within 3 standard errors, `sigma / sqrt(nsamples)` each."""
    return bool(abs(_draw(generator, nsamples).mean() - mu) < 3 * sigma / math.sqrt(nsamples))


def var_check(generator: Generator, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the variance of normal samples is `sigma ** 2` within 3 standard errors."""
    error = math.sqrt(2 * sigma**4 / (nsamples - 1))
    return bool(abs(_draw(generator, nsamples).var(ddof=1) - sigma**2) < 3 * error)


def gen_buckets_probs_with_ppf(
    ppf: Callable[[float], float], nbuckets: int
) -> tuple[list[tuple[float, float]], list[float]]:
    """Intervals of equal probability, and these probabilities, from the inverse `ppf` of a distribution function."""
    edges = [ppf(i / nbuckets) for i in range(nbuckets + 1)]
    return list(itertools.pairwise(edges)), [1 / nbuckets] * nbuckets


def chi_square_check(
    generator: Generator, buckets: Sequence[Any] | None, probs: Sequence[float], nsamples: int = 1000000
) -> tuple[float, np.ndarray, np.ndarray]:
    """Pearson's chi-square test.

    Args:
        generator: gives samples.
        buckets: intervals (from, to), the end excluded, or values of a discrete distribution.
        probs: the probability of each.
        nsamples: how many samples.

    Returns:
        The probability of numbers at least as far off; how many samples fell into each bucket; how many should have.

    Raises AssertionError when there are no buckets, or as many probabilities as buckets are not given. Where the
    expected counts are no integers they stay so (MXNet rounds them down, and then their sum is wrong).
    """
    if not buckets or len(buckets) != len(probs):
        count = 0 if buckets is None else len(buckets)
        raise AssertionError(f"chi_square_check: {count} buckets and {len(probs)} probabilities; there must be as many")
    samples = _draw(generator, nsamples)
    if isinstance(buckets[0], list | tuple):
        observed = np.array([np.count_nonzero((low <= samples) & (samples < high)) for low, high in buckets])
    else:
        observed = np.array([np.count_nonzero(samples == value) for value in buckets])
    expected = nsamples * np.asarray(probs, np.float64)
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return float(special.gammaincc((len(buckets) - 1) / 2, statistic / 2)), observed, expected


def verify_generator(
    generator: Generator,
    buckets: Sequence[Any],
    probs: Sequence[float],
    nsamples: int = 1000000,
    nrepeat: int = 5,
    success_rate: float = 0.2,
    alpha: float = 0.05,
) -> list[float]:
    """Do `chi_square_check` several times, and raise AssertionError when too few succeed.

    Args:
        generator: gives samples; `buckets`, `probs`, `nsamples` as there.
        nrepeat: how many times.
        success_rate: the part that must succeed.
        alpha: a test succeeds when its probability is larger.

    Returns:
        The probabilities.
    """
    tests = [chi_square_check(generator, buckets, probs, nsamples) for _ in range(nrepeat)]
    found = [p for p, _, _ in tests]
    if sum(p > alpha for p in found) < nrepeat * success_rate:
        raise AssertionError(
            f"Generator test fails, Chi-square p={found}, obs_freq={[o for _, o, _ in tests]}, "
            f"expected_freq={[e for _, _, e in tests]}.\nbuckets={buckets}, probs={list(probs)}"
        )
    return found
