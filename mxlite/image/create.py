# SPDX-License-Identifier: Apache-2.0
"""`CreateAugmenter`, and the steps that it shares with the augmenters of detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray, array
from . import colour
from .augmenter import Augmenter
from .crops import ChoiceError
from .geometric import CastAug, CenterCropAug, HorizontalFlipAug, RandomCropAug, RandomSizedCropAug, ResizeAug
from .jitter import ColorJitterAug, ColorNormalizeAug, HueJitterAug, LightingAug, RandomGrayAug


def CreateAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """The augmenters that are usual for classification, in their order.

    Args:
        data_shape: channels, height and width of the result.
        resize: the length of the shorter side before cropping; 0 for none.
        rand_crop: crop at a random place, else in the middle.
        rand_resize: crop a random size and shape, too; needs `rand_crop`.
        rand_mirror: exchange left and right with a chance of a half.
        mean: what to subtract from red, green and blue: an array of 3 numbers or 1, or True for ImageNet's.
        std: what to divide by; likewise.
        brightness, contrast, saturation, hue: how much each may change, 0 to 1.
        pca_noise: the deviation of the noise of `LightingAug`.
        rand_gray: how probable a picture without colours is.
        inter_method: as for `resize_short`.

    Raises:
        ChoiceError: (a ValueError and AssertionError) `rand_resize` without `rand_crop`, or another `mean` or `std`.

    >>> [type(a).__name__ for a in CreateAugmenter((3, 224, 224), resize=256, rand_mirror=True)]
    ['ResizeAug', 'CenterCropAug', 'HorizontalFlipAug', 'CastAug']

    Source: `mxnet.image.CreateAugmenter`.
    """
    size = data_shape[2], data_shape[1]
    found: list[Augmenter] = []
    if resize > 0:
        found.append(ResizeAug(resize, inter_method))
    if rand_resize:
        if not rand_crop:
            raise ChoiceError("rand_resize=True crops a random size: it needs rand_crop=True")
        found.append(RandomSizedCropAug(size, 0.08, (3.0 / 4.0, 4.0 / 3.0), inter_method))
    else:
        found.append(RandomCropAug(size, inter_method) if rand_crop else CenterCropAug(size, inter_method))
    if rand_mirror:
        found.append(HorizontalFlipAug(0.5))
    found.append(CastAug())
    found += colours(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    mean = array(colour.MEAN) if mean is True else mean
    std = array(colour.STD) if std is True else std
    return found + normalization(mean, std)


def colours(
    brightness: float, contrast: float, saturation: float, hue: float, pca_noise: float, rand_gray: float
) -> list[Augmenter]:
    """The augmenters of colours; see `CreateAugmenter`."""
    found: list[Augmenter] = []
    if brightness or contrast or saturation:
        found.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        found.append(HueJitterAug(hue))
    if pca_noise > 0:
        found.append(LightingAug(pca_noise, colour.EIGENVALUES, colour.EIGENVECTORS))
    if rand_gray > 0:
        found.append(RandomGrayAug(rand_gray))
    return found


def normalization(mean: Any, std: Any) -> list[Augmenter]:
    """`ColorNormalizeAug` if there is something to do; see `CreateAugmenter`."""
    for name, values in (("mean", mean), ("std", std)):
        legal = isinstance(values, NDArray | np.ndarray) and values.ndim > 0 and values.shape[0] in (1, 3)
        if values is not None and not legal:
            raise ChoiceError(f"{name} must be None, True or an array of 1 or 3 numbers, got {values!r:.80}")
    return [] if mean is None and std is None else [ColorNormalizeAug(mean, std)]
