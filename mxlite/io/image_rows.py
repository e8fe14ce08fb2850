# SPDX-License-Identifier: Apache-2.0
"""What makes a row of a batch of a record: its picture is decoded, changed and written, its label found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np

from ..base import MXNetError
from ..recordio import IRHeader, unpack
from ..recordio.lists import read_list
from ..recordio.pictures import decode
from .image_augment import Change
from .image_batches import Row
from .image_normalize import Write
from .image_opencv import opencv

#: How opencv shall decode pictures for so many channels: grey, in colour, or as they are.
_DECODE = {1: 0, 3: 1, 4: -1}

Label = Callable[[IRHeader], Any]


def row_maker(channels: int, change: Change, write: Write, label: Label) -> Row:
    """What makes a row of a record, for `PictureBatches`."""

    def make(record: bytes, draw: Random, data: np.ndarray, labels: np.ndarray) -> int:
        header, content = unpack(record)
        labels[:] = label(header)
        write(changed(decoded(content, channels), change, draw), draw, data)
        return header.id

    return make


def decoded(content: bytes, channels: int) -> np.ndarray:
    """The picture in the file `content`. MXNetError when there is none, or none with so many channels."""
    picture = decode(content, _DECODE[channels])
    found = 1 if picture.ndim == 2 else picture.shape[2]
    if found != channels or picture.dtype != np.uint8:
        kind = f"{found} channels of {picture.dtype}"
        raise MXNetError(f"the picture has {kind}, data_shape needs {channels} channels of uint8")
    return picture


def changed(picture: np.ndarray, change: Change, draw: Random) -> np.ndarray:
    """What `change` makes of the picture. MXNetError where opencv cannot."""
    try:
        return change(picture, draw)
    except opencv().error as e:
        size = " x ".join(map(str, picture.shape))
        raise MXNetError(f"a picture of {size} cannot be changed as asked: {e.err} ({e.func})") from None


def labels_of_records(width: int) -> Label:
    """The labels in the heads of the records: one number, or a vector of `width`."""

    def label(header: IRHeader) -> Any:
        found = max(header.flag, 1)
        if found != width:
            told = f"{found}-dimensional label but label_width is set to {width}"
            raise MXNetError(f"rec file provide {told}" if header.flag else f"the record has a {told}")
        return header.label

    return label


def labels_of_list(path: str, width: int) -> Label:
    """The labels in a list of pictures, by the number of the record.

    Raises:
        MXNetError: the list cannot be read, or a line has fewer than `width` labels.
    """
    known: Mapping[int, np.ndarray] = {}
    for listed in read_list(path):
        if len(listed.labels) < width:
            problem = f"{len(listed.labels)} labels, label_width={width} needs as many"
            raise MXNetError(f"{path!r}: picture {listed.number} has {problem}")
        known[listed.number] = np.array(listed.labels[:width], np.float32)

    def label(header: IRHeader) -> np.ndarray:
        found = known.get(header.id)
        if found is None:
            raise MXNetError(f"fail to find imagelabel for id {header.id} in {path!r}")
        return found

    return label
