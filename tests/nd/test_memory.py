# SPDX-License-Identifier: Apache-2.0
"""What a loop leaves behind: nothing. And what may change with every call does not fill a cache for ever."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax.core import Tracer

import mxlite as mx
from memory import Loop, caches
from mxlite.ndarray import _kernels, dispatch
from mxlite.ndarray.checks import checks
from mxlite_compiler.op import get_op

#: Bytes of Python's memory that bookkeeping of the interpreter itself may take: less than 200 small arrays.
SLACK = 64 * 1024


def held() -> dict[str, int]:
    """What the process holds."""
    mx.nd.waitall()
    gc.collect()
    return {
        **caches(),
        "arrays": len(jax.live_arrays()),
        "checks": len(checks.waiting),
        "helper traces": sum(_kernels.traces.values()),
        "program traces": sum(p.traces for p in gc.get_objects() if type(p) is dispatch.Program),
    }


@pytest.fixture(autouse=True)
def _cold() -> None:
    """Constants that other tests have seen would go to the device here, one after the other."""
    _kernels._constant.cache_clear()


def test_a_loop_holds_steady() -> None:
    loop = Loop()
    for _ in range(3):  # the first rounds fill what is bounded
        loop.run(0, 480)
    before = held()
    tracemalloc.start()
    try:
        size = tracemalloc.get_traced_memory()[0]
        loop.run(0, 960)
        after = held()
        grown = tracemalloc.get_traced_memory()[0] - size
    finally:
        tracemalloc.stop()
    changed = {k: (before[k], n) for k, n in after.items() if n != before[k]}
    # Numbers that were not there before are constants; of these so many are kept.
    fresh = changed.pop("_kernels._constant", (0, 0))
    assert not changed
    assert fresh[1] <= 1024
    assert grown < SLACK + 200 * 480


def _numbers(i: int) -> Any:
    return mx.nd.ones((3,)) * (i + 0.25) - i


def _positions(i: int) -> Any:
    a = mx.nd.zeros((5000, 2))
    a[i] = i
    return a[i : i + 2] + a[i + 1]


def _rates(i: int) -> Any:
    w = mx.nd.ones((3,))
    return mx.nd.sgd_update(w, w, lr=i * 1e-3, wd=i * 1e-4, out=w)


def _exponents(i: int) -> Any:
    return mx.nd.ones((3,)) ** (i + 5.5), (1.5 + i) ** mx.nd.ones((3,))


@pytest.mark.parametrize("action", [_numbers, _positions, _rates, _exponents])
def test_changing_numbers_stay_within_bounds(action: Callable[[int], Any]) -> None:
    for i in range(60):  # until also what is compiled only when it comes often is there
        action(i)
    before = held()
    for i in range(60, 60 + 600):
        action(i)
    after = held()
    assert 1000 >= after.pop("_kernels._constant") - before.pop("_kernels._constant") > 0
    assert after == before
    info = _kernels._constant.cache_info()
    assert info.maxsize == 1024 and info.currsize <= 1024


def test_changing_shapes_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call has another shape: what is compiled for the ones before goes, what is cached for them is bounded."""
    monkeypatch.setattr(dispatch, "SHAPES", 8)
    program = dispatch.program(get_op("_minus_scalar"), {"scalar": 0.5})[0]
    program.fn, program.traces = program._compiled(), 0  # whatever ran before in this process
    kept, alive = [], []
    for n in range(1, 34):
        assert (mx.nd.ones((n,)) - n).asnumpy().tolist() == [1 - n] * n
        kept.append(program.fn._cache_size())
        if not any(function() is program.fn for function in alive):
            alive.append(weakref.ref(program.fn))
    assert max(kept) <= 8
    assert len(alive) >= 4 and sum(function() is not None for function in alive) == 1
    before = caches()
    for n in range(1, 400):
        a = mx.nd.zeros((n, 2))
        assert mx.nd.array(np.zeros((2, n)))[1:].shape == (1, n) and a[0].shape == (2,)
    mx.nd.waitall()
    grown = {name: size - before[name] for name, size in caches().items() if size != before[name]}
    assert max(grown.values()) <= 800  # a slot that counts the uses of a shape, nothing compiled
    for module in (_kernels, dispatch):
        for name, value in vars(module).items():
            if hasattr(value, "cache_info") and name != "cast":  # which has an entry a dtype
                assert value.cache_info().maxsize in (1024, 4096, 8192), name


def test_constants_are_exact() -> None:
    """Equal numbers that are not the same, and numbers that are not equal to themselves, on the host and the device."""
    ones = mx.nd.ones((2,))
    for _ in range(_kernels.REPEATED + 2):
        assert np.signbit((ones * 0.0).asnumpy()).tolist() == [False, False]
        assert np.signbit((ones * -0.0).asnumpy()).tolist() == [True, True]
        assert np.isnan((ones * float("nan")).asnumpy()).all()
        assert (mx.nd.ones((2,), dtype="int64") * 1).asnumpy().tolist() == [1, 1]
        assert (ones + True).asnumpy().tolist() == [2, 2]
        ones[0] = -0.0
        assert np.signbit(ones.asnumpy()).tolist() == [True, False]
        ones[:] = 1


def test_constants_are_made_outside_of_traces() -> None:
    """A function that JAX traces may be what makes a number a constant: it must not leak out of the trace."""
    for _ in range(_kernels.REPEATED + 2):
        jax.jit(lambda: _kernels.constant(7, np.int32, jax.devices()[0]) + 1)()
    slot = _kernels.constant(7, np.int32, jax.devices()[0])
    assert isinstance(slot, jax.Array) and not isinstance(slot, Tracer) and int(slot) == 7


def test_the_tape_is_freed_with_its_results() -> None:
    x = mx.nd.ones((4,))
    x.attach_grad()
    y = x
    for _ in range(_kernels.REPEATED + 1):  # until the number is a constant
        y = x * 1.01
    del y
    before = held()["arrays"]
    y = x
    for _ in range(3):
        with mx.autograd.record():
            y = x
            for _ in range(50):
                y = y * 1.01
    assert held()["arrays"] >= before + 50  # the last recording is still there
    del y
    assert held()["arrays"] == before
