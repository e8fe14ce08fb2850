# SPDX-License-Identifier: Apache-2.0
"""Operators on boxes: overlaps, suppression, matching, and targets of regression."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..shapes import DTypes, Shapes, join_shapes
from ._boxes import Format, centers, compact, corners, descending, floating, match, overlap, suppress, with_area


@op("_contrib_box_iou", "*l 4, *r 4 -> *l *r")
def box_iou(lhs, rhs, *, format: Format = "corner"):
    """Intersection over union of every box of `lhs` with every box of `rhs`; it has no gradient.

    Args:
        lhs: (..., 4) boxes.
        rhs: (..., 4) boxes.
        format: "corner": left, top, right, bottom. "center": x, y, width, height.

    Returns:
        (*lhs.shape[:-1], *rhs.shape[:-1]); 0 for boxes that do not meet or are turned inside out.

    Example:
        >>> one, two = mx.nd.array([[0, 0, 2, 2]]), mx.nd.array([[1, 0, 3, 2], [0, 0, 2, 2]])
        >>> mx.nd.contrib.box_iou(one, two)
        [[0.33333334 1.        ]]
        <NDArray 1x2 @cpu(0)>
    """
    shape = (*lhs.shape[:-1], *rhs.shape[:-1])
    a, b = (with_area(corners(x.reshape(-1, 4), format)) for x in (lhs, rhs))
    return overlap([x[:, None] for x in a], b).reshape(shape)


@box_iou.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    for name, shape in zip(("lhs", "rhs"), ins, strict=True):
        if shape is not None and (len(shape) < 2 or shape[-1] not in (0, 4)):
            raise Mismatch(f"{name} must be (..., 4) with at least 2 axes, got {shape}")
    lhs, rhs = ins = [s and (*s[:-1], 4) for s in ins]
    out = None if lhs is None or rhs is None else (*lhs[:-1], *rhs[:-1])
    return ins, [join_shapes(out, outs[0], "the output")]


@op("_contrib_box_nms", alias=("_contrib_box_non_maximum_suppression",), outputs=("output0", "output1"),
    visible=lambda p: 1)  # fmt: skip
def box_nms(
    data,
    *,
    overlap_thresh: float = 0.5,
    valid_thresh: float = 0.0,
    topk: int = -1,
    coord_start: int = 2,
    score_index: int = 1,
    id_index: int = -1,
    background_id: int = -1,
    force_suppress: bool = False,
    in_format: Format = "corner",
    out_format: Format = "corner",
):
    """Greedy non-maximum suppression: the boxes that stay, best first, and rows of -1 behind them.

    A box goes when it overlaps one with a higher score, which stays, by more than `overlap_thresh`. Equal scores stay
    in order. The gradient goes to the rows that stay, as if their coordinates were not converted.

    Args:
        data: (..., boxes, values), at least 5 values a box: score, coordinates, and maybe a class and more.
        overlap_thresh: the largest overlap of boxes that stay.
        valid_thresh: boxes whose score is not above it go.
        topk: only so many boxes, those with the highest scores, take part; less than 1: all. 0 returns `data`.
        coord_start: place of the first of the four coordinates.
        score_index: place of the score.
        id_index: place of the class; only boxes of one class suppress each other. -1: there are no classes.
        background_id: boxes of this class go.
        force_suppress: boxes suppress those of other classes, too.
        in_format: "corner": left, top, right, bottom. "center": x, y, width, height.
        out_format: the format of the result. As in MXNet, a box whose first coordinate is negative is not converted.

    Returns:
        An array like `data`. A hidden second output, int32 (..., boxes, 1), tells where in `data` each row was.

    Example:
        >>> boxes = mx.nd.array([[0.9, 0, 0, 2, 2], [0.8, 0, 0, 2, 2.5], [0.5, 3, 3, 4, 4]])  # score, corners
        >>> mx.nd.contrib.box_nms(boxes, coord_start=1, score_index=0)
        [[ 0.9  0.   0.   2.   2. ]
         [ 0.5  3.   3.   4.   4. ]
         [-1.  -1.  -1.  -1.  -1. ]]
        <NDArray 3x5 @cpu(0)>
    """
    n, width = data.shape[-2:]
    rows = data.reshape(math.prod(data.shape[:-2]), n, width)
    if topk == 0 or not data.size:
        record = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), rows.shape[:2])
        return data, record.reshape(*data.shape[:-1], 1)
    score, box = rows[..., score_index], rows[..., coord_start : coord_start + 4]
    valid = score > valid_thresh
    if id_index >= 0:
        valid &= rows[..., id_index] != background_id
    order = descending(score, valid, topk)
    by_class = id_index >= 0 and not force_suppress
    fields = with_area(corners(box, in_format)) + ((rows[..., id_index],) if by_class else ())

    def hits(a: Any, b: Any) -> jax.Array:
        hit = overlap(a, b) > overlap_thresh
        return hit & (a[5] == b[5]) if by_class else hit

    def one(order: jax.Array, valid: jax.Array, fields: Any) -> jax.Array:
        kept = suppress(hits, jax.tree.map(lambda x: x[order], fields), valid[order])
        return jnp.full(n, -1, jnp.int32).at[: order.shape[0]].set(compact(kept, order))

    record = jax.vmap(one)(order, valid, fields)
    there = record[..., None] >= 0
    out = jnp.take_along_axis(rows, jnp.maximum(record, 0)[..., None], 1)
    if in_format != out_format:
        sides = out[..., coord_start : coord_start + 4]
        new = jnp.stack(corners(sides, "center") if out_format == "corner" else centers(sides), -1)
        new = jnp.where(sides[..., :1] < 0, sides, new)
        out = out.at[..., coord_start : coord_start + 4].set(new)
    return jnp.where(there, out, -1).reshape(data.shape), record.reshape(*data.shape[:-1], 1)


@box_nms.grad
def _(p, g, data, out):
    n, width = data.shape[-2:]
    record = out[1].reshape(math.prod(data.shape[:-2]), n)
    rows = jnp.arange(record.shape[0], dtype=jnp.int32)[:, None]
    grad = jnp.zeros((record.shape[0], n, width), data.dtype)
    grad = grad.at[rows, jnp.where(record < 0, n, record)].set(g[0].reshape(grad.shape), mode="drop")
    return (grad.reshape(data.shape),)


@box_nms.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], outs[0], "data")
    if data is None:
        return ins, outs
    if len(data) < 2:
        raise Mismatch(f"data must be (..., boxes, values), got {data}")
    if data[-1]:
        _check_places(p, data[-1])
    record = join_shapes((*data[:-1], 1), outs[1], "the second output")
    return [data], [data, record]


def _check_places(p: Any, width: int) -> None:
    """Check that score, class and coordinates have places of their own in a row of `width` values."""
    if width < 5:
        raise Mismatch(f"a box needs at least 5 values, its score and 4 coordinates; data has {width}")
    if not 0 <= p.coord_start <= width - 4:
        raise Mismatch(f"coord_start={p.coord_start} must be between 0 and {width - 4}: 4 of {width} values")
    taken = dict.fromkeys(range(p.coord_start, p.coord_start + 4), "the coordinates")
    for name in ("score_index", "id_index"):
        place = getattr(p, name)
        if name == "id_index" and place < 0:
            continue
        if not 0 <= place < width:
            raise Mismatch(f"{name}={place} must be between 0 and {width - 1}")
        if place in taken:
            raise Mismatch(f"{name}={place} is the place of {taken[place]}")
        taken[place] = f"the score, score_index={place}"


@box_nms.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    (data,), _ = floating(p, ins, outs[:1])
    return [data], [data, "int32"]


@op("_contrib_bipartite_matching", outputs=("output0", "output1"))
def bipartite_matching(data, *, is_ascend: bool = False, threshold: float, topk: int = -1):
    """Greedy matching: again and again the best score whose row and column are free. It has no gradient.

    Equal scores match in order, row by row.

    Args:
        data: (..., n, m) scores.
        is_ascend: the lowest score is the best, not the highest.
        threshold: only scores above it (below it, with `is_ascend`) match.
        topk: when it is more than 0, the largest number of matches less one: MXNet makes one match more.

    Returns:
        (..., n) the column of each row and (..., m) the row of each column, -1 where there is none.
    """
    lead, (n, m) = data.shape[:-2], data.shape[-2:]
    sign, limit = -1 if is_ascend else 1, topk + 1 if topk > 0 else 0
    rows, columns = jax.vmap(lambda x: match(x, sign * threshold, limit))((sign * data).reshape(math.prod(lead), n, m))
    return rows.reshape(*lead, n).astype(data.dtype), columns.reshape(*lead, m).astype(data.dtype)


@bipartite_matching.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    if len(data) < 2:
        raise Mismatch(f"data must be (..., n, m), got {data}")
    out = [data[:-1], (*data[:-2], data[-1])]
    return ins, [join_shapes(a, b, f"output {i}") for i, (a, b) in enumerate(zip(out, outs, strict=True))]


@op("_contrib_box_encode", "b n, b n, b n 4, b m 4, 4, 4 -> b n 4, b n 4", outputs=("output0", "output1"))
def box_encode(samples, matches, anchors, refs, means, stds):
    """Targets of regression: where the boxes that anchors are matched with lie, seen from the anchors.

    There is no gradient.

    Args:
        samples: (b, n) more than 0.5 for anchors that are matched.
        matches: (b, n) number of the box that each anchor is matched with; a wrong number is clipped.
        anchors: (b, n, 4) left, top, right, bottom.
        refs: (b, m, 4) boxes, in the same form.
        means: (4,) subtracted from the targets.
        stds: (4,) what the targets are then divided by.

    Returns:
        (b, n, 4) targets for x, y, width, height, and (b, n, 4) masks: 1 for matched anchors. Others have 0 in both.
    """
    matched = (samples > 0.5)[..., None]
    boxes = jnp.take_along_axis(refs, matches.astype(jnp.int32)[..., None], 1, mode="clip")
    (x, y, w, h), (ax, ay, aw, ah) = centers(boxes), centers(anchors)
    seen = jnp.stack([(x - ax) / aw, (y - ay) / ah, jnp.log(w / aw), jnp.log(h / ah)], -1)
    return jnp.where(matched, (seen - means) / stds, 0), jnp.broadcast_to(matched, anchors.shape).astype(anchors.dtype)


@op("_contrib_box_decode", "b n 4, 1 n 4 -> b n 4")
def box_decode(
    data,
    anchors,
    *,
    std0: float = 1.0,
    std1: float = 1.0,
    std2: float = 1.0,
    std3: float = 1.0,
    clip: float = -1.0,
    format: Format = "center",
):
    """Boxes from predictions that are relative to anchors: what `box_encode` makes targets for. No gradient.

    Args:
        data: (b, n, 4) predictions for x, y, width, height.
        anchors: (1, n, 4) boxes.
        std0: factor of the first prediction, x.
        std1: factor of the second, y.
        std2: factor of the third, the logarithm of the width.
        std3: factor of the fourth, the logarithm of the height.
        clip: the largest logarithm of a width or height, when it is more than 0.
        format: format of `anchors`; "corner": left, top, right, bottom. "center": x, y, width, height.

    Returns:
        (b, n, 4): left, top, right, bottom.
    """
    x, y, w, h = centers(anchors, format)
    dx, dy, dw, dh = (data[..., i] * std for i, std in enumerate((std0, std1, std2, std3)))
    if clip > 0:
        dw, dh = jnp.minimum(dw, clip), jnp.minimum(dh, clip)
    x, y, w, h = dx * w + x, dy * h + y, jnp.exp(dw) * w / 2, jnp.exp(dh) * h / 2
    return jnp.stack([x - w, y - h, x + w, y + h], -1).astype(data.dtype)


for _op in (box_iou, bipartite_matching, box_encode, box_decode):
    _op.grad(lambda p, g, *xs: (None,) * (len(xs) - 1))
    _op.infer_dtypes(floating)
