# SPDX-License-Identifier: Apache-2.0
"""Parts of pictures: `fixed_crop`, `random_crop`, `center_crop`, `random_size_crop`."""

from __future__ import annotations

import math
import operator
import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError, explain, numeric_types
from .host import Picture, like, pixels, size_of
from .resize import interpolation, resized, scale_down

#: Left, top, width, height.
Box = tuple[int, int, int, int]
#: Width and height.
Size = tuple[int, int]


def fixed_crop(src: Picture, x0: int, y0: int, w: int, h: int, size: Size | None = None, interp: int = 2) -> Picture:
    """A rectangle of a picture, in another size if one is given.

    Args:
        src: (height, width, channel).
        x0, y0: its left column and its top row.
        w, h: width and height; what is beyond the picture is left out.
        size: width and height of the result; only where they differ from (w, h) something is resized.
        interp: as for `resize_short`.

    Raises:
        MXNetError: there is nothing of the picture in the rectangle.
        TypeError: a place or a length is no integer.
        ValueError: unknown `interp`.

    Source: `mxnet.image.fixed_crop`.
    """
    return like(src, cropped(pixels(src), (x0, y0, w, h), size, interp))


def random_crop(src: Picture, size: Size, interp: int = 2) -> tuple[Picture, Box]:
    """A part of a picture at a random place; a picture that is too small is enlarged.

    Args:
        src: (height, width, channel).
        size: width and height of the result.
        interp: as for `resize_short`.

    Returns:
        The part, and where it was: left, top, width, height. The place is drawn from the module `random`.

    Errors: as for `fixed_crop`. Source: `mxnet.image.random_crop`.
    """
    host = pixels(src)
    h, w = size_of(host, "random_crop")
    new_w, new_h = scale_down((w, h), size)
    return _at_random(src, host, (new_w, new_h), size, interp)


def center_crop(src: Picture, size: Size, interp: int = 2) -> tuple[Picture, Box]:
    """The middle of a picture; a picture that is too small is enlarged.

    Args, Returns: as for `random_crop`. Errors: as for `fixed_crop`. Source: `mxnet.image.center_crop`.
    """
    host = pixels(src)
    h, w = size_of(host, "center_crop")
    new_w, new_h = scale_down((w, h), size)
    box = int((w - new_w) / 2), int((h - new_h) / 2), new_w, new_h
    return like(src, cropped(host, box, size, interp)), box


def random_size_crop(
    src: Picture, size: Size, area: Any, ratio: Sequence[float], interp: int = 2, **kwargs: Any
) -> tuple[Picture, Box]:
    """A part of a picture with random place, area and proportions. What does not fit in ten draws is a `center_crop`.

    Args:
        src: (height, width, channel).
        size: width and height of the result.
        area: least and largest share of the picture's area; a number is the least, to 1.
        ratio: least and largest ratio of width to height.
        interp: as for `resize_short`.

    Returns:
        As `random_crop`.

    Raises:
        ChoiceError: (a ValueError and AssertionError) an unknown keyword.

    Further errors: as for `fixed_crop`. Source: `mxnet.image.random_size_crop`.
    """
    area = least_area(kwargs, area)
    refuse(kwargs, "random_size_crop")
    host = pixels(src)
    h, w = size_of(host, "random_size_crop")
    least, most = (float(area), 1.0) if isinstance(area, numeric_types) else (area[0], area[1])
    for _ in range(10):
        target = random.uniform(least, most) * (h * w)
        proportion = math.exp(random.uniform(np.log(ratio[0]), np.log(ratio[1])))
        new_w = round(math.sqrt(target * proportion))
        new_h = round(math.sqrt(target / proportion))
        if new_w <= w and new_h <= h:
            return _at_random(src, host, (new_w, new_h), size, interp)
    return center_crop(src, size, interp)


class ChoiceError(ValueError, AssertionError):
    """An argument that an augmenter, or its function, does not take; MXNet raises a bare AssertionError."""


def least_area(kwargs: dict[str, Any], area: Any) -> Any:
    """`area`, or what an older script calls `min_area`, taken out of its keywords."""
    if "min_area" in kwargs:
        warnings.warn("`min_area` is deprecated. Please use `area` instead.", DeprecationWarning, stacklevel=3)
        area = kwargs.pop("min_area")
    return area


def refuse(kwargs: dict[str, Any], what: str) -> None:
    """ChoiceError when there are keywords left."""
    if kwargs:
        raise ChoiceError(f"unexpected keyword arguments for `{what}`: {', '.join(kwargs)}")


def _at_random(src: Picture, host: np.ndarray, part: Size, size: Size, interp: int) -> tuple[Picture, Box]:
    h, w = host.shape[:2]
    x0 = random.randint(0, w - part[0])
    y0 = random.randint(0, h - part[1])
    box = (x0, y0, *part)
    return like(src, cropped(host, box, size, interp)), box


def cropped(host: np.ndarray, box: Box, size: Size | None = None, interp: int = 2) -> np.ndarray:
    """`fixed_crop` on the host: a copy."""
    height, width = size_of(host, "fixed_crop")
    x0, y0, w, h = map(operator.index, box)
    if not (0 <= x0 < width and 0 <= y0 < height and w > 0 and h > 0):
        problem = f"x0={x0}, y0={y0}, w={w}, h={h} has nothing of a picture of {width}x{height} (width, height)"
        raise MXNetError(explain(problem, op="fixed_crop"))
    part = host[y0 : y0 + h, x0 : x0 + w]
    if size is None or (w, h) == tuple(size):
        return part.copy()
    # MXNet looks at the size that was asked for, also where the picture ends before.
    method = interpolation(interp, (w, h), (size[0], size[1]))
    return resized(np.ascontiguousarray(part), size[0], size[1], method)
