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
