# SPDX-License-Identifier: Apache-2.0
"""The names of `mxnet.image.image`: pictures, augmenters and `ImageIter`."""

from __future__ import annotations

from .augmenter import Augmenter as Augmenter
from .augmenter import RandomOrderAug as RandomOrderAug
from .augmenter import SequentialAug as SequentialAug
from .codec import imdecode as imdecode
from .codec import imread as imread
from .colour import color_normalize as color_normalize
from .create import CreateAugmenter as CreateAugmenter
from .crops import center_crop as center_crop
from .crops import fixed_crop as fixed_crop
from .crops import random_crop as random_crop
from .crops import random_size_crop as random_size_crop
from .geometric import CastAug as CastAug
from .geometric import CenterCropAug as CenterCropAug
from .geometric import ForceResizeAug as ForceResizeAug
from .geometric import HorizontalFlipAug as HorizontalFlipAug
from .geometric import RandomCropAug as RandomCropAug
from .geometric import RandomSizedCropAug as RandomSizedCropAug
from .geometric import ResizeAug as ResizeAug
from .iterator import ImageIter as ImageIter
from .jitter import BrightnessJitterAug as BrightnessJitterAug
from .jitter import ColorJitterAug as ColorJitterAug
from .jitter import ColorNormalizeAug as ColorNormalizeAug
from .jitter import ContrastJitterAug as ContrastJitterAug
from .jitter import HueJitterAug as HueJitterAug
from .jitter import LightingAug as LightingAug
from .jitter import RandomGrayAug as RandomGrayAug
from .jitter import SaturationJitterAug as SaturationJitterAug
from .resize import copyMakeBorder as copyMakeBorder
from .resize import imresize as imresize
from .resize import resize_short as resize_short
from .resize import scale_down as scale_down
from .rotate import imrotate as imrotate
from .rotate import random_rotate as random_rotate
