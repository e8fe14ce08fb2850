# SPDX-License-Identifier: Apache-2.0
"""`DetAugmenter`, the base class of what changes pictures together with the boxes in them, and the simple ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ndarray import NDArray
from ..augmenter import Augmenter, Described
from ..geometric import mirrored


class DetAugmenter(Described):
    """Changes pictures and labels. A subclass defines `__call__`.

    Args:
        kwargs: what `dumps` shall tell.

    Some augmenters write into what they are given: go on with what they return.

    Source: `mxnet.image.DetAugmenter`.
    """

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        """A picture and a label made of them.

        Args:
            src: (height, width, channel).
            label: (objects, 5 or more): class, left, top, right, bottom (0 to 1 across the picture), and more.
        """
        raise NotImplementedError("Must override implementation.")


class DetBorrowAug(DetAugmenter):
    """An augmenter of pictures that leaves boxes where they are.

    Args:
        augmenter: an `Augmenter`.

    Raises:
        TypeError: it is none.

    Source: `mxnet.image.DetBorrowAug`.
    """

    def __init__(self, augmenter: Augmenter):
        if not isinstance(augmenter, Augmenter):
            raise TypeError(f"Borrowing from invalid Augmenter: {type(augmenter).__name__} is none")
        super().__init__()
        self.augmenter = augmenter

    def dumps(self) -> Any:
        """The name of the class in lower case, and what the augmenter dumps."""
        return [type(self).__name__.lower(), self.augmenter.dumps()]

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        """The changed picture, and `label`."""
        return self.augmenter(src), label


class DetRandomSelectAug(DetAugmenter):
    """One of several augmenters, drawn for each picture by `random.shuffle`, which sorts `aug_list` anew; or none.

    Args:
        aug_list: a list of `DetAugmenter`, or one.
        skip_prob: how probable none is; 1 for an empty list.

    Raises:
        ValueError: one is no `DetAugmenter`.

    Source: `mxnet.image.DetRandomSelectAug`.
    """

    def __init__(self, aug_list: Any, skip_prob: float = 0):
        super().__init__(skip_prob=skip_prob)
        self.aug_list = list(aug_list) if isinstance(aug_list, list | tuple) else [aug_list]
        for augmenter in self.aug_list:
            if not isinstance(augmenter, DetAugmenter):
                raise ValueError(f"Allow DetAugmenter in list only, got {type(augmenter).__name__}")
        self.skip_prob = skip_prob if self.aug_list else 1

    def dumps(self) -> Any:
        """The name of the class in lower case, and what each of the augmenters dumps."""
        return [type(self).__name__.lower(), [augmenter.dumps() for augmenter in self.aug_list]]

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        """The work of one."""
        if random.random() < self.skip_prob:
            return src, label
        random.shuffle(self.aug_list)
        return self.aug_list[0](src, label)


class DetHorizontalFlipAug(DetAugmenter):
    """Left and right exchanged, or not; boxes change in place.

    Args:
        p: how probable it is; drawn from the module `random`.

    Source: `mxnet.image.DetHorizontalFlipAug`.
    """

    def __init__(self, p: float):
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        """Both, or both mirrored."""
        if random.random() >= self.p:
            return src, label
        label[:, (1, 3)] = 1.0 - label[:, (3, 1)]
        return mirrored(src), label


class RangeError(ValueError, TypeError):
    """A range that has no value in it; MXNet raises a TypeError on its way to a warning."""


class RangeTypeError(ValueError, AssertionError):
    """A range that is no pair of numbers; MXNet raises a bare AssertionError."""


def pair(values: Any, name: str) -> tuple[float, float]:
    """A range as two numbers; one number is both. RangeTypeError for something else."""
    ends = values if isinstance(values, list | tuple) else (values, values)
    if len(ends) != 2 or not all(isinstance(x, int | float | np.number) for x in ends):
        raise RangeTypeError(f"{name} must be a number, or a tuple of the least and the largest, got {values!r:.80}")
    return ends[0], ends[1]


def ordered(ends: Sequence[float], name: str, above: float) -> None:
    """RangeError unless the first end is not above the second one, and the second one above `above`."""
    if ends[1] <= above or ends[0] > ends[1]:
        raise RangeError(f"{name}={ends!r} must be a range from low to high, with its end above {above:g}")
