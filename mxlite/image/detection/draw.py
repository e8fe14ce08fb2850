# SPDX-License-Identifier: Apache-2.0
"""Boxes drawn into pictures. Needs opencv."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def drawn(
    image: np.ndarray,
    objects: np.ndarray,
    color: Any,
    thickness: int,
    names: Mapping[int, str] | None,
    wait: int | None,
    window: str,
) -> np.ndarray:
    """A picture with boxes; see `ImageDetIter.draw_next`.

    Args:
        image: uint8 (height, width, 3), red first.
        objects: (objects, 5 or more): class, left, top, right, bottom.
        color, thickness: of the lines.
        names: of the classes.
        wait, window: how long to show it, and where.

    Raises:
        ImportError: opencv is not installed.
    """
    try:
        import cv2
    except ImportError:
        problem = "drawing boxes needs opencv-python-headless, which is not installed"
        raise ImportError(f"{problem}: pip install 'mxlite[image]'") from None
    image = np.ascontiguousarray(image[:, :, ::-1])
    height, width = image.shape[:2]
    for kind, *box in objects[:, :5]:
        left, top, right, bottom = (int(x * n) for x, n in zip(box, (width, height, width, height), strict=True))
        line = [float(c) for c in (np.random.rand(3) * 255 if color is None else color[::-1])]
        cv2.rectangle(image, (left, top), (right, bottom), line, thickness)
        if names is not None and int(kind) in names:
            where = left + 5, top + 15
            cv2.putText(image, names[int(kind)], where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, line, 1)
    if wait is not None:
        cv2.imshow(window, image)
        cv2.waitKey(wait)
    return image
