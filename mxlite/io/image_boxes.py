# SPDX-License-Identifier: Apache-2.0
"""Boxes of objects in a picture, and how they change with it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError


class Window(NamedTuple):
    """A part of a picture, or something around it; in widths and heights of the picture."""

    left: float
    top: float
    width: float
    height: float


class Boxes(NamedTuple):
    """The label of a picture with objects.

    Args:
        head: the numbers before the objects, float32: how many these are, how many an object has, and any others.
        objects: float32 (count, numbers): class, left, top, right, bottom, and any others; places from 0 to 1.
    """

    head: np.ndarray
    objects: np.ndarray

    @classmethod
    def of_label(cls, label: Any) -> Boxes:
        """From the label of a record; objects without an area are left out.

        Raises:
            MXNetError: these numbers are no such label.
        """
        label = np.atleast_1d(np.asarray(label, np.float32))
        head, width = (int(x) for x in label[:2]) if len(label) >= 7 else (0, 0)
        if head < 2 or width < 5 or head > len(label) or (len(label) - head) % width:
            form = "2 or more numbers of head, 5 or more of an object, the head, the objects"
            raise MXNetError(f"the label is none with boxes: it is {form}; this one is {label[:8].tolist()!s:.80}")
        objects = label[head:].reshape(-1, width)
        return cls(label[:head], objects[(objects[:, 3] > objects[:, 1]) & (objects[:, 4] > objects[:, 2])])

    def numbers(self) -> np.ndarray:
        """As the label of a record."""
        return np.concatenate([self.head, self.objects.ravel()])

    def mirrored(self) -> Boxes:
        """In the picture that is mirrored, left to right."""
        objects = self.objects.copy()
        objects[:, 1], objects[:, 3] = 1 - self.objects[:, 3], 1 - self.objects[:, 1]
        return self._replace(objects=objects)

    def seen_in(self, window: Window) -> Boxes:
        """In the picture that the window makes; what reaches out of it is cut off."""
        objects = self.objects.copy()
        start = np.array([window.left, window.top] * 2, np.float32)
        size = np.array([window.width, window.height] * 2, np.float32)
        objects[:, 1:5] = np.clip((objects[:, 1:5] - start) / size, 0, 1)
        return self._replace(objects=objects)

    def common(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The area that each object has in the window, and its whole area."""
        places = self.objects[:, 1:5]
        high = np.minimum(places[:, 2:], [window.left + window.width, window.top + window.height])
        inside = np.maximum(high - np.maximum(places[:, :2], [window.left, window.top]), 0)
        return inside.prod(1), (places[:, 2:] - places[:, :2]).prod(1)

    def centred_in(self, window: Window) -> np.ndarray:
        """Which objects have their middle in the window."""
        x, y = (self.objects[:, 1:3] + self.objects[:, 3:5]).T / 2 - np.array([[window.left], [window.top]])
        return (x >= 0) & (x < window.width) & (y >= 0) & (y < window.height)
