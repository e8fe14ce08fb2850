# SPDX-License-Identifier: Apache-2.0
"""Data sets that MXNet's testing kit downloads. Here they are read if they are there, for mxlite downloads nothing."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..base import MXNetError, explain
from ..io import NDArrayIter

#: The files of MNIST: images and labels, for training and for testing.
MNIST = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
FOLDER = "data"


def _absent(op: str, what: str, hint: str) -> NoReturn:
    raise MXNetError(explain(f"{what} is not here, and mxlite downloads nothing", op=op, hint=hint))


def download(
    url: str, fname: str | None = None, dirname: str | None = None, overwrite: bool = False, retries: int = 5
) -> str:
    """The path of the file of `url`, if it is there already.

    Args:
        url: where it would come from.
        fname: its name here; the last part of `url` by default.
        dirname: its folder.
        overwrite: asks for a new copy, which is an error.
        retries: without meaning here.

    Raises MXNetError, with the path where the file should be, when it is not there.
    """
    path = Path(dirname or "") / (fname or url.rpartition("/")[2])
    if overwrite or not path.is_file():
        _absent("download", str(path), f"get {url} and put it there")
    return str(path)


def download_model(model_name: str, dst_dir: str = "./", meta_info: Any = None) -> tuple[str, int]:
    """Prefix and epoch of a checkpoint, if ``NAME-symbol.json`` and ``NAME-0000.params`` are in `dst_dir`.

    Raises MXNetError when they are not.
    """
    prefix = Path(dst_dir) / model_name
    for suffix in ("-symbol.json", "-0000.params"):
        if not Path(f"{prefix}{suffix}").is_file():
            _absent("download_model", f"{prefix}{suffix}", "put both files of the checkpoint there")
    return str(prefix), 0


def _idx(path: Path) -> np.ndarray:
    """The uint8 array in a file of the IDX format, plain or gzipped. MXNetError where it is none."""
    raw = path.read_bytes()
    data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    rank = data[3] if len(data) > 3 and data[:3] == b"\x00\x00\x08" else -1
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank]) if 0 <= rank <= (len(data) - 4) // 4 else (-1,)
    if min(shape, default=0) < 0 or len(data) - 4 - 4 * rank != int(np.prod(shape)):
        raise MXNetError(explain(f"{path} is no IDX file of unsigned bytes, or it is cut off", op="get_mnist"))
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _found(name: str) -> Path:
    for path in (Path(FOLDER) / name, Path(FOLDER) / f"{name}.gz"):
        if path.is_file():
            return path
    _absent("get_mnist", f"{FOLDER}/{name}[.gz]", f"put the four files of MNIST into the folder {FOLDER!r}")


def get_mnist_ubyte() -> None:
    """Check that the four files of MNIST are in the folder `data`; MXNetError names the one that is not."""
    for pair in MNIST:
        for name in pair:
            _found(name)


def get_mnist() -> dict[str, np.ndarray]:
    """MNIST from the folder `data`: the files as they are published, gzipped or not.

    Returns:
        `train_data`, `test_data`: (n, 1, 28, 28) float32 from 0 to 1; `train_label`, `test_label`: (n,) uint8.

    Raises MXNetError when a file is missing or damaged.
    """
    result = {}
    for part, (images, labels) in zip(("train", "test"), MNIST, strict=True):
        result[f"{part}_data"] = _idx(_found(images))[:, None].astype(np.float32) / 255
        result[f"{part}_label"] = _idx(_found(labels))
    return result


def get_mnist_iterator(
    batch_size: int, input_shape: tuple[int, ...], num_parts: int = 1, part_index: int = 0
) -> tuple[NDArrayIter, NDArrayIter]:
    """Iterators over the training part, shuffled, and over the test part of `get_mnist`.

    Args:
        batch_size: rows of a batch.
        input_shape: of one sample: (1, 28, 28), or (784,) for flat ones.
        num_parts: how many workers share the training part; `part_index`: which of them this is.
    """
    mnist = get_mnist()
    mine = slice(part_index, None, num_parts)

    def rows(part: str) -> np.ndarray:
        return mnist[f"{part}_data"].reshape(-1, *input_shape)

    train = NDArrayIter(rows("train")[mine], mnist["train_label"][mine], batch_size, shuffle=True)
    return train, NDArrayIter(rows("test"), mnist["test_label"], batch_size)


def get_mnist_pkl() -> None:
    """Check that ``data/mnist.pkl.gz`` is there; MXNetError when it is not."""
    if not Path(FOLDER, "mnist.pkl.gz").is_file():
        _absent("get_mnist_pkl", f"{FOLDER}/mnist.pkl.gz", "put it there, or use get_mnist")


def get_cifar10() -> None:
    """Check that ``data/cifar/train.rec`` and ``data/cifar/test.rec`` are there; MXNetError when one is not."""
    for name in ("train.rec", "test.rec"):
        path = Path(FOLDER, "cifar", name)
        if not path.is_file():
            _absent("get_cifar10", str(path), "put CIFAR-10 there as RecordIO files")


def get_zip_data(data_dir: str, url: str, data_origin_name: str) -> None:
    """Check that the archive of `url` is in `data_dir` as `data_origin_name`; MXNetError when it is not."""
    download(url, data_origin_name, data_dir)


def get_bz2_data(data_dir: str, data_name: str, url: str, data_origin_name: str) -> None:
    """Check that `data_name`, the contents of the archive of `url`, is in `data_dir`; MXNetError when it is not."""
    if not Path(data_dir, data_name).is_file():
        _absent("get_bz2_data", os.path.join(data_dir, data_name), f"unpack {url} there")
