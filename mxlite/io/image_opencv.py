# SPDX-License-Identifier: Apache-2.0
"""Opencv, which decodes and changes pictures; an optional package, imported where it is used."""

from __future__ import annotations

from typing import Any

from ..recordio.opencv import opencv as installed


def opencv() -> Any:
    """The module cv2.

    Raises:
        ImportError: it is not installed.
    """
    cv2 = installed()
    if cv2 is None:
        problem = "iterators over pictures need opencv-python-headless, which is not installed"
        raise ImportError(f"{problem}: pip install 'mxlite[image]'")
    return cv2
