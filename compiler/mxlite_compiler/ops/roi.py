# SPDX-License-Identifier: Apache-2.0
"""Pooling of regions of interest over whole pixels: ROIPooling and PSROIPooling."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Range, Shape
from ..shapes import Shapes
from ._floats import floats
from ._pixels import Pixels, wide
from ._rois import Tap, divided, geometry, infer_rois, maximum, multiples, rounded, weighted_sum

Scale = Annotated[float, Range(low=0, high=1)]


def half_away(x: jax.Array) -> jax.Array:
    """C's round: ties away from 0."""
    return jax.lax.round(x, jax.lax.RoundingMethod.AWAY_FROM_ZERO)


def _clipped(x: jax.Array, size: int) -> jax.Array:
    return jnp.clip(x, 0, size).astype(jnp.int32)


def _intervals(start: jax.Array, extent: jax.Array, bins: int, size: int, whole: bool) -> tuple[jax.Array, jax.Array]:
    """First pixel of each of `bins` bins along one axis, and the one after the last: (regions, bins) each.

    A region begins at `start` and is cut into equal parts of `extent` together. With `whole` it begins at a pixel, and
    what is rounded is the distance from there, as ROIPooling does; otherwise the place is.
    """
    part = divided(extent, bins)
    before, after = (0, start[:, None]) if whole else (start[:, None], 0)
    low, high = (f(multiples(bins, part, i) + before) + after for i, f in enumerate((jnp.floor, jnp.ceil)))
    return _clipped(low, size), _clipped(high, size)


