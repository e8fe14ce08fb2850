# SPDX-License-Identifier: Apache-2.0
"""Calling one operator in a test."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS, Mode

KEY = np.array([0, 42], np.uint32)


def call(name: str, *arrays: Any, train: bool = False, key: Any = KEY, **attrs: Any) -> tuple[jax.Array, ...]:
    """All outputs of operator `name`, hidden ones included."""
    return both(name, *arrays, train=train, key=key, **attrs)[0]


def both(name: str, *arrays: Any, train: bool = False, key: Any = KEY, **attrs: Any) -> tuple[Any, Any]:
    """All outputs of operator `name`, and the new values of the inputs that it writes."""
    op = OPS[name]
    p = op.bind(attrs)
    run = jax.jit(lambda k, *xs: op.apply(p, *xs, mode=Mode(train, k)))
    return run(key, *map(jnp.asarray, arrays))


def grads(name: str, *arrays: Any, head: Any = None, train: bool = True, **attrs: Any) -> tuple[jax.Array, ...]:
    """Gradients of all inputs for the head gradient `head` (ones by default) of the first output."""
    op = OPS[name]
    p = op.bind(attrs)

    def run(*xs: jax.Array) -> Any:
        out, pull = jax.vjp(lambda *ys: op.apply(p, *ys, mode=Mode(train, jnp.asarray(KEY)))[0][0], *xs)
        return pull(jnp.ones_like(out) if head is None else jnp.asarray(head, out.dtype))

    return jax.jit(run)(*map(jnp.asarray, arrays))


def shapes(name: str, ins: list[Any], outs: list[Any] | None = None, **attrs: Any) -> tuple[list[Any], list[Any]]:
    """What the shape rule of operator `name` infers."""
    op = OPS[name]
    p = op.bind(attrs)
    return op.infer_shape(p, ins, outs or [None] * len(op.outputs(p)))


def dtypes(name: str, ins: list[Any], **attrs: Any) -> tuple[list[Any], list[Any]]:
    """What the dtype rule of operator `name` infers."""
    op = OPS[name]
    p = op.bind(attrs)
    return op.infer_dtype(p, ins, [None] * len(op.outputs(p)))


def complaint(name: str, ins: list[Any], **attrs: Any) -> str:
    """The message of the MXNetError that inferring shapes raises."""
    with pytest.raises(MXNetError) as caught:
        shapes(name, ins, **attrs)
    return str(caught.value)


def randn(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    """Normal random numbers, the same in every run."""
    return np.random.RandomState(seed).randn(*shape).astype(dtype)
