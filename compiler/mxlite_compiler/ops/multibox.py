# SPDX-License-Identifier: Apache-2.0
"""The operators of a single shot detector: anchors, targets for training, detections.

Source: Liu et al. 2016, SSD: single shot multibox detector.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..errors import Mismatch
from ..op import op
from ..params import Shape
from ..shapes import Shapes, join, join_shapes
from ._boxes import centers, compact, corners, descending, match, overlap, single, suppress, variances_of, with_area

Floats = tuple[float, ...]

#: A box without an anchor that it overlaps more than this is matched with none, as in MXNet.
LEAST = 1e-6


@op("_contrib_MultiBoxPrior")
def multibox_prior(
    data,
    *,
    sizes: Floats = (1.0,),
    ratios: Floats = (1.0,),
    clip: bool = False,
    steps: Floats = (-1.0, -1.0),
    offsets: Floats = (0.5, 0.5),
):
    """Anchors around the middle of every cell of a feature map. They depend on its size only, so have no gradient.

    A cell gets one anchor for each size with the first ratio, and one for each further ratio with the first size.

    Args:
        data: (batch, channel, height, width) the feature map.
        sizes: sizes of anchors, as parts of the picture's height.
        ratios: ratios of width to height.
        clip: cut the anchors at the border of the picture.
        steps: distance of cells, (y, x), as parts of the picture; negative: 1 / height and 1 / width.
        offsets: where in a cell its middle is, (y, x).

    Returns:
        (1, height * width * (number of sizes + number of ratios - 1), 4): left, top, right, bottom from 0 to 1.

    Example:
        >>> mx.nd.contrib.MultiBoxPrior(mx.nd.zeros((1, 1, 1, 2)), sizes=(0.5,))[0]
        [[0.125 0.25  0.375 0.75 ]
         [0.625 0.25  0.875 0.75 ]]
        <NDArray 2x4 @cpu(0)>
    """
    height, width = data.shape[2:4]
    f = np.float32
    step = [f(given) if given > 0 else f(1) / f(n) for given, n in zip(steps, (height, width), strict=True)]
    y, x = ((jnp.arange(n, dtype=f) + f(o)) * s for n, o, s in zip((height, width), offsets, step, strict=True))
    pairs = [(f(s), np.sqrt(f(ratios[0]))) for s in sizes]
    pairs += [(f(sizes[0]), np.sqrt(f(r))) for r in ratios[1:]]
    w, h = np.array([(s * f(height) / f(width) * r / 2, s / r / 2) for s, r in pairs], f).T
    y, x = y[:, None, None], x[None, :, None]
    boxes = jnp.stack(jnp.broadcast_arrays(x - w, y - h, x + w, y + h), -1).reshape(1, -1, 4)
    return jnp.clip(boxes, 0, 1) if clip else boxes


@multibox_prior.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    for name in ("sizes", "ratios"):
        if not getattr(p, name):
            raise Mismatch(f"{name}=() must have at least one number")
    for name in ("steps", "offsets"):
        if len(getattr(p, name)) != 2:
            raise Mismatch(f"{name}={getattr(p, name)} must be two numbers, (y, x)")
    if min(p.ratios) <= 0:
        raise Mismatch(f"ratios={p.ratios} must be positive")
    if p.steps[0] * p.steps[1] < 0:
        raise Mismatch(f"steps={p.steps} must both be given, or both be negative")
    data = ins[0]
    if data is None:
        return ins, outs
    if len(data) < 4:
        raise Mismatch(f"data must be (batch, channel, height, width), got {data}")
    anchors = data[2] * data[3] * (len(p.sizes) + len(p.ratios) - 1)
    return [data], [join_shapes((1, anchors, 4), outs[0], "the output")]


@op("_contrib_MultiBoxTarget", outputs=("loc_target", "loc_mask", "cls_target"))
def multibox_target(
    anchor,
    label,
    cls_pred,
    *,
    overlap_threshold: float = 0.5,
    ignore_label: float = -1.0,
    negative_mining_ratio: float = -1.0,
    negative_mining_thresh: float = 0.5,
    minimum_negative_samples: int = 0,
    variances: Floats = (0.1, 0.1, 0.2, 0.2),
):
    """What the anchors of a detector should predict, given the true boxes. There is no gradient.

    Every box gets the free anchor that overlaps it most, the largest overlap first. Then every other anchor gets the
    box that it overlaps most, when that is more than `overlap_threshold`. All others are background, or, with
    `negative_mining_ratio`, only those of them that are most surely not taken for background.

    Args:
        anchor: (1, anchors, 4) left, top, right, bottom.
        label: (batch, boxes, 5 or more) class, left, top, right, bottom. A class of -1 ends the list.
        cls_pred: (batch, classes + 1, anchors) predictions, the background first; mining reads them.
        overlap_threshold: the overlap that an anchor needs to be matched; 0 or less: only the best anchors are.
        ignore_label: the class target of anchors that do not count.
        negative_mining_ratio: background anchors for each matched one; 0 or less: all of them.
        negative_mining_thresh: only anchors that overlap less than this can become background then.
        minimum_negative_samples: accepted, and without effect, as in MXNet.
        variances: what the targets for x, y, width, height are divided by.

    Returns:
        (batch, anchors * 4) targets for x, y, width, height, (batch, anchors * 4) masks, 1 for matched anchors, and
        (batch, anchors) class targets: 0 for background, the class + 1 for others. A picture without boxes has the
        class target `ignore_label` everywhere.

    Example:
        >>> anchor, label = mx.nd.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]]), mx.nd.array([[[0, 0, 0, 0.5, 0.5]]])
        >>> offsets, mask, classes = mx.nd.contrib.MultiBoxTarget(anchor, label, mx.nd.zeros((1, 2, 2)))
        >>> classes
        [[1. 0.]]
        <NDArray 1x2 @cpu(0)>
    """
    areas = with_area(corners(anchor[0]))
    scaled = jnp.asarray(variances, anchor.dtype)
    ax, ay, aw, ah = centers(anchor[0])
    n = anchor.shape[1]
    places = jnp.arange(n, dtype=jnp.int32)

    def one(label: jax.Array, pred: jax.Array) -> tuple[jax.Array, ...]:
        real = jnp.cumsum(label[:, 0] == -1, dtype=jnp.int32) == 0
        boxes = label[:, 1:5]
        iou = overlap([x[:, None] for x in with_area(corners(boxes))], areas)  # (boxes, anchors)
        iou = jnp.where(real[:, None], iou, -1)
        mine = match(iou.T, LEAST)[0]
        best = jnp.max(iou, 0)
        nearest = jnp.min(jnp.where(iou == best, jnp.arange(len(label), dtype=jnp.int32)[:, None], len(label)), 0)
        positive = mine >= 0
        if overlap_threshold > 0:
            mine, positive = jnp.where(positive, mine, nearest), positive | (best > overlap_threshold)
        negative = ~positive
        if negative_mining_ratio > 0:
            negative &= best < negative_mining_thresh
            count = (jnp.sum(positive, dtype=jnp.int32).astype(iou.dtype) * negative_mining_ratio).astype(jnp.int32)
            background = jax.nn.softmax(pred, 0)[0]
            last = descending(-background, negative)[jnp.clip(count - 1, 0, n - 1)]
            before = (background < background[last]) | ((background == background[last]) & (places <= last))
            negative &= (before | ~negative[last]) & (count > 0)
        x, y, w, h = centers(boxes[jnp.maximum(mine, 0)])
        seen = jnp.stack([(x - ax) / aw, (y - ay) / ah, jnp.log(w / aw), jnp.log(h / ah)], -1) / scaled
        mask = (positive & real[0])[:, None]
        classes = jnp.where(negative, jnp.zeros_like(best), ignore_label)
        classes = jnp.where(positive, label[:, 0][jnp.maximum(mine, 0)] + 1, classes)
        classes = jnp.where(real[0], classes, ignore_label)
        return jnp.where(mask, seen, 0).reshape(-1), jnp.repeat(mask, 4, 1).reshape(-1).astype(seen.dtype), classes

    return jax.vmap(one)(label, cls_pred)


@multibox_target.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    variances_of(p)
    _ranks(("anchor", "label", "cls_pred"), ins, (3, 3, 3))
    anchor, label, pred = ins
    if label is not None and label[2] and label[2] < 5:
        raise Mismatch(f"label must have at least 5 numbers for a box: class, left, top, right, bottom; got {label}")
    pairs = [
        label and (label[0], 0),
        pred and (pred[0], pred[2]),
        *(o and (o[0], o[1] // 4) for o in outs[:2]),
        outs[2],
    ]
    batch, n = _agree(anchor, pairs)
    ins = [(1, n, 4), label and (batch, *label[1:]), pred and (batch, pred[1], n)]
    shapes = [(batch, n * 4), (batch, n * 4), (batch, n)]
    return ins, [join_shapes(s, o, f"output {i}") for i, (s, o) in enumerate(zip(shapes, outs, strict=True))]


def _ranks(names: tuple[str, ...], shapes: Shapes, ranks: tuple[int, ...]) -> None:
    for name, shape, rank in zip(names, shapes, ranks, strict=True):
        if shape is not None and len(shape) != rank:
            raise Mismatch(f"{name} must have {rank} axes, got {shape}")


def _agree(anchor: Shape | None, pairs: Shapes) -> tuple[int, int]:
    """The size of the batch and the number of anchors, from the shape of the anchors and from `pairs` of both."""
    if anchor is not None and (anchor[0] not in (0, 1) or anchor[2] not in (0, 4)):
        raise Mismatch(f"anchor must be (1, anchors, 4), the same for the whole batch, got {anchor}")
    batch, n = 0, anchor[1] if anchor else 0
    for pair in pairs:
        if pair is not None:
            batch = join(batch, pair[0], "the size of the batch")
            n = join(n, pair[1], "the number of anchors")
    return batch, n


@op("_contrib_MultiBoxDetection")
def multibox_detection(
    cls_prob,
    loc_pred,
    anchor,
    *,
    clip: bool = True,
    threshold: float = 0.01,
    background_id: int = 0,
    nms_threshold: float = 0.5,
    force_suppress: bool = False,
    variances: Floats = (0.1, 0.1, 0.2, 0.2),
    nms_topk: int = -1,
):
    """The boxes that a detector sees, best first; those that are suppressed have the class -1. There is no gradient.

    Args:
        cls_prob: (batch, classes + 1, anchors) probabilities, the background first.
        loc_pred: (batch, anchors * 4) predictions for x, y, width, height, relative to the anchors.
        anchor: (1, anchors, 4) left, top, right, bottom.
        clip: cut the boxes at the border of the picture, 0 and 1.
        threshold: the probability that a box needs.
        background_id: accepted, and without effect, as in MXNet: the background is class 0.
        nms_threshold: a box goes when a better one that stays overlaps it by as much; not between 0 and 1: none goes,
            and the boxes stay in the order of the anchors.
        force_suppress: boxes suppress those of other classes, too.
        variances: factors of the predictions.
        nms_topk: only so many boxes, those with the highest probabilities, take part; less than 1: all.

    Returns:
        (batch, anchors, 6): class (without the background), probability, left, top, right, bottom; rows of -1 behind.

    Example:
        >>> anchor, offsets = mx.nd.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]]), mx.nd.zeros((1, 8))
        >>> mx.nd.contrib.MultiBoxDetection(mx.nd.array([[[0.2, 0.9], [0.8, 0.1]]]), offsets, anchor)[0]
        [[0.  0.8 0.  0.  0.5 0.5]
         [0.  0.1 0.5 0.5 1.  1. ]]
        <NDArray 2x6 @cpu(0)>
    """
    batch, _, n = cls_prob.shape
    ax, ay, aw, ah = centers(anchor[0])
    dx, dy, dw, dh = (loc_pred.reshape(batch, n, 4)[..., i] * v for i, v in enumerate(variances))
    x, y, w, h = dx * aw + ax, dy * ah + ay, jnp.exp(dw) * aw / 2, jnp.exp(dh) * ah / 2
    sides = (x - w, y - h, x + w, y + h)
    if clip:
        sides = tuple(jnp.clip(v, 0, 1) for v in sides)
    score = jnp.max(cls_prob[:, 1:], 1)
    which = lax.argmax(cls_prob[:, 1:], 1, jnp.int32).astype(score.dtype)
    valid = score >= threshold
    fields = (which, score, *sides)

    def hits(a: Any, b: Any) -> jax.Array:
        hit = overlap(with_area(a[2:]), with_area(b[2:])) >= nms_threshold
        return hit if force_suppress else hit & (a[0] == b[0])

    top = min(nms_topk, n) if nms_topk > 0 else n

    def one(valid: jax.Array, order: jax.Array, *fields: jax.Array) -> jax.Array:
        place = compact(valid, jnp.arange(n, dtype=jnp.int32))
        there = place >= 0
        place, lives = jnp.maximum(place, 0), there
        if 0 < nms_threshold <= 1:
            # The best boxes come in order. Behind them MXNet leaves what was there before it sorted.
            kept = suppress(hits, tuple(f[order] for f in fields), there[:top])
            place, lives = place.at[:top].set(order), jnp.zeros_like(there).at[:top].set(kept)
        rows = jnp.where(there[:, None], jnp.stack(fields, -1)[place], -1)
        return rows.at[:, 0].set(jnp.where(lives, rows[:, 0], -1))

    return jax.vmap(one)(valid, descending(score, valid, top), *fields)


@multibox_detection.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    variances_of(p)
    _ranks(("cls_prob", "loc_pred", "anchor"), ins, (3, 2, 3))
    prob, loc, anchor = ins
    if loc is not None and loc[1] % 4:
        raise Mismatch(f"loc_pred must have 4 numbers for each anchor, got {loc}")
    batch, n = _agree(anchor, [prob and (prob[0], prob[2]), loc and (loc[0], loc[1] // 4), outs[0] and outs[0][:2]])
    out = join_shapes((batch, n, 6), outs[0], "the output")
    return [prob and (batch, prob[1], n), (batch, n * 4), (1, n, 4)], [out]


for _op in (multibox_prior, multibox_target, multibox_detection):
    _op.grad(lambda p, g, *xs: (None,) * (len(xs) - 1))
    _op.infer_dtypes(single)
