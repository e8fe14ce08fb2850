# SPDX-License-Identifier: Apache-2.0
"""What is asked of MXNet 1.9.1 (`record_images.py`) and of mxlite (`test_image_record.py`). For Python 3.8, too."""

from typing import Any

import numpy as np

SMALL = {"path_imgrec": "small.rec", "data_shape": (3, 16, 16), "batch_size": 3}
WIDE = {**SMALL, "data_shape": (3, 20, 24), "batch_size": 4}
BOXES = {"path_imgrec": "boxes.rec", "data_shape": (3, 16, 16), "batch_size": 4}
MEANS = {"mean_r": 123.68, "mean_g": 116.78, "mean_b": 103.94}
DEVIATIONS = {"std_r": 58.4, "std_g": 57.1, "std_b": 57.4}

#: What is not random: name -> (iterator, parameters, epochs); an entry of the parameters wins over the base.
CASES = {}


def _add(name, base, epochs: Any = 1, iterator: Any = "ImageRecordIter", **params):
    CASES[name] = (iterator, {**base, **params}, epochs)


# Which records, in which order.
_add("order", SMALL, 3)
_add("order_idx", SMALL, 2, path_imgidx="small.idx")
_add("order_v1", SMALL, 3, "ImageRecordIter_v1")
_add("not_round", SMALL, 2, round_batch=False)
_add("not_round_v1", SMALL, 2, "ImageRecordIter_v1", round_batch=False)
_add("large_batch", SMALL, 2, batch_size=10)
for parts in (2, 3, 5):
    for part in range(parts):
        _add(f"part_{part}_of_{parts}", SMALL, num_parts=parts, part_index=part, batch_size=1)
        indexed = {"path_imgidx": "small.idx", "batch_size": 1}
        if part < 4:
            _add(f"part_{part}_of_{parts}_idx", SMALL, num_parts=parts, part_index=part, **indexed)
# Labels.
_add("list", SMALL, path_imglist="small.lst")
_add("list_two", SMALL, path_imglist="small.lst", label_width=2)
_add("vector", SMALL, path_imgrec="vector.rec", label_width=3, batch_size=2)
_add("vector_list", SMALL, path_imgrec="vector.rec", path_imglist="small.lst", batch_size=2)
# Channels, formats, kinds of numbers.
_add("grey", SMALL, data_shape=(1, 16, 16))
_add("grey_normal", SMALL, data_shape=(1, 16, 16), mean_r=100, std_r=50, scale=2)
_add("alpha", SMALL, path_imgrec="alpha.rec", data_shape=(4, 16, 16), batch_size=2)
_add("alpha_normal", SMALL, path_imgrec="alpha.rec", data_shape=(4, 16, 16), batch_size=2, mean_a=3, std_a=2, mean_g=9)
_add("alpha_dropped", SMALL, path_imgrec="alpha.rec", batch_size=2)
_add("jpeg", SMALL, path_imgrec="jpeg.rec", data_shape=(3, 32, 32), batch_size=3)
_add("jpeg_grey", SMALL, path_imgrec="jpeg.rec", data_shape=(1, 32, 32), batch_size=3)
for kind in ("uint8", "int8"):
    _add("dtype_" + kind, SMALL, dtype=kind)
    _add(f"dtype_{kind}_mean", SMALL, dtype=kind, scale=0.5, mirror=True, **MEANS)
    _add(f"dtype_{kind}_mean_img", SMALL, dtype=kind, mean_img="mean.bin")
