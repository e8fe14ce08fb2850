# SPDX-License-Identifier: Apache-2.0
"""Batches of sequences of different lengths: SequenceMask, SequenceLast, SequenceReverse."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Op, op
from ..shapes import DTypes, Shapes
from .window import agree


def _sequence_op(name: str, **options: Any) -> Any:
    """`op` for an operator on data whose axes 0 and 1 are time and batch, or batch and time with ``axis=1``."""
    return op(name, drop={"sequence_length": lambda p: not p.use_sequence_length}, **options)


def _lengths(data: jax.Array, sequence_length: jax.Array, axis: int) -> jax.Array:
    """The lengths as int32, shaped to broadcast against `data`."""
    shape = [-1 if i == 1 - axis else 1 for i in range(data.ndim)]
    return sequence_length.astype(jnp.int32).reshape(shape)


def _infer(p: Any, ins: Shapes, outs: Shapes, *, last: bool = False) -> tuple[Shapes, Shapes]:
    data, out = ins[0], outs[0]
    if p.axis not in (0, 1):
        raise Mismatch(f"axis={p.axis} must be 0 (time first) or 1 (batch first)")
    if data is None and out is not None:
        data = (*out[: p.axis], 0, *out[p.axis :]) if last else out
    if data is None:
        return ins, outs
    if len(data) < 2:
        raise Mismatch(f"data {data} needs a time and a batch axis")
    if last:
        if out is not None:
            data = agree("data", data, (*out[: p.axis], 0, *out[p.axis :]))
        out = agree("output", out, data[: p.axis] + data[p.axis + 1 :])
    else:
        data = out = agree("output", out, data)
    return [data, *(agree("sequence_length", s, (data[1 - p.axis],)) for s in ins[1:])], [out]


def _infer_dtypes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """The lengths have a dtype of their own."""
    data = ins[0] or outs[0]
    if outs[0] not in (None, data):
        raise Mismatch(f"the output has data's dtype {data}, but {outs[0]} is wanted")
    return [data, *(d or data for d in ins[1:])], [data]


@_sequence_op("SequenceMask")
def sequence_mask(data, sequence_length=None, *, use_sequence_length: bool = False, value: float = 0.0, axis: int = 0):
    """Set what comes after the end of each sequence to `value`.

    Args:
        data: (time, batch, ...), or (batch, time, ...) with ``axis=1``.
        sequence_length: (batch,) numbers of steps; with `use_sequence_length`, otherwise nothing is masked.
        use_sequence_length: whether there is a `sequence_length` input.
        value: what masked steps become.
        axis: the axis of time.

    Example:
        >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])  # 3 steps of 2 sequences
        >>> mx.nd.SequenceMask(x, mx.nd.array([1, 2]), use_sequence_length=True, value=-1)
        [[ 1.  2.]
         [-1.  4.]
         [-1. -1.]]
        <NDArray 3x2 @cpu(0)>
    """
    if sequence_length is None:
        return data
    step = jax.lax.broadcasted_iota(jnp.int32, data.shape, axis)
    return jnp.where(step < _lengths(data, sequence_length, axis), data, jnp.asarray(value, data.dtype))


@_sequence_op("SequenceLast")
def sequence_last(data, sequence_length=None, *, use_sequence_length: bool = False, axis: int = 0):
    """The last step of each sequence, of data's shape without the time axis.

    Args:
        data: (time, batch, ...), or (batch, time, ...) with ``axis=1``.
        sequence_length: (batch,) numbers of steps; with `use_sequence_length`, otherwise all are full.
        use_sequence_length: whether there is a `sequence_length` input.
        axis: the axis of time.

    Example:
        >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])  # 3 steps of 2 sequences
        >>> mx.nd.SequenceLast(x, mx.nd.array([1, 3]), use_sequence_length=True)
        [1. 6.]
        <NDArray 2 @cpu(0)>
    """
    if sequence_length is None:
        return jax.lax.index_in_dim(data, data.shape[axis] - 1, axis, keepdims=False)
    last = _lengths(data, sequence_length, axis) - 1
    return jnp.take_along_axis(data, last, axis, mode="clip").squeeze(axis)


@_sequence_op("SequenceReverse")
def sequence_reverse(data, sequence_length=None, *, use_sequence_length: bool = False, axis: int = 0):
    """Turn each sequence round; what comes after its end stays in place.

    Args:
        data: (time, batch, ...).
        sequence_length: (batch,) numbers of steps; with `use_sequence_length`, otherwise all are full.
        use_sequence_length: whether there is a `sequence_length` input.
        axis: the axis of time.

    Example:
        >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])  # 3 steps of 2 sequences
        >>> mx.nd.SequenceReverse(x, mx.nd.array([2, 3]), use_sequence_length=True)
        [[3. 6.]
         [1. 4.]
         [5. 2.]]
        <NDArray 3x2 @cpu(0)>
    """
    if sequence_length is None:
        return jax.lax.rev(data, (axis,))
    shape = [n if i < 2 else 1 for i, n in enumerate(data.shape)]
    step = jax.lax.broadcasted_iota(jnp.int32, shape, axis)
    length = _lengths(data, sequence_length, axis)
    return jnp.take_along_axis(data, jnp.where(step < length, length - 1 - step, step), axis, mode="clip")


def _register(operator: Op, last: bool = False) -> None:
    operator.infer(lambda p, ins, outs: _infer(p, ins, outs, last=last))
    operator.infer_dtypes(_infer_dtypes)


_register(sequence_mask)
_register(sequence_last, last=True)
_register(sequence_reverse)
