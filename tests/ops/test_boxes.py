# SPDX-License-Identifier: Apache-2.0
"""Operators on boxes: with options beyond the golden cases, at sizes beyond a block, and what they refuse.

``tests/golden/boxes/recorded.json`` holds calls and what MXNet 1.9.1 made of them: attributes, and arrays as ``[offset,
shape]`` in the one buffer of ``recorded.npz``. A call without gradients has the gradient 0.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.op import OPS
from mxlite_compiler.ops import _boxes
from tests.ops.call import call, complaint, dtypes, grads, shapes
from tests.ops.golden import assert_close, quick_compile

FOLDER = Path(__file__).parents[1] / "golden" / "boxes"
CASES = json.loads((FOLDER / "recorded.json").read_text())["cases"]
with np.load(FOLDER / "recorded.npz") as _buffers:
    NUMBERS = _buffers["float32"]


def array(ref: list[Any]) -> np.ndarray:
    offset, shape = ref
    return NUMBERS[offset : offset + math.prod(shape)].reshape(shape)


@pytest.mark.parametrize("op", sorted({c["op"] for c in CASES}))
def test_as_mxnet(op: str):
    cases = [c for c in CASES if c["op"] == op]

    def run_all(inputs: list[Any], heads: list[Any]) -> list[Any]:
        done = []
        for case, xs, head in zip(cases, inputs, heads, strict=True):
            p = OPS[op].bind({k: tuple(v) if isinstance(v, list) else v for k, v in case["attrs"].items()})
            n = OPS[op].visible(p)
            out, pull = jax.vjp(lambda *ys, p=p, n=n: OPS[op].apply(p, *ys)[0][:n], *xs)
            done.append((out, pull(tuple(head) or jax.tree.map(jnp.ones_like, out))))
        return done

    inputs = [[jnp.asarray(array(ref)) for ref in c["inputs"]] for c in cases]
    heads = [[jnp.asarray(array(ref)) for ref in c.get("heads", ())] for c in cases]
    done = jax.device_get(jax.jit(run_all, compiler_options=quick_compile())(inputs, heads))
    for case, (out, gradients) in zip(cases, done, strict=True):
        assert len(out) == len(case["outputs"])
        for i, ref in enumerate(case["outputs"]):
            assert_close(out[i], array(ref), 1e-5, f"output {i} of {case['attrs']}")
        for i, got in enumerate(gradients):
            want = array(case["grads"][i]) if "grads" in case else np.zeros_like(got)
            assert_close(got, want, 1e-6, f"gradient {i} of {case['attrs']}")


def boxes(*shape: int, seed: int = 0, size: float = 0.2) -> np.ndarray:
    """Random boxes (..., 4): left, top, right, bottom."""
    random = np.random.RandomState(seed)
    middle, extent = random.rand(*shape, 2), random.rand(*shape, 2) * size
    return np.concatenate([middle - extent / 2, middle + extent / 2], -1).astype(np.float32)


def greedy(rows: np.ndarray, threshold: float) -> list[int]:
    """The places of the (class, score, box) `rows` that suppression keeps, one box after the other."""
    iou = np.asarray(call("_contrib_box_iou", rows[:, 2:], rows[:, 2:])[0])
    kept: list[int] = []
    for i in np.argsort(-rows[:, 1], kind="stable"):
        if not any(iou[k, i] > threshold and rows[k, 0] == rows[i, 0] for k in kept):
            kept.append(int(i))
    return kept


@pytest.mark.parametrize("size", [0.02, 0.5])
def test_suppression_of_more_boxes_than_a_block(size: float):
    random = np.random.RandomState(1)
    n = 2 * _boxes.BLOCK + 100
    score = np.round(random.rand(n, 1) * 500) / 500  # with ties
    rows = np.concatenate([random.randint(0, 3, (n, 1)), score, boxes(n, size=size)], -1).astype(np.float32)
    kept = greedy(rows, 0.3)
    out, record = call("_contrib_box_nms", rows[None], overlap_thresh=0.3, id_index=0, valid_thresh=-1)
    want = np.full_like(rows, -1)
    want[: len(kept)] = rows[kept]
    np.testing.assert_array_equal(out[0], want)
    np.testing.assert_array_equal(record[0, : len(kept), 0], kept)


def test_pictures_of_a_batch_need_different_numbers_of_steps():
    rows = np.zeros((2, 1200, 6), np.float32)
    rows[..., 1] = np.linspace(1, 0.1, 1200)
    rows[0, :, 2:] = boxes(1200, size=0.001)
    rows[1, :, 2:] = (0, 0, 1, 1)
    out = np.asarray(call("_contrib_box_nms", rows)[0])
    assert [int((o[:, 1] >= 0).sum()) for o in out] == [len(greedy(rows[0], 0.5)), 1]


def test_scores_that_are_no_numbers():
    rows = np.zeros((1, 5, 6), np.float32)
    rows[0, :, 2:] = [(i, 0, i + 1, 1) for i in range(5)]
    rows[0, :, 1] = (np.nan, np.inf, 0.0, -0.0, -np.inf)
    for topk in (-1, 3, 4):
        out = np.asarray(call("_contrib_box_nms", rows, valid_thresh=-1, topk=topk)[0])
        np.testing.assert_array_equal(out[0, :, 1], [np.inf, 0, 0, -1, -1])
        np.testing.assert_array_equal(out[0, :3, 2], [1, 2, 3])


def test_matching_ties_and_what_is_no_number():
    rows, columns = call("_contrib_bipartite_matching", np.ones((3, 4), np.float32), threshold=0.5)
    np.testing.assert_array_equal(rows, [0, 1, 2])
    np.testing.assert_array_equal(columns, [0, 1, 2, -1])
    scores = np.array([[np.nan, 0.6], [0.9, np.nan], [np.inf, 0.2]], np.float32)
    np.testing.assert_array_equal(call("_contrib_bipartite_matching", scores, threshold=0.1)[0], [1, -1, 0])


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats(dtype: str):
    a, b = boxes(3).astype(dtype), boxes(4, seed=1).astype(dtype)
    iou = call("_contrib_box_iou", a, b)[0]
    assert iou.dtype == dtype
    np.testing.assert_allclose(iou, call("_contrib_box_iou", boxes(3), boxes(4, seed=1))[0], atol=3e-3)
    rows = np.concatenate([np.ones((4, 2)), b], -1).astype(dtype)
    assert call("_contrib_box_nms", rows)[0].dtype == dtype
    assert call("_contrib_bipartite_matching", iou, threshold=0.1)[0].dtype == dtype
    assert grads("_contrib_box_nms", rows)[0].dtype == dtype


def test_empty_arrays():
    assert call("_contrib_box_nms", np.zeros((2, 0, 6), np.float32))[0].shape == (2, 0, 6)
    assert grads("_contrib_box_nms", np.zeros((2, 0, 6), np.float32))[0].shape == (2, 0, 6)
    assert call("_contrib_box_iou", np.zeros((0, 4), np.float32), boxes(3))[0].shape == (0, 3)


def test_front_ends():
    iou = mx.nd.contrib.box_iou(mx.nd.array(boxes(3)), mx.nd.array(boxes(4)), format="corner")
    assert iou.shape == (3, 4)
    out = mx.sym.contrib.box_non_maximum_suppression(mx.sym.var("x"))
    assert len(out) == 1
    assert out.infer_shape(x=(2, 5, 6))[1] == [(2, 5, 6)]
    assert mx.nd.contrib.box_nms(mx.nd.ones((2, 5, 6))).shape == (2, 5, 6)


def test_rules():
    assert shapes("_contrib_box_iou", [(2, 3, 4), (5, 4)])[1] == [(2, 3, 5)]
    assert shapes("_contrib_box_nms", [None], [(2, 5, 6), None]) == ([(2, 5, 6)], [(2, 5, 6), (2, 5, 1)])
    assert dtypes("_contrib_box_nms", ["float64"]) == (["float64"], ["float64", "int32"])
    assert shapes("_contrib_bipartite_matching", [(2, 3, 5)], threshold=0.1)[1] == [(2, 3), (2, 5)]
    ins, outs = shapes("_contrib_box_encode", [(2, 9), None, None, (2, 3, 4), None, None])
    assert ins == [(2, 9), (2, 9), (2, 9, 4), (2, 3, 4), (4,), (4,)]
    assert outs == [(2, 9, 4)] * 2
    assert shapes("_contrib_box_decode", [(2, 9, 4), None])[0] == [(2, 9, 4), (1, 9, 4)]


NMS: list[tuple[dict[str, Any], str]] = [
    ({"coord_start": 3}, "coord_start=3 must be between 0 and 2"),
    ({"score_index": 6}, "score_index=6 must be between 0 and 5"),
    ({"score_index": 4}, "score_index=4 is the place of the coordinates"),
    ({"id_index": 9}, "id_index=9 must be between 0 and 5"),
    ({"id_index": 1}, "id_index=1 is the place of the score, score_index=1"),
]


@pytest.mark.parametrize(("attrs", "message"), NMS, ids=[m for _, m in NMS])
def test_places_in_a_row(attrs: dict[str, Any], message: str):
    assert message in complaint("_contrib_box_nms", [(1, 5, 6)], **attrs)


def test_complaints():
    assert "data must be (..., boxes, values)" in complaint("_contrib_box_nms", [(6,)])
    assert "at least 5 values" in complaint("_contrib_box_nms", [(2, 4)])
    assert "lhs must be (..., 4)" in complaint("_contrib_box_iou", [(2, 5), (3, 4)])
    assert "rhs must be (..., 4)" in complaint("_contrib_box_iou", [(2, 4), (4,)])
    assert "data must be (..., n, m)" in complaint("_contrib_bipartite_matching", [(3,)], threshold=0.1)
    said = complaint("_contrib_box_decode", [(2, 9, 4), (1, 8, 4)])
    assert "axis 1 of data and axis 1 of anchors cannot be both 9 and 8" in said
    with pytest.raises(mx.base.MXNetError, match="must be floating point numbers, got int32"):
        dtypes("_contrib_box_nms", ["int32"])
    with pytest.raises(mx.base.MXNetError, match="required parameter threshold is missing"):
        call("_contrib_bipartite_matching", np.ones((2, 2), np.float32))
