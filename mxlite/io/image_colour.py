# SPDX-License-Identifier: Apache-2.0
"""Random changes of the colours of a picture, uint8 (height, width, 3), blue first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from .image_opencv import opencv
from .image_params import Augmentation

#: The principal colours of ImageNet, red first, each times its deviation.
_PRINCIPAL = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
) * [55.46, 4.794, 1.148]  # fmt: skip
#: What a byte can be.
BYTES = np.arange(256.0)


def colours(told: Augmentation) -> list[Callable[[np.ndarray, Random], np.ndarray]]:
    """The changes of colours that are asked for, in their order."""
    changes: list[Callable[[np.ndarray, Random], np.ndarray]] = []
    if told.brightness > 0 or told.contrast > 0 or told.saturation > 0:
        changes.append(lambda picture, draw: _jittered(picture, told, draw))
    if told.random_h or told.random_s or told.random_l:
        changes.append(lambda picture, draw: _shifted(picture, told, draw))
    if told.pca_noise > 0:
        changes.append(lambda picture, draw: _noisy(picture, told.pca_noise, draw))
    return changes


def mapped(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The picture with each byte replaced by the value in its place, rounded and kept within bytes.

    Args:
        values: (256,), or (256, 3) for each channel its own.
    """
    table = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return opencv().LUT(picture, table if table.ndim == 1 else table[:, None])


def _jittered(picture: np.ndarray, told: Augmentation, draw: Random) -> np.ndarray:
    """Brightness, contrast and saturation, in a random order."""
    cv = opencv()
    steps = [(name, getattr(told, name)) for name in ("brightness", "contrast", "saturation")]
    draw.shuffle(steps)
    for name, most in steps:
        factor = 1 + draw.uniform(-most, most)
        if name == "brightness":
            picture = mapped(picture, BYTES * factor)
            continue
        # MXNet weighs blue as if it were red, and red as if it were blue.
        grey = cv.cvtColor(picture, cv.COLOR_RGB2GRAY)
        if name == "contrast":
            picture = mapped(picture, BYTES * factor + cv.mean(grey)[0] * (1 - factor))
        else:
            picture = cv.addWeighted(picture, factor, cv.merge([grey] * 3), 1 - factor, 0)
    return picture


def _shifted(picture: np.ndarray, told: Augmentation, draw: Random) -> np.ndarray:
    # As in MXNet, large shifts are rarer than small ones: a sum of two draws.
    most = told.random_h, told.random_l, told.random_s
    return shifted(picture, [int((draw.random() + 4 * draw.random()) / 5 * x * 2 - x) for x in most])


def shifted(picture: np.ndarray, shifts: Sequence[int]) -> np.ndarray:
    """The picture with something added to hue, lightness and saturation."""
    cv = opencv()
    hls = cv.cvtColor(picture, cv.COLOR_BGR2HLS)
    table = np.minimum(BYTES[:, None] + shifts, [180, 255, 255])
    return cv.cvtColor(mapped(hls, table), cv.COLOR_HLS2BGR)


def _noisy(picture: np.ndarray, deviation: float, draw: Random) -> np.ndarray:
    """One colour added to all pixels."""
    noise = _PRINCIPAL @ [draw.gauss(0, deviation) for _ in range(3)]
    return mapped(picture, np.floor(np.maximum(BYTES[:, None] + noise[::-1], 0)))
