# SPDX-License-Identifier: Apache-2.0
"""`ImageRecordIter` and its kin: batches of pictures from a file of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from ..base import MXNetError, explain
from ..log import ROOT
from .image_augment import augmenter
from .image_batches import PictureBatches, Row
from .image_files import RecordFile
from .image_mean import mean_picture
from .image_normalize import Write, writer
from .image_params import Augmentation, Batches, Labels, Normalization, Records
from .image_rows import labels_of_list, labels_of_records, row_maker
from .native import HostBatch, native

#: What makes rows of a file: the maker of a row for what writes it, and how many numbers a label has.
RowsOf = Callable[[RecordFile], tuple[Callable[[Write], Row], int]]


def picture_batches(
    name: str,
    records: Records,
    batches: Batches,
    normalization: Normalization,
    dtype: str,
    rows_of: RowsOf,
    seed: int,
) -> PictureBatches:
    """The batches of a file of records.

    Args:
        name: what messages call the iterator.
        rows_of: what makes rows of the file.
        seed: of what is random in a picture.

    Raises:
        MXNetError: a file cannot be read, or does not fit.
    """
    shape = batches.data_shape
    file = RecordFile(records, name, batches.on_error == "skip")
    row_for, width = rows_of(file)

    def made(write: Write, dtype: str, records: Records, batches: Batches) -> PictureBatches:
        return PictureBatches(name, file, row_for(write), width, np.dtype(dtype), records, batches, seed)

    def pictures() -> Iterator[HostBatch]:
        """The pictures as they are averaged."""
        plain, once = writer(Normalization(), shape[0], np.dtype(np.float32)), replace(batches, round_batch=False)
        return made(plain, "float32", replace(records, shuffle=False), once).epoch(0)

    mean = None
    if normalization.mean_img and dtype != "uint8":
        mean = mean_picture(normalization.mean_img, shape, pictures, name)
    if batches.verbose:
        told = (name, records.path_imgrec, len(file.numbers), batches.preprocess_threads)
        ROOT.info("%s: %s, %d records, use %d threads for decoding..", *told)
    return made(writer(normalization, shape[0], np.dtype(dtype), mean), dtype, records, batches)


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """MXNetError where `shape` is not that of a picture."""
    if len(shape) != 3:
        expected = "expected dimension=3: (channels, height, width)"
        raise refused(name, f"data_shape={shape} has wrong dimensions, {expected}")
    if shape[0] not in (1, 3, 4):
        raise refused(name, f"Invalid output shape {list(shape)}: a picture has 1, 3 or 4 channels, not {shape[0]}")


def refused(name: str, problem: str) -> MXNetError:
    """The error that tells of a parameter."""
    return MXNetError(explain(problem, op=name))


def _made(
    name: str,
    records: Records,
    batches: Batches,
    labels: Labels,
    augmentation: Augmentation,
    normalization: Normalization,
    dtype: str,
) -> PictureBatches:
    check_shape(batches.data_shape, name)
    change, width = augmenter(augmentation, batches.data_shape, name), labels.label_width
    label = labels_of_list(records.path_imglist, width) if records.path_imglist else labels_of_records(width)
    row_for = partial(row_maker, batches.data_shape[0], change, label)
    seed = records.seed if augmentation.seed_aug is None else augmentation.seed_aug
    return picture_batches(name, records, batches, normalization, dtype, lambda file: (row_for, width), seed)


@native
def ImageRecordIter(
    records: Records, batches: Batches, labels: Labels, augmentation: Augmentation, normalization: Normalization
) -> PictureBatches:
    """Batches of pictures from a file of records, changed at random as asked, decoded by several threads.

    The data is (batch_size, channels, height, width), red first, float32; a label (batch_size,), or (batch_size,
    label_width), float32. `index` of a batch has the numbers in the heads of the records. What is random is repeated by
    the seeds, whatever the number of threads; it has the ranges of MXNet's, not its sequence of numbers.

    {arguments}

    Besides, `data_name` and `label_name` are the names of the inputs, "data" and "softmax_label" by default. With
    `dtype="uint8"` the bytes of the pictures are the data, with "int8" these less the mean, kept from -128 to 127.

    Raises:
        MXNetError: no such file or part; parameters that exclude each other; a record or picture that is broken (the
            message has its number, its offset and the file), or with another number of channels or labels.
        ImportError: opencv is not installed.

    Source: `mxnet.io.ImageRecordIter`.
    """
    dtype = batches.dtype or "float32"
    if dtype not in ("float32", "uint8", "int8"):
        raise refused("ImageRecordIter", f"unknown dtype for ImageRecordIter: {dtype} is none of float32, uint8, int8")
    return _made("ImageRecordIter", records, batches, labels, augmentation, normalization, dtype)


@native
def ImageRecordIter_v1(
    records: Records, batches: Batches, labels: Labels, augmentation: Augmentation, normalization: Normalization
) -> PictureBatches:
    """`ImageRecordIter` of older scripts. Only float32.

    {arguments}

    Raises:
        As `ImageRecordIter`.

    Source: `mxnet.io.ImageRecordIter_v1`.
    """
    if batches.dtype not in (None, "float32"):
        raise refused("ImageRecordIter_v1", f"{batches.dtype} is not supported; batches are float32")
    return _made("ImageRecordIter_v1", records, batches, labels, augmentation, normalization, "float32")


@native
def ImageRecordUInt8Iter(
    records: Records, batches: Batches, labels: Labels, augmentation: Augmentation
) -> PictureBatches:
    """`ImageRecordIter` whose data are the bytes of the pictures, uint8. `dtype` is not looked at.

    {arguments}

    Raises:
        As `ImageRecordIter`.

    Source: `mxnet.io.ImageRecordUInt8Iter`.
    """
    return _made("ImageRecordUInt8Iter", records, batches, labels, augmentation, Normalization(), "uint8")


@native
def ImageRecordUInt8Iter_v1(
    records: Records, batches: Batches, labels: Labels, augmentation: Augmentation
) -> PictureBatches:
    """`ImageRecordUInt8Iter` of older scripts.

    {arguments}

    Raises:
        As `ImageRecordIter`.

    Source: `mxnet.io.ImageRecordUInt8Iter_v1`.
    """
    return _made("ImageRecordUInt8Iter_v1", records, batches, labels, augmentation, Normalization(), "uint8")


@native
def ImageRecordInt8Iter(
    records: Records, batches: Batches, labels: Labels, augmentation: Augmentation
) -> PictureBatches:
    """`ImageRecordIter` whose data are the bytes of the pictures kept below 128, int8. `dtype` is not looked at.

    {arguments}

    Raises:
        As `ImageRecordIter`.

    Source: `mxnet.io.ImageRecordInt8Iter`.
    """
    return _made("ImageRecordInt8Iter", records, batches, labels, augmentation, Normalization(), "int8")
