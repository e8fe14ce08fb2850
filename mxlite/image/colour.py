# SPDX-License-Identifier: Apache-2.0
"""Colours on the host: `color_normalize`, and the arithmetic of the colour augmenters, in the dtype of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError, explain, numeric_types
from ..ndarray import NDArray
from .host import Picture, overwrite, pixels

#: How much red, green and blue add to what is seen as grey.
GREY = np.array([0.299, 0.587, 0.114], np.float32)
#: The same, as the augmenter that removes colours weighs them.
FLAT_GREY = np.array([[0.21] * 3, [0.72] * 3, [0.07] * 3], np.float32)
#: From red, green, blue to luma and two chromas (NTSC), whose angle is the hue; and, rounded, back.
TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
FROM_YIQ = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])
#: Mean and deviation of ImageNet's colours, from 0 to 255.
MEAN = np.array([123.68, 116.28, 103.53])
STD = np.array([58.395, 57.12, 57.375])
#: Principal components of ImageNet's colours (Krizhevsky et al., 2012, section 4.1).
EIGENVALUES = np.array([55.46, 4.794, 1.148])
EIGENVECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])


def color_normalize(src: Picture, mean: Any, std: Any = None) -> Picture:
    """Subtract a mean from a picture and divide by a deviation, in place.

    Args:
        src: (height, width, channel), a float dtype unless `mean` and `std` are numbers.
        mean: a number, an array that is broadcast, usually (3,), or None.
        std: likewise.

    Returns:
        `src`.

    Raises:
        MXNetError: the dtypes differ, or the result has another shape.

    Source: `mxnet.image.color_normalize`.
    """
    host = pixels(src)
    result = host
    if mean is not None:
        result = result - _operand(mean, host, "mean")
    if std is not None:
        deviation = _operand(std, host, "std")
        result = result / deviation if host.dtype.kind == "f" else result // deviation
    return src if result is host else overwrite(src, result)


def _operand(value: Any, host: np.ndarray, name: str) -> np.ndarray:
    """A mean or a deviation in the dtype of the picture; numbers are cut, as MXNet does."""
    dtype = host.dtype
    if isinstance(value, numeric_types):
        return np.asarray(value).astype(dtype)
    given = pixels(value) if isinstance(value, NDArray) else np.asarray(value)
    if dtype.kind != "f" or (isinstance(value, NDArray) and given.dtype != dtype):
        hint = "put a CastAug before" if dtype.kind != "f" else f"{name}.astype('{dtype}')"
        raise MXNetError(explain(f"{name} is {given.dtype}, the picture {dtype}", op="color_normalize", hint=hint))
    return _row(given.astype(dtype), host)


def _row(values: np.ndarray, host: np.ndarray) -> np.ndarray:
    """Values of the channels, repeated along a row: numpy is slow where it broadcasts along three elements."""
    return np.tile(values, (host.shape[1], 1)) if host.ndim == 3 and values.shape == host.shape[2:] else values


def scaled(host: np.ndarray, factor: float) -> np.ndarray:
    """`host` times a number, which is first cut to its dtype, as in MXNet."""
    return host * np.asarray(factor).astype(host.dtype)


def contrasted(host: np.ndarray, factor: float) -> np.ndarray:
    """Each colour's distance to the picture's mean grey, times `factor`."""
    _need_float32(host, "ContrastJitterAug")
    mean = (host @ GREY).sum(dtype=np.float32) * np.float32(3 * (1 - factor) / host.size)
    return host * np.float32(factor) + mean


def saturated(host: np.ndarray, factor: float) -> np.ndarray:
    """Each colour's distance to the grey of its pixel, times `factor`."""
    _need_float32(host, "SaturationJitterAug")
    grey = (host @ GREY) * np.float32(1 - factor)
    return host * np.float32(factor) + np.repeat(grey, 3, 1).reshape(host.shape)


def turned(host: np.ndarray, turn: float, to_yiq: np.ndarray, from_yiq: np.ndarray) -> np.ndarray:
    """Each colour's hue, turned by `turn` half circles."""
    u, w = np.cos(turn * np.pi), np.sin(turn * np.pi)
    turning = np.array([[1, 0, 0], [0, u, -w], [0, w, u]])
    return mixed(host, (from_yiq @ turning @ to_yiq).T, "HueJitterAug")


def mixed(host: np.ndarray, matrix: np.ndarray, what: str) -> np.ndarray:
    """Each pixel times a matrix of (3, 3)."""
    _need_float32(host, what)
    return (host.reshape(-1, 3) @ matrix.astype(np.float32)).reshape(host.shape)


def lit(host: np.ndarray, light: np.ndarray) -> np.ndarray:
    """`light`, one number a channel, added to each pixel."""
    _need_float32(host, "LightingAug")
    return host + _row(light.astype(np.float32), host)


def _need_float32(host: np.ndarray, what: str) -> None:
    if host.dtype != np.float32:
        problem = f"needs a picture of float32, got {host.dtype}"
        raise MXNetError(explain(problem, op=what, hint="put a CastAug before"))
    if host.ndim != 3 or host.shape[2] != 3:
        raise MXNetError(explain(f"needs a picture (height, width, 3), got {host.shape}", op=what))
