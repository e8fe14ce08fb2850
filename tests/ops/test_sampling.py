# SPDX-License-Identifier: Apache-2.0
"""Samplers, resizing, correlation and deformable operators: edges, memory, gradients, errors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests.ops.call import call, complaint, grads, randn, shapes

ST = {"transform_type": "affine", "sampler_type": "bilinear"}
DC = {"kernel": (3, 3), "num_filter": 2, "no_bias": True}


def test_sampler_at_the_edges_and_at_nan():
    """Numbers of MXNet."""
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    grid = np.array([[[[0, 1, -1, 2, np.nan, 1.5, -1.0001]], [[0, 1, -1, 0, 0, 1.2, 0]]]], np.float32)
    (y,) = call("BilinearSampler", x, grid)
    np.testing.assert_allclose(y.ravel(), [8.5, 16, 1, 0, np.nan, 2.8, 6.99895], rtol=1e-5)


def test_grids_of_one_place():
    (y,) = call("GridGenerator", np.ones((1, 6), np.float32), transform_type="affine", target_shape=(1, 1))
    assert np.isnan(y).all()


def test_modulated_gradients_numerically():
    arrays = [randn(1, 4, 5, 5, seed=1), 0.4 * randn(1, 36, 3, 3, seed=2), randn(1, 18, 3, 3, seed=3)]
    arrays = [jnp.asarray(a.astype(np.float64)) for a in (*arrays, randn(2, 2, 3, 3, seed=4))]

    def f(*xs):
        op = "_contrib_ModulatedDeformableConvolution"
        return call(op, *xs, num_group=2, num_deformable_group=2, **DC)[0]

    check_grads(f, arrays, order=1, modes=["rev"], rtol=1e-5, eps=1e-7)


def test_deformable_convolution_without_offsets_is_a_convolution():
    x, w = randn(2, 4, 7, 6), randn(4, 2, 3, 3, seed=1)
    attrs = {"kernel": (3, 3), "num_filter": 4, "num_group": 2, "stride": (2, 1), "pad": (1, 1), "no_bias": True}
    (y,) = call("_contrib_DeformableConvolution", x, np.zeros((2, 18, 4, 6), np.float32), w, **attrs)
    np.testing.assert_allclose(y, call("Convolution", x, w, **attrs)[0], rtol=1e-4, atol=1e-5)


def test_absolute_difference_has_a_slope_at_equal_values():
    a = np.ones((1, 1, 3, 3), np.float32)
    da, db = grads("Correlation", a, a, max_displacement=0, is_multiply=False)
    assert (np.all(da == 1), np.all(db == -1)) == (True, True)


@pytest.mark.parametrize(
    ("mode", "attrs", "size"),
    [
        ("size", {"height": 7}, (7, 1)),
        ("size", {"scale_height": 1.5, "scale_width": 0.7}, (6, 3)),
        ("odd_scale", {"scale_height": 1.5, "scale_width": 0.7}, (6, 3)),
        ("to_even_down", {}, (4, 4)),
        ("to_even_up", {}, (4, 6)),
        ("to_odd_down", {}, (3, 5)),
        ("to_odd_up", {}, (5, 5)),
    ],
)
def test_sizes_of_a_resize(mode, attrs, size):
    assert shapes("_contrib_BilinearResize2D", [(1, 2, 4, 5)], mode=mode, **attrs)[1] == [(1, 2, *size)]


def test_averages_see_only_their_part():
    x = np.ones((1, 1, 7, 7), np.float32)
    x[0, 0, 0, 0] = np.nan
    (y,) = call("_contrib_AdaptiveAvgPooling2D", x, output_size=3)
    assert np.isnan(y[0, 0, 0, 0])
    assert np.isnan(y).sum() == 1


@pytest.mark.parametrize(
    ("op", "attrs", "ins", "words"),
    [
        ("GridGenerator", {"transform_type": "affine"}, [(1, 6)], "target_shape=(0, 0) must be two sizes"),
        ("GridGenerator", {"transform_type": "affine", "target_shape": (2, 2)}, [(1, 5)], "(?, 6), got (1, 5)"),
        ("GridGenerator", {"transform_type": "warp"}, [(1, 3, 4, 4)], "must have the shape (?, 2, ?, ?)"),
        ("GridGenerator", {"transform_type": "bend"}, [(1, 6)], "must be one of 'affine', 'warp'"),
        ("BilinearSampler", {}, [(2, 1, 4, 4), (1, 2, 3, 3)], "grid must have the shape (2, 2"),
        ("SpatialTransformer", ST, [(1, 1, 4, 4), (1, 6)], "target_shape=(0, 0) must be two sizes"),
        (
            "SpatialTransformer",
            {**ST, "target_shape": (2, 2)},
            [(1, 1, 4, 4), (1, 5)],
            "loc must have the shape (1, 6)",
        ),
        ("Correlation", {"kernel_size": 2}, [(1, 1, 4, 4)] * 2, "kernel_size=2 must be odd"),
        ("Correlation", {"max_displacement": 4}, [(1, 1, 4, 4)] * 2, "do not fit in the size 4"),
        ("Correlation", {"stride1": 0}, [(1, 1, 4, 4)] * 2, "stride1=0 must be at least 1"),
        ("_contrib_DeformableConvolution", {**DC, "kernel": (3,)}, [(1, 1, 4), None, None], "must be two sizes"),
        ("_contrib_DeformableConvolution", {**DC, "num_group": 2}, [(1, 3, 4, 4), None, None], "not a multiple of num"),
        ("_contrib_DeformableConvolution", DC, [(1, 3, 4, 4), (1, 9, 2, 2), None], "offset must have the shape (1, 18"),
        ("_contrib_DeformableConvolution", DC, [(1, 3, 2, 2), None, None], "more than the padded data"),
        ("_contrib_BilinearResize2D", {"scale_height": 2.0}, [(1, 1, 4, 4)], "scale_height and scale_width"),
        ("_contrib_BilinearResize2D", {"mode": "odd_scale"}, [(1, 1, 4, 4)], "scale_height and scale_width"),
        ("_contrib_BilinearResize2D", {"mode": "to_even_down"}, [(1, 1, 1, 4)], "makes 0 of the size 1"),
        ("_contrib_BilinearResize2D", {"height": 0}, [(1, 1, 1, 4)], "height=0 must be at least 1"),
        ("_contrib_AdaptiveAvgPooling2D", {"output_size": (2, 3, 4)}, [(1, 1, 4, 4)], "one or two sizes of at least 1"),
        ("_contrib_AdaptiveAvgPooling2D", {"output_size": (0,)}, [(1, 1, 4, 4)], "one or two sizes of at least 1"),
    ],
)
def test_mistakes(op, attrs, ins, words):
    assert words in complaint(op, ins, **attrs)
