# SPDX-License-Identifier: Apache-2.0
"""Proposals of regions: anchors, repetition, rules, and what they refuse. See also ``test_boxes.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.ops.proposal import anchors_of_cell
from tests.ops.call import call, complaint, shapes

F = np.float32


def test_the_anchors_of_faster_rcnn():
    """The nine anchors that the paper's program prints for scales 8, 16, 32."""
    want = [
        [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
        [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
        [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
    ]  # fmt: skip
    np.testing.assert_array_equal(anchors_of_cell(16, (8, 16, 32), (0.5, 1, 2)), want)


def one_box(post: int = 4) -> tuple[Any, ...]:
    prob = np.array([0.1, 0.9], F).reshape(1, 2, 1, 1)
    return call(
        "_contrib_Proposal", prob, np.zeros((1, 4, 1, 1), F), np.array([[16, 16, 1]], F),
        scales=1, ratios=1, rpn_post_nms_top_n=post, rpn_min_size=4, output_score=True,
    )  # fmt: skip


def test_too_few_boxes_come_again():
    boxes, score = one_box(4)
    np.testing.assert_array_equal(boxes, [[0, 0, 0, 15, 15]] * 4)
    np.testing.assert_array_equal(score, np.full((4, 1), 0.9, F))


def test_a_batch_is_its_pictures():
    random = np.random.RandomState(0)
    prob, delta = random.rand(2, 6, 4, 5).astype(F), (random.randn(2, 12, 4, 5) * 0.3).astype(F)
    info = np.array([[64, 80, 1], [50, 60, 0.5]], F)
    options: dict[str, Any] = {"scales": (1, 2, 4), "ratios": 1, "rpn_post_nms_top_n": 7, "rpn_min_size": 4}
    both = np.asarray(call("_contrib_MultiProposal", prob, delta, info, **options)[0]).reshape(2, 7, 5)
    for i in range(2):
        alone = call("_contrib_Proposal", prob[i : i + 1], delta[i : i + 1], info[i : i + 1], **options)[0]
        np.testing.assert_allclose(both[i, :, 1:], alone[:, 1:], rtol=1e-6)
        assert (both[i, :, 0] == i).all()


def test_the_scores_are_shown_on_demand():
    prob, delta, info = mx.sym.var("p"), mx.sym.var("d"), mx.sym.var("i")
    assert mx.sym.contrib.Proposal(prob, delta, info, name="r").list_outputs() == ["r_output"]
    shown = mx.sym.contrib.MultiProposal(prob, delta, info, name="r", output_score=True)
    assert shown.list_outputs() == ["r_output", "r_score"]
    _, outs, _ = shown.infer_shape(p=(2, 24, 3, 4))
    assert outs == [(600, 5), (600, 1)]


def test_rules():
    ins, outs = shapes("_contrib_Proposal", [(1, 24, 3, 4), None, None], rpn_post_nms_top_n=50)
    assert ins == [(1, 24, 3, 4), (1, 48, 3, 4), (1, 3)]
    assert outs == [(50, 5), (50, 1)]


def test_complaints():
    assert "3 scales * 1 ratios = 6 channels, got 4" in complaint(
        "_contrib_Proposal", [(1, 4, 3, 4), None, None], scales=(1, 2, 4), ratios=1
    )
    assert "MultiProposal takes a batch" in complaint("_contrib_Proposal", [(2, 24, 3, 4), None, None])
    assert "im_info must have 2 axes" in complaint("_contrib_MultiProposal", [None, None, (3,)])
    assert "the width cannot be both 4 and 5" in complaint(
        "_contrib_MultiProposal", [(2, 24, 3, 4), (2, 48, 3, 5), None]
    )
    with pytest.raises(mx.base.MXNetError, match="rpn_post_nms_top_n=0 must be at least 1"):
        one_box(0)
