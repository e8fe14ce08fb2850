# SPDX-License-Identifier: Apache-2.0
"""Programs that fail after they were started: where the result is awaited, in MXNet's class, and once in waitall."""

from __future__ import annotations

from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray.cell import Cell
from mxlite_compiler.errors import MXNetError


class Failed:
    """Stands for the result of a program that failed on a device: a CPU reports failures when it starts a program."""

    aval = jax.ShapeDtypeStruct((2,), np.float32)
    shape, dtype = aval.shape, aval.dtype

    def block_until_ready(self):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory\nmany lines more")

    def __array__(self, dtype=None, copy=None):
        self.block_until_ready()

    def is_deleted(self):
        return False


def test_what_fails_late_is_an_mxnet_error_where_it_is_awaited():
    x = mx.nd.NDArray._of_cell(Cell(cast(jax.Array, Failed()), mx.cpu()))
    for call in ("asnumpy", "wait_to_read"):
        with pytest.raises(MXNetError, match=rf"{call}: RESOURCE_EXHAUSTED: out of memory\n  hint: smaller batches"):
            getattr(x, call)()


def test_waitall_raises_once_for_what_failed_and_goes_on(monkeypatch):
    one, other, fine = Failed(), Failed(), jnp.ones(2)
    monkeypatch.setattr(jax, "live_arrays", lambda: [one, other, fine])
    with pytest.raises(MXNetError, match="waitall: RESOURCE_EXHAUSTED"):
        mx.nd.waitall()
    mx.nd.waitall()
    monkeypatch.setattr(jax, "live_arrays", lambda: [one, Failed(), fine])
    with pytest.raises(MXNetError, match="waitall"):
        mx.nd.waitall()


def test_waitall_runs_the_steps_behind_one_that_fails(monkeypatch):
    a = (mx.sym.var("x") * 2).bind(mx.cpu(), {"x": mx.nd.ones(2)})
    b = (mx.sym.var("x") * 3).bind(mx.cpu(), {"x": mx.nd.ones(2)})

    def fails(*args):
        raise MXNetError("no memory")

    monkeypatch.setattr(a.program, "train", fails)
    for executor in (a, b):
        executor.forward(is_train=True)
    with pytest.raises(MXNetError, match="no memory"):
        mx.nd.waitall()
    mx.nd.waitall()
    np.testing.assert_array_equal(b.outputs[0].asnumpy(), [3, 3])
    with pytest.raises(MXNetError, match="no memory"):
        a.outputs[0].asnumpy()
