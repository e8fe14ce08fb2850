# SPDX-License-Identifier: Apache-2.0
"""The recorded forms of what is no operator call: views, indexing, copies, and moves to another device."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import _kernels
from .handle import Handle
from .tape import Arrays, Call, Cotangents, record

Shape = tuple[int, ...]


class Box(Call):
    """A basic selection, ``x[1:3, ::2, 0]``: static sizes and strides, and traced starts."""

    name = "slice"

    def __init__(self, sizes: Shape, strides: Shape, shape: Shape):
        self.sizes, self.strides, self.shape = sizes, strides, shape
        self.steps = 1 if shape == sizes else 2

    def apply(self, extras: Any, inputs: Arrays, train: bool) -> tuple[jax.Array, ...]:
        return (_kernels.read_box(self.sizes, self.strides, self.shape)(inputs[0], extras),)

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        begin = tuple(map(int, extras))
        ends = [b + (n - 1) * s + (1 if s > 0 else -1) for b, n, s in zip(begin, self.sizes, self.strides, strict=True)]
        end = tuple(None if e < 0 else e for e in ends)  # backwards, up to the first element
        cut = ("slice", {"begin": begin, "end": end, "step": self.strides})
        return [cut] if self.steps == 1 else [cut, ("Reshape", {"shape": self.shape})]


class Gather(Call):
    """An advanced selection, ``x[[0, 2]]``; the inputs are the array and the index arrays."""

    name = "gather_nd"

    def __init__(self, spec: tuple[Any, ...]):
        self.spec = spec

    def apply(self, extras: Any, inputs: Arrays, train: bool) -> tuple[jax.Array, ...]:
        return (_kernels.gather(self.spec)(*inputs),)

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        return [("gather_nd", {})]


class Copied(Call):
    """The same numbers in another shape or dtype: a copy, a cast, ``y[:] = x``, a reshape.

    As in MXNet, the gradient passes casts to integers unchanged.
    """

    name = "_copyto"

    def __init__(self, shape: Shape, dtype: np.dtype, reshaped: bool):
        self.shape, self.dtype, self.reshaped = shape, dtype, reshaped

    def apply(self, extras: Any, inputs: Arrays, train: bool) -> tuple[jax.Array, ...]:
        x = inputs[0]
        return (x.reshape(self.shape) if self.reshaped else _kernels.fit(x, self.shape, self.dtype),)

    def pull(self, extras: Any, inputs: Arrays, wanted: Sequence[int], heads: Cotangents, train: bool) -> Cotangents:
        x, head = inputs[0], heads[0]
        if head is None:
            return [None]
        if not self.reshaped and x.shape != self.shape:  # broadcast
            lead = max(len(self.shape) - x.ndim, 0)
            shape = (1,) * lead + x.shape[max(x.ndim - len(self.shape), 0) :]
            axes = tuple(i for i, (n, m) in enumerate(zip(shape, self.shape, strict=True)) if n != m)
            head = jnp.sum(head, axes)
        return [head.reshape(x.shape).astype(x.dtype)]

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        if self.reshaped:
            return [("Reshape", {"shape": self.shape})]
        # The symbol has no target to broadcast to; where the shapes differ MXNet's copy broadcasts first.
        return [("Cast", {"dtype": self.dtype.name})]


class Moved(Call):
    """A copy on another device; the gradient goes back."""

    name = "_copyto"
    host = True

    def __init__(self, device: Any):
        self.device = device

    def host_backward(
        self, extras: Any, inputs: Arrays, outs: Arrays, heads: Cotangents, train: bool
    ) -> list[jax.Array | None]:
        (source,) = inputs[0].devices()
        return [None if heads[0] is None else jax.device_put(heads[0], source)]

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        return [("_copyto", {})]


_box = functools.lru_cache(maxsize=4096)(Box)
_gather = functools.lru_cache(maxsize=4096)(Gather)
_copied = functools.lru_cache(maxsize=4096)(Copied)
_moved = functools.lru_cache(maxsize=64)(Moved)


def record_box(source: Handle, result: Handle, starts: Any, sizes: Shape, strides: Shape) -> None:
    """Record that `result` is a basic selection of `source`."""
    record(_box(sizes, strides, result.shape), starts, (source,), (source._data,), (result._data,), (result,))


def record_gather(source: Handle, result: Handle, spec: tuple[Any, ...], indices: Sequence[Any]) -> None:
    """Record that `result` is an advanced selection of `source`."""
    record(_gather(spec), None, (source,), (source._data, *indices), (result._data,), (result,))


def record_copy(source: Handle, result: Handle) -> None:
    """Record that `result` holds the numbers of `source`, broadcast and cast."""
    record(
        _copied(result.shape, result._cell.dtype, False), None, (source,), (source._data,), (result._data,), (result,)
    )


def record_reshape(source: Handle, result: Handle) -> None:
    """Record that `result` holds the numbers of `source` in another shape."""
    record(
        _copied(result.shape, result._cell.dtype, True), None, (source,), (source._data,), (result._data,), (result,)
    )


def record_move(source: Handle, result: Handle) -> None:
    """Record that `result` is a copy of `source` on what may be another device."""
    here, there = source._cell.ctx.jax_device, result._cell.ctx.jax_device
    if here == there:
        record_copy(source, result)
    else:
        record(_moved(there), None, (source,), (source._data,), (result._data,), (result,))
