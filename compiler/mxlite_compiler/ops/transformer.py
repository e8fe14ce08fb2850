# SPDX-License-Identifier: Apache-2.0
"""Attention over interleaved projections: queries, keys and values of each head lie side by side in one array.

That layout lets one matrix product project all of them. Its sizes: length l, batch b, heads h, head size d.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join, join_shapes
from .precision import precision

Array = jax.Array


def _parts(x: Array, heads: int, count: int) -> list[Array]:
    """The `count` projections (l, b, h, d) that are interleaved in `x` (l, b, h * count * d)."""
    split = x.reshape(*x.shape[:2], heads, count, -1)
    return [split[..., i, :] for i in range(count)]


def _scores(q: Array, k: Array) -> Array:
    """(b * h, length of q, length of k) from (l, b, h, d) each."""
    scores = jnp.einsum("qbhd,kbhd->bhqk", q / math.sqrt(q.shape[-1]), k, precision=precision(q))
    return scores.reshape(-1, *scores.shape[2:])


def _mix(attention: Array, v: Array) -> Array:
    """(length of q, b, h * d) from the weights (b * h, length of q, length of k) and the values (l, b, h, d)."""
    weights = attention.reshape(*v.shape[1:3], *attention.shape[1:])
    mixed = jnp.einsum("bhqk,kbhd->qbhd", weights, v, precision=precision(v))
    return mixed.reshape(*mixed.shape[:2], -1)


def _head_size(x: Shape | None, heads: int, count: int, name: str) -> int:
    """The head size of `count` projections in an array (l, b, h * count * d); 0 when unknown."""
    if x is None:
        return 0
    if len(x) != 3:
        raise Mismatch(f"{name} must be (length, batch, {count} * heads * size of a head), got {x}")
    if x[2] % (heads * count):
        raise Mismatch(f"the last axis of {name} has size {x[2]}, no multiple of {count} * heads = {count * heads}")
    return x[2] // (heads * count)


def _known(shape: Shape | None, ndim: int) -> Shape:
    return (0,) * ndim if shape is None else shape


@op("_contrib_interleaved_matmul_selfatt_qk")
def interleaved_matmul_selfatt_qk(queries_keys_values, *, heads: int):
    """The scores of self-attention, ``q k^T / sqrt(d)``.

    Args:
        queries_keys_values: (l, b, h * 3 * d), the three projections of each head side by side.
        heads: h.

    Returns:
        (b * h, l, l).
    """
    q, k, _ = _parts(queries_keys_values, heads, 3)
    return _scores(q, k)


@interleaved_matmul_selfatt_qk.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    _head_size(ins[0], p.heads, 3, "queries_keys_values")
    length, batch, _ = _known(ins[0], 3)
    return ins, [join_shapes((batch * p.heads, length, length), outs[0], "the output")] if ins[0] else outs


@op("_contrib_interleaved_matmul_selfatt_valatt")
def interleaved_matmul_selfatt_valatt(queries_keys_values, attention, *, heads: int):
    """The values of self-attention, weighted.

    Args:
        queries_keys_values: (l, b, h * 3 * d), the three projections of each head side by side.
        attention: (b * h, l, l), such as the softmax of `interleaved_matmul_selfatt_qk`.
        heads: h.

    Returns:
        (l, b, h * d).
    """
    return _mix(attention, _parts(queries_keys_values, heads, 3)[2])


@interleaved_matmul_selfatt_valatt.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    size = _head_size(ins[0], p.heads, 3, "queries_keys_values")
    length, batch, _ = ins[0]
    attention = join_shapes((batch * p.heads, length, length), ins[1], "attention")
    return [ins[0], attention], [join_shapes((length, batch, size * p.heads), outs[0], "the output")]


@op("_contrib_interleaved_matmul_encdec_qk")
def interleaved_matmul_encdec_qk(queries, keys_values, *, heads: int):
    """The scores of attention from a decoder to an encoder, ``q k^T / sqrt(d)``.

    Args:
        queries: (lq, b, h * d).
        keys_values: (lk, b, h * 2 * d), the two projections of each head side by side.
        heads: h.

    Returns:
        (b * h, lq, lk).
    """
    (q,), (k, _) = _parts(queries, heads, 1), _parts(keys_values, heads, 2)
    return _scores(q, k)


@interleaved_matmul_encdec_qk.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    sizes = [
        _head_size(s, p.heads, n, name) for s, n, name in zip(ins, (1, 2), ("queries", "keys_values"), strict=True)
    ]
    size = join(sizes[0], sizes[1], "the size of a head")
    q, kv = (_known(s, 3) for s in ins)
    batch = join(q[1], kv[1], "the batch")
    new: Shapes = [(q[0], batch, size * p.heads), (kv[0], batch, 2 * size * p.heads)]
    return new, [join_shapes((batch * p.heads, q[0], kv[0]), outs[0], "the output")]


@op("_contrib_interleaved_matmul_encdec_valatt")
def interleaved_matmul_encdec_valatt(keys_values, attention, *, heads: int):
    """The values of an encoder, weighted by a decoder's attention.

    Args:
        keys_values: (lk, b, h * 2 * d), the two projections of each head side by side.
        attention: (b * h, lq, lk), such as the softmax of `interleaved_matmul_encdec_qk`.
        heads: h.

    Returns:
        (lq, b, h * d).
    """
    return _mix(attention, _parts(keys_values, heads, 2)[1])


@interleaved_matmul_encdec_valatt.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    size = _head_size(ins[0], p.heads, 2, "keys_values")
    length, batch, _ = ins[0]
    attention = _known(join_shapes((batch * p.heads, 0, length), ins[1], "attention"), 3)
    return [ins[0], attention], [join_shapes((attention[1], batch, size * p.heads), outs[0], "the output")]
