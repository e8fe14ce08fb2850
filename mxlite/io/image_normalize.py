# SPDX-License-Identifier: Apache-2.0
"""How a picture of bytes becomes the numbers of a row of a batch."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from .image_opencv import opencv
from .image_params import Normalization

#: The channels of a picture in the order of a batch: blue comes first in the one, red in the other.
_ORDER = {1: (0,), 3: (2, 1, 0), 4: (2, 1, 0, 3)}
_BYTES = np.arange(256, dtype=np.float32)

#: Writes a picture, uint8 (height, width) or (height, width, channels), into a row (channels, height, width).
Write = Callable[[np.ndarray, Random, np.ndarray], None]


def writer(told: Normalization, channels: int, dtype: np.dtype, mean: np.ndarray | None = None) -> Write:
    """What writes pictures into rows of `dtype`: float32, or uint8 and int8, for which nothing is multiplied.

    Args:
        mean: the mean picture, float32 (channels, height, width), or None.
    """
    means = np.array([told.mean_r, told.mean_g, told.mean_b, told.mean_a], np.float32)
    scales = np.array([_factor(told.scale, std) for std in (told.std_r, told.std_g, told.std_b, told.std_a)])
    random = told.max_random_contrast > 0 or told.max_random_illumination > 0
    fixed = _tables(means, scales, 1.0, 0.0, dtype)
    plain = dtype == np.uint8 or (mean is None and not random and not means.any() and bool((scales == 1).all()))

    def write(picture: np.ndarray, draw: Random, row: np.ndarray) -> None:
        cv = opencv()
        centre = mean
        if told.mirror or (told.rand_mirror and draw.random() < 0.5):
            picture = cv.flip(picture, 1)
            centre = None if mean is None else mean[..., ::-1]
        tables, contrast, light = fixed, 1.0, 0.0
        if random and dtype == np.float32:
            contrast = 1 + draw.uniform(-told.max_random_contrast, told.max_random_contrast)
            light = draw.uniform(-told.max_random_illumination, told.max_random_illumination)
            tables = _tables(means, scales, contrast, light, dtype)
        for channel, source in enumerate(_ORDER[channels]):
            plane = picture if picture.ndim == 2 else cv.extractChannel(picture, source)
            if plain and dtype != np.int8:
                row[channel] = plane
            elif centre is None:
                cv.LUT(plane, tables[channel], dst=row[channel])
            else:
                row[channel] = _centred(plane, centre[channel], contrast, light, scales[channel], dtype)

    return write


def _factor(scale: float, std: float) -> np.float32:
    # A deviation of 0, the default of ImageDetRecordIter, divides nothing.
    return np.float32(scale) / np.float32(std) if std > 0 else np.float32(scale)


def _tables(means: np.ndarray, scales: np.ndarray, contrast: float, light: float, dtype: np.dtype) -> np.ndarray:
    """What each byte of each channel becomes: (4, 256)."""
    if dtype == np.int8:
        return np.clip(np.rint(_BYTES - means[:, None]), -128, 127).astype(np.int8)
    return ((_BYTES - means[:, None]) * np.float32(contrast) + np.float32(light)) * scales[:, None]


def _centred(plane: np.ndarray, mean: np.ndarray, contrast: float, light: float, scale: Any, dtype: Any) -> np.ndarray:
    if dtype == np.int8:
        return np.clip(np.rint(plane - mean), -128, 127)
    return ((plane - mean) * np.float32(contrast) + np.float32(light)) * scale
