# SPDX-License-Identifier: Apache-2.0
"""Resizing of pictures as OpenCV does it, which MXNet calls: to the bit for uint8.

Every method is a few taps an axis: for each output position the positions that it reads, and their weights. They depend
on sizes only, so numpy makes them when a program is traced.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

NEAREST, LINEAR, CUBIC, AREA, LANCZOS = range(5)

#: Fixed-point weights of uint8 have this many bits.
_BITS = 11


class Taps(NamedTuple):
    """Positions and weights, both (output size, number of taps)."""

    at: np.ndarray
    weight: np.ndarray


def _scale(n: int, m: int) -> float:
    """How far apart output pixels are in the input; the two roundings are OpenCV's, and can move a pixel."""
    return 1.0 / (m / n)


def _centres(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixel left of each output pixel's centre, and how far the centre is behind it."""
    x = ((np.arange(m) + 0.5) * _scale(n, m) - 0.5).astype(np.float32)
    left = np.floor(x)
    return left.astype(int), x - left


def _nearest(n: int, m: int) -> Taps:
    at = np.minimum(np.floor(np.arange(m) * _scale(n, m)), n - 1).astype(int)
    return Taps(at[:, None], np.ones((m, 1), np.float32))


def _linear(n: int, m: int) -> Taps:
    left, t = _centres(n, m)
    return Taps(np.clip(left[:, None] + np.arange(2), 0, n - 1), np.stack([1 - t, t], 1))


def _cubic(n: int, m: int) -> Taps:
    left, t = _centres(n, m)
    a, u = -0.75, 1 - t
    w0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
    w1 = ((a + 2) * t - (a + 3)) * t * t + 1
    w2 = ((a + 2) * u - (a + 3)) * u * u + 1
    return Taps(np.clip(left[:, None] + np.arange(-1, 3), 0, n - 1), np.stack([w0, w1, w2, 1 - w0 - w1 - w2], 1))


def _lanczos(n: int, m: int) -> Taps:
    left, t = _centres(n, m)
    d = t[:, None] - np.arange(-3, 5)
    w = np.sinc(d) * np.sinc(d / 4)
    return Taps(np.clip(left[:, None] + np.arange(-3, 5), 0, n - 1), w / w.sum(1, keepdims=True))


def _area(n: int, m: int) -> Taps:
    """Each output pixel is the mean of the stretch of the input that it covers."""
    begin = np.arange(m) * _scale(n, m)
    end = np.minimum(begin + _scale(n, m), n)
    first = np.floor(begin).astype(int)
    at = first[:, None] + np.arange(int(np.ceil(n / m)) + 1)
    covered = np.minimum(at + 1, end[:, None]) - np.maximum(at, begin[:, None])
    w = np.where(covered > 1e-3, np.maximum(covered, 0), 0)  # OpenCV drops slivers
    return Taps(np.clip(at, 0, n - 1), w / (end - begin)[:, None])


def _area_up(n: int, m: int) -> Taps:
    """OpenCV's form of area for enlarging: linear, but flat where an output pixel lies inside one input pixel."""
    j = np.arange(m)
    left = np.floor(j * _scale(n, m)).astype(int)
    t = ((j + 1) - (left + 1) * (m / n)).astype(np.float32)
    t = np.where(t <= 0, 0, t - np.floor(t))
    return Taps(np.minimum(left[:, None] + np.arange(2), n - 1), np.stack([1 - t, t], 1))


_METHODS = {NEAREST: _nearest, LINEAR: _linear, CUBIC: _cubic, AREA: _area, LANCZOS: _lanczos}


def resize(data: jax.Array, height: int, width: int, interp: int) -> jax.Array:
    """(..., height, width, channel) pictures in another size, in their own dtype.

    Args:
        data: uint8 is computed in OpenCV's fixed point, floats in floats, other integers are rounded.
        height: of the result.
        width: of the result.
        interp: 0 nearest, 1 bilinear, 2 bicubic, 3 area, 4 Lanczos over 8x8 pixels.
    """
    h, w = data.shape[-3:-1]
    if (h, w) == (height, width):
        return data
    halved = (h, w) == (2 * height, 2 * width)
    if halved and interp == LINEAR:
        interp = AREA
    method = _METHODS[interp]
    if interp == AREA and (height > h or width > w):
        method, interp = _area_up, LINEAR
    rows, columns = method(h, height), method(w, width)
    if interp == NEAREST:
        return _take(_take(data, rows.at[:, 0], -3), columns.at[:, 0], -2)
    if data.dtype == jnp.uint8 and interp != AREA:
        return _fixed_point(data, rows, _flat_edges(columns, w) if interp == LINEAR else columns, interp == LINEAR)
    wide = data.dtype if jnp.issubdtype(data.dtype, jnp.inexact) else jnp.float32
    y = _combine(_combine(data.astype(wide), columns, -2), rows, -3)
    if wide == data.dtype:
        return y
    y = jnp.floor(y + 0.5) if halved else jnp.rint(y)
    info = jnp.iinfo(data.dtype)
    return jnp.clip(y, info.min, info.max).astype(data.dtype)


def _take(x: jax.Array, at: np.ndarray, axis: int) -> jax.Array:
    return jnp.take(x, at.astype(np.int32), axis, mode="clip")


def _along(weight: np.ndarray, axis: int, dtype: jnp.dtype) -> jax.Array:
    return jnp.asarray(weight, dtype).reshape(-1, *(1,) * (-axis - 1))


def _combine(x: jax.Array, taps: Taps, axis: int) -> jax.Array:
    terms = [
        _take(x, at, axis) * _along(w, axis, x.dtype) for at, w in zip(taps.at.T, taps.weight.T, strict=True) if w.any()
    ]
    return sum(terms[1:], terms[0])


def _flat_edges(taps: Taps, n: int) -> Taps:
    """OpenCV gives a column beyond the edge the whole weight; a row keeps two weights, which round apart."""
    edge = taps.at[:, 0] == taps.at[:, 1]
    return Taps(taps.at, np.where(edge[:, None], [1, 0], taps.weight))


def _fixed_point(data: jax.Array, rows: Taps, columns: Taps, linear: bool) -> jax.Array:
    def fixed(taps: Taps) -> Taps:
        return Taps(taps.at, np.rint(taps.weight.astype(np.float32) * (1 << _BITS)))

    across = _combine(data.astype(jnp.int32), fixed(columns), -2)
    if not linear:
        total = _combine(across, fixed(rows), -3)
        return jnp.clip((total + (1 << (2 * _BITS - 1))) >> (2 * _BITS), 0, 255).astype(jnp.uint8)
    parts = [
        (_take(across >> 4, at, -3) * _along(w, -3, jnp.dtype(jnp.int32))) >> 16
        for at, w in zip(rows.at.T, fixed(rows).weight.T, strict=True)
    ]
    return jnp.clip((parts[0] + parts[1] + 2) >> 2, 0, 255).astype(jnp.uint8)