def _box_tap(pixels: Pixels, cell: Any = 0) -> Tap:
    """Step k reads pixel k of every bin, row by row; the factor tells whether it lies in the bin."""

    def tap(plan: Any, k: Any) -> tuple[jax.Array, jax.Array]:
        at, (top, bottom), (left, right), columns = plan
        y = top + (k // columns)[:, None]
        x = left + (k % columns)[:, None]
        inside = (y < bottom)[:, :, None] & (x < right)[:, None, :]
        y, x = jnp.minimum(y, pixels.height - 1), jnp.minimum(x, pixels.width - 1)
        rows = pixels.row(at[:, None, None], y[:, :, None], x[:, None, :], cell)
        return rows.reshape(at.shape[0], -1), inside.reshape(at.shape[0], -1)

    return tap


def _plan(at: jax.Array, valid: jax.Array, y: Any, x: Any) -> tuple[Any, jax.Array, jax.Array]:
    """The plan of `_box_tap`, the number of steps of every region, and the number of pixels of every bin."""
    rows, columns = (jnp.maximum(high - low, 0) for low, high in (y, x))
    columns_max = jnp.maximum(jnp.max(columns, 1), 1)
    count = jnp.where(valid, jnp.max(rows, 1) * columns_max, 0)
    area = rows[:, :, None] * columns[:, None, :]
    return (at, y, x, columns_max), count, jnp.where(valid[:, None, None], area, 0).reshape(at.shape[0], -1)


@op("ROIPooling")
def roi_pooling(data, rois, *, pooled_size: Shape, spatial_scale: Scale):
    """The maxima of the bins that regions of interest are cut into (Girshick 2015, Fast R-CNN).

    A region's corners are scaled and rounded to pixels, both ends included. Bins overlap where they share a pixel; one
    outside the picture is 0, as are all bins of a region whose picture does not exist. The gradient goes to the first
    pixel that has the maximum; regions get none.

    Args:
        data: (batch, channel, height, width).
        rois: (regions, 5): number of the picture, left, top, right, bottom.
        pooled_size: number of bins, (height, width).
        spatial_scale: size of `data` divided by the size of the picture that `rois` are measured in; 0 to 1.

    Returns:
        (regions, channel, *pooled_size).

    Example:
        >>> x = mx.nd.arange(16).reshape((1, 1, 4, 4))
        >>> rois = mx.nd.array([[0, 0, 0, 3, 3], [0, 1, 1, 2, 2]])
        >>> mx.nd.ROIPooling(x, rois, pooled_size=(1, 2), spatial_scale=1.0)
        [[[[13. 15.]]]
         [[[ 9. 10.]]]]
        <NDArray 2x1x1x2 @cpu(0)>
    """
    n, c, height, width = data.shape
    at, valid, box = geometry(rois, n)
    left, top, right, bottom = (half_away(box[:, i] * spatial_scale) for i in range(4))
    y = _intervals(top, jnp.maximum(bottom - top + 1, 1), pooled_size[0], height, True)
    x = _intervals(left, jnp.maximum(right - left + 1, 1), pooled_size[1], width, True)
    plan, count, area = _plan(at, valid, y, x)
    pixels = Pixels(n, height, width)
    best: Any = maximum(pixels.rows(data), _box_tap(pixels), plan, count)
    best = jnp.where(area[..., None] > 0, best, 0)
    return best.swapaxes(1, 2).reshape(-1, c, *pooled_size)


@roi_pooling.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return infer_rois(ins, outs, 5, lambda c: c, p.pooled_size)


@op("_contrib_PSROIPooling")
def psroi_pooling(
    data,
    rois,
    *,
    spatial_scale: Scale,
    output_dim: Annotated[int, Range(low=1)],
    pooled_size: Annotated[int, Range(low=1)],
    group_size: Annotated[int, Range(low=0)] = 0,
):
    """Position-sensitive averages of the bins of regions of interest (Dai et al. 2016, R-FCN).

    A region reaches from its rounded first corner to the end of the pixel of its rounded second one, and is at least
    0.1 wide and high after scaling. Bins outside the picture are 0. Regions get no gradient.

    Args:
        data: (batch, output_dim * group_size * group_size, height, width). Bin (i, j) averages the channels of the
            part (i, j) of the grid of `group_size` by `group_size`.
        rois: (regions, 5): number of the picture, left, top, right, bottom.
        spatial_scale: size of `data` divided by the size of the picture that `rois` are measured in; 0 to 1.
        output_dim: number of output channels.
        pooled_size: number of bins along each side.
        group_size: number of parts along each side; 0 means `pooled_size`.

    Returns:
        (regions, output_dim, pooled_size, pooled_size).

    Example:
        >>> x, rois = mx.nd.arange(16).reshape((1, 4, 2, 2)), mx.nd.array([[0, 0, 0, 1, 1]])
        >>> mx.nd.contrib.PSROIPooling(x, rois, spatial_scale=1.0, output_dim=1, pooled_size=2)
        [[[[ 0.  5.]
           [10. 15.]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    n, _, height, width = data.shape
    group = group_size or pooled_size
    at, valid, box = geometry(rois, n)
    left, top = (rounded(half_away(box[:, i]) * spatial_scale) for i in (0, 1))
    right, bottom = (rounded((half_away(box[:, i]) + 1) * spatial_scale) for i in (2, 3))
    y = _intervals(top, jnp.maximum(bottom - top, 0.1), pooled_size, height, False)
    x = _intervals(left, jnp.maximum(right - left, 0.1), pooled_size, width, False)
    plan, count, area = _plan(at, valid, y, x)
    part = jnp.arange(pooled_size, dtype=jnp.int32) * group // pooled_size
    pixels = Pixels(n, height, width, group * group)
    total: Any = weighted_sum(wide(pixels.rows(data)), _box_tap(pixels, part[:, None] * group + part), plan, count)
    mean = total / jnp.maximum(area, 1)[..., None].astype(total.dtype)
    return mean.swapaxes(1, 2).reshape(-1, output_dim, pooled_size, pooled_size).astype(data.dtype)


@psroi_pooling.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return infer_rois(grouped(p, ins), outs, 5, lambda c: p.output_dim, (p.pooled_size,) * 2)


def grouped(p: Any, ins: Shapes) -> Shapes:
    """The inputs with the number of channels that a position-sensitive operator needs."""
    group = p.group_size or p.pooled_size
    channels = p.output_dim * group * group
    data = ins[0]
    if data is not None and len(data) == 4:
        if data[1] not in (0, channels):
            raise Mismatch(
                f"data must have output_dim * group_size * group_size = {channels} channels, it has {data[1]}"
            )
        data = (data[0], channels, *data[2:])
    return [data, *ins[1:]]


for _op in (roi_pooling, psroi_pooling):
    _op.infer_dtypes(floats)
