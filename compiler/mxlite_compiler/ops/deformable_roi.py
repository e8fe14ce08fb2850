# SPDX-License-Identifier: Apache-2.0
"""DeformablePSROIPooling: position-sensitive averages whose bins are moved."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Range
from ..shapes import Shapes
from ._floats import floats
from ._pixels import Pixels, take_rows, wide
from ._rois import divided, geometry, infer_rois, rounded
from .roi import Scale, grouped, half_away
from .window import agree


def _between(size: int, y: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The pixels on both sides of the places `y` of an axis, and the share of the second.

    Without a slope where the place is cut to the picture.
    """
    y = jnp.where((y > 0) & (y < size - 1), y, jnp.clip(jax.lax.stop_gradient(y), 0, size - 1))
    low, high = (f(jax.lax.stop_gradient(y)) for f in (jnp.floor, jnp.ceil))
    return low.astype(jnp.int32), high.astype(jnp.int32), y - low


@op("_contrib_DeformablePSROIPooling", drop={"trans": lambda p: p.no_trans})
def deformable_psroi_pooling(
    data,
    rois,
    trans=None,
    *,
    spatial_scale: Scale,
    output_dim: Annotated[int, Range(low=1)],
    group_size: Annotated[int, Range(low=1)],
    pooled_size: Annotated[int, Range(low=1)],
    part_size: Annotated[int, Range(low=0)] = 0,
    sample_per_part: Annotated[int, Range(low=1)] = 1,
    trans_std: Annotated[float, Range(low=0, high=1)] = 0.0,
    no_trans: bool = False,
):
    """Position-sensitive averages of bins that are moved by learned offsets (Dai et al. 2017, section 2.2).

    A bin is averaged over `sample_per_part` by `sample_per_part` samples, bilinear between pixels. Samples more than
    half a pixel outside the picture do not count; a bin without any is 0. `data` and `trans` have gradients.

    Args:
        data: (batch, output_dim * group_size * group_size, height, width).
        rois: (regions, 5): number of the picture, left, top, right, bottom.
        trans: (regions, 2 * classes, part_size, part_size): by how much bins are moved, x before y, in parts of the
            region's size and times `trans_std`. Each class moves its own ``output_dim / classes`` channels.
        spatial_scale: size of `data` divided by the size of the picture that `rois` are measured in; 0 to 1.
        output_dim: number of output channels.
        group_size: number of parts along each side that have channels of their own.
        pooled_size: number of bins along each side.
        part_size: number of parts along each side that are moved; 0 means `pooled_size`.
        sample_per_part: number of samples along each side of a bin.
        trans_std: what `trans` is multiplied with.
        no_trans: whether there is no `trans` input; nothing is moved then.

    Returns:
        (regions, output_dim, pooled_size, pooled_size).
    """
    n, _, height, width = data.shape
    regions, bins, count = rois.shape[0], pooled_size, sample_per_part
    at, valid, box = geometry(rois, n)
    left, top = (rounded(half_away(box[:, i]) * spatial_scale) - 0.5 for i in (0, 1))
    right, bottom = (rounded((half_away(box[:, i]) + 1) * spatial_scale) - 0.5 for i in (2, 3))
    bin_of = jnp.arange(bins, dtype=jnp.int32)
    classes = 1 if trans is None else trans.shape[1] // 2
    if trans is None:
        moved = jnp.zeros((regions, 1, 2, bins, bins), box.dtype)
    else:
        part = bin_of * (part_size or bins) // bins
        moved = wide(trans).reshape(regions, classes, 2, *trans.shape[2:])[:, :, :, part[:, None], part] * trans_std

    def places(begin: jax.Array, end: jax.Array, shift: jax.Array, along: int) -> jax.Array:
        """Where the samples lie along an axis: (regions, classes, bins, bins, samples)."""
        extent = jnp.maximum(end - begin, 0.1)
        step = divided(extent, bins)
        begin, extent, step = (a[:, None, None, None] for a in (begin, extent, step))
        index = bin_of.astype(step.dtype)
        start = rounded((index[:, None] if along == 0 else index) * step) + begin + rounded(shift * extent)
        sample = jnp.arange(count, dtype=step.dtype) * divided(step, count)[..., None]
        return start[..., None] + rounded(sample)

    y = places(top, bottom, moved[:, :, 1], 0)[..., :, None]
    x = places(left, right, moved[:, :, 0], 1)[..., None, :]
    inside = (y >= -0.5) & (y <= height - 0.5) & (x >= -0.5) & (x <= width - 0.5)
    inside &= valid[:, None, None, None, None, None]
    group = jnp.clip(bin_of * group_size // bins, 0, group_size - 1)
    # The channels of a class are a cell of their own: (output_dim / classes, parts) become (classes * parts) cells.
    pixels = Pixels(n, height, width, group_size * group_size * classes)
    cell = jnp.arange(classes, dtype=jnp.int32)[:, None, None] + classes * (group[:, None] * group_size + group)
    split = data.reshape(n, classes, output_dim // classes, group_size**2, height, width)
    rows = wide(pixels.rows(split.transpose(0, 2, 3, 1, 4, 5).reshape(data.shape)))
    (y0, y1, down), (x0, x1, across) = _between(height, y), _between(width, x)
    total = jnp.zeros((regions, classes, bins, bins, rows.shape[1]), rows.dtype)
    for v, weight_y in ((y0, 1 - down), (y1, down)):
        for u, weight_x in ((x0, 1 - across), (x1, across)):
            row = pixels.row(at[:, None, None, None, None, None], v, u, cell[..., None, None])
            weight = jnp.where(inside, weight_y * weight_x, 0)[..., None]
            total = total + jnp.sum(take_rows(rows, row) * weight, (4, 5))
    seen = jnp.maximum(jnp.sum(inside, (4, 5), dtype=jnp.int32), 1)[..., None].astype(rows.dtype)
    mean = (total / seen).transpose(0, 1, 4, 2, 3).reshape(regions, output_dim, bins, bins)
    return mean.astype(data.dtype)


@deformable_psroi_pooling.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    done, out = infer_rois(grouped(p, ins), outs, 5, lambda c: p.output_dim, (p.pooled_size,) * 2)
    if not p.no_trans and ins[2] is not None:
        part = p.part_size or p.pooled_size
        trans = agree("trans", ins[2], (done[1][0] if done[1] else 0, 0, part, part))
        if trans[1] % 2 or (trans[1] and p.output_dim % (trans[1] // 2)):
            raise Mismatch(
                f"axis 1 of trans must be 2 * classes, the classes a divisor of output_dim={p.output_dim}, got {trans}"
            )
        done[2] = trans
    return done, out


deformable_psroi_pooling.infer_dtypes(floats)
