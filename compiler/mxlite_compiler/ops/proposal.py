# SPDX-License-Identifier: Apache-2.0
"""Proposals of regions: Proposal for one picture, MultiProposal for a batch.

Source: Ren et al. 2015, Faster R-CNN: towards real-time object detection with region proposal networks.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import op
from ..params import Range
from ..shapes import Shapes, join, join_shapes
from ._boxes import compact, descending, overlap, single, suppress, with_area

Floats = tuple[float, ...]


def anchors_of_cell(stride: int, scales: Floats, ratios: Floats) -> np.ndarray:
    """(ratios * scales, 4) anchors around the first cell, in pixels, the last one included; sizes are rounded."""
    f, middle = np.float32, np.float32(0.5 * (stride - 1))
    boxes = []
    for ratio in ratios:
        size = np.floor(f(stride * stride) / f(ratio))
        width = np.floor(np.sqrt(size) + f(0.5))
        height = np.floor(width * f(ratio) + f(0.5))
        for scale in scales:
            w, h = ((side * f(scale) - 1) / 2 for side in (width, height))
            boxes.append((middle - w, middle - h, middle + w, middle + h))
    return np.array(boxes, f)


def _proposals(p: Any, score: jax.Array, delta: jax.Array, info: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The boxes (post, 4) and scores (post,) of one picture, from scores (a, h, w) and predictions (4 * a, h, w)."""
    a, height, width = score.shape
    shift = [np.arange(n, dtype=np.float32) * p.feature_stride for n in (height, width)]
    y, x = shift[0][:, None, None], shift[1][None, :, None]
    left, top, right, bottom = anchors_of_cell(p.feature_stride, p.scales, p.ratios).T
    left, top, right, bottom = left + x, top + y, right + x, bottom + y  # (h, w, a), or ones there
    d0, d1, d2, d3 = delta.reshape(a, 4, height, width).transpose(1, 2, 3, 0)
    if p.iou_loss:
        box = [left + d0, top + d1, right + d2, bottom + d3]
    else:
        w, h = right - left + 1, bottom - top + 1
        cx, cy = d0 * w + (left + 0.5 * (w - 1)), d1 * h + (top + 0.5 * (h - 1))
        w, h = 0.5 * (jnp.exp(d2) * w - 1), 0.5 * (jnp.exp(d3) * h - 1)
        box = [cx - w, cy - h, cx + w, cy + h]
    far = (info[1] - 1, info[0] - 1) * 2
    left, top, right, bottom = (jnp.maximum(jnp.minimum(v, limit), 0) for v, limit in zip(box, far, strict=True))
    # Cells beyond the picture, which may be padded, do not count.
    rows, columns = ((info[i] / p.feature_stride).astype(jnp.int32) for i in (0, 1))
    beyond = (np.arange(height, dtype=np.int32)[:, None] >= rows) | (np.arange(width, dtype=np.int32) >= columns)
    least = p.rpn_min_size * info[2]
    small = (right - left + 1 < least) | (bottom - top + 1 < least)
    grow = jnp.where(small, least / 2, 0)
    sides = [v.reshape(-1) for v in (left - grow, top - grow, right + grow, bottom + grow)]
    score = jnp.where(beyond[..., None] | small, -1, score.transpose(1, 2, 0)).reshape(-1)
    order = descending(score, jnp.ones_like(score, bool), p.rpn_pre_nms_top_n)
    best = with_area([v[order] for v in sides], 1)
    post = min(p.rpn_post_nms_top_n, order.size)
    kept = suppress(lambda a, b: overlap(a, b, 1) > p.threshold, best, jnp.ones_like(order, bool), post)
    place = compact(kept, jnp.arange(order.size, dtype=jnp.int32))
    # Where fewer are left than wanted, they come again from the first.
    count = jnp.minimum(jnp.sum(kept, dtype=jnp.int32), post)
    place = order[place[jnp.arange(p.rpn_post_nms_top_n, dtype=jnp.int32) % count]]
    return jnp.stack(sides, -1)[place], score[place]


