# SPDX-License-Identifier: Apache-2.0
"""How pictures are changed before they are rows of a batch: place and size. Through opencv."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from ..base import MXNetError, explain
from ..recordio.opencv import exact
from .image_colour import colours
from .image_opencv import opencv
from .image_params import Augmentation

#: A picture, uint8 (height, width) or (height, width, channels), blue first; what is random is drawn from the second.
Change = Callable[[np.ndarray, Random], np.ndarray]


def augmenter(told: Augmentation, shape: tuple[int, ...], op: str) -> Change:
    """What makes a picture of `shape` (channels, height, width) of any picture.

    Raises:
        MXNetError: parameters that exclude each other.
    """
    _check(told, shape[0], op)
    height, width = shape[1:]
    changes: list[Change] = []
    if told.resize != -1:
        changes.append(lambda picture, draw: shorter_side(picture, told.resize, told.inter_method, draw))
    if _is_affine(told):
        changes.append(lambda picture, draw: _affine(picture, told, draw))
    if told.pad:
        changes.append(lambda picture, draw: border(picture, (told.pad, told.pad, told.pad, told.pad), told.fill_value))
    if told.random_resized_crop:
        changes.append(lambda picture, draw: _resized_crop(picture, told, height, width, draw))
    elif told.max_crop_size != -1 or told.min_crop_size != -1:
        changes.append(lambda picture, draw: _square_crop(picture, told, height, width, draw))
    else:
        changes.append(lambda picture, draw: _crop(picture, height, width, told.inter_method, told.rand_crop, draw))
    changes += colours(told)
    changes *= len(told.aug_seq.split(","))

    def change(picture: np.ndarray, draw: Random) -> np.ndarray:
        for step in changes:
            picture = step(picture, draw)
        return picture

    return change


def _check(told: Augmentation, channels: int, op: str) -> None:
    problem = ""
    if set(told.aug_seq.split(",")) != {"aug_default"}:
        problem = f"aug_seq={told.aug_seq!r} names something else than 'aug_default'"
    elif told.inter_method not in (0, 1, 2, 3, 4, 9, 10) or (told.inter_method == 0 and _is_affine(told)):
        legal = "1, 2, 3, 4, 9, 10 (0, too, where nothing is turned, sheared or scaled)"
        problem = f"invalid inter_method: {told.inter_method} is none of {legal}"
    elif told.random_resized_crop and (told.rand_crop or _sizes(told) != (1, 1, -1, -1)):
        names = "min_random_scale, max_random_scale, min_crop_size, max_crop_size and rand_crop"
        problem = f"random_resized_crop=True conflicts with {names}: leave them out"
    elif told.random_resized_crop and told.min_random_area > told.max_random_area:
        problem = f"min_random_area={told.min_random_area:g} is above max_random_area={told.max_random_area:g}"
    elif _ratios(told)[0] > _ratios(told)[1]:
        problem = f"min_aspect_ratio={told.min_aspect_ratio:g} is above max_aspect_ratio={told.max_aspect_ratio:g}"
    elif told.min_crop_size > told.max_crop_size:
        problem = f"min_crop_size={told.min_crop_size} is above max_crop_size={told.max_crop_size}"
    elif channels != 3 and any(colours(told)):
        problem = f"colours change in pictures of 3 channels, data_shape has {channels}"
    if problem:
        raise MXNetError(explain(problem, op=op))


_LINEAR, _CUBIC, _AREA = 1, 2, 3
_SHORT = 32767


def _sizes(told: Augmentation) -> tuple[float, ...]:
    return told.min_random_scale, told.max_random_scale, told.min_crop_size, told.max_crop_size


def _is_affine(told: Augmentation) -> bool:
    return (
        told.max_rotate_angle > 0
        or told.max_shear_ratio > 0
        or told.rotate > 0
        or (told.min_random_scale, told.max_random_scale) != (1, 1)
        or (not told.random_resized_crop and (told.max_aspect_ratio != 0 or told.min_aspect_ratio is not None))
        or (told.min_img_size, told.max_img_size) != (0, 1e10)
    )


def _ratios(told: Augmentation) -> tuple[float, float]:
    if told.min_aspect_ratio is not None:
        return told.min_aspect_ratio, told.max_aspect_ratio
    return 1 - told.max_aspect_ratio, 1 + told.max_aspect_ratio


def resized(picture: np.ndarray, width: int, height: int, method: int, draw: Random) -> np.ndarray:
    """The picture in another size; `method` as `inter_method`."""
    method = _method(method, picture.shape, width, height, draw)
    cv = opencv()
    with exact(cv):
        return cv.resize(picture, (width, height), interpolation=method)


def _method(method: int, shape: tuple[int, ...], width: int, height: int, draw: Random) -> int:
    """Opencv's number for `inter_method`, which has the first five from there."""
    if method == 9:
        larger, smaller = width > shape[1] and height > shape[0], width < shape[1] and height < shape[0]
        return _CUBIC if larger else _AREA if smaller else _LINEAR
    return draw.randrange(5) if method == 10 else method


