# SPDX-License-Identifier: Apache-2.0
"""Pictures as rows of channels, which XLA reads and adds to quickly, and values between their pixels."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Pixels(NamedTuple):
    """The sizes of the pictures that regions lie in, and how a pixel's channels are split into cells."""

    batch: int
    height: int
    width: int
    cells: int = 1

    def rows(self, data: jax.Array) -> jax.Array:
        """(batch, channel, height, width) as (batch * height * width * cells, channel / cells).

        Channel ``d * cells + c`` of a pixel is element d of its cell c.
        """
        n, _, h, w = data.shape
        return data.reshape(n, -1, self.cells, h, w).transpose(0, 3, 4, 2, 1).reshape(n * h * w * self.cells, -1)

    def row(self, batch: jax.Array, y: jax.Array, x: jax.Array, cell: jax.Array | int = 0) -> jax.Array:
        """The row of pixel (y, x) of a picture."""
        return ((batch * self.height + y) * self.width + x) * self.cells + cell


def take_rows(x: jax.Array, rows: jax.Array) -> jax.Array:
    """``x[rows]`` for rows that exist. XLA itself keeps wrong ones inside when it reads and drops them when it adds."""
    return x.at[rows].get(mode="promise_in_bounds")


def interpolate(rows: jax.Array, pixels: Pixels, batch: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    """The values at the places (y, x), bilinear between four pixels, of which those outside the picture are 0.

    Args:
        rows: the pictures, as `Pixels.rows` gives them.
        pixels: their sizes.
        batch: which picture.
        y: places of any shape, `batch` broadcast against them.
        x: places like `y`.

    Returns:
        (*places, channel), differentiable in `rows`, `y` and `x`.
    """
    top, left = jnp.floor(y), jnp.floor(x)
    below, right = y - top, x - left
    total = None
    for v, weight_y in ((top, 1 - below), (top + 1, below)):
        for u, weight_x in ((left, 1 - right), (left + 1, right)):
            inside = (v >= 0) & (v < pixels.height) & (u >= 0) & (u < pixels.width)
            at = (jnp.clip(a, 0, n - 1).astype(jnp.int32) for a, n in ((v, pixels.height), (u, pixels.width)))
            value = jnp.where(inside[..., None], take_rows(rows, pixels.row(batch, *at)), 0)
            term = value * (weight_y * weight_x)[..., None].astype(rows.dtype)
            total = term if total is None else total + term
    return total  # type: ignore[return-value]


def wide(x: jax.Array) -> jax.Array:
    """`x` in at least float32, in which sums are kept."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
