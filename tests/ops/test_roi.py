# SPDX-License-Identifier: Apache-2.0
"""Pooling of regions: pictures that do not exist, odd regions, nan, blocks of regions, errors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from mxlite_compiler.errors import MXNetError
from tests.ops.call import call, complaint, dtypes, grads, randn, shapes

ROI = {"pooled_size": (2, 2), "spatial_scale": 1.0}
PS = {"output_dim": 1, "pooled_size": 2, "spatial_scale": 1.0}
POOLS = [("ROIPooling", ROI, 1), ("_contrib_ROIAlign", ROI, 1), ("_contrib_PSROIPooling", PS, 4)]


@pytest.mark.parametrize(("op", "attrs", "channels"), POOLS)
@pytest.mark.parametrize("picture", [-1, 1])
def test_a_region_of_a_picture_that_does_not_exist_is_zero(op, attrs, channels, picture):
    x = randn(1, channels, 6, 6)
    rois = np.array([[0, 0, 0, 3, 3], [picture, 0, 0, 3, 3]], np.float32)
    (y,) = call(op, x, rois, **attrs)
    assert np.any(y[0]) and not np.any(y[1])
    (alone,) = call(op, x, rois[:1], **attrs)
    np.testing.assert_allclose(y[:1], alone, rtol=1e-5)
    dx, drois = grads(op, x, rois, **attrs)
    np.testing.assert_allclose(dx, grads(op, x, rois[:1], **attrs)[0], rtol=1e-5, atol=1e-6)
    assert not np.any(drois)


@pytest.mark.parametrize(("op", "attrs", "channels"), POOLS)
def test_more_regions_than_a_block(op, attrs, channels):
    r = np.random.RandomState(0)
    x = randn(2, channels, 9, 8)
    rois = np.concatenate([r.randint(0, 2, (150, 1)), np.sort(r.rand(150, 2, 2) * 8, 1).reshape(150, 4)], 1)
    rois = rois.astype(np.float32)
    (y,) = call(op, x, rois, **attrs)
    for at in (0, 70, 149):
        np.testing.assert_allclose(y[at : at + 1], call(op, x, rois[at : at + 1], **attrs)[0], rtol=1e-6)


def test_roi_pooling_of_odd_regions():
    """Numbers of MXNet: reversed, outside, partly outside, larger than the picture."""
    x = np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6)
    rois = [[0, 4, 4, 1, 1], [0, 8, 8, 9, 9], [0, -2, -2, 2, 2], [0, -10, -10, 20, 20]]
    (y,) = call("ROIPooling", x, np.array(rois, np.float32), **ROI)
    want = [[28, 28, 28, 28], [0, 0, 0, 0], [0, 2, 12, 14], [35, 35, 35, 35]]
    np.testing.assert_array_equal(y.reshape(4, 4), want)


def test_roi_pooling_skips_nan():
    least = np.finfo(np.float32).min
    x = np.full((1, 1, 4, 4), np.nan, np.float32)
    (y,) = call("ROIPooling", x, np.array([[0, 0, 0, 3, 3]], np.float32), **ROI)
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), least))
    x[0, 0, 0, 1] = 3
    (y,) = call("ROIPooling", x, np.array([[0, 0, 0, 3, 3]], np.float32), **ROI)
    assert y.ravel().tolist() == [3, least, least, least]


def test_an_infinite_region_ends():
    rois = np.array([[0, 0, 0, np.inf, np.nan]], np.float32)
    (y,) = call("_contrib_ROIAlign", randn(1, 1, 4, 4), rois, **ROI)
    assert y.shape == (1, 1, 2, 2)


def test_infinite_pixels_stay_in_the_bins_that_see_them():
    x = np.ones((1, 1, 8, 8), np.float32)
    x[0, 0, 0, 0] = np.inf
    (y,) = call("_contrib_ROIAlign", x, np.array([[0, 0.5, 0.5, 7, 7]], np.float32), **ROI)
    assert y.ravel().tolist() == [np.inf, 1, 1, 1]


def test_gradient_of_rotated_regions_numerically():
    x = jnp.asarray(randn(2, 2, 5, 6, dtype=np.float64))
    rois = np.array([[0, 2.5, 2, 3, 2.2, 30], [1, 3, 3, 4, 6, -75]])

    def f(x):
        return call("_contrib_RROIAlign", x, rois, **ROI)[0]

    check_grads(f, (x,), order=1, modes=["rev"], rtol=1e-6)


def test_shapes_and_dtypes():
    assert shapes("ROIPooling", [(1, 3, 8, 8), None], [(7, 3, 2, 2)], **ROI)[0] == [(1, 3, 8, 8), (7, 5)]
    assert shapes("_contrib_RROIAlign", [(1, 3, 8, 8), (4, 0)], **ROI) == ([(1, 3, 8, 8), (4, 6)], [(4, 3, 2, 2)])
    attrs = {**ROI, "position_sensitive": True}
    assert shapes("_contrib_ROIAlign", [(1, 8, 6, 6), (3, 5)], **attrs)[1] == [(3, 2, 2, 2)]
    assert dtypes("ROIPooling", ["float16", None], **ROI) == (["float16"] * 2, ["float16"])
    with pytest.raises(MXNetError, match="must hold floating point numbers, got int32"):
        dtypes("ROIPooling", ["int32", None], **ROI)


@pytest.mark.parametrize(
    ("op", "attrs", "ins", "words"),
    [
        ("ROIPooling", ROI, [(3, 8, 8), (1, 5)], "data must have 4 dimensions"),
        ("ROIPooling", ROI, [(1, 3, 8, 8), (5,)], "rois must have 2 dimensions, (number of regions, 5)"),
        ("ROIPooling", ROI, [(1, 3, 8, 8), (1, 4)], "rois must have the shape (?, 5), got (1, 4)"),
        ("ROIPooling", {**ROI, "pooled_size": (2,)}, [(1, 3, 8, 8), (1, 5)], "two sizes of at least 1"),
        ("ROIPooling", {**ROI, "pooled_size": (0, 2)}, [(1, 3, 8, 8), (1, 5)], "two sizes of at least 1"),
        ("ROIPooling", {**ROI, "spatial_scale": 2.0}, [(1, 3, 8, 8), (1, 5)], "must be between 0 and 1"),
        ("_contrib_ROIAlign", {**ROI, "position_sensitive": True}, [(1, 3, 8, 8), (1, 5)], "multiple of the 4 bins"),
        ("_contrib_PSROIPooling", PS, [(1, 3, 8, 8), (1, 5)], "= 4 channels, it has 3"),
    ],
)
def test_mistakes(op, attrs, ins, words):
    assert words in complaint(op, ins, **attrs)
