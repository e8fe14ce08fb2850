# SPDX-License-Identifier: Apache-2.0
"""Connectionist temporal classification: CTCLoss."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..shapes import DTypes, Shapes
from .window import agree

# Stands for the logarithm of 0: sums of a few thousand of them are finite, so no gradient becomes NaN.
_NEVER = -1e30


@op(
    "CTCLoss",
    alias=("_contrib_CTCLoss", "_contrib_ctc_loss", "ctc_loss"),
    drop={"data_lengths": lambda p: not p.use_data_lengths, "label_lengths": lambda p: not p.use_label_lengths},
    outputs=("output0",),
    floats=True,
)
def ctc_loss(
    data,
    label,
    data_lengths=None,
    label_lengths=None,
    *,
    use_data_lengths: bool = False,
    use_label_lengths: bool = False,
    blank_label: Literal["first", "last"] = "first",
):
    """The negative logarithm of the probability that `data` spells `label`, one number a sequence, after Graves 2006.

    A label that no path of the given length can spell has loss 0 and gradient 0, as in MXNet.

    Args:
        data: (time, batch, classes), before softmax.
        label: (batch, at most time) class numbers, padded with 0 (blank ``first``) or -1 (``last``) at the end.
        data_lengths: (batch,) numbers of steps; with `use_data_lengths`, otherwise all are used.
        label_lengths: (batch,) numbers of labels; with `use_label_lengths`, otherwise the padding tells.
        use_data_lengths: whether there is a `data_lengths` input.
        use_label_lengths: whether there is a `label_lengths` input.
        blank_label: whether the blank is the first class or the last.

    Example:
        >>> data = mx.nd.zeros((4, 1, 3))  # 4 steps, 1 sequence, blank and 2 classes, all equally likely
        >>> mx.nd.CTCLoss(data, mx.nd.array([[1, 2]]))
        [1.686399]
        <NDArray 1 @cpu(0)>
    """
    steps, batch, classes = data.shape
    blank, padding = (0, 0) if blank_label == "first" else (classes - 1, -1)
    logs = jax.nn.log_softmax(data.astype(jnp.promote_types(data.dtype, jnp.float32)), -1)
    label = label.astype(jnp.int32)
    if label_lengths is None:
        lengths = jnp.sum(jnp.cumprod((label != padding).astype(jnp.int32), 1, dtype=jnp.int32), 1, dtype=jnp.int32)
    else:
        lengths = label_lengths.astype(jnp.int32)
    # Blank, first label, blank, second label, ..., blank; from a label one may skip a blank to another label.
    states = jnp.full((batch, 2 * label.shape[1] + 1), blank, jnp.int32).at[:, 1::2].set(label)
    before = jnp.pad(states, ((0, 0), (2, 0)), constant_values=-1)[:, :-2]
    may_skip = (states != blank) & (states != before) & (before >= 0)
    emitted = jnp.take_along_axis(logs, states[None], 2, mode="clip")  # (time, batch, states)
    first = jnp.where(jnp.arange(states.shape[1], dtype=jnp.int32) < 2, emitted[0], _NEVER)

    def step(alpha: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        log, t = now
        one = jnp.pad(alpha, ((0, 0), (1, 0)), constant_values=_NEVER)[:, :-1]
        two = jnp.pad(alpha, ((0, 0), (2, 0)), constant_values=_NEVER)[:, :-2]
        new = jax.nn.logsumexp(jnp.stack([alpha, one, jnp.where(may_skip, two, _NEVER)]), 0) + log
        if data_lengths is not None:
            new = jnp.where(t < data_lengths.astype(jnp.int32)[:, None], new, alpha)
        return new, None

    alpha, _ = jax.lax.scan(step, first, (emitted[1:], jnp.arange(1, steps, dtype=jnp.int32)))
    # A path ends in the last label or in the blank after it.
    last = jnp.take_along_axis(alpha, 2 * lengths[:, None], 1, mode="clip")[:, 0]
    label_end = jnp.take_along_axis(alpha, jnp.maximum(2 * lengths[:, None] - 1, 0), 1, mode="clip")[:, 0]
    total = jnp.logaddexp(last, jnp.where(lengths > 0, label_end, _NEVER))
    return jnp.where(total > _NEVER / 2, -total, 0).astype(data.dtype)


@ctc_loss.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, label, *lengths = ins
    for name, shape, rank in (("data", data, 3), ("label", label, 2)):
        if shape is not None and len(shape) != rank:
            raise Mismatch(f"{name} must have {rank} axes, got {shape}")
    if data is None:
        return ins, outs
    batch = (data[1],)
    if label is not None:
        label = agree("label", label, (data[1], 0))
        if data[0] and label[1] > data[0]:
            raise Mismatch(f"label has {label[1]} entries a sequence, more than data has steps: {data[0]}")
    names = ctc_loss.inputs(p)[2:]
    rest = [agree(name, s, batch) for name, s in zip(names, lengths, strict=True)]
    return [data, label, *rest], [agree("output", outs[0], batch)]


@ctc_loss.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    data = ins[0] or outs[0]
    if outs[0] not in (None, data):
        raise Mismatch(f"the output has data's dtype {data}, but {outs[0]} is wanted")
    return [data, *(d or data for d in ins[1:])], [data]
