# SPDX-License-Identifier: Apache-2.0
"""`DetRandomPadAug`: a random border around a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ndarray import NDArray
from ..host import like, pixels
from ..resize import bordered
from .augmenter import DetAugmenter, RangeTypeError, ordered, pair
from .boxes import Window, draw_border


class DetRandomPadAug(DetAugmenter):
    """A border that makes objects smaller; the picture itself where no border is found.

    Args:
        aspect_ratio_range: range of the new width to the new height.
        area_range: range of the new area, in areas of the picture.
        max_attempts: how often it is tried; drawn from the module `random`.
        pad_val: the colour: a number, or one for each channel.

    Raises:
        RangeError: (a ValueError and TypeError) a range from high to low, or areas that are none above 1.
        RangeTypeError: (a ValueError and AssertionError) a range that is no pair of numbers, or another colour.

    Source: `mxnet.image.DetRandomPadAug`.
    """

    def __init__(
        self,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (1.0, 3.0),
        max_attempts: int = 50,
        pad_val: Any = (128, 128, 128),
    ):
        if not isinstance(pad_val, list | tuple | int | float | np.number):
            raise RangeTypeError(f"pad_val must be a number or a tuple of them, got {pad_val!r:.80}")
        ratios, shares = pair(aspect_ratio_range, "aspect_ratio_range"), pair(area_range, "area_range")
        ordered(shares, "area_range", above=1)
        ordered(ratios, "aspect_ratio_range", above=0)
        super().__init__(aspect_ratio_range=ratios, area_range=shares, max_attempts=max_attempts, pad_val=pad_val)
        self.pad_val, self.max_attempts = pad_val, max_attempts
        self.aspect_ratio_range, self.area_range = ratios, shares
        self.enabled = True

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        """The picture in its border and its boxes, counted across both; or what was given."""
        height, width = src.shape[:2]
        least, most = (share * height * width for share in self.area_range)
        for _ in range(self.max_attempts if self.enabled else 0):
            window = draw_border(width, height, self.aspect_ratio_range, least, most)
            if window is not None:
                around = window.y, window.h - height - window.y, window.x, window.w - width - window.x
                colour = [float(x) for x in np.atleast_1d(self.pad_val)]
                return like(src, bordered(pixels(src), around, colour)), _shifted(label, window, width, height)
        return src, label


def _shifted(label: np.ndarray, window: Window, width: int, height: int) -> np.ndarray:
    out = label.copy()
    out[:, (1, 3)] = (out[:, (1, 3)] * width + window.x) / window.w
    out[:, (2, 4)] = (out[:, (2, 4)] * height + window.y) / window.h
    return out
