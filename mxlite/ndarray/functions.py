# SPDX-License-Identifier: Apache-2.0
"""Functions of `mx.nd` that are no operator of their own: joining, splitting and rearranging."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mxlite_compiler.ops.image_codec import decode

from ..base import MXNetError, explain, integer_types
from ..context import as_context
from .ndarray import NDArray, from_host, invoke


def concatenate(arrays: Sequence[NDArray], axis: int = 0, always_copy: bool = True) -> NDArray:
    """Join arrays along an axis.

    Args:
        arrays: arrays of one dtype whose shapes differ only in `axis`.
        axis: where to join.
        always_copy: False lets one single array come back as it is.

    Raises AssertionError, as MXNet does, when there is no array or they do not fit.
    """
    if not isinstance(arrays, list | tuple) or not arrays or not all(isinstance(a, NDArray) for a in arrays):
        raise AssertionError("concatenate takes a list of at least one NDArray")
    first = arrays[0]
    if len(arrays) == 1 and not always_copy:
        return first
    for a in arrays[1:]:
        same = len(a.shape) == len(first.shape) and all(
            n == m for i, (n, m) in enumerate(zip(a.shape, first.shape, strict=True)) if i != axis % first.ndim
        )
        if not same or a._cell.dtype != first._cell.dtype:
            raise AssertionError(
                f"concatenate along axis {axis}: {first.shape} {first._cell.dtype} against {a.shape} {a._cell.dtype}"
            )
    return invoke("Concat", arrays, {"dim": axis})


def moveaxis(tensor: NDArray, source: int | Sequence[int], destination: int | Sequence[int]) -> NDArray:
    """Move axes to other positions; the others keep their order.

    Raises ValueError for an axis that is not there, or lists of different lengths.
    """
    sources, targets = _axes(source, tensor.ndim, "source"), _axes(destination, tensor.ndim, "destination")
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: source has {len(sources)} axes, destination {len(targets)}")
    order = [i for i in range(tensor.ndim) if i not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return invoke("transpose", (tensor,), {"axes": tuple(order)})


def _axes(given: int | Sequence[int], ndim: int, what: str) -> list[int]:
    axes = [given] if isinstance(given, int) else list(given)
    for axis in axes:
        if not -ndim <= axis < ndim:
            raise ValueError(f"moveaxis: {what} {axis} is no axis of an array with {ndim} axes")
    axes = [a % ndim for a in axes]
    if len(set(axes)) != len(axes):
        raise ValueError(f"moveaxis: {what} names an axis twice")
    return axes


def split_v2(ary: NDArray, indices_or_sections: int | Sequence[int], axis: int = 0, squeeze_axis: bool = False) -> Any:
    """Split along an axis, into equal sections or at positions.

    Args:
        ary: the array.
        indices_or_sections: the number of sections, or the positions to split at.
        axis: where to split.
        squeeze_axis: drop the axis from the parts, each of which then must have size 1 there.

    Returns a list of arrays (one array for one section).
    Raises ValueError when the sections do not come out even, IndexError for an axis that is not there, MXNetError for
    positions outside of it or out of order.
    """
    if not -ary.ndim <= axis < ary.ndim:
        raise IndexError(f"split_v2: axis {axis} is none of an array of shape {ary.shape}")
    size = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0 or size % indices_or_sections:
            raise ValueError(
                f"split_v2: axis {axis} of size {size} does not split into {indices_or_sections} equal parts"
            )
        step = size // indices_or_sections
        cuts = list(range(step, size, step))
    else:
        cuts = [int(i) for i in indices_or_sections]
        if cuts != sorted(cuts) or (cuts and not 0 <= cuts[0] <= cuts[-1] <= size):
            raise MXNetError(explain(f"positions {cuts} must ascend and lie in an axis of size {size}", op="split_v2"))
    bounds = [0, *cuts, size]
    before = (slice(None),) * (axis % ary.ndim)
    parts = [ary[(*before, slice(a, b))].copy() for a, b in pairwise(bounds)]
    if squeeze_axis:
        parts = [invoke("squeeze", (p,), {"axis": axis}) for p in parts]
    return parts if len(parts) > 1 else parts[0]


def boolean_mask(
    data: NDArray,
    index: NDArray,
    axis: int = 0,
    size: int | None = None,
    out: NDArray | None = None,
    name: str | None = None,
) -> NDArray:
    """The slices of `data` along `axis` where `index` is not 0.

    Args:
        data: an array with at least 1 dimension.
        index: (size of the axis,).
        axis: the axis; MXNet knows 0 only.
        size: how many slices to return, when that is known: what is missing is filled up with 0. By default `index`,
            which decides the shape of the result, is waited for.
        out: an array to write into.
        name: not used.

    Raises MXNetError when `index` does not have one entry a slice.
    """
    if size is None:
        size = int(np.count_nonzero(index.asnumpy()))
    return invoke("_contrib_boolean_mask", (data, index), {"axis": axis, "size": size}, out)


def imdecode(
    str_img: bytes,
    clip_rect: Sequence[int] = (0, 0, 0, 0),
    out: NDArray | None = None,
    index: int = 0,
    channels: int = 3,
    mean: NDArray | None = None,
) -> NDArray:
    """The picture in the bytes of an image file. It needs OpenCV or Pillow; `mx.image` has more.

    Args:
        str_img: the content of the file.
        clip_rect: (x0, y0, x1, y1), the part that is wanted; all of it when the last two are 0.
        out: an array (channels, height, width), or a batch of them, to write into.
        index: which one of that batch.
        channels: 3 for red, green, blue; 1 for gray.
        mean: an array of the shape of the result, or one that broadcasts to it, to subtract.

    Returns a float32 array (channels, height, width), or `out`.
    Raises MXNetError for bytes that are no picture, another number of channels, a part that is not inside.
    """
    if channels not in (1, 3):
        raise MXNetError(explain(f"channels={channels!r} must be 1 or 3", op="imdecode"))
    picture = decode(bytes(str_img), int(channels == 3), True, "imdecode")
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = clip_rect
    x1, y1 = x1 or width, y1 or height
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        problem = f"clip_rect={tuple(clip_rect)} is not inside of a picture of width {width} and height {height}"
        raise MXNetError(explain(problem, op="imdecode"))
    part = np.ascontiguousarray(picture[y0:y1, x0:x1].transpose(2, 0, 1), np.float32)
    made = from_host(part, as_context(None) if out is None else out.context)
    made = made if mean is None else made - mean
    if out is None:
        return made
    if out.ndim == 4:
        out[index] = made
    else:
        out[:] = made
    return out


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Write the one-hot rows of `indices` (n,) into `out` (n, classes). Deprecated in MXNet; use `one_hot`.

    Raises MXNetError when `out` does not have one row an index.
    """
    if out.ndim != 2 or indices.shape != out.shape[:1]:
        problem = f"indices of shape {indices.shape} need out of shape ({indices.size}, classes), got {out.shape}"
        raise MXNetError(explain(problem, op="onehot_encode"))
    return invoke("one_hot", (indices,), {"depth": out.shape[1]}).copyto(out)


def histogram(a: NDArray, bins: int | NDArray = 10, range: tuple[float, float] | None = None) -> Any:
    """Counts of the values of `a` in bins. It waits only for a range that comes from the values.

    Args:
        a: the values.
        bins: how many equal bins, or an array with their edges.
        range: the range of the equal bins; by default from the smallest to the largest value.

    Returns counts and edges; as in MXNet the counts are int64, but in the dtype of `a` when the range comes from it.

    Raises:
        ValueError: `bins` is neither a number nor an array.
        MXNetError: the range is not ascending.
    """
    if isinstance(bins, NDArray):
        return invoke("_histogram", (a, bins), {})
    if not isinstance(bins, integer_types):
        raise ValueError(f"histogram: bins must be an integer or an NDArray with the edges, got {bins!r:.80}")
    if range is not None:
        return invoke("_histogram", (a,), {"bin_cnt": bins, "range": range})
    values = a.asnumpy()
    counts, edges = np.histogram(values, bins=bins)
    return from_host(counts.astype(values.dtype), a.context), from_host(edges.astype(values.dtype), a.context)
