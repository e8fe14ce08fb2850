# SPDX-License-Identifier: Apache-2.0
"""`ImageDetRecordIter`: batches of pictures and of the boxes of what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from random import Random

import numpy as np

from ..base import MXNetError
from ..recordio import unpack
from .image_batches import PictureBatches, Row
from .image_boxes import Boxes
from .image_det_augment import BoxChange, box_augmenter
from .image_files import RecordFile
from .image_normalize import Write
from .image_params import Batches, BoxAugmentation, BoxLabels, BoxNormalization, BoxRecords, Normalization
from .image_record import check_shape, picture_batches, refused
from .image_rows import Label, decoded, guarded, labels_of_list, listed_labels
from .native import native

#: So many numbers come before the label of a record: channels, height, width, how many numbers it has.
_BEFORE = 4


def _row_maker(channels: int, change: BoxChange, label: Label, fill: float, write: Write) -> Row:
    """What makes a row of a record. The picture stands at the top left of it, zeros below and to the right."""

    def make(record: bytes, draw: Random, data: np.ndarray, labels: np.ndarray) -> int:
        header, content = unpack(record)
        boxes, picture = Boxes.of_label(label(header)), decoded(content, channels)
        with guarded(picture):
            picture, boxes = change(picture, boxes, draw)
        height, width = picture.shape[:2]
        if data.shape[1:] == (height, width):
            write(picture, draw, data)
        else:
            part = np.empty((channels, height, width), data.dtype)
            write(picture, draw, part)
            data[:] = 0
            data[:, :height, :width] = part
        numbers = boxes.numbers()
        labels[:] = fill
        labels[:_BEFORE] = channels, height, width, len(numbers)
        labels[_BEFORE : _BEFORE + len(numbers)] = numbers
        return header.id

    return make


def _widths(file: RecordFile, skip: bool) -> Iterator[int]:
    """How many numbers the label of each record has."""
    for number in range(file.total):
        try:
            yield max(unpack(file.read(number))[0].flag, 1)
        except MXNetError as e:
            if not skip:
                raise refused("ImageDetRecordIter", f"{file.where(number)}: {e}") from None


def _label_width(widths: Iterator[int], told: BoxLabels) -> int:
    """How many numbers there are for a label in a batch."""
    longest = 0
    for width in widths:
        if told.label_width not in (-1, width):
            problem = f"rec file provide {width}-dimensional label but label_width is set to {told.label_width}"
            raise refused("ImageDetRecordIter", problem)
        longest = max(longest, width)
    if 0 < told.label_pad_width < longest:
        problem = f"label_pad_width: {told.label_pad_width} smaller than estimated width: {longest}"
        raise refused("ImageDetRecordIter", problem)
    return max(longest, told.label_pad_width)


@native
def ImageDetRecordIter(
    records: BoxRecords,
    batches: Batches,
    labels: BoxLabels,
    augmentation: BoxAugmentation,
    normalization: BoxNormalization,
) -> PictureBatches:
    """Batches of pictures with boxes from a file of records, changed at random as asked, decoded by several threads.

    The label of a record is: how many numbers come before the objects (2 or more), how many an object has (5 or more),
    any others before the objects; for each object its class, left, top, right, bottom from 0 to 1, any others. Objects
    without an area are left out.

    The data is (batch_size, channels, height, width), red first, float32. A row of the label, float32, is: channels,
    height and width of the picture in the data, how many numbers the label has, the label with the objects that are in
    the picture, and `label_pad_value` to the end.

    {arguments}
        data_name, label_name: names of the inputs, "data" and "softmax_label" by default.

    Raises:
        MXNetError: no such file or part; parameters that exclude each other; labels longer than there is place for; a
            record, picture or label that is broken (the message has its number, its offset and the file).
        ImportError: opencv is not installed.

    Source: `mxnet.io.ImageDetRecordIter`.
    """
    name, shape = "ImageDetRecordIter", batches.data_shape
    check_shape(shape, name)
    if batches.dtype not in (None, "float32"):
        raise refused(name, f"{batches.dtype} is not supported; batches are float32")
    change = box_augmenter(augmentation, shape, name)

    def rows_of(file: RecordFile) -> tuple[Callable[[Write], Row], int]:
        if records.path_imglist:
            label: Label = labels_of_list(records.path_imglist, -1)
            widths = iter([len(x) for x in listed_labels(records.path_imglist).values()])
        else:
            label, widths = lambda header: header.label, _widths(file, batches.on_error == "skip")
        width = _label_width(widths, labels)
        return partial(_row_maker, shape[0], change, label, labels.label_pad_value), width + _BEFORE

    normal = Normalization(**asdict(normalization))
    return picture_batches(name, records, batches, normal, "float32", rows_of, records.seed)
