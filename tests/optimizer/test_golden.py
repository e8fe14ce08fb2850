# SPDX-License-Identifier: Apache-2.0
"""One table for all optimizers: five steps of each recorded setting, in three ways.

The classic updater, and the transformation under jit, must give MXNet's weights and states.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

import mxlite as mx
from mxlite import lr_scheduler, optimizer
from tests.archives import read_npz

HERE = Path(__file__).parents[1] / "golden/optimizers"
GOLDEN = json.loads((HERE / "golden_optimizers.json").read_text())
BUFFERS = read_npz(HERE / "golden_optimizers.npz")
#: Sparse gradients are not there yet.
TABLE = [c for c in GOLDEN["optimizers"] if "gradient_row_sparse_rows" not in c]
NAMES = [f"{c['optimizer']}: {c['variant']}" for c in TABLE]


def recorded(ref) -> Any:
    """The array, or tuple of arrays, that `ref` names."""
    if ref is None:
        return None
    if isinstance(ref[0], str):
        buffer, start, shape = ref
        return BUFFERS[buffer][start : start + int(np.prod(shape))].reshape(shape)
    return tuple(map(recorded, ref))


def make(case):
    params = dict(case["params"])
    if "lr_scheduler" in case:
        settings = dict(case["lr_scheduler"])
        params["lr_scheduler"] = getattr(lr_scheduler, settings.pop("class"))(**settings)
    made = optimizer.create(case["optimizer"], param_idx2name={0: case["param_name"]}, **params)
    if "lr_mult" in case:
        made.set_lr_mult({case["param_name"]: case["lr_mult"]})
    if "wd_mult" in case:
        made.set_wd_mult({case["param_name"]: case["wd_mult"]})
    return made


def close(got, want, what):
    """Equal but for the order of roundings, which shows as an error relative to the largest element."""
    if want is None or isinstance(want, tuple):
        if want is None:
            assert got is None, what
            return
        assert len(got) == len(want), what
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            close(g, w, f"{what}[{i}]")
        return
    got = got.asnumpy() if isinstance(got, mx.nd.NDArray) else np.asarray(got)
    assert got.dtype == want.dtype, what
    # MXNet rounds float16 after every operation, mxlite once a step.
    rtol, atol = (4e-3, 2e-3) if want.dtype == np.float16 else (1e-6, 5e-7)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol * np.abs(want).max(), err_msg=what)


TRACES: dict[int, dict[str, int]] = {}


@cache
def stepper(chain):
    traces = TRACES.setdefault(id(chain), {})

    @jax.jit
    def step(params, state, grads, hyper):
        kind = str(params["w"].dtype)
        traces[kind] = traces.get(kind, 0) + 1
        updates, state = chain.update(grads, state, params, **optimizer.Optimizer.spread(hyper, ["w"]))
        return optax.apply_updates(params, updates), state

    return step


@pytest.fixture(autouse=True)
def _half_precision_is_meant():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Accumulating with float16")
        yield


@pytest.mark.parametrize("case", TABLE, ids=NAMES)
def test_updater(case):
    made = make(case)
    update = optimizer.get_updater(made)
    start = recorded(case["weight0"])
    weight = mx.nd.array(start, dtype=start.dtype)
    for i, (grad, after) in enumerate(zip(case["grads"], case["weights_after"], strict=True)):
        g = recorded(grad)
        update(0, mx.nd.array(g, dtype=g.dtype), weight)
        close(weight, recorded(after), f"weight after step {i + 1}")
        assert made._get_lr(0) == pytest.approx(case["lr_after_each"][i], rel=1e-12)
    close(update.states[0], recorded(case["final_state"]), "state")


FUSED = [case for case in TABLE if make(case).fused]


@pytest.mark.parametrize("case", FUSED, ids=[NAMES[TABLE.index(case)] for case in FUSED])
def test_transformation(case):
    made = make(case)
    chain = made.transformation()
    step = stepper(chain)
    params = {"w": jax.numpy.asarray(recorded(case["weight0"]))}
    state = chain.init(params)
    for i, (grad, after) in enumerate(zip(case["grads"], case["weights_after"], strict=True)):
        params, state = step(params, state, {"w": recorded(grad)}, made.hyper([0]))
        close(params["w"], recorded(after), f"weight after step {i + 1}")
    final = made.mx_state(state, "w")
    close(final, recorded(case["final_state"]), "state")
    # Neither rates nor decays nor schedules are constants: settings that differ in them share one program.
    assert max(TRACES[id(chain)].values()) == 1
    again = made.with_mx_state(chain.init(params), "w", final)
    assert jax.tree.all(jax.tree.map(np.array_equal, again, state))
