# SPDX-License-Identifier: Apache-2.0
"""Cells: deferred content, captured content, versions, and what a write does to them."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray import NDArray
from mxlite.ndarray.cell import Cell


class Fills:
    """A step that fills a cell with a constant, after reading another one."""

    def __init__(self, source: Cell | None, value: float):
        self.source, self.value, self.flushed = source, value, 0
        self.target: Cell | None = None
        if source is not None:
            source.captured = self

    def flush(self) -> None:
        if self.flushed:
            return
        self.flushed += 1
        read = self.source.array if self.source is not None else jnp.zeros((3,), np.float32)
        assert self.target is not None
        self.target.fill(read + np.float32(self.value))


def deferred(source: Cell | None, value: float) -> tuple[Fills, NDArray]:
    step = Fills(source, value)
    cell = Cell.deferred((3,), np.dtype(np.float32), mx.cpu(), step)
    step.target = cell
    return step, NDArray._of_cell(cell)


def test_shape_and_dtype_are_known_without_computing() -> None:
    step, a = deferred(None, 1)
    assert (a.shape, a.dtype, a.size, a.context) == ((3,), np.float32, 3, mx.cpu())
    assert a.reshape((3, 1)).shape == (3, 1)
    assert not step.flushed


@pytest.mark.parametrize(
    "look",
    [
        lambda a: a.asnumpy(),
        lambda a: a.wait_to_read(),
        lambda a: a + 1,
        lambda a: a[0].asnumpy(),
        lambda a: repr(a),
        lambda a: a.copy(),
        lambda a: mx.nd.waitall(),
        lambda a: a.__setitem__(0, 1),
        lambda a: a.__setitem__(slice(None), 1),
    ],
)
def test_looking_or_writing_flushes(look) -> None:
    step, a = deferred(None, 1)
    look(a)
    assert step.flushed == 1


def test_a_write_comes_after_the_pending_content() -> None:
    _, a = deferred(None, 1)
    a[0] = 9
    assert a.asnumpy().tolist() == [9, 1, 1]


@pytest.mark.parametrize("key", [0, slice(None), slice(0, 2), [0, 1, 2]])
def test_captured_content_is_read_before_it_is_overwritten(key) -> None:
    source = mx.nd.ones((3,))
    step, a = deferred(source._cell, 1)
    source[key] = 100
    assert step.flushed == 1
    assert a.asnumpy().tolist() == [2, 2, 2]


def test_captured_through_in_place_arithmetic_and_views() -> None:
    source = mx.nd.ones((3,))
    view = source.reshape((3, 1))
    step, a = deferred(source._cell, 1)
    view += 1
    assert step.flushed == 1
    assert a.asnumpy().tolist() == [2, 2, 2]
    assert source.asnumpy().tolist() == [2, 2, 2]


def test_views_see_what_a_step_delivers() -> None:
    _, a = deferred(None, 4)
    view = a[1:2]
    assert view.asnumpy().tolist() == [4]
    a._cell.fill(jnp.full((3,), 6, np.float32))
    assert view.asnumpy().tolist() == [6]


def test_set_refuses_another_shape_or_dtype() -> None:
    a = mx.nd.zeros((3,))
    with pytest.raises(mx.MXNetError, match="shape"):
        a._set(jnp.zeros((4,), np.float32))
    with pytest.raises(mx.MXNetError, match="dtype"):
        a[0:2]._set(jnp.zeros((2,), np.int32))
