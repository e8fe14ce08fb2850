# SPDX-License-Identifier: Apache-2.0
"""An iterator of every kind over a few rows."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import mxlite as mx

X = np.random.RandomState(0).rand(26, 3).astype("float32")
Y = np.arange(26).astype("float32")


def arrays(handling: str, shuffle: bool = True) -> Any:
    return mx.io.NDArrayIter({"a": X, "b": X[:, 0]}, Y, 8, shuffle=shuffle, last_batch_handle=handling)


def csv(folder: Path) -> Any:
    np.savetxt(folder / "x.csv", X, delimiter=",")
    return mx.io.CSVIter(data_csv=str(folder / "x.csv"), data_shape=(3,), batch_size=8)


def libsvm(folder: Path) -> Any:
    lines = [f"{i} {i % 5}:{i + 1}.5" for i in range(26)]
    (folder / "x.svm").write_text("\n".join(lines) + "\n")
    return mx.io.LibSVMIter(data_libsvm=str(folder / "x.svm"), data_shape=(5,), batch_size=8)


def mnist(folder: Path) -> Any:
    images = (np.arange(26 * 16) % 251).astype(np.uint8)
    with gzip.open(folder / "images.gz", "wb") as file:
        file.write(struct.pack(">4i", 2051, 26, 4, 4) + images.tobytes())
    (folder / "labels").write_bytes(struct.pack(">2i", 2049, 26) + bytes(range(26)))
    return mx.io.MNISTIter(
        image=str(folder / "images.gz"), label=str(folder / "labels"), batch_size=8, shuffle=True, seed=3
    )


def sentences() -> Any:
    return mx.rnn.BucketSentenceIter([list(range(2 + i % 3)) for i in range(30)], 4, invalid_label=-1)


def records(folder: Path) -> tuple[str, str]:
    """A file of 26 pictures, and its index."""
    paths = str(folder / "x.rec"), str(folder / "x.idx")
    writer = mx.recordio.MXIndexedRecordIO(paths[1], paths[0], "w")
    draws = np.random.RandomState(3)
    for i in range(26):
        picture = draws.randint(0, 256, (8, 8, 3)).astype(np.uint8)
        writer.write_idx(i, mx.recordio.pack_img(mx.recordio.IRHeader(0, float(i), i, 0), picture, img_fmt=".png"))
    writer.close()
    return paths


def pictures(folder: Path, handling: str, indexed: bool = True) -> Any:
    """`ImageIter`, which augments by random numbers."""
    path, index = records(folder)
    return mx.image.ImageIter(
        8, (3, 6, 6), path_imgrec=path, path_imgidx=index if indexed else None, shuffle=indexed, rand_crop=True,
        rand_mirror=True, last_batch_handle=handling,
    )  # fmt: skip


def record_iter(folder: Path) -> Any:
    """`ImageRecordIter`, whose random numbers are its own."""
    path, index = records(folder)
    return mx.io.ImageRecordIter(
        path_imgrec=path, path_imgidx=index, data_shape=(3, 6, 6), batch_size=8, shuffle=True, rand_crop=True,
        rand_mirror=True, seed=4, preprocess_threads=2,
    )  # fmt: skip


#: They decode pictures, which needs opencv or Pillow.
PICTURES: dict[str, Callable[[Path], Any]] = {
    "ImageIter pad": lambda folder: pictures(folder, "pad"),
    "ImageIter roll_over": lambda folder: pictures(folder, "roll_over"),
    "ImageIter in order": lambda folder: pictures(folder, "discard", indexed=False),
    "ImageRecordIter": record_iter,
    "PrefetchingIter of ImageIter": lambda folder: mx.io.PrefetchingIter(pictures(folder, "pad")),
}

ITERATORS: dict[str, Callable[[Path], Any]] = {
    **{f"NDArrayIter {h}": lambda _, h=h: arrays(h) for h in ("pad", "discard", "roll_over")},
    "NDArrayIter in order": lambda _: arrays("roll_over", shuffle=False),
    "CSVIter": csv,
    "LibSVMIter": libsvm,
    "MNISTIter": mnist,
    "BucketSentenceIter": lambda _: sentences(),
    "ResizeIter": lambda _: mx.io.ResizeIter(arrays("roll_over"), 5),
    "ResizeIter that goes on": lambda _: mx.io.ResizeIter(arrays("pad"), 3, reset_internal=False),
    "ResizeIter of files": lambda folder: mx.io.ResizeIter(csv(folder), 3, reset_internal=False),
    "PrefetchingIter": lambda _: mx.io.PrefetchingIter(arrays("roll_over")),
    "PrefetchingIter of files": lambda folder: mx.io.PrefetchingIter(csv(folder)),
    "PrefetchingIter of two": lambda _: mx.io.PrefetchingIter(
        [arrays("pad"), mx.io.NDArrayIter(X, Y, 8)], [{"a": "a", "b": "b"}, {"data": "c"}], [{"softmax_label": "y"}] * 2
    ),
    "ResizeIter of PrefetchingIter": lambda _: mx.io.ResizeIter(
        mx.io.PrefetchingIter(arrays("pad")), 3, reset_internal=False
    ),
}
