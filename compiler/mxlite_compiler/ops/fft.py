# SPDX-License-Identifier: Apache-2.0
"""Fourier transforms along the last axis, and the count sketch. MXNet has them on a GPU only."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes


def _rows(data: Shape) -> Shape:
    if len(data) not in (2, 4):
        raise Mismatch(f"data must have 2 or 4 dimensions, got {data}")
    return data


def _at_least_float32(x: jax.Array) -> jax.Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


@op("_contrib_fft")
def fft(data, *, compute_size: int = 128):
    """The Fourier transform of the real rows of `data`, its real and imaginary parts interleaved.

    Args:
        data: (n, d) or (n1, n2, n3, d).
        compute_size: how many rows at once in MXNet; XLA decides it here.

    Returns:
        (..., 2 * d): real part 0, imaginary part 0, real part 1, ...
    """
    spectrum = jnp.fft.fft(_at_least_float32(data))
    return jnp.stack([spectrum.real, spectrum.imag], -1).reshape(*data.shape[:-1], -1).astype(data.dtype)


@op("_contrib_ifft")
def ifft(data, *, compute_size: int = 128):
    """The real part of the inverse Fourier transform, times its length: MXNet leaves the division by d to the caller.

    Args:
        data: (n, 2 * d) or (n1, n2, n3, 2 * d), interleaved as `fft` returns it.
        compute_size: how many rows at once in MXNet; XLA decides it here.

    Returns:
        (..., d).
    """
    d = data.shape[-1] // 2
    pairs = _at_least_float32(data)[..., : 2 * d].reshape(*data.shape[:-1], d, 2)
    return jnp.fft.ifft(jax.lax.complex(pairs[..., 0], pairs[..., 1]), norm="forward").real.astype(data.dtype)


@fft.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    *lead, d = _rows(ins[0])
    return ins, [join_shapes((*lead, 2 * d), outs[0], "the output")]


@ifft.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    *lead, d = _rows(ins[0])
    return ins, [join_shapes((*lead, d // 2), outs[0], "the output")]


@op("_contrib_count_sketch")
def count_sketch(data, h, s, *, out_dim: int, processing_batch_size: int = 32):
    """The count sketch of each row, Charikar et al. 2002: ``out[h[i]] += s[i] * data[i]``.

    Args:
        data: (n, d) or (n1, n2, n3, d).
        h: (1, d) the place, 0 to out_dim - 1, that each column is added to; no gradient. Other places are left out.
        s: (1, d) signs, 1 or -1; no gradient.
        out_dim: the size of a sketch.
        processing_batch_size: how many rows at once in MXNet; XLA decides it here.

    Returns:
        (..., out_dim).
    """
    places = jnp.where(h[0] >= 0, h[0], out_dim).astype(jnp.int32)  # a negative index would count from the end
    signed = data * jax.lax.stop_gradient(s[0])
    return jnp.zeros((*data.shape[:-1], out_dim), data.dtype).at[..., places].add(signed, mode="drop")


@count_sketch.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, *tables = ins
    if data is None:
        return ins, outs
    _rows(data)
    tables = [join_shapes((1, data[-1]), t, name) for t, name in zip(tables, "hs", strict=True)]
    data = join_shapes((*data[:-1], (tables[0] or data)[-1]), data) or data
    return [data, *tables], [join_shapes((*data[:-1], p.out_dim), outs[0], "the output")]
