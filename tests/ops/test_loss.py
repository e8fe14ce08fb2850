# SPDX-License-Identifier: Apache-2.0
"""Output layers: the head gradient is ignored, shapes of labels, combinations the golden cases leave out."""

from __future__ import annotations

import numpy as np
import pytest

from mxlite_compiler.op import OPS
from tests.ops.call import call, complaint, grads, randn, shapes

LABELS = np.array([2, 0, 3], np.float32)
LOSSES = {
    "SoftmaxOutput": (randn(3, 4), LABELS),
    "LinearRegressionOutput": (randn(3, 4), randn(3, 4, seed=1)),
    "LogisticRegressionOutput": (randn(3, 4), randn(3, 4, seed=1)),
    "MAERegressionOutput": (randn(3, 4), randn(3, 4, seed=1)),
    "SVMOutput": (randn(3, 4), LABELS),
    "MakeLoss": (randn(3, 4),),
    "make_loss": (randn(3, 4),),
}


@pytest.mark.parametrize("name", LOSSES)
def test_head_gradient_is_ignored(name):
    assert OPS[name].loss
    args = LOSSES[name]
    one, two = (grads(name, *args, head=np.full((3, 4), h, np.float32)) for h in (1, -7))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(one[0])
    assert not any(map(np.any, one[1:]))  # a label has none


@pytest.mark.parametrize("normalization", ["null", "batch", "valid"])
@pytest.mark.parametrize("use_ignore", [False, True])
@pytest.mark.parametrize("smooth_alpha", [0, 0.1])
def test_softmax_output_by_its_definition(normalization, use_ignore, smooth_alpha):
    x = randn(3, 4)
    attrs = {
        "normalization": normalization,
        "use_ignore": use_ignore,
        "ignore_label": 0,
        "smooth_alpha": smooth_alpha,
        "grad_scale": 2,
    }
    (p,) = call("SoftmaxOutput", x, LABELS)
    target = np.full((3, 4), smooth_alpha / 3)
    target[np.arange(3), LABELS.astype(int)] = 1 - smooth_alpha
    want = 2 * (np.asarray(p) - target)
    if use_ignore:
        want[1] = 0
    want /= {"null": 1, "batch": 3, "valid": 2}[normalization]  # an ignored label is not valid, used or not
    np.testing.assert_allclose(grads("SoftmaxOutput", x, LABELS, **attrs)[0], want, rtol=1e-5, atol=1e-6)


def test_multi_output_divides_by_positions():
    x, label = randn(2, 3, 4, 5), np.random.RandomState(0).randint(0, 3, (2, 4, 5)).astype(np.float32)
    (p,) = call("SoftmaxOutput", x, label, multi_output=True)
    want = (np.asarray(p) - np.moveaxis(np.eye(3)[label.astype(int)], -1, 1)) / 20
    for form in (label, label.reshape(2, 1, 4, 5), label.reshape(2, 20)):
        got = grads("SoftmaxOutput", x, form, multi_output=True)[0]
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_label_shapes_are_inferred():
    assert shapes("SoftmaxOutput", [(8, 10), None])[0] == [(8, 10), (8,)]
    assert shapes("SoftmaxOutput", [(8, 10, 5, 5), None], multi_output=True)[1] == [(8, 10, 5, 5)]
    assert shapes("SoftmaxOutput", [(0, 10), (8,)])[0] == [(8, 10), (8,)]
    assert shapes("LinearRegressionOutput", [(8, 1), (8,)])[0] == [(8, 1), (8,)]
    assert shapes("LinearRegressionOutput", [(8, 1), None])[0] == [(8, 1), (8, 1)]


def test_label_shapes_that_do_not_fit():
    assert "label=(3,)" in complaint("SoftmaxOutput", [(2, 4), (3,)])
    assert "label=(2, 3)" in complaint("LinearRegressionOutput", [(2, 4), (2, 3)])
    assert "label=(3,)" in complaint("SVMOutput", [(2, 4), (3,)])


@pytest.mark.parametrize("name", ["SoftmaxOutput", "LinearRegressionOutput", "LogisticRegressionOutput"])
def test_float16(name):
    args = [a.astype(np.float16) for a in LOSSES[name]]
    (y,) = call(name, *args)
    assert y.dtype == np.float16
    assert grads(name, *args)[0].dtype == np.float16


def test_softmax_alias_is_the_output_layer():
    assert OPS["Softmax"] is OPS["SoftmaxOutput"]
    assert OPS["softmax"] is not OPS["Softmax"]
