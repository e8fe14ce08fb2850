# SPDX-License-Identifier: Apache-2.0
"""Pooling of regions of interest between pixels: ROIAlign and RROIAlign."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes
from ._floats import floats
from ._pixels import Pixels, wide
from ._rois import divided, geometry, infer_rois, multiples, rounded, weighted_sum
from .roi import Scale


def _corners(y: jax.Array, size: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The pixels before and after the places `y` along an axis of `size`, the second one's share, and what counts.

    Places up to one pixel outside the picture read its edge, those beyond it count nothing.
    """
    inside = (y >= -1) & (y <= size)
    y = jnp.clip(y, 0, size - 1)
    low = jnp.floor(y)
    whole = low.astype(jnp.int32)
    return whole, jnp.minimum(whole + 1, size - 1), y - low, inside


def _samples(part: jax.Array, ratio: int) -> jax.Array:
    """How many samples a bin of the extent `part` (regions,) has along one axis."""
    if ratio > 0:
        return jnp.full(part.shape, ratio, jnp.int32)
    return jnp.where(jnp.isfinite(part), jnp.ceil(part), 0).astype(jnp.int32)


def _places(start: jax.Array, part: jax.Array, bins: int, k: Any, samples: jax.Array) -> jax.Array:
    """Where sample k, or (regions,) samples, of every bin lies: (regions, bins)."""
    within = rounded((k + 0.5) * part) / samples.astype(part.dtype)
    return start[:, None] + multiples(bins, part) + within[:, None]


