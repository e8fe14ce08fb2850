# SPDX-License-Identifier: Apache-2.0
"""An epoch over a file of records, for mxlite and, where `mxlite` is MXNet, for MXNet."""

from __future__ import annotations

import time

import mxlite as mx


class ImageTimer:
    """Reads JPEGs as for a training on ImageNet: 224 x 224, cropped anywhere, mirrored, mean and deviation."""

    def __init__(self, path: str, threads: int, batch_size: int = 32) -> None:
        self.iterator = mx.io.ImageRecordIter(
            path_imgrec=path,
            data_shape=(3, 224, 224),
            batch_size=batch_size,
            preprocess_threads=threads,
            rand_crop=True,
            rand_mirror=True,
            mean_r=123.68,
            mean_g=116.78,
            mean_b=103.94,
            std_r=58.4,
            std_g=57.1,
            std_b=57.4,
            verbose=False,
        )

    def seconds(self) -> float:
        """Seconds of an epoch."""
        self.iterator.reset()
        start = time.perf_counter()
        for batch in self.iterator:
            batch.data[0].shape  # noqa: B018 - it is on the host
        return time.perf_counter() - start
