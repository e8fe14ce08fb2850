# SPDX-License-Identifier: Apache-2.0
"""Pictures with boxes (`mx.image.detection`): augmenters that change both, and `ImageDetIter`."""

from __future__ import annotations

from .augmenter import DetAugmenter as DetAugmenter
from .augmenter import DetBorrowAug as DetBorrowAug
from .augmenter import DetHorizontalFlipAug as DetHorizontalFlipAug
from .augmenter import DetRandomSelectAug as DetRandomSelectAug
from .create import CreateDetAugmenter as CreateDetAugmenter
from .create import CreateMultiRandCropAugmenter as CreateMultiRandCropAugmenter
from .crop import DetRandomCropAug as DetRandomCropAug
from .iterator import ImageDetIter as ImageDetIter
from .pad import DetRandomPadAug as DetRandomPadAug
