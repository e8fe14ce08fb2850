# SPDX-License-Identifier: Apache-2.0
"""The parameters of the iterators over pictures, in the groups that MXNet has them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mxlite_compiler.params import DType, Range, Shape

Floats = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Records:
    """Which records are read, and in which order.

    Args:
        path_imgrec: the file of the records, ``mxlite im2rec`` makes it.
        path_imgidx: its index; without one, the heads of the records are read once to find them.
        path_imglist: a list of lines ``number, label, ..., path`` whose labels are used, by the number of a record.
        num_parts, part_index: read only one of so many parts of the file: of equally many records with an index, of
            equally many bytes without one.
        shuffle: a new order in every epoch, of all records of the part.
        seed: of the order.
        shuffle_chunk_size, shuffle_chunk_seed: accepted; the whole part is shuffled, whatever its size.
    """

    path_imgrec: str = ""
    path_imgidx: str = ""
    path_imglist: str = ""
    num_parts: int = 1
    part_index: int = 0
    shuffle: bool = False
    seed: int = 0
    shuffle_chunk_size: Annotated[int, Range(low=0)] = 0
    shuffle_chunk_seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Batches:
    """How the batches are made.

    Args:
        data_shape: (channels, height, width) of a picture: 3 channels in the order red, green, blue; 1 for grey;
            4 with the alpha channel of records that have one.
        batch_size: pictures of a batch.
        round_batch: whether pictures from the beginning fill up the last batch, and the next epoch begins behind them.
            Without, zeros fill it up. `pad` tells how many there are.
        preprocess_threads: how many threads decode and change pictures.
        prefetch_buffer: how many batches are ready ahead.
        on_error: what happens where a record or picture is broken: "raise" an MXNetError, as MXNet, or "skip" it with a
            warning in the log, as if the file did not hold it. Either tells file, number and offset. (MXNet has only
            the first.)
        dtype: of the data.
        verbose: whether the log tells what was found.
        ctx, device_id: have no meaning here: batches begin on the host.
    """

    data_shape: Annotated[Shape, Range(low=1)]
    batch_size: Annotated[int, Range(low=1)]
    round_batch: bool = True
    preprocess_threads: Annotated[int, Range(low=1)] = 4
    prefetch_buffer: Annotated[int, Range(low=0)] = 4
    on_error: Literal["raise", "skip"] = "raise"
    dtype: DType | None = None
    verbose: bool = True
    ctx: Literal["cpu", "gpu"] = "gpu"
    device_id: int = 0


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What the label of a picture is.

    Args:
        label_width: how many numbers it has.
    """

    label_width: Annotated[int, Range(low=1)] = 1


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How a picture is changed before it is a row of a batch, in this order.

    Args:
        resize: the shorter side becomes so long; -1 for no change.
        max_rotate_angle: turned by up to so many degrees in either direction.
        rotate: turned by exactly so many degrees, when above 0.
        max_shear_ratio: sheared by up to so much in either direction.
        min_random_scale, max_random_scale: scaled by a factor between these.
        min_aspect_ratio, max_aspect_ratio: width to height changed by a factor between these; without the first,
            between 1 - `max_aspect_ratio` and 1 + `max_aspect_ratio`.
        min_img_size, max_img_size: the sides stay between these when it is scaled.
        fill_value: what stands where there is no picture.
        pad: a border of so many pixels.
        random_resized_crop: a random part becomes the whole picture: its share of the area is between `min_random_area`
            and `max_random_area`, its width to height as told by the aspect ratios. Where ten draws do not fit into the
            picture, it is cropped as without this.
        min_random_area, max_random_area: see there.
        min_crop_size, max_crop_size: a square with a side between these is cut out and becomes the whole picture.
        rand_crop: whether the place of a crop is random; else it is the middle. A picture too small is enlarged.
        brightness, contrast, saturation: each multiplied by a factor of 1 - to 1 + this.
        random_h, random_s, random_l: added to hue (0 to 180), saturation and lightness (0 to 255), up to this in either
            direction.
        pca_noise: the deviation of noise along the principal colours of ImageNet.
        inter_method: 0 nearest, 1 linear, 2 cubic, 3 area, 4 Lanczos; 9 cubic to enlarge, area to shrink, else linear;
            10 a random one.
        seed_aug: of what is random here; that of the order by default.
        aug_seq: only "aug_default", once or several times with ``,`` between.
    """

    aug_seq: str = "aug_default"
    resize: int = -1
    rand_crop: bool = False
    random_resized_crop: bool = False
    max_rotate_angle: Annotated[int, Range(low=0)] = 0
    max_aspect_ratio: Annotated[float, Range(low=0)] = 0.0
    min_aspect_ratio: float | None = None
    max_shear_ratio: Annotated[float, Range(low=0)] = 0.0
    max_crop_size: int = -1
    min_crop_size: int = -1
    max_random_scale: float = 1.0
    min_random_scale: float = 1.0
    max_random_area: float = 1.0
    min_random_area: float = 1.0
    max_img_size: float = 1e10
    min_img_size: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    pca_noise: float = 0.0
    random_h: int = 0
    random_s: int = 0
    random_l: int = 0
    rotate: int = -1
    fill_value: int = 255
    inter_method: int = 1
    pad: Annotated[int, Range(low=0)] = 0
    seed_aug: int | None = None


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """How bytes become numbers: ``((byte - mean) * contrast + illumination) * scale / std``.

    Args:
        mirror: whether all pictures are mirrored, left to right.
        rand_mirror: whether every other one is, at random.
        mean_img: a file with the mean picture, under the name ``mean_img``. Where it is missing, it is made of the
            records first and saved.
        mean_r, mean_g, mean_b, mean_a: what is subtracted from each channel.
        std_r, std_g, std_b, std_a: what each channel is divided by.
        scale: a factor for all.
        max_random_contrast: `contrast` is drawn between 1 - and 1 + this.
        max_random_illumination: `illumination` is drawn from - to + this.
    """

    mirror: bool = False
    rand_mirror: bool = False
    mean_img: str = ""
    mean_r: float = 0.0
    mean_g: float = 0.0
    mean_b: float = 0.0
    mean_a: float = 0.0
    std_r: float = 1.0
    std_g: float = 1.0
    std_b: float = 1.0
    std_a: float = 1.0
    scale: float = 1.0
    max_random_contrast: float = 0.0
    max_random_illumination: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BoxRecords(Records):
    __doc__ = Records.__doc__

    path_imgrec: str = "./data/imgrec.rec"


@dataclass(frozen=True, kw_only=True)
class BoxLabels:
    """How the labels of pictures with boxes are made.

    Args:
        label_width: how many numbers the label of each record has; -1 for any.
        label_pad_width: how many numbers there are for a label in a batch; 0 for as many as the longest one has.
        label_pad_value: what fills up shorter ones.
    """

    label_width: int = -1
    label_pad_width: int = 0
    label_pad_value: float = -1.0


@dataclass(frozen=True, kw_only=True)
class BoxAugmentation:
    """How a picture and its boxes are changed, in this order.

    Args:
        resize: the shorter side becomes so long; -1 for no change.
        max_random_hue, max_random_saturation, max_random_illumination: added to hue (0 to 180), saturation and
            lightness (0 to 255), up to this in either direction, each with the probability `random_hue_prob`,
            `random_saturation_prob`, `random_illumination_prob`.
        max_random_contrast: all is multiplied by a factor of 1 - to 1 + this, with the probability
            `random_contrast_prob`.
        rand_mirror_prob: the probability of being mirrored, left to right.
        rand_pad_prob: the probability of becoming a part, anywhere, of a picture that is up to `max_pad_scale` times as
            wide and high and else has the value `fill_value`.
        rand_crop_prob: the probability of being cropped. `num_crop_sampler` samplers try it, in a random order, each
            `max_crop_trials` times; the first crop that will do is taken, and without one there is none. Of all that
            follows there is one number, or one for each sampler.
        min_crop_scales, max_crop_scales: the root of the share of the area.
        min_crop_aspect_ratios, max_crop_aspect_ratios: width to height, in pixels.
        min_crop_overlaps, max_crop_overlaps: the common area of crop and box, as a share of the area of both together.
            A crop will do if one box has this and the two below, and one box stays.
        min_crop_sample_coverages, max_crop_sample_coverages: the same as a share of the crop.
        min_crop_object_coverages, max_crop_object_coverages: the same as a share of the box.
        crop_emit_mode: a box stays if its "center" is in the crop, or, with "overlap", if more than
            `emit_overlap_thresh` of its area is.
        inter_method: as of `ImageRecordIter`.
        resize_mode: "force" makes data_shape of what is there; "fit" makes it as large as fits into it without another
            ratio of width to height, "shrink" the same, but nothing is enlarged. Zeros stand below and to the right.
        seed: of the order, and of what is random here.
        aug_seq: only "det_aug_default", once or several times with ``,`` between.
    """

    aug_seq: str = "det_aug_default"
    resize: int = -1
    rand_crop_prob: float = 0.0
    min_crop_scales: Floats = (0.0,)
    max_crop_scales: Floats = (1.0,)
    min_crop_aspect_ratios: Floats = (1.0,)
    max_crop_aspect_ratios: Floats = (1.0,)
    min_crop_overlaps: Floats = (0.0,)
    max_crop_overlaps: Floats = (1.0,)
    min_crop_sample_coverages: Floats = (0.0,)
    max_crop_sample_coverages: Floats = (1.0,)
    min_crop_object_coverages: Floats = (0.0,)
    max_crop_object_coverages: Floats = (1.0,)
    num_crop_sampler: Annotated[int, Range(low=0)] = 1
    crop_emit_mode: Literal["center", "overlap"] = "center"
    emit_overlap_thresh: float = 0.300000012
    max_crop_trials: Shape = (25,)
    rand_pad_prob: float = 0.0
    max_pad_scale: float = 1.0
    max_random_hue: int = 0
    random_hue_prob: float = 0.0
    max_random_saturation: int = 0
    random_saturation_prob: float = 0.0
    max_random_illumination: int = 0
    random_illumination_prob: float = 0.0
    max_random_contrast: float = 0.0
    random_contrast_prob: float = 0.0
    rand_mirror_prob: float = 0.0
    fill_value: int = 127
    inter_method: int = 1
    resize_mode: Literal["fit", "force", "shrink"] = "force"


@dataclass(frozen=True, kw_only=True)
class BoxNormalization:
    """How bytes become numbers: ``(byte - mean) * scale / std``.

    Args:
        mean_img: a file with the mean picture, under the name ``mean_img``. Where it is missing, it is made of the
            records first and saved.
        mean_r, mean_g, mean_b, mean_a: what is subtracted from each channel.
        std_r, std_g, std_b, std_a: what each channel is divided by; 0 for nothing.
        scale: a factor for all.
    """

    mean_img: str = ""
    mean_r: float = 0.0
    mean_g: float = 0.0
    mean_b: float = 0.0
    mean_a: float = 0.0
    std_r: float = 0.0
    std_g: float = 0.0
    std_b: float = 0.0
    std_a: float = 0.0
    scale: float = 1.0
