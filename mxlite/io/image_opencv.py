# SPDX-License-Identifier: Apache-2.0
"""Opencv, which decodes and changes pictures; an optional package, imported where it is used."""

from __future__ import annotations

from typing import Any


def opencv() -> Any:
    """The module cv2.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import cv2
    except ImportError:
        problem = "iterators over pictures need opencv-python-headless, which is not installed"
        raise ImportError(f"{problem}: pip install 'mxlite[image]'") from None
    return cv2