def _few(start: jax.Array, part: jax.Array, bins: int, ratio: int, size: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Pixels and weights along one axis where every bin has `ratio` samples, each between two pixels.

    Returns:
        pixels (regions, bins, 2 * ratio), weights like them, and how many of them each region uses (regions,).
    """
    samples = _samples(part, ratio)
    pixels, weights = [], []
    for k in range(ratio):
        low, high, share, inside = _corners(_places(start, part, bins, k, samples), size)
        pixels += [low, high]
        weights += [jnp.where(inside, w / ratio, 0) for w in (1 - share, share)]
    return jnp.stack(pixels, 2), jnp.stack(weights, 2), 2 * samples


def _many(start: jax.Array, part: jax.Array, bins: int, size: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """As `_few`, where the number of samples depends on the extent: there is at least one a pixel.

    So each bin reads a band of pixels without gaps, and the weight of a pixel is the sum of what the samples give it.
    """
    samples = _samples(part, 0)
    last = jnp.maximum(samples - 1, 0)
    begin = _corners(_places(start, part, bins, 0, samples), size)[0]
    end = _corners(_places(start, part, bins, last, samples), size)[1]
    band = begin[:, :, None] + jnp.arange(size, dtype=jnp.int32)

    def step(k: Any, weights: jax.Array) -> jax.Array:
        low, high, share, inside = (x[:, :, None] for x in _corners(_places(start, part, bins, k, samples), size))
        gives = jnp.where(band == low, 1 - share, 0) + jnp.where(band == high, share, 0)
        return weights + jnp.where(inside & (k < samples)[:, None, None], gives, 0)

    weights = jax.lax.fori_loop(0, jnp.max(samples, initial=0), step, jnp.zeros(band.shape, part.dtype))
    weights = weights / jnp.maximum(samples, 1)[:, None, None].astype(part.dtype)
    used = jnp.where(samples > 0, jnp.max(end - begin, 1) + 1, 0)
    return jnp.minimum(band, size - 1), weights, used


def _pick(values: jax.Array, k: jax.Array) -> jax.Array:
    """Element k[r] of the last axis of (regions, bins, taps) `values`."""
    return jnp.take_along_axis(values, k[:, None, None], 2, mode="promise_in_bounds")[:, :, 0]


@op("_contrib_ROIAlign")
def roi_align(
    data,
    rois,
    *,
    pooled_size: Shape,
    spatial_scale: Scale,
    sample_ratio: int = -1,
    position_sensitive: bool = False,
    aligned: bool = False,
):
    """Averages over bins of regions of interest, of values interpolated between pixels (He et al. 2017, Mask R-CNN).

    Samples more than one pixel outside the picture are 0, as are all bins of a region whose picture does not exist.
    Regions get no gradient.

    Args:
        data: (batch, channel, height, width).
        rois: (regions, 5): number of the picture, left, top, right, bottom.
        pooled_size: number of bins, (height, width).
        spatial_scale: size of `data` divided by the size of the picture that `rois` are measured in; 0 to 1.
        sample_ratio: number of samples along each side of a bin; 0 or less means one for every pixel that a bin of
            this region is long.
        position_sensitive: bin (i, j) reads channel ``c * bins + i * width of the grid + j`` for output channel c.
        aligned: pixels lie at half coordinates, so regions are shifted by half a pixel. Without it a region is at
            least one pixel wide and high.

    Returns:
        (regions, channel, *pooled_size), with `position_sensitive` (regions, channel / bins, *pooled_size).

    Example:
        >>> x, rois = mx.nd.arange(16).reshape((1, 1, 4, 4)), mx.nd.array([[0, 0, 0, 2, 2]])
        >>> mx.nd.contrib.ROIAlign(x, rois, pooled_size=(2, 2), spatial_scale=1.0, sample_ratio=2)
        [[[[2.5 3.5]
           [6.5 7.5]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    n, _, height, width = data.shape
    at, valid, box = geometry(rois, n)
    shift = 0.5 if aligned else 0.0
    left, top, right, bottom = (rounded(box[:, i] * spatial_scale) - shift for i in range(4))

    def axis(begin: jax.Array, end: jax.Array, bins: int, size: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        extent = jnp.maximum(end - begin, 0.0 if aligned else 1.0)
        part = divided(extent, bins)
        return _few(begin, part, bins, sample_ratio, size) if sample_ratio > 0 else _many(begin, part, bins, size)

    *y, rows = axis(top, bottom, pooled_size[0], height)
    *x, columns = axis(left, right, pooled_size[1], width)
    bins = pooled_size[0] * pooled_size[1]
    pixels = Pixels(n, height, width, bins if position_sensitive else 1)
    cell = jnp.arange(bins, dtype=jnp.int32).reshape(pooled_size) if position_sensitive else 0

    def tap(plan: Any, k: Any) -> tuple[jax.Array, jax.Array]:
        at, (y, wy), (x, wx), columns = plan
        (y, wy), (x, wx) = (_pick(v, k // columns) for v in (y, wy)), (_pick(v, k % columns) for v in (x, wx))
        rows = pixels.row(at[:, None, None], y[:, :, None], x[:, None, :], cell)
        weight = wy[:, :, None] * wx[:, None, :]
        return rows.reshape(at.shape[0], -1), weight.reshape(at.shape[0], -1)

    count = jnp.where(valid, rows * columns, 0)
    plan = at, tuple(y), tuple(x), jnp.maximum(columns, 1)
    return _pooled(data, weighted_sum(wide(pixels.rows(data)), tap, plan, count), pooled_size)


def _pooled(data: jax.Array, total: jax.Array, pooled: Shape) -> jax.Array:
    """(regions, bins, channel) as (regions, channel, *pooled) in the dtype of `data`."""
    r, _, c = total.shape
    return total.swapaxes(1, 2).reshape(r, c, *pooled).astype(data.dtype)


@roi_align.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    def channels(c: int) -> int:
        bins = p.pooled_size[0] * p.pooled_size[1]
        if p.position_sensitive and c % bins:
            raise Mismatch(f"position_sensitive needs a multiple of the {bins} bins as channels, data has {c}")
        return c // bins if p.position_sensitive else c

    return infer_rois(ins, outs, 5, channels, p.pooled_size)


@op("_contrib_RROIAlign")
def rroi_align(data, rois, *, pooled_size: Shape, spatial_scale: Scale, sampling_ratio: int = -1):
    """`_contrib_ROIAlign` of rotated regions (Ma et al. 2018, Arbitrary-oriented scene text detection).

    MXNet has no gradient for it; here data has the natural one, regions none.

    Args:
        data: (batch, channel, height, width).
        rois: (regions, 6): number of the picture, horizontal and vertical centre, width, height, and the angle in
            degrees, counterclockwise.
        pooled_size: number of bins, (height, width).
        spatial_scale: size of `data` divided by the size of the picture that `rois` are measured in; 0 to 1.
        sampling_ratio: number of samples along each side of a bin; 0 or less means one for every pixel that a bin of
            this region is long.

    Returns:
        (regions, channel, *pooled_size).
    """
    n, _, height, width = data.shape
    at, valid, box = geometry(rois, n)
    centre_x, centre_y = (box[:, i] * spatial_scale for i in (0, 1))
    extent_x, extent_y = (jnp.maximum(box[:, i] * spatial_scale, 1) for i in (2, 3))
    angle = box[:, 4] * (jnp.pi / 180)
    part_y, part_x = divided(extent_y, pooled_size[0]), divided(extent_x, pooled_size[1])
    rows, columns = _samples(part_y, sampling_ratio), _samples(part_x, sampling_ratio)
    pixels = Pixels(n, height, width)

    def tap(plan: Any, k: Any) -> tuple[jax.Array, jax.Array]:
        at, (centre_y, centre_x), (sine, cosine), (top, left), (part_y, part_x), (rows, columns) = plan
        sample = k // 4
        v = _places(top, part_y, pooled_size[0], sample // columns, rows)[:, :, None]
        u = _places(left, part_x, pooled_size[1], sample % columns, columns)[:, None, :]
        sine, cosine, centre_x, centre_y = (a[:, None, None] for a in (sine, cosine, centre_x, centre_y))
        y_low, y_high, y_share, y_inside = _corners(v * cosine - u * sine + centre_y, height)
        x_low, x_high, x_share, x_inside = _corners(u * cosine + v * sine + centre_x, width)
        below, right = k % 4 >= 2, k % 2 == 1
        y, x = jnp.where(below, y_high, y_low), jnp.where(right, x_high, x_low)
        weight = jnp.where(below, y_share, 1 - y_share) * jnp.where(right, x_share, 1 - x_share)
        weight = jnp.where(y_inside & x_inside, weight, 0) / (rows * columns)[:, None, None].astype(weight.dtype)
        shape = (at.shape[0], -1)
        return pixels.row(at[:, None, None], y, x).reshape(shape), weight.reshape(shape)

    count = jnp.where(valid, 4 * rows * columns, 0)
    samples = jnp.maximum(rows, 1), jnp.maximum(columns, 1)
    plan = (
        at, (centre_y, centre_x), (jnp.sin(angle), jnp.cos(angle)), (-extent_y / 2, -extent_x / 2), (part_y, part_x),
        samples,
    )  # fmt: skip
    return _pooled(data, weighted_sum(wide(pixels.rows(data)), tap, plan, count), pooled_size)


@rroi_align.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return infer_rois(ins, outs, 6, lambda c: c, p.pooled_size)


for _op in (roi_align, rroi_align):
    _op.infer_dtypes(floats)
