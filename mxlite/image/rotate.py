# SPDX-License-Identifier: Apache-2.0
"""Turned pictures: `imrotate`, `random_rotate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import numeric_types
from ..ndarray import (
    BilinearSampler,  # pyright: ignore[reportAttributeAccessIssue]
    NDArray,
    array,
)


def imrotate(src: NDArray, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False) -> NDArray:
    """Pictures turned around their middle, by bilinear sampling; what comes from beyond them is 0.

    Args:
        src: float32, (channel, height, width) or (batch, channel, height, width).
        rotation_degrees: a number; for a batch also an NDArray (batch,) of them.
        zoom_in: enlarge, so that nothing from beyond is seen.
        zoom_out: make smaller, so that all of the picture is seen.

    Returns:
        The shape and dtype of `src`.

    Raises:
        ValueError: both zooms, another number of dimensions, or as many angles as there are no pictures.
        TypeError: another dtype, or several angles for one picture.

    Source: `mxnet.image.imrotate`.
    """
    if zoom_in and zoom_out:
        raise ValueError("`zoom_in` and `zoom_out` cannot be both True")
    if not isinstance(src, NDArray) or src.dtype != np.float32:
        told = np.dtype(src.dtype).name if hasattr(src, "dtype") else type(src).__name__
        raise TypeError(f"Only `float32` images are supported by this function, got {told}; src.astype('float32')")
    if src.ndim not in (3, 4):
        raise ValueError(f"Only 3D and 4D are supported by this function: (channel, height, width), got {src.shape}")
    batch = src.expand_dims(0) if src.ndim == 3 else src
    several = not isinstance(rotation_degrees, numeric_types)
    if several and src.ndim == 3:
        raise TypeError("When a single image is passed the rotation angle is required to be a scalar.")
    degrees = rotation_degrees.asnumpy() if isinstance(rotation_degrees, NDArray) else np.asarray(rotation_degrees)
    if several and degrees.shape != (batch.shape[0],):
        told = f"{batch.shape[0]} images, angles of shape {degrees.shape}"
        raise ValueError(f"The number of images must be equal to the number of rotation angles: {told}")
    radians = np.broadcast_to(np.deg2rad(degrees.astype(np.float32)), (batch.shape[0],))
    grid = _grid(batch.shape[2], batch.shape[3], radians[:, None, None], zoom_in, zoom_out)
    turned = BilinearSampler(batch, array(grid, src.context))
    return turned[0].copy() if src.ndim == 3 else turned


def random_rotate(
    src: NDArray, angle_limits: Sequence[float], zoom_in: bool = False, zoom_out: bool = False
) -> NDArray:
    """`imrotate` by random angles, one for each picture, drawn from `numpy.random`.

    Args:
        src, zoom_in, zoom_out: as for `imrotate`.
        angle_limits: the least and the largest angle, in degrees.

    Errors: as for `imrotate`. Source: `mxnet.image.random_rotate`.
    """
    low, high = angle_limits
    if src.ndim == 3:
        return imrotate(src, np.random.uniform(low, high), zoom_in, zoom_out)
    angles = np.random.uniform(low, high, size=src.shape[0])
    return imrotate(src, array(angles, src.context), zoom_in, zoom_out)


def _grid(h: int, w: int, radians: np.ndarray, zoom_in: bool, zoom_out: bool) -> np.ndarray:
    """Where each pixel comes from, -1 to 1 across the picture: (batch, 2, h, w) with x before y."""
    y, x = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    cos, sin = np.cos(radians), np.sin(radians)
    from_x, from_y = x * cos - y * sin, x * sin + y * cos
    grid = np.stack([from_x / ((w - 1) / 2), from_y / ((h - 1) / 2)], 1)
    # The turned picture would need so much of its old width and height.
    wide = (w * abs(cos) + h * abs(sin)) / w
    high = (h * abs(cos) + w * abs(sin)) / h
    if zoom_out:
        grid *= np.maximum(wide, high)[:, None]
    elif zoom_in:
        grid *= np.minimum(1 / wide, 1 / high)[:, None]
    return grid.astype(np.float32)
