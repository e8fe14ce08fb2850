# SPDX-License-Identifier: Apache-2.0
"""Augmenters of colours."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ..ndarray import NDArray, array
from . import colour
from .augmenter import Augmenter, RandomOrderAug
from .host import like, overwrite, pixels


class BrightnessJitterAug(Augmenter):
    """Lighter or darker, in place.

    Args:
        brightness: how much at most: the factor is drawn from 1 - brightness to 1 + brightness.

    Source: `mxnet.image.BrightnessJitterAug`.
    """

    def __init__(self, brightness: float):
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def __call__(self, src: NDArray) -> NDArray:
        """`src`, which is changed."""
        return overwrite(src, colour.scaled(pixels(src), _factor(self.brightness)))


class ContrastJitterAug(Augmenter):
    """More or less contrast, in place.

    Args:
        contrast: how much at most, as for `BrightnessJitterAug`.

    Source: `mxnet.image.ContrastJitterAug`.
    """

    def __init__(self, contrast: float):
        super().__init__(contrast=contrast)
        self.contrast = contrast

    def __call__(self, src: NDArray) -> NDArray:
        """`src`, float32, which is changed."""
        return overwrite(src, colour.contrasted(pixels(src), _factor(self.contrast)))


class SaturationJitterAug(Augmenter):
    """More or less colour, in place.

    Args:
        saturation: how much at most, as for `BrightnessJitterAug`.

    Source: `mxnet.image.SaturationJitterAug`.
    """

    def __init__(self, saturation: float):
        super().__init__(saturation=saturation)
        self.saturation = saturation

    def __call__(self, src: NDArray) -> NDArray:
        """`src`, float32, which is changed."""
        return overwrite(src, colour.saturated(pixels(src), _factor(self.saturation)))


class HueJitterAug(Augmenter):
    """Another hue.

    Args:
        hue: how much at most, in half circles.

    Attributes:
        tyiq, ityiq: the matrices from red, green, blue to luma and chromas, and back.

    Source: `mxnet.image.HueJitterAug`.
    """

    def __init__(self, hue: float):
        super().__init__(hue=hue)
        self.hue = hue
        self.tyiq, self.ityiq = colour.TO_YIQ.copy(), colour.FROM_YIQ.copy()

    def __call__(self, src: NDArray) -> NDArray:
        """A picture made of `src`, float32."""
        turn = random.uniform(-self.hue, self.hue)
        return like(src, colour.turned(pixels(src), turn, self.tyiq, self.ityiq))


class ColorJitterAug(RandomOrderAug):
    """Brightness, contrast and saturation in random order; those that are 0 are left out.

    Args:
        brightness, contrast, saturation: how much at most.

    Source: `mxnet.image.ColorJitterAug`.
    """

    def __init__(self, brightness: float, contrast: float, saturation: float):
        amounts = (
            (BrightnessJitterAug, brightness),
            (ContrastJitterAug, contrast),
            (SaturationJitterAug, saturation),
        )
        super().__init__([augmenter(amount) for augmenter, amount in amounts if amount > 0])


class LightingAug(Augmenter):
    """Noise along the principal components of colours, in place.

    Args:
        alphastd: the deviation of what each component is multiplied with; drawn from `numpy.random`.
        eigval: the eigenvalues, (3,).
        eigvec: the eigenvectors, (3, 3).

    Source: `mxnet.image.LightingAug`.
    """

    def __init__(self, alphastd: float, eigval: Any, eigvec: Any):
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd, self.eigval, self.eigvec = alphastd, eigval, eigvec

    def __call__(self, src: NDArray) -> NDArray:
        """`src`, float32, which is changed."""
        alpha = np.random.normal(0, self.alphastd, size=(3,))
        light = np.dot(np.asarray(self.eigvec) * alpha, np.asarray(self.eigval))
        return overwrite(src, colour.lit(pixels(src), light))


class ColorNormalizeAug(Augmenter):
    """`color_normalize`, in place.

    Args:
        mean: (3,) or None.
        std: (3,) or None.

    Source: `mxnet.image.ColorNormalizeAug`.
    """

    def __init__(self, mean: Any, std: Any):
        super().__init__(mean=mean, std=std)
        self.mean, self.std = _array(mean), _array(std)

    def __call__(self, src: NDArray) -> NDArray:
        """`src`, float32, which is changed."""
        return colour.color_normalize(src, self.mean, self.std)


class RandomGrayAug(Augmenter):
    """Without colours, or not.

    Args:
        p: how probable it is; drawn from the module `random`.

    Attributes:
        mat: what each pixel is multiplied with, (3, 3).

    Source: `mxnet.image.RandomGrayAug`.
    """

    def __init__(self, p: float):
        super().__init__(p=p)
        self.p = p
        self.mat = array(colour.FLAT_GREY)

    def __call__(self, src: NDArray) -> NDArray:
        """The picture, or a grey one of float32."""
        if random.random() >= self.p:
            return src
        return like(src, colour.mixed(pixels(src), pixels(self.mat), "RandomGrayAug"))


def _factor(most: float) -> float:
    return 1.0 + random.uniform(-most, most)


def _array(values: Any) -> NDArray | None:
    return None if values is None else values if isinstance(values, NDArray) else array(values)