_add("uint8", SMALL, iterator="ImageRecordUInt8Iter")
_add("uint8_v1", SMALL, iterator="ImageRecordUInt8Iter_v1")
_add("int8", SMALL, iterator="ImageRecordInt8Iter")
# Normal numbers.
_add("scale", SMALL, scale=1 / 255)
_add("mean", SMALL, **MEANS)
_add("std", SMALL, **DEVIATIONS)
_add("mean_std_scale", SMALL, scale=0.017, **MEANS, **DEVIATIONS)
_add("mean_std_v1", SMALL, iterator="ImageRecordIter_v1", scale=0.017, **MEANS, **DEVIATIONS)
_add("mirror", SMALL, mirror=True, **MEANS)
_add("mean_img", SMALL, mean_img="mean.bin", scale=0.5, std_r=2)
_add("mean_img_mirror", SMALL, mean_img="mean.bin", mirror=True)
_add("mean_img_v1", SMALL, iterator="ImageRecordIter_v1", mean_img="mean.bin", std_r=4, scale=2)
_add("mean_img_new", SMALL, mean_img="new.bin")
# Place and size.
_add("small_rows", SMALL, data_shape=(3, 40, 16))
_add("small_columns", SMALL, data_shape=(3, 16, 40))
_add("small_both", SMALL, data_shape=(3, 40, 48))
_add("odd", SMALL, data_shape=(3, 15, 13))
_add("resize_up", WIDE, resize=40)
_add("resize_down", WIDE, resize=12)
_add("pad", WIDE, pad=5)
_add("pad_fill", WIDE, pad=7, fill_value=9, data_shape=(3, 30, 30))
_add("crop_size", WIDE, max_crop_size=16, min_crop_size=16)
_add("crop_size_up", WIDE, max_crop_size=10, min_crop_size=10)
_add("rotate_90", WIDE, rotate=90)
_add("rotate_30", WIDE, rotate=30, fill_value=0)
_add("rotate_0", WIDE, rotate=0)
_add("scale_up", WIDE, min_random_scale=1.5, max_random_scale=1.5)
_add("scale_down", WIDE, min_random_scale=0.75, max_random_scale=0.75)
_add("aspect", WIDE, min_aspect_ratio=2, max_aspect_ratio=2)
_add("min_size", WIDE, min_img_size=50)
_add("max_size", WIDE, max_img_size=22)
_add("all_places", WIDE, resize=30, rotate=20, min_random_scale=1.2, max_random_scale=1.2, pad=4, fill_value=90)
_add("resized_crop", WIDE, random_resized_crop=True)
_add("resized_crop_never", WIDE, random_resized_crop=True, min_aspect_ratio=9, max_aspect_ratio=9)
_add("twice", WIDE, aug_seq="aug_default,aug_default", resize=40)
for method in (0, 1, 2, 3, 4, 9):
    _add(f"inter_{method}_up", WIDE, resize=40, inter_method=method)
    _add(f"inter_{method}_down", WIDE, resize=20, inter_method=method)
    if method:
        _add(f"inter_{method}_turn", WIDE, rotate=45, inter_method=method)
# With boxes.
for name, params in {
    "plain": {},
    "not_round": {"batch_size": 3, "round_batch": False},
    "round": {"batch_size": 3},
    "grey": {"data_shape": (1, 16, 16)},
    "pad_width": {"label_pad_width": 20, "label_pad_value": -7},
    "mirror": {"rand_mirror_prob": 1},
    "fit": {"resize_mode": "fit"},
    "fit_large": {"resize_mode": "fit", "data_shape": (3, 44, 40)},
    "shrink": {"resize_mode": "shrink"},
    "shrink_large": {"resize_mode": "shrink", "data_shape": (3, 50, 44), "fill_value": 5},
    "normal": {"scale": 0.5, "mean_r": 10, "std_g": 2},
    "resize": {"resize": 12},
    "mean_img": {"mean_img": "mean.bin", "std_r": 2},
    "shape_wide": {"data_shape": (3, 12, 30)},
}.items():
    _add("det_" + name, BOXES, 2 if "round" in name else 1, "ImageDetRecordIter", **params)
for method in (0, 2, 3, 4, 9):
    _add(f"det_inter_{method}", BOXES, iterator="ImageDetRecordIter", inter_method=method)

#: What is random: name -> (picture, parameters). It stands in 400 records.
SAMPLED = {}


def _sample(picture, name, **params):
    side = 20 if picture == "slope" else 8
    SAMPLED[name] = (picture, {"data_shape": (3, side, side), "batch_size": 100, **params})


_sample("slope", "rand_crop", rand_crop=True)
_sample("slope", "area", random_resized_crop=True, min_random_area=0.1, max_random_area=0.6)
EQUAL = {"random_resized_crop": True, "min_random_area": 0.3, "max_random_area": 0.3}
_sample("slope", "area_aspect", max_aspect_ratio=0.5, **EQUAL)
_sample("slope", "area_aspects", max_aspect_ratio=2, min_aspect_ratio=0.5, **EQUAL)
_sample("slope", "area_wide", max_aspect_ratio=2, min_aspect_ratio=2, **EQUAL)
LARGE = {"random_resized_crop": True, "min_random_area": 0.9, "max_random_area": 0.9}
_sample("slope", "area_large", max_aspect_ratio=1.5, min_aspect_ratio=1, **LARGE)
_sample("slope", "rotate", max_rotate_angle=30)
_sample("slope", "shear", max_shear_ratio=0.3)
_sample("slope", "scale", min_random_scale=0.5, max_random_scale=2)
_sample("slope", "aspect", max_aspect_ratio=0.4)
_sample("slope", "aspects", max_aspect_ratio=2, min_aspect_ratio=0.5)
_sample("slope", "crop_size", min_crop_size=30, max_crop_size=60, rand_crop=True)
_sample("slope", "crop_size_middle", min_crop_size=30, max_crop_size=60)
_sample("slope", "mirror", rand_mirror=True)
_sample("flat", "brightness", brightness=0.4)
_sample("halves", "contrast", contrast=0.4)
_sample("halves", "saturation", saturation=0.6)
_sample("halves", "jitter", saturation=0.6, brightness=0.3, contrast=0.3)
_sample("flat", "pca_noise", pca_noise=0.1)
_sample("flat", "hue", random_h=30)
_sample("flat", "random_s", random_s=30)
_sample("flat", "lightness", random_l=30)
_sample("halves", "hsl", random_h=20, random_s=30, random_l=40)
_sample("flat", "random_contrast", max_random_contrast=0.3)
_sample("flat", "illumination", max_random_illumination=20)
_sample("flat", "normal", max_random_contrast=0.3, max_random_illumination=20, scale=0.5, mean_r=10, std_r=2)


