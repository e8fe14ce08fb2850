# SPDX-License-Identifier: Apache-2.0
"""Reading pictures at computed places: GridGenerator, BilinearSampler and SpatialTransformer."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join_shapes
from ._floats import floats
from ._pixels import Pixels, interpolate, wide
from .precision import precision
from .window import agree


def _target(p: Any) -> Shape:
    """The height and width of the grid; MXNet takes no notice of a third number."""
    if len(p.target_shape) < 2 or min(p.target_shape[:2]) < 1:
        raise Mismatch(f"target_shape={p.target_shape} must be two sizes of at least 1, (height, width)")
    return p.target_shape[:2]


def _affine(theta: jax.Array, target: Shape) -> jax.Array:
    """The grid (batch, 2, *target) of affine maps (batch, 6). An axis of one place has no scale: nan, as in MXNet."""
    with np.errstate(invalid="ignore"):
        v, u = (np.arange(n) * (2 / np.float64(n - 1) if n > 1 else np.nan) - 1 for n in target)
    v, u = (a.ravel() for a in np.meshgrid(v, u, indexing="ij"))
    places = jnp.asarray(np.stack([u, v, np.ones_like(u)]), theta.dtype)
    grid = jnp.matmul(theta.reshape(-1, 2, 3), places, precision=precision(theta))
    return grid.reshape(-1, 2, *target)


def _sample(data: jax.Array, grid: jax.Array) -> jax.Array:
    """`data` (N, C, H, W) at `grid` (N, 2, h, w): (N, C, h, w)."""
    n, _, height, width = data.shape
    pixels = Pixels(n, height, width)
    x, y = ((wide(grid[:, i]) + 1) * ((size - 1) / 2) for i, size in enumerate((width, height)))
    batch = jnp.arange(n, dtype=jnp.int32)[:, None, None]
    return interpolate(wide(pixels.rows(data)), pixels, batch, y, x).transpose(0, 3, 1, 2).astype(data.dtype)


@op("GridGenerator")
def grid_generator(data, *, transform_type: Literal["affine", "warp"], target_shape: Shape = (0, 0)):
    """The places that `BilinearSampler` reads, x and y between -1 and 1, from an affine map or from a flow.

    MXNet takes only float32; here other floating types are as good.

    Args:
        data: for ``affine`` (batch, 6), the rows of the matrix (2, 3) that takes (x, y, 1) of the target to the source;
            for ``warp`` (batch, 2, height, width), by how many pixels x and y are moved.
        transform_type: ``affine`` or ``warp``.
        target_shape: (height, width) of the grid, for ``affine``.

    Returns:
        (batch, 2, height, width): x and y.

    Example:
        >>> flow = mx.nd.zeros((1, 2, 2, 3))
        >>> mx.nd.GridGenerator(flow, transform_type="warp")
        [[[[-1.  0.  1.]
           [-1.  0.  1.]]
          [[-1. -1. -1.]
           [ 1.  1.  1.]]]]
        <NDArray 1x2x2x3 @cpu(0)>
    """
    if transform_type == "affine":
        return _affine(data, target_shape[:2])
    half = np.array(data.shape[:1:-1], np.float64).reshape(2, 1, 1) / 2 - 0.5
    still = np.stack(np.meshgrid(*map(np.arange, data.shape[2:]), indexing="ij")[::-1])
    return (data + jnp.asarray(still, data.dtype)) / jnp.asarray(half, data.dtype) - 1


@grid_generator.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    batch = outs[0][0] if outs[0] else 0
    if p.transform_type == "affine":
        data = agree("data", ins[0], (batch, 6))
        return [data], [agree("output", outs[0], (data[0], 2, *_target(p)))]
    both = join_shapes(ins[0], outs[0], "data and output")
    both = both and agree("data", both, (0, 2, 0, 0))
    return [both], [both]


@op("BilinearSampler")
def bilinear_sampler(data, grid, *, cudnn_off: bool | None = None):
    """Pictures at the places of `grid`, bilinear between pixels; outside the picture is 0 (Jaderberg et al. 2015).

    Args:
        data: (batch, channel, height, width).
        grid: (batch, 2, h, w): x and y of every place, -1 and 1 are the centres of the first and last pixels.
        cudnn_off: accepted for compatibility.

    Returns:
        (batch, channel, h, w). `data` and `grid` both have gradients.

    Example:
        >>> x, grid = mx.nd.array([[[[0, 1], [2, 3]]]]), mx.nd.array([[[[0, 1]], [[0, -1]]]])
        >>> mx.nd.BilinearSampler(x, grid)
        [[[[1.5 1. ]]]]
        <NDArray 1x1x1x2 @cpu(0)>
    """
    return _sample(data, grid)


@bilinear_sampler.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, out = ins[0] or (0,) * 4, outs[0] or (0,) * 4
    data = agree("data", data, (out[0], out[1], 0, 0))
    grid = agree("grid", ins[1], (data[0], 2, *out[2:]))
    data = agree("data", data, (grid[0], 0, 0, 0))
    return [data if ins[0] or outs[0] else None, grid], [agree("output", outs[0], (*data[:2], *grid[2:]))]


@op("SpatialTransformer")
def spatial_transformer(
    data,
    loc,
    *,
    target_shape: Shape = (0, 0),
    transform_type: Literal["affine"],
    sampler_type: Literal["bilinear"],
    cudnn_off: bool | None = None,
):
    """Pictures under affine maps: `GridGenerator` and `BilinearSampler` in one (Jaderberg et al. 2015).

    Args:
        data: (batch, channel, height, width).
        loc: (batch, 6), the rows of the matrix (2, 3) that takes (x, y, 1) of the output to the data, x and y between
            -1 and 1.
        target_shape: (height, width) of the output.
        transform_type: ``affine``.
        sampler_type: ``bilinear``.
        cudnn_off: accepted for compatibility.

    Returns:
        (batch, channel, *target_shape).

    Example:
        >>> x, shift = mx.nd.array([[[[0, 1], [2, 3]]]]), mx.nd.array([[1, 0, 1, 0, 1, 0]])
        >>> mx.nd.SpatialTransformer(x, shift, (2, 2), "affine", "bilinear")
        [[[[0.5 0.5]
           [2.5 1.5]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    return _sample(data, _affine(loc, target_shape[:2]))


@spatial_transformer.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    target = _target(p)
    data, out = ins[0] or (0,) * 4, outs[0] or (0,) * 4
    data = agree("data", data, (out[0], out[1], 0, 0))
    loc = agree("loc", ins[1], (data[0], 6))
    data = agree("data", data, (loc[0], 0, 0, 0))
    return [data if ins[0] or outs[0] else None, loc], [agree("output", outs[0], (*data[:2], *target))]


for _op in (grid_generator, bilinear_sampler, spatial_transformer):
    _op.infer_dtypes(floats)