def _proposal(name: str, pictures: str, alone: bool) -> None:
    def kernel(
        cls_prob,
        bbox_pred,
        im_info,
        *,
        rpn_pre_nms_top_n: int = 6000,
        rpn_post_nms_top_n: Annotated[int, Range(low=1)] = 300,
        threshold: float = 0.7,
        rpn_min_size: int = 16,
        scales: Floats = (4.0, 8.0, 16.0, 32.0),
        ratios: Floats = (0.5, 1.0, 2.0),
        feature_stride: Annotated[int, Range(low=1)] = 16,
        output_score: bool = False,
        iou_loss: bool = False,
    ):
        p = known.params(
            rpn_pre_nms_top_n=rpn_pre_nms_top_n, rpn_post_nms_top_n=rpn_post_nms_top_n, threshold=threshold,
            rpn_min_size=rpn_min_size, scales=scales, ratios=ratios, feature_stride=feature_stride,
            output_score=output_score, iou_loss=iou_loss,
        )  # fmt: skip
        score = cls_prob[:, cls_prob.shape[1] // 2 :]
        boxes, score = jax.vmap(lambda *xs: _proposals(p, *xs))(score, bbox_pred, im_info)
        number = jnp.broadcast_to(jnp.arange(len(boxes), dtype=boxes.dtype)[:, None, None], (*boxes.shape[:2], 1))
        return jnp.concatenate([number, boxes], -1).reshape(-1, 5), score.reshape(-1, 1)

    kernel.__doc__ = f"""The best boxes of {pictures}, as a network for region proposals sees them. No gradient.

    Predictions move and scale anchors around the cells of a feature map. Boxes are cut at the border of the picture;
    small ones and those of cells beyond it count least. Those with the highest scores go through non-maximum
    suppression; where too few are left, they come again.

    Args:
        cls_prob: (batch, 2 * anchors, height, width) probabilities, first of background, then of objects.
        bbox_pred: (batch, 4 * anchors, height, width) predictions for x, y, width, height of each anchor.
        im_info: (batch, 3) height, width and scale of the pictures.
        rpn_pre_nms_top_n: number of boxes that suppression sees; less than 1: all.
        rpn_post_nms_top_n: number of boxes to return for a picture.
        threshold: boxes go that overlap a better one by more.
        rpn_min_size: the smallest side of a box, in pixels of the picture before it was scaled.
        scales: sizes of anchors, in strides.
        ratios: ratios of height to width; the anchors are all pairs, scales changing faster.
        feature_stride: distance of the cells, in pixels of the picture.
        output_score: show the second output, too.
        iou_loss: predictions are distances of the sides, not relative to the anchors.

    Returns:
        (batch * rpn_post_nms_top_n, 5): number of the picture, left, top, right, bottom; and their scores
        (batch * rpn_post_nms_top_n, 1).

    Example:
        >>> scores, offsets = mx.nd.zeros((1, 24, 4, 4)), mx.nd.zeros((1, 48, 4, 4))  # 12 anchors a cell
        >>> size = mx.nd.array([[64, 64, 1]])
        >>> mx.nd.contrib.{name.removeprefix("_contrib_")}(scores, offsets, size, rpn_post_nms_top_n=5).shape
        (5, 5)
    """

    def rule(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        return _infer(p, ins, outs, alone)

    known = op(name, outputs=("output", "score"), visible=lambda p: 2 if p.output_score else 1)(kernel)
    known.infer(rule)
    known.infer_dtypes(single)
    known.grad(lambda p, g, *xs: (None,) * 3)


def _infer(p: Any, ins: Shapes, outs: Shapes, alone: bool) -> tuple[Shapes, Shapes]:
    anchors = len(p.scales) * len(p.ratios)
    batch, height, width = 1 if alone else 0, 0, 0
    for name, shape, rank in zip(("cls_prob", "bbox_pred", "im_info"), ins, (4, 4, 2), strict=True):
        if shape is not None:
            if len(shape) != rank:
                raise Mismatch(f"{name} must have {rank} axes, got {shape}")
            if alone and shape[0] > 1:
                raise Mismatch(f"{name} must be of one picture, got {shape[0]}; MultiProposal takes a batch")
            batch = join(batch, shape[0], "the size of the batch")
            if rank == 4:
                height, width = join(height, shape[2], "the height"), join(width, shape[3], "the width")
    full = [(batch, 2 * anchors, height, width), (batch, 4 * anchors, height, width), (batch, 3)]
    if ins[0] is not None and ins[0][1] not in (0, 2 * anchors):
        raise Mismatch(
            f"cls_prob must have 2 * {len(p.scales)} scales * {len(p.ratios)} ratios = {2 * anchors} channels, "
            f"got {ins[0][1]}"
        )
    ins = [join_shapes(a, b, n) for n, a, b in zip(("cls_prob", "bbox_pred", "im_info"), ins, full, strict=True)]
    post = batch * p.rpn_post_nms_top_n
    return ins, [join_shapes((post, n), o, "an output") for n, o in zip((5, 1), outs, strict=True)]


_proposal("_contrib_Proposal", "a picture", True)
_proposal("_contrib_MultiProposal", "pictures", False)