def border(picture: np.ndarray, sizes: tuple[int, int, int, int], value: int) -> np.ndarray:
    """The picture with so many rows above and below, and columns to its left and right."""
    cv = opencv()
    return cv.copyMakeBorder(picture, *sizes, cv.BORDER_CONSTANT, value=(value,) * 4)


def shorter_side(picture: np.ndarray, size: int, method: int, draw: Random) -> np.ndarray:
    """The picture in the size whose shorter side is `size`; `method` as `inter_method`."""
    height, width = picture.shape[:2]
    if height > width:
        return resized(picture, size, size * height // width, method, draw)
    return resized(picture, size * width // height, size, method, draw)


def _affine(picture: np.ndarray, told: Augmentation, draw: Random) -> np.ndarray:
    height, width = picture.shape[:2]
    shear = draw.uniform(-told.max_shear_ratio, told.max_shear_ratio)
    angle = told.rotate if told.rotate > 0 else draw.randint(-told.max_rotate_angle, told.max_rotate_angle)
    scale = draw.uniform(told.min_random_scale, told.max_random_scale)
    ratio = draw.uniform(*_ratios(told)) if not told.random_resized_crop else 1.0
    down = 2 * scale / (1 + ratio)
    right = ratio * down
    a, b = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    low, high = told.min_img_size, told.max_img_size
    size = [int(max(low, min(high, scale * side))) for side in (width, height)]
    matrix = np.array([[down * a - shear * b * right, down * b + shear * a * right], [-b * right, a * right]])
    shift = (np.array([max(low, min(high, scale * side)) for side in (width, height)]) - matrix @ (width, height)) / 2
    whole = np.column_stack([matrix, shift]).astype(np.float32)
    method = _method(told.inter_method, picture.shape, size[0], size[1], draw)
    return _warped(picture, whole, size, method, told.fill_value)


def _warped(picture: np.ndarray, matrix: np.ndarray, size: Sequence[int], method: int, value: int) -> np.ndarray:
    """The picture under an affine map, (2, 3), at the places that MXNet's opencv took: multiples of 1/32 pixel."""
    cv = opencv()
    back = cv.invertAffineTransform(matrix.astype(np.float64)) * 1024
    columns, rows = np.arange(size[0]), np.arange(size[1])[:, None]
    fine = [(np.rint(m[0] * columns).astype(int) + np.rint(m[1] * rows + m[2]).astype(int) + 16) >> 5 for m in back]
    whole = np.stack(fine, -1) >> 5
    if np.abs(whole).max(initial=0) > _SHORT:  # beyond what the tables of opencv hold
        return cv.warpAffine(picture, matrix, size, flags=method, borderValue=(value,) * 4)
    between = ((fine[1] & 31) * 32 + (fine[0] & 31)).astype(np.uint16)
    border = {"borderMode": cv.BORDER_CONSTANT, "borderValue": (value,) * 4}
    return cv.remap(picture, whole.astype(np.int16), between, interpolation=method, **border)


def _crop(picture: np.ndarray, height: int, width: int, method: int, anywhere: bool, draw: Random) -> np.ndarray:
    rows, columns = picture.shape[:2]
    # As in MXNet, chosen once, by the size of the crop, which is not the size that either step makes.
    method = _method(method, picture.shape, width, height, draw)
    if rows < height:
        rows, columns = height, int(height / rows * columns)
        picture = resized(picture, columns, rows, method, draw)
    if columns < width:
        rows, columns = int(width / columns * rows), width
        picture = resized(picture, columns, rows, method, draw)
    return _part(picture, height, width, anywhere, draw)


def _part(picture: np.ndarray, height: int, width: int, anywhere: bool, draw: Random) -> np.ndarray:
    """A window on the picture; in the middle, unless it may be anywhere."""
    rows, columns = picture.shape[0] - height, picture.shape[1] - width
    y, x = (draw.randint(0, rows), draw.randint(0, columns)) if anywhere else (rows // 2, columns // 2)
    return picture[y : y + height, x : x + width]


def _square_crop(picture: np.ndarray, told: Augmentation, height: int, width: int, draw: Random) -> np.ndarray:
    if min(picture.shape[:2]) < told.max_crop_size:
        size = " x ".join(map(str, picture.shape[:2]))
        raise MXNetError(f"input image size smaller than max_crop_size: {size} pixels, {told.max_crop_size}")
    side = draw.randint(max(told.min_crop_size, 1), told.max_crop_size)
    return resized(_part(picture, side, side, told.rand_crop, draw), width, height, told.inter_method, draw)


def _resized_crop(picture: np.ndarray, told: Augmentation, height: int, width: int, draw: Random) -> np.ndarray:
    low, high = _ratios(told)
    if (told.min_random_area, told.max_random_area, told.max_aspect_ratio) != (1, 1, 0):
        rows, columns = picture.shape[:2]
        for _ in range(10):
            area, ratio = draw.uniform(told.min_random_area, told.max_random_area), draw.uniform(low, high)
            if draw.random() < 0.5:
                ratio = 1 / max(ratio, 1e-6)
            pixels = area * rows * columns
            wide, tall = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
            if 0 < wide <= columns and 0 < tall <= rows:
                return resized(_part(picture, tall, wide, True, draw), width, height, told.inter_method, draw)
    return _crop(picture, height, width, told.inter_method, False, draw)
