# SPDX-License-Identifier: Apache-2.0
"""Sizes and borders: `imresize`, `resize_short`, `scale_down`, `copyMakeBorder`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from mxlite_compiler.op import get_op

from ..base import MXNetError, explain
from ..ndarray import NDArray
from ..ndarray._internal import _cvcopyMakeBorder, _cvimresize  # pyright: ignore[reportAttributeAccessIssue]
from ..recordio.opencv import exact, opencv
from .host import Picture, bind, deliver, like, picture, pixels, size_of

NEAREST, LINEAR, CUBIC, AREA, LANCZOS, AUTO, RANDOM = 0, 1, 2, 3, 4, 9, 10


def imresize(src: NDArray, w: int, h: int, *args: Any, **kwargs: Any) -> NDArray:
    """A picture in another size.

    Args:
        src: (height, width, channel). uint8 stays within 0 to 255.
        w: the new width.
        h: the new height.
        interp: 0 nearest, 1 bilinear (default), 2 bicubic, 3 area, 4 Lanczos over 8x8 pixels.
        out: write the result there.

    Returns:
        (h, w, channel) in the dtype of `src`.

    Raises:
        MXNetError: a size below 1, an unknown `interp`, or no picture.

    Source: `mxnet.image.imresize`.
    """
    p, out = bind(get_op("_cvimresize"), (w, h, *args), kwargs)
    return deliver(resized(pixels(src), p.w, p.h, p.interp), out, "_cvimresize")


def copyMakeBorder(
    src: NDArray, top: int, bot: int, left: int, right: int, *args: Any, **kwargs: Any
) -> NDArray:  # N802: MXNet's name
    """A picture with a border.

    Args:
        src: (height, width, channel).
        top, bot, left, right: rows and columns to add.
        type: what is in them: 0 a constant (default), 1 the edge, 2 the picture mirrored with its edge, 3 the picture
            again from its other side, 4 mirrored without its edge.
        value: the constant, 0 by default.
        values: or one for each channel.
        out: write the result there.

    Raises:
        MXNetError: a negative number of rows, an unknown type, or no picture.

    Source: `mxnet.image.copyMakeBorder`.
    """
    p, out = bind(get_op("_cvcopyMakeBorder"), (top, bot, left, right, *args), kwargs)
    found = bordered(pixels(src), (p.top, p.bot, p.left, p.right), p.values or (p.value,), p.type)
    return deliver(found, out, "_cvcopyMakeBorder")


def scale_down(src_size: Sequence[float], size: Sequence[float]) -> tuple[int, int]:
    """The size of a crop, made smaller in its own proportions until it fits into the picture.

    Args:
        src_size: width and height of the picture.
        size: width and height of the crop.

    >>> scale_down((640, 480), (720, 120))
    (640, 106)

    Source: `mxnet.image.scale_down`.
    """
    w, h = size
    src_w, src_h = src_size
    if src_h < h:
        w, h = w * src_h / h, src_h
    if src_w < w:
        w, h = src_w, h * src_w / w
    return int(w), int(h)


def resize_short(src: Picture, size: int, interp: int = 2) -> Picture:
    """A picture whose shorter side is `size`, in its proportions.

    Args:
        src: (height, width, channel).
        size: the length of the shorter side.
        interp: as for `imresize`; 9 chooses cubic to enlarge, area to shrink and bilinear else; 10 draws one from the
            module `random`.

    Raises:
        ValueError: unknown `interp`.
        MXNetError: no picture, or a size below 1.

    Source: `mxnet.image.resize_short`.
    """
    host = pixels(src)
    h, w = size_of(host, "resize_short")
    new_w, new_h = (size, size * h // w) if h > w else (size * w // h, size)
    return like(src, resized(host, new_w, new_h, interpolation(interp, (w, h), (new_w, new_h))))


def interpolation(interp: int, old: tuple[int, int], new: tuple[int, int]) -> int:
    """The method that a code stands for, from 0 to 4; see `resize_short`.

    Args:
        interp: the code.
        old, new: width and height before and after.
    """
    if interp == AUTO:
        if new[0] > old[0] and new[1] > old[1]:
            return CUBIC
        return AREA if new[0] < old[0] and new[1] < old[1] else LINEAR
    if interp == RANDOM:
        return random.randint(NEAREST, LANCZOS)
    if interp not in range(LANCZOS + 1):
        legal = "0 nearest, 1 bilinear, 2 bicubic, 3 area, 4 Lanczos, 9 by size, 10 at random"
        raise ValueError(f"Unknown interp method {interp!r}; legal are {legal}")
    return interp


def resized(host: np.ndarray, w: int, h: int, interp: int) -> np.ndarray:
    """`imresize` on the host."""
    cv2 = opencv()
    size_of(host, "_cvimresize")
    if not (isinstance(w, int | np.integer) and isinstance(h, int | np.integer)):
        raise MXNetError(explain(f"a size is whole numbers of pixels, got {w!r} x {h!r}", op="_cvimresize"))
    if cv2 is None or host.dtype.name not in _OPENCV or min(w, h) < 1:
        return _cvimresize(picture(host), w=w, h=h, interp=interp).asnumpy()
    with exact(cv2):
        return cv2.resize(host, (w, h), interpolation=interp).reshape(h, w, host.shape[2])


def bordered(host: np.ndarray, around: tuple[int, int, int, int], values: Sequence[float], kind: int = 0) -> np.ndarray:
    """`copyMakeBorder` on the host.

    Args:
        host: (height, width, channel).
        around: rows on top and at the bottom, columns left and right.
        values: the constant, or one for each channel.
        kind: see `copyMakeBorder`.
    """
    size_of(host, "_cvcopyMakeBorder")
    channels = host.shape[2]
    values = tuple(values) * (channels if len(values) == 1 else 1)
    top, bottom, left, right = around
    cv2 = opencv()
    if cv2 is None or host.dtype.name not in _OPENCV or channels > 4 or len(values) != channels:
        sides = {"top": top, "bot": bottom, "left": left, "right": right}
        return _cvcopyMakeBorder(picture(host), **sides, type=kind, values=values).asnumpy()
    found = cv2.copyMakeBorder(host, top, bottom, left, right, kind, value=values)
    return found.reshape(*found.shape[:2], channels)


#: What opencv resizes by every method; other dtypes go through the operator.
_OPENCV = ("uint8", "float32", "float64")
