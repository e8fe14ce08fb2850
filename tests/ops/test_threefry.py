# SPDX-License-Identifier: Apache-2.0
"""The generator that is written out draws JAX's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from mxlite_compiler.ops.threefry import typed

KEY = np.array([3, 0xFFFFFFFF], np.uint32)


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: jax.random.bits(key, (7,), np.uint8),
        lambda key: jax.random.bits(key, (3, 5), np.uint32),
        lambda key: jax.random.bits(key, (), np.uint64),
        lambda key: jax.random.uniform(key, (0,), "float32"),
        lambda key: jax.random.uniform(key, (2, 9), "float64"),
        lambda key: jax.random.normal(key, (33,), "float32"),
        lambda key: jax.random.permutation(key, 10),
        lambda key: jax.random.normal(jax.random.split(jax.random.fold_in(key, 7))[1], (4,), "float32"),
    ],
)
def test_numbers_are_those_of_jax(draw: Callable[[Any], jax.Array]) -> None:
    np.testing.assert_array_equal(draw(typed(KEY)), draw(KEY))
    np.testing.assert_array_equal(jax.jit(lambda key: draw(typed(key)))(KEY), draw(KEY))


def test_typed_keys_stay() -> None:
    key = jax.random.key(1)
    assert typed(key) is key
