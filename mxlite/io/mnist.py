# SPDX-License-Identifier: Apache-2.0
"""`MNISTIter`: batches from the two files of MNIST, and of data sets of the same form."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Literal, cast

import numpy as np

from mxlite_compiler.params import DType, Range

from ..base import MXNetError, explain
from ..log import ROOT
from .native import HostBatch, native

_PIECE = 1 << 20


class _MnistFiles:
    name = "MNISTIter"
    carries = False
    dtype = label_dtype = np.dtype(np.float32)

    def __init__(self, images: np.ndarray, labels: np.ndarray, order: np.ndarray, size: int, flat: bool, ahead: int):
        self.images, self.labels, self.order, self.size, self.ahead = images, labels, order, size, ahead
        shape = images.shape[1:]
        self.data_shape = (size, math.prod(shape)) if flat else (size, 1, *shape)
        self.label_shape = (size,)

    def epoch(self, skip: int) -> Iterator[HostBatch]:
        """All whole batches; what is left over belongs to none."""
        for start in range(skip, len(self.order) - self.size + 1, self.size):
            rows = self.order[start : start + self.size]
            data = self.images[rows].astype(self.dtype) * np.float32(1 / 256)
            yield HostBatch(data, self.labels[rows].astype(self.dtype), 0, rows.astype(np.uint64))


def _read(path: str, magic: int, dimensions: int) -> np.ndarray:
    """The bytes of a file that `magic` begins, in as many dimensions."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _parse(file, path, magic, dimensions)
            with gzip.open(file) as inside:
                return _parse(cast(BinaryIO, inside), path, magic, dimensions)
    except (OSError, EOFError) as e:
        raise _refused(f"cannot open {path!r}: {getattr(e, 'strerror', None) or e}") from e


def _parse(file: BinaryIO, path: str, magic: int, dimensions: int) -> np.ndarray:
    size = 4 * (1 + dimensions)
    head = file.read(size)
    if len(head) < size:
        raise _refused(f"{path!r}: expected a head of {size} bytes, got {len(head)}")
    found, *shape = struct.unpack(f">{1 + dimensions}I", head)
    if found != magic:
        raise _refused(f"{path!r}: expected the magic number {magic} at offset 0, got {found}")
    data, left = bytearray(), math.prod(shape)
    # In pieces: nothing as large as the head claims is made before the file has shown that it is so large.
    while left and (piece := file.read(min(left, _PIECE))):
        data += piece
        left -= len(piece)
    if left:
        raise _refused(f"{path!r}: expected {shape} bytes from offset {size} on, got only {len(data)}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def shuffled(count: int, seed: int) -> np.ndarray:
    """MXNet's order of `count` images: the shuffle of C++'s standard library with its Mersenne Twister.

    >>> shuffled(7, 1).tolist()
    [6, 0, 3, 2, 4, 1, 5]
    """
    draw = np.random.RandomState(seed % 2**32)
    order = list(range(count))
    ready: Iterator[int] = iter(())
    for i in range(1, count):
        # Equally many of the 2^32 - 1 numbers for each place; the few that are left over are drawn again.
        share = (2**32 - 1) // (i + 1)
        while True:
            number = next(ready, None)
            if number is None:
                ready = iter(draw.randint(0, 2**32, 1 << 12, np.uint32).tolist())
            elif number < share * (i + 1):
                break
        j = number // share
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


@native
def MNISTIter(
    *,
    image: str = "./train-images-idx3-ubyte",
    label: str = "./train-labels-idx1-ubyte",
    batch_size: Annotated[int, Range(low=1)] = 128,
    shuffle: bool = True,
    flat: bool = False,
    seed: int = 0,
    silent: bool = False,
    num_parts: int = 1,
    part_index: int = 0,
    prefetch_buffer: int = 4,
    ctx: Literal["cpu", "gpu"] = "gpu",
    dtype: DType | None = None,
) -> _MnistFiles:
    """Batches from the files of MNIST: float32 pictures from 0 to 255/256, and labels.

    Images that fill no batch are left out. All epochs have one order, that of MXNet for the same seed.

    Args:
        image: the file of the images (idx3, uint8), also packed by gzip.
        label: the file of the labels (idx1, uint8), also packed by gzip.
        batch_size: images of a batch.
        shuffle: whether the images are shuffled, once, each part in itself.
        flat: data of shape (batch_size, height * width), else (batch_size, 1, height, width).
        seed: of the shuffling.
        silent: whether nothing is logged.
        num_parts, part_index: read only one of so many parts, of consecutive images.
        prefetch_buffer: how many batches are made ahead.
        ctx: has no meaning here: batches begin on the host.
        dtype: only float32.
        data_name, label_name: names of the inputs, "data" and "softmax_label" by default.

    Raises:
        MXNetError: no such file or part; a file of another form, or shorter than its head says; another number of
            labels than of images; fewer images than a batch has.

    Source: `mxnet.io.MNISTIter`.
    """
    if not 0 <= part_index < num_parts:
        raise _refused(f"part_index={part_index} is not one of num_parts={num_parts} parts")
    if dtype not in (None, "float32"):
        raise _refused(f"{dtype} is not supported; batches are float32")
    images, labels = _read(image, 2051, 3), _read(label, 2049, 1)
    if len(images) != len(labels):
        raise _refused(f"{image!r} has {len(images)} images, {label!r} has {len(labels)} labels")
    start, stop = (len(images) * part // num_parts for part in (part_index, part_index + 1))
    order = start + (shuffled(stop - start, seed) if shuffle else np.arange(stop - start))
    made = _MnistFiles(images, labels, order, batch_size, flat, prefetch_buffer)
    if not silent:
        ROOT.info("MNISTIter: load %d images, shuffle=%d, shape=%s", len(order), shuffle, list(made.data_shape))
    return made


def _refused(problem: str) -> MXNetError:
    return MXNetError(explain(problem, op="MNISTIter"))