def sampled_pictures():
    y, x = np.mgrid[:160, :200]
    slope = np.stack([np.zeros_like(x) + 40, y, x], -1).astype(np.uint8)
    flat = np.full((8, 8, 3), (60, 100, 140), np.uint8)
    halves = flat.copy()
    halves[:4] = 200, 20, 90
    return {"slope": slope, "flat": flat, "halves": halves}


# With boxes.
CROP = {"rand_crop_prob": 1, "min_crop_scales": 0.3, "inter_method": 0}
SMALL_CROP = {**CROP, "min_crop_scales": 0.2}
NARROW = {**CROP, "min_crop_scales": 0.4, "max_crop_scales": 0.41}
_sample("slope", "det_pad", rand_pad_prob=0.7, max_pad_scale=3, inter_method=0)
_sample("slope", "det_crop", **CROP)
_sample("slope", "det_crop_sometimes", **{**CROP, "rand_crop_prob": 0.5})
_sample("slope", "det_crop_aspects", min_crop_aspect_ratios=0.5, max_crop_aspect_ratios=2, **NARROW)
_sample("slope", "det_crop_wide", **{**CROP, "min_crop_scales": 0.9, "max_crop_aspect_ratios": 2})
_sample("slope", "det_overlap", min_crop_overlaps=0.5, **CROP)
_sample("slope", "det_sample_coverage", min_crop_sample_coverages=0.5, **SMALL_CROP)
_sample("slope", "det_object_coverage", min_crop_object_coverages=0.7, **SMALL_CROP)
_sample("slope", "det_object_coverage_below", max_crop_object_coverages=0.7, **SMALL_CROP)
_sample("slope", "det_emit_overlap", crop_emit_mode="overlap", emit_overlap_thresh=0.5, **CROP)
TWO = {"min_crop_scales": (0.3, 0.8), "max_crop_scales": (0.4, 0.9), "num_crop_sampler": 2, "rand_crop_prob": 1}
_sample("slope", "det_samplers", inter_method=0, **TWO)
FEW = {"min_crop_scales": 0.1, "max_crop_scales": 0.2, "min_crop_overlaps": 0.3, "max_crop_trials": 3}
_sample("slope", "det_trials", **{**CROP, **FEW})
_sample("slope", "det_pad_crop", rand_pad_prob=1, max_pad_scale=2, **NARROW)
_sample("slope", "det_mirror", rand_mirror_prob=0.3)
_sample("flat", "det_hue", max_random_hue=20, random_hue_prob=0.6)
_sample("flat", "det_saturation", max_random_saturation=40, random_saturation_prob=0.6)
LIGHT = {"max_random_illumination": 40, "random_illumination_prob": 0.6}
_sample("flat", "det_light", **LIGHT)
_sample("flat", "det_contrast", max_random_contrast=0.4, random_contrast_prob=0.6)
_sample("flat", "det_colours", max_random_contrast=0.4, random_contrast_prob=0.6, max_random_hue=9, **LIGHT)


def sampled_label(name, number):
    """The label of a record for the sample `name`."""
    return [2, 5, 1, 0.1, 0.1, 0.4, 0.5, 2, 0.5, 0.4, 0.9, 0.9] if name.startswith("det_") else number


def features(data, label):
    """What is compared of samples: data (count, 3, side, side), their labels; gives (features, count).

    On the slope, red tells x and green y.
    """
    red, green, blue = data[:, 0], data[:, 1], data[:, 2]
    corners = [plane[:, row, column] for plane in (red, green, blue) for row in (0, -1) for column in (0, -1)]
    inside = [red[:, 0, -1] - red[:, 0, 0], green[:, -1, 0] - green[:, 0, 0], red[:, 0, 0] - green[:, 0, 0]]
    found = [*corners, *inside, red.mean((1, 2)), (blue == 255).mean((1, 2))]
    return np.stack(found if label.ndim == 1 else [*found, *label.T])
