# SPDX-License-Identifier: Apache-2.0
"""The operators of a single shot detector: a whole round, rules, and what they refuse. See also ``test_boxes.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx
from tests.ops.call import call, complaint, dtypes, shapes

F = np.float32


def test_a_whole_round():
    """Predictions that are the targets give back the boxes."""
    anchors = call("_contrib_MultiBoxPrior", np.zeros((1, 1, 4, 4), F), sizes=(0.3, 0.5), ratios=(1, 2))[0]
    label = np.array([[[1, 0.1, 0.1, 0.45, 0.4], [0, 0.5, 0.55, 0.9, 0.95], [-1] * 5]], F)
    n = anchors.shape[1]
    where, mask, classes = call("_contrib_MultiBoxTarget", anchors, label, np.zeros((1, 3, n), F))
    assert int(mask.sum()) == 4 * int((classes > 0).sum())
    prob = np.eye(3, dtype=F)[np.asarray(classes[0]).astype(int)].T[None]
    found = np.asarray(call("_contrib_MultiBoxDetection", prob, where, anchors, nms_threshold=0.5, threshold=0.5)[0][0])
    found = found[found[:, 0] >= 0]
    np.testing.assert_allclose(found[np.argsort(-found[:, 0])][:, [0, 2, 3, 4, 5]], label[0, :2], atol=1e-5)
    assert (found[:, 1] == 1).all()


def test_no_box_takes_the_anchor_of_another():
    anchors = np.array([[[0, 0, 1, 1], [0, 0, 0.9, 1], [0.8, 0.8, 1, 1]]], F)
    label = np.array([[[0, 0, 0, 1, 1], [1, 0, 0, 0.97, 1]]], F)
    classes = call("_contrib_MultiBoxTarget", anchors, label, np.zeros((1, 3, 3), F), overlap_threshold=0.95)[2]
    np.testing.assert_array_equal(classes, [[1, 2, 0]])


def test_mining_takes_what_there_is():
    """MXNet stops where there is less background than asked for."""
    anchors = np.array([[[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.9, 1]]], F)
    label = np.array([[[0, 0, 0, 1, 1]]], F)
    classes = call(
        "_contrib_MultiBoxTarget", anchors, label, np.zeros((1, 2, 3), F),
        overlap_threshold=0.95, negative_mining_ratio=2, negative_mining_thresh=0.5,
    )[2]  # fmt: skip
    np.testing.assert_array_equal(classes, [[1, 0, -1]])


def test_names_of_the_outputs():
    target = mx.sym.contrib.MultiBoxTarget(mx.sym.var("a"), mx.sym.var("l"), mx.sym.var("p"), name="t")
    assert target.list_outputs() == ["t_loc_target", "t_loc_mask", "t_cls_target"]
    _, outs, _ = target.infer_shape(a=(1, 6, 4), l=(2, 3, 5), p=(2, 4, 6))
    assert outs == [(2, 24), (2, 24), (2, 6)]


def test_rules():
    assert shapes("_contrib_MultiBoxPrior", [(8, 3, 2, 5)], sizes=(0.1, 0.2), ratios=(1, 2, 3))[1] == [(1, 40, 4)]
    ins, outs = shapes("_contrib_MultiBoxTarget", [None, (2, 3, 5), (0, 4, 6)])
    assert ins == [(1, 6, 4), (2, 3, 5), (2, 4, 6)]
    assert outs == [(2, 24), (2, 24), (2, 6)]
    ins, outs = shapes("_contrib_MultiBoxDetection", [(2, 4, 6), None, None])
    assert ins == [(2, 4, 6), (2, 24), (1, 6, 4)]
    assert outs == [(2, 6, 6)]


PRIOR: list[tuple[dict[str, Any], str]] = [
    ({"sizes": ()}, "sizes=() must have at least one number"),
    ({"ratios": ()}, "ratios=() must have at least one number"),
    ({"ratios": (1, -1)}, "must be positive"),
    ({"steps": (0.5,)}, "steps=(0.5,) must be two numbers"),
    ({"steps": (0.5, -1)}, "must both be given, or both be negative"),
    ({"offsets": (0.5,)}, "offsets=(0.5,) must be two numbers"),
]


@pytest.mark.parametrize(("attrs", "message"), PRIOR, ids=[m for _, m in PRIOR])
def test_options_of_anchors(attrs: dict[str, Any], message: str):
    assert message in complaint("_contrib_MultiBoxPrior", [(1, 3, 2, 2)], **attrs)


def test_complaints():
    assert "(batch, channel, height, width)" in complaint("_contrib_MultiBoxPrior", [(3, 2, 2)])
    target = "_contrib_MultiBoxTarget"
    assert "the same for the whole batch" in complaint(target, [(2, 6, 4), (2, 3, 5), (2, 4, 6)])
    assert "label must have at least 5" in complaint(target, [(1, 6, 4), (2, 3, 4), (2, 4, 6)])
    assert "the size of the batch cannot be both 1 and 2" in complaint(target, [(1, 6, 4), (1, 3, 5), (2, 4, 6)])
    assert "the number of anchors cannot be both 6 and 5" in complaint(target, [(1, 6, 4), (2, 3, 5), (2, 4, 5)])
    assert "cls_pred must have 3 axes" in complaint(target, [(1, 6, 4), (2, 3, 5), (2, 4)])
    assert "4 positive numbers" in complaint(target, [None, None, None], variances=(0.1, 0.1, 0.2))
    detection = "_contrib_MultiBoxDetection"
    assert "4 numbers for each anchor" in complaint(detection, [(2, 4, 6), (2, 23), (1, 6, 4)])
    assert "the number of anchors cannot be both" in complaint(detection, [(2, 4, 6), (2, 20), (1, 6, 4)])
    with pytest.raises(mx.base.MXNetError, match="must be float32, got float64"):
        dtypes(target, ["float32", "float64", None])
