# SPDX-License-Identifier: Apache-2.0
"""Augmenters of size and place, and `CastAug`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from ..ndarray import NDArray
from .augmenter import Augmenter
from .crops import Size, center_crop, least_area, random_crop, random_size_crop, refuse
from .host import like, pixels, size_of
from .resize import interpolation, resize_short, resized


class ResizeAug(Augmenter):
    """`resize_short`.

    Args:
        size: of the shorter side.
        interp: as for `resize_short`.

    Source: `mxnet.image.ResizeAug`.
    """

    def __init__(self, size: int, interp: int = 2):
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The picture in its new size."""
        return resize_short(src, self.size, self.interp)


class ForceResizeAug(Augmenter):
    """A new size whatever the proportions were.

    Args:
        size: width and height.
        interp: as for `resize_short`.

    Source: `mxnet.image.ForceResizeAug`.
    """

    def __init__(self, size: Size, interp: int = 2):
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The picture in its new size."""
        host = pixels(src)
        h, w = size_of(host, "ForceResizeAug")
        method = interpolation(self.interp, (w, h), (self.size[0], self.size[1]))
        return like(src, resized(host, self.size[0], self.size[1], method))


class RandomCropAug(Augmenter):
    """`random_crop`.

    Args:
        size: width and height.
        interp: as for `resize_short`.

    Source: `mxnet.image.RandomCropAug`.
    """

    def __init__(self, size: Size, interp: int = 2):
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """A part."""
        return random_crop(src, self.size, self.interp)[0]


class RandomSizedCropAug(Augmenter):
    """`random_size_crop`.

    Args:
        size: width and height.
        area: least and largest share of the picture's area; a number is the least, to 1.
        ratio: least and largest ratio of width to height.
        interp: as for `resize_short`.

    Source: `mxnet.image.RandomSizedCropAug`.
    """

    def __init__(self, size: Size, area: Any, ratio: Sequence[float], interp: int = 2, **kwargs: Any):
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        area = least_area(kwargs, area)
        refuse(kwargs, "RandomSizedCropAug")
        self.size, self.area, self.ratio, self.interp = size, area, ratio, interp

    def __call__(self, src: NDArray) -> NDArray:
        """A part."""
        return random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class CenterCropAug(Augmenter):
    """`center_crop`.

    Args:
        size: width and height.
        interp: as for `resize_short`.

    Source: `mxnet.image.CenterCropAug`.
    """

    def __init__(self, size: Size, interp: int = 2):
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        """The middle."""
        return center_crop(src, self.size, self.interp)[0]


class HorizontalFlipAug(Augmenter):
    """Left and right exchanged, or not.

    Args:
        p: how probable it is; drawn from the module `random`.

    Source: `mxnet.image.HorizontalFlipAug`.
    """

    def __init__(self, p: float):
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray) -> NDArray:
        """The picture, or a mirrored one."""
        return mirrored(src) if random.random() < self.p else src


def mirrored(src: NDArray) -> NDArray:
    """A picture with left and right exchanged."""
    return like(src, pixels(src)[:, ::-1].copy())


class CastAug(Augmenter):
    """Another dtype.

    Args:
        typ: its name.

    Source: `mxnet.image.CastAug`.
    """

    def __init__(self, typ: Any = "float32"):
        super().__init__(type=typ)
        self.typ = typ

    def __call__(self, src: NDArray) -> NDArray:
        """The picture in that dtype."""
        return like(src, pixels(src).astype(self.typ))
