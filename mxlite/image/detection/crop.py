# SPDX-License-Identifier: Apache-2.0
"""`DetRandomCropAug`: a random part of a picture with the boxes that are in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ndarray import NDArray
from ..crops import fixed_crop
from .augmenter import DetAugmenter, ordered, pair
from .boxes import Window, areas, draw_crop, overlaps


class DetRandomCropAug(DetAugmenter):
    """A random part of a picture that has enough of its objects; the picture itself where none is found.

    Args:
        min_object_covered: each object that the part touches must be in it by more than this share.
        aspect_ratio_range: range of width to height of the part.
        area_range: range of its share of the picture's area.
        min_eject_coverage: objects that are in it by no more than this share are left out.
        max_attempts: how often it is tried; drawn from the module `random`.

    Raises:
        RangeError: (a ValueError and TypeError) a range from high to low, or without anything above 0.
        RangeTypeError: (a ValueError and AssertionError) a range that is no pair of numbers.

    Source: `mxnet.image.DetRandomCropAug`.
    """

    def __init__(
        self,
        min_object_covered: float = 0.1,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (0.05, 1.0),
        min_eject_coverage: float = 0.3,
        max_attempts: int = 50,
    ):
        ratios, shares = pair(aspect_ratio_range, "aspect_ratio_range"), pair(area_range, "area_range")
        ordered(shares, "area_range", above=0)
        ordered(ratios, "aspect_ratio_range", above=0)
        super().__init__(
            min_object_covered=min_object_covered,
            aspect_ratio_range=ratios,
            area_range=shares,
            min_eject_coverage=min_eject_coverage,
            max_attempts=max_attempts,
        )
        self.min_object_covered, self.min_eject_coverage = min_object_covered, min_eject_coverage
        self.max_attempts = max_attempts
        self.aspect_ratio_range, self.area_range = ratios, shares
        self.enabled = True

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        """A part and its boxes, counted across the part; or what was given."""
        height, width = src.shape[:2]
        found = self._draw(label, height, width) if self.enabled else None
        if found is None:
            return src, label
        window, label = found
        return fixed_crop(src, window.x, window.y, window.w, window.h), label

    def _draw(self, label: np.ndarray, height: int, width: int) -> tuple[Window, np.ndarray] | None:
        least, most = (share * height * width for share in self.area_range)
        for _ in range(self.max_attempts):
            window = draw_crop(width, height, self.aspect_ratio_range, least, most)
            if window is not None and self._covers(label, window, width, height):
                inside = self._inside(label, window, width, height)
                if inside is not None:
                    return window, inside
        return None

    def _covers(self, label: np.ndarray, window: Window, width: int, height: int) -> bool:
        """Whether the part has enough of every object that it touches, and touches one."""
        if window.w * window.h < 2:
            return False
        boxes = label[:, 1:5]
        boxes = boxes[areas(boxes) * width * height > 2]
        left, top = window.x / width, window.y / height
        right, bottom = left + window.w / width, top + window.h / height
        covered = overlaps(boxes, left, top, right, bottom) / areas(boxes)
        covered = covered[covered > 0]
        return covered.size > 0 and bool(covered.min() > self.min_object_covered)

    def _inside(self, label: np.ndarray, window: Window, width: int, height: int) -> np.ndarray | None:
        """The label of the part; None without objects."""
        left, top, w, h = window.x / width, window.y / height, window.w / width, window.h / height
        out = label.copy()
        out[:, (1, 3)] = np.clip((out[:, (1, 3)] - left) / w, 0, 1)
        out[:, (2, 4)] = np.clip((out[:, (2, 4)] - top) / h, 0, 1)
        with np.errstate(invalid="ignore", divide="ignore"):  # objects without area are never covered
            covered = areas(out[:, 1:]) * w * h / areas(label[:, 1:])
        kept = (out[:, 3] > out[:, 1]) & (out[:, 4] > out[:, 2]) & (covered > self.min_eject_coverage)
        return out[kept] if kept.any() else None
