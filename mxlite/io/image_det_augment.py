# SPDX-License-Identifier: Apache-2.0
"""How pictures are changed together with the boxes of what is in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np

from ..base import MXNetError, explain
from .image_augment import border, resized, shorter_side
from .image_boxes import Boxes, Window
from .image_colour import BYTES, mapped, shifted
from .image_params import BoxAugmentation

#: Changes a picture, uint8, blue first, and its boxes; what is random is drawn from the third.
BoxChange = Callable[[np.ndarray, Boxes, Random], tuple[np.ndarray, Boxes]]


class _Sampler(NamedTuple):
    """What tries to crop: each a least and a largest value."""

    scales: tuple[float, float]
    aspect_ratios: tuple[float, float]
    overlaps: tuple[float, float]
    sample_coverages: tuple[float, float]
    object_coverages: tuple[float, float]
    trials: int


def box_augmenter(told: BoxAugmentation, shape: tuple[int, ...], op: str) -> BoxChange:
    """What makes a picture not larger than `shape` (channels, height, width) of any picture.

    Raises:
        MXNetError: parameters that exclude each other.
    """
    samplers = _samplers(told, op)
    _check(told, shape[0], op)

    def change(picture: np.ndarray, boxes: Boxes, draw: Random) -> tuple[np.ndarray, Boxes]:
        for _ in told.aug_seq.split(","):
            if told.resize > 0:
                picture = shorter_side(picture, told.resize, told.inter_method, draw)
            picture = _coloured(picture, told, draw)
            if draw.random() < told.rand_mirror_prob:
                picture, boxes = np.ascontiguousarray(picture[:, ::-1]), boxes.mirrored()
            if told.max_pad_scale > 1 and draw.random() < told.rand_pad_prob:
                picture, boxes = _padded(picture, boxes, told, draw)
            if samplers and draw.random() < told.rand_crop_prob:
                picture, boxes = _cropped(picture, boxes, told, samplers, draw)
            picture = _fitted(picture, told, shape[1], shape[2], draw)
        return picture, boxes

    return change


def _check(told: BoxAugmentation, channels: int, op: str) -> None:
    colours = told.max_random_hue, told.max_random_saturation, told.max_random_illumination, told.max_random_contrast
    problem = ""
    if set(told.aug_seq.split(",")) != {"det_aug_default"}:
        problem = f"aug_seq={told.aug_seq!r} names something else than 'det_aug_default'"
    elif told.inter_method not in (0, 1, 2, 3, 4, 9, 10):
        problem = f"invalid inter_method: {told.inter_method} is none of 0, 1, 2, 3, 4, 9, 10"
    elif channels != 3 and any(colours):
        problem = f"colours change in pictures of 3 channels, data_shape has {channels}"
    if problem:
        raise MXNetError(explain(problem, op=op))


def _samplers(told: BoxAugmentation, op: str) -> list[_Sampler]:
    count = told.num_crop_sampler

    def each(name: str) -> tuple[float, ...]:
        values = getattr(told, name)
        if len(values) not in (1, count) and count:
            problem = f"# of parameters/crop_samplers mismatch: {name}={values}, num_crop_sampler={count}"
            raise MXNetError(explain(problem, op=op))
        return values * count if len(values) == 1 else values

    names = _Sampler._fields[:-1]
    ranges = [list(zip(each(f"min_crop_{name}"), each(f"max_crop_{name}"), strict=True)) for name in names]
    for name, pairs in zip(names, ranges, strict=True):
        for low, high in pairs:
            scales = name == "scales" and not 0 <= low < high <= 1
            if scales or low > high:
                rule = "0 <= min < max <= 1" if scales else "min <= max"
                problem = f"min_crop_{name}={low:g} and max_crop_{name}={high:g}: must be {rule}"
                raise MXNetError(explain(problem, op=op))
    trials = each("max_crop_trials")
    return [_Sampler(*(pairs[i] for pairs in ranges), trials=int(trials[i])) for i in range(count)]


def _coloured(picture: np.ndarray, told: BoxAugmentation, draw: Random) -> np.ndarray:
    shifts = [
        int(draw.uniform(-most, most)) if most and draw.random() < chance else 0
        for most, chance in (
            (told.max_random_hue, told.random_hue_prob),
            (told.max_random_illumination, told.random_illumination_prob),
            (told.max_random_saturation, told.random_saturation_prob),
        )
    ]
    if any(shifts):
        picture = shifted(picture, shifts)
    if told.max_random_contrast > 0 and draw.random() < told.random_contrast_prob:
        picture = mapped(picture, BYTES * (1 + draw.uniform(-told.max_random_contrast, told.max_random_contrast)))
    return picture


def _padded(picture: np.ndarray, boxes: Boxes, told: BoxAugmentation, draw: Random) -> tuple[np.ndarray, Boxes]:
    scale = draw.uniform(1, told.max_pad_scale)
    if scale < 1.05:  # as in MXNet, so little is left alone
        return picture, boxes
    left, top = draw.uniform(0, scale - 1), draw.uniform(0, scale - 1)
    height, width = picture.shape[:2]
    above, before = int(top * height), int(left * width)
    below, behind = int(scale * height) - height - above, int(scale * width) - width - before
    sizes = above, max(below, 0), before, max(behind, 0)
    return border(picture, sizes, told.fill_value), boxes.seen_in(Window(-left, -top, scale, scale))


def _cropped(
    picture: np.ndarray, boxes: Boxes, told: BoxAugmentation, samplers: list[_Sampler], draw: Random
) -> tuple[np.ndarray, Boxes]:
    height, width = picture.shape[:2]
    for sampler in draw.sample(samplers, len(samplers)):
        for _ in range(sampler.trials):
            window = _window(sampler, width / height, draw)
            kept = _kept(window, boxes, sampler, told)
            if kept is not None:
                y, x = int(window.top * height), int(window.left * width)
                rows, columns = max(int(window.height * height), 1), max(int(window.width * width), 1)
                return picture[y : y + rows, x : x + columns], kept
    return picture, boxes


def _window(sampler: _Sampler, ratio: float, draw: Random) -> Window:
    """A part of a picture whose width to height is `ratio`."""
    scale = draw.uniform(*sampler.scales)
    area = scale * scale
    low = max(sampler.aspect_ratios[0] / ratio, area)
    high = min(sampler.aspect_ratios[1] / ratio, 1 / max(area, 1e-12))
    stretch = math.sqrt(draw.uniform(low, high))
    width, height = min(1.0, scale * stretch), min(1.0, scale / stretch)
    return Window(draw.uniform(0, 1 - width), draw.uniform(0, 1 - height), width, height)


def _kept(window: Window, boxes: Boxes, sampler: _Sampler, told: BoxAugmentation) -> Boxes | None:
    """The boxes that stay in the window, or None where it will not do."""
    common, areas = boxes.common(window)
    size = window.width * window.height
    shares = (
        (sampler.overlaps, size + areas - common),
        (sampler.sample_coverages, size),
        (sampler.object_coverages, areas),
    )
    fine = np.ones(len(areas), bool)
    for (low, high), whole in shares:
        share = common / whole
        # A bound that says nothing is not compared: a share of 1 may be rounded to more.
        fine &= (share >= low) | (low <= 0)
        fine &= (share <= high) | (high >= 1)
    if told.crop_emit_mode == "center":
        stays = boxes.centred_in(window)
    else:
        stays = common > told.emit_overlap_thresh * areas
    if not fine.any() or not stays.any():
        return None
    return boxes._replace(objects=boxes.objects[stays]).seen_in(window)


def _fitted(picture: np.ndarray, told: BoxAugmentation, height: int, width: int, draw: Random) -> np.ndarray:
    rows, columns = picture.shape[:2]
    if told.resize_mode != "force":
        scale = min(height / rows, width / columns)
        if told.resize_mode == "shrink":
            scale = min(scale, 1.0)
        height, width = max(int(rows * scale + 1e-6), 1), max(int(columns * scale + 1e-6), 1)
    return resized(picture, width, height, told.inter_method, draw)
