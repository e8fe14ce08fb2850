# SPDX-License-Identifier: Apache-2.0
"""The mean picture of a file of records, in a file of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from ..base import MXNetError, explain
from ..context import cpu
from ..log import ROOT
from ..serialize.params import load, save
from .native import HostBatch
from .source import uploads

_NAME = "mean_img"


def mean_picture(path: str, shape: tuple[int, ...], batches: Callable[[], Iterator[HostBatch]], op: str) -> np.ndarray:
    """The mean picture in the file `path`; where there is none, that of the batches, which is saved there.

    Args:
        shape: what it must have.
        batches: the pictures of one epoch, float32.

    Raises:
        MXNetError: the file cannot be read or written, or holds something else.
    """
    if not os.path.exists(path):
        ROOT.info("%s: cannot find %s: the mean picture is made", op, path)
        total, count = np.zeros(shape), 0
        for batch in batches():
            many = len(batch.numbers) - batch.pad
            total += np.asarray(batch.data)[:many].sum(0, np.float64)
            count += many
        save(path, {_NAME: uploads([(total / count).astype(np.float32)], cpu())[0]})
    found = load(path)
    if not isinstance(found, dict) or _NAME not in found:
        raise MXNetError(explain(f"{path!r} has no array {_NAME!r}", op=op))
    mean = found[_NAME].asnumpy().astype(np.float32)
    if mean.shape != shape:
        raise MXNetError(explain(f"the mean picture in {path!r} is {mean.shape}, data_shape is {shape}", op=op))
    return mean
