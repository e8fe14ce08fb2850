# SPDX-License-Identifier: Apache-2.0
"""Boxes of labels, and random rectangles."""

from __future__ import annotations

import random
from math import sqrt
from typing import NamedTuple

import numpy as np

#: What a half is rounded up with, just below it.
_ALMOST_HALF = 0.4999999


class Window(NamedTuple):
    """A rectangle in pixels; for a border, where the old picture lies in the new one."""

    x: int
    y: int
    w: int
    h: int


def areas(boxes: np.ndarray) -> np.ndarray:
    """The areas of boxes (objects, 4 or more): left, top, right, bottom; 0 where they stand the wrong way."""
    heights = np.maximum(0, boxes[:, 3] - boxes[:, 1])
    widths = np.maximum(0, boxes[:, 2] - boxes[:, 0])
    return heights * widths


def overlaps(boxes: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The areas of what boxes (objects, 4) have in common with a rectangle."""
    return areas(np.hstack([np.maximum(boxes[:, :2], (left, top)), np.minimum(boxes[:, 2:4], (right, bottom))]))


def draw_crop(width: int, height: int, aspect_ratio: tuple[float, float], least: float, most: float) -> Window | None:
    """A random rectangle in a picture, or None when the drawn proportions allow none.

    Args:
        width, height: of the picture.
        aspect_ratio: the range of width to height.
        least, most: the range of the area, in pixels.
    """
    ratio = random.uniform(*aspect_ratio)
    if ratio <= 0:
        return None
    h, most_h = round(sqrt(least / ratio)), round(sqrt(most / ratio))
    if round(most_h * ratio) > width:
        most_h = int((width + _ALMOST_HALF) / ratio)
    most_h = min(most_h, height)
    h = min(h, most_h)
    if h < most_h:
        h = random.randint(h, most_h)
    w = round(h * ratio)
    # Rounding may have left the range by a row.
    if w * h < least:
        h += 1
        w = round(h * ratio)
    if w * h > most:
        h -= 1
        w = round(h * ratio)
    if not (least <= w * h <= most and w <= width and h <= height):
        return None
    y = random.randint(0, height - h)
    x = random.randint(0, width - w)
    return Window(x, y, w, h)


def draw_border(width: int, height: int, aspect_ratio: tuple[float, float], least: float, most: float) -> Window | None:
    """A random picture around a picture: how large it is, and where in it the old one lies; or None.

    Args:
        width, height: of the picture.
        aspect_ratio: the range of the new width to the new height.
        least, most: the range of the new area, in pixels.
    """
    ratio = random.uniform(*aspect_ratio)
    if ratio <= 0:
        return None
    h, most_h = round(sqrt(least / ratio)), round(sqrt(most / ratio))
    if round(h * ratio) < width:
        h = int((width + _ALMOST_HALF) / ratio)
    h = min(max(h, height), most_h)
    if h < most_h:
        h = random.randint(h, most_h)
    w = round(h * ratio)
    if h - height < 2 or w - width < 2:  # hardly a border
        return None
    y = random.randint(0, h - height)
    x = random.randint(0, w - width)
    return Window(x, y, w, h)
