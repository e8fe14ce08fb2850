# SPDX-License-Identifier: Apache-2.0
"""`CreateDetAugmenter` and `CreateMultiRandCropAugmenter`: the augmenters that are usual for detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import colour
from ..create import colours, normalization
from ..crops import ChoiceError
from ..geometric import CastAug, ForceResizeAug, ResizeAug
from .augmenter import DetAugmenter, DetBorrowAug, DetHorizontalFlipAug, DetRandomSelectAug
from .crop import DetRandomCropAug
from .pad import DetRandomPadAug


def CreateMultiRandCropAugmenter(
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 1.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    skip_prob: float = 0,
) -> DetRandomSelectAug:
    """One of several `DetRandomCropAug`, drawn for each picture.

    Args:
        min_object_covered, aspect_ratio_range, area_range, min_eject_coverage, max_attempts: as for
            `DetRandomCropAug`, or lists with one for each crop; those that are no lists, or have one element, are
            for all.
        skip_prob: how probable no crop is.

    Raises:
        ChoiceError: (a ValueError and AssertionError) lists of different lengths.

    >>> len(CreateMultiRandCropAugmenter(min_object_covered=[0.1, 0.5, 0.9]).aug_list)
    3

    Source: `mxnet.image.CreateMultiRandCropAugmenter`.
    """
    given = {
        "min_object_covered": min_object_covered,
        "aspect_ratio_range": aspect_ratio_range,
        "area_range": area_range,
        "min_eject_coverage": min_eject_coverage,
        "max_attempts": max_attempts,
    }
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    count = max(map(len, lists.values()))
    if any(len(values) not in (1, count) for values in lists.values()):
        lengths = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
        raise ChoiceError(f"lists of parameters must have one length, or 1: {lengths}")
    columns = [values * count if len(values) == 1 else values for values in lists.values()]
    return DetRandomSelectAug([DetRandomCropAug(*row) for row in zip(*columns, strict=True)], skip_prob)


def CreateDetAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: float = 0,
    rand_pad: float = 0,
    rand_gray: float = 0,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    pca_noise: float = 0,
    hue: float = 0,
    inter_method: int = 2,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 3.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    pad_val: Any = (127, 127, 127),
) -> list[DetAugmenter]:
    """The augmenters that are usual for detection, in their order.

    Args:
        data_shape: channels, height and width of the result.
        resize: the length of the shorter side before all others; 0 for none.
        rand_crop: how probable a random crop is.
        rand_pad: how probable a random border is.
        rand_gray: how probable a picture without colours is.
        rand_mirror: exchange left and right with a chance of a half.
        mean, std, brightness, contrast, saturation, pca_noise, hue, inter_method: as for `CreateAugmenter`.
        min_object_covered, aspect_ratio_range, min_eject_coverage, max_attempts: as for
            `CreateMultiRandCropAugmenter`.
        area_range: likewise; for a border it begins with 1.
        pad_val: the colour of a border.

    Raises:
        ChoiceError: (a ValueError and AssertionError) another `mean` or `std`, or lists of different lengths.
        RangeError, RangeTypeError: as for `DetRandomCropAug` and `DetRandomPadAug`.

    Source: `mxnet.image.CreateDetAugmenter`.
    """
    found: list[DetAugmenter] = []
    if resize > 0:
        found.append(DetBorrowAug(ResizeAug(resize, inter_method)))
    if rand_crop > 0:
        crops = min_object_covered, aspect_ratio_range, area_range, min_eject_coverage, max_attempts
        found.append(CreateMultiRandCropAugmenter(*crops, skip_prob=1 - rand_crop))
    if rand_mirror:
        found.append(DetHorizontalFlipAug(0.5))
    if rand_pad > 0:
        pad = DetRandomPadAug(aspect_ratio_range, (1.0, area_range[1]), max_attempts, pad_val)
        found.append(DetRandomSelectAug([pad], 1 - rand_pad))
    # Crops and borders leave any size behind.
    pictures = [ForceResizeAug((data_shape[2], data_shape[1]), inter_method), CastAug()]
    pictures += colours(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    pictures += normalization(colour.MEAN.copy() if mean is True else mean, colour.STD.copy() if std is True else std)
    return found + [DetBorrowAug(augmenter) for augmenter in pictures]
