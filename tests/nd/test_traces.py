# SPDX-License-Identifier: Apache-2.0
"""Other numbers, positions and scalars run the programs that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mxlite as mx
from mxlite.ndarray import _kernels, dispatch


def retraced(action: Callable[[int], Any]) -> int:
    """How many traces the second to tenth call of `action` cause."""
    action(0)
    programs = sum(p.traces for p in _programs())
    before = sum(_kernels.traces.values()) + programs
    for i in range(1, 10):
        action(i)
    return sum(_kernels.traces.values()) + sum(p.traces for p in _programs()) - before


def _programs() -> list[dispatch.Program]:
    import gc

    return [o for o in gc.get_objects() if type(o) is dispatch.Program]


@pytest.fixture(autouse=True)
def _cold() -> None:
    """Uploads and fills are compiled when a shape has come up often; what ran before shall not count."""
    _kernels._uploader.cache_clear()
    _kernels._filler.cache_clear()


A = mx.nd.zeros((16, 17))
V = mx.nd.zeros((19,))


def _set(key: Any, value: Any) -> None:
    A[key] = value


@pytest.mark.parametrize(
    "action",
    [
        lambda i: A + i * 0.5,
        lambda i: i - A,
        lambda i: A > i,  # noqa: SIM300
        lambda i: A[i].asnumpy(),
        lambda i: A[i, i].asnumpy(),
        lambda i: V[i].asnumpy(),
        lambda i: A[i : i + 2].asnumpy(),
        lambda i: A[:, i],
        lambda i: A[i : i + 4 : 2],
        lambda i: A[[i, i + 1]],
        lambda i: _set(i, i),
        lambda i: _set((i, i), i),
        lambda i: _set(slice(i, i + 3), i * 0.1),
        lambda i: _set((slice(None), i), i),
        lambda i: _set([i, 1], i),
        lambda i: _set(slice(None), i),
        lambda i: mx.nd.maximum(A, i),
        lambda i: mx.nd.slice_axis(A, axis=1, begin=i, end=i + 3),
        lambda i: A.slice_axis(0, i, i + 2),
        lambda i: A.slice((i, 0), (i + 2, 5)),
        lambda i: mx.nd.arange(i, i + 5),
        lambda i: mx.nd.zeros((3, i + 1)),
    ],
)
def test_no_retrace(action: Callable[[int], Any]) -> None:
    mx.nd.arange(4)
    # One more is the donating form of a write.
    action(0)
    action(1)
    assert retraced(action) == 0


def test_in_place_arithmetic_keeps_its_program() -> None:
    a = mx.nd.zeros((3, 5))

    def step(i: int) -> None:
        nonlocal a
        a += i
        a *= 0.5

    assert retraced(step) == 0
