# SPDX-License-Identifier: Apache-2.0
"""Opencv, an optional package that is imported where it is used, and how to make it compute as MXNet's does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def opencv() -> Any:
    """The module cv2, or None where it is not installed."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2


@contextmanager
def exact(cv2: Any) -> Iterator[None]:
    """Without Intel's library in opencv, whose bilinear and cubic results are not those of opencv itself and of MXNet.

    Measured with opencv 5.0 on resizing: of uint8 by the cubic method a pixel in 25 is off by one, of float32 by the
    bilinear and cubic methods most are off by up to 0.003. Without it, a pixel in 100,000 of the former is, and the
    bilinear results are equal. The switch belongs to the thread.
    """
    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(before)
