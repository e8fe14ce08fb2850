# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates as operators: what the golden cases leave out."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.op import OPS
from tests.ops.call import both, randn

STATES = {
    "sgd_update": 0,
    "sgd_mom_update": 1,
    "nag_mom_update": 1,
    "signsgd_update": 0,
    "signum_update": 1,
    "adam_update": 2,
    "rmsprop_update": 1,
    "rmspropalex_update": 3,
    "ftml_update": 3,
    "ftrl_update": 2,
}


def arrays(name: str, dtype: Any = np.float32) -> list[Any]:
    states = [np.abs(randn(3, 2, dtype=dtype, seed=5 + i)) for i in range(STATES[name])]
    if name == "rmspropalex_update":
        states[1] = states[1] * 0  # its square must stay below the mean of squares
    return [randn(3, 2, dtype=dtype), randn(3, 2, dtype=dtype, seed=1), *states]


def parameters(name, **more):
    return {"lr": 0.1, **({"t": 2} if name == "ftml_update" else {}), **more}


@pytest.mark.parametrize("name", STATES)
def test_float16_stays_float16(name):
    outs, written = both(name, *arrays(name, np.float16), **parameters(name, wd=0.1, rescale_grad=0.5))
    assert [a.dtype for a in (*outs, *written)] == [np.float16] * (1 + STATES[name])


@pytest.mark.parametrize("name", STATES)
def test_schedules_need_one_program(name):
    op = OPS[name]
    p = op.bind(parameters(name))
    traces = []

    @jax.jit
    def run(scheduled, *xs):
        traces.append(1)
        return op.apply(dataclasses.replace(p, **scheduled), *xs)

    xs = list(map(jnp.asarray, arrays(name)))
    for lr in (0.1, 0.2):
        (out,), _ = run({"lr": np.float64(lr), "wd": np.float64(lr), "rescale_grad": np.float64(lr)}, *xs)
        assert out.dtype == np.float32
        (want,), _ = both(name, *xs, **parameters(name, lr=lr, wd=lr, rescale_grad=lr))
        np.testing.assert_allclose(out, want, rtol=1e-5)
    assert len(traces) == 1


def test_negative_clip_means_none():
    w, g = arrays("sgd_update")
    unclipped, zero = (both("sgd_update", w, g, lr=1, clip_gradient=c)[0][0] for c in (-1, 0))
    np.testing.assert_allclose(unclipped, w - g, rtol=1e-6)
    np.testing.assert_array_equal(zero, w)
