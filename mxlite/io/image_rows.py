# SPDX-License-Identifier: Apache-2.0
"""What makes a row of a batch of a record: its picture is decoded, changed and written, its label found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def row_maker(channels: int, change: Change, label: Label, write: Write) -> Row:
    """What makes a row of a record, for `PictureBatches`."""

    def make(record: bytes, draw: Random, data: np.ndarray, labels: np.ndarray) -> int:
        header, content = unpack(record)
        labels[:] = label(header)
        picture = decoded(content, channels)
        with guarded(picture):
            picture = change(picture, draw)
        write(picture, draw, data)
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


@contextmanager
def guarded(picture: np.ndarray) -> Iterator[None]:
    """MXNetError where opencv cannot change the picture."""
    try:
        yield
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
    """The labels in a list of pictures, by the number of the record; all of them where `width` is -1.

    Raises:
        MXNetError: the list cannot be read, or a line has fewer than `width` labels.
    """
    known = listed_labels(path)
    for number, labels in known.items():
        if len(labels) < width:
            problem = f"{len(labels)} labels, label_width={width} needs as many"
            raise MXNetError(f"{path!r}: picture {number} has {problem}")

    def label(header: IRHeader) -> np.ndarray:
        found = known.get(header.id)
        if found is None:
            raise MXNetError(f"fail to find imagelabel for id {header.id} in {path!r}")
        return found if width < 0 else found[:width]

    return label


def listed_labels(path: str) -> dict[int, np.ndarray]:
    """The labels in a list of pictures, float32, by number. MXNetError when it cannot be read."""
    return {listed.number: np.array(listed.labels, np.float32) for listed in read_list(path)}
