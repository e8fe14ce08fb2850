# SPDX-License-Identifier: Apache-2.0
"""Convolution and Deconvolution: layouts, groups, dtypes, shape rules and their errors."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS
from tests.ops.call import call, complaint, dtypes, grads, randn, shapes


def naive(x: Any, w: Any, stride: Any, dilate: Any, pad: Any, groups: int) -> np.ndarray:
    """Convolution of (N, C, *S) by its definition, in float64."""
    n = len(stride)
    x = np.pad(np.asarray(x, np.float64), [(0, 0), (0, 0), *((p, p) for p in pad)])
    extent = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilate, strict=True)]
    outs = [(s - e) // t + 1 for s, e, t in zip(x.shape[2:], extent, stride, strict=True)]
    y = np.zeros((len(x), len(w), *outs))
    per_in, per_out = x.shape[1] // groups, len(w) // groups
    for at in itertools.product(*map(range, outs)):
        window = tuple(slice(at[i] * stride[i], at[i] * stride[i] + extent[i], dilate[i]) for i in range(n))
        for o in range(len(w)):
            group = slice(o // per_out * per_in, (o // per_out + 1) * per_in)
            y[(slice(None), o, *at)] = (x[(slice(None), group, *window)] * w[o]).reshape(len(x), -1).sum(1)
    return y


CASES = [
    # channels, sizes, filters, kernel, stride, dilate, pad, groups
    (3, (7, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (4, (7, 6), 6, (3, 2), (2, 1), (1, 2), (0, 2), 2),
    (3, (8, 8), 3, (3, 3), (2, 2), (2, 2), (2, 1), 3),  # depthwise
    (3, (6, 7), 6, (3, 3), (1, 2), (1, 1), (1, 0), 3),  # depthwise with a multiplier
    (2, (9,), 4, (3,), (2,), (2,), (1,), 2),
    (2, (4, 5, 3), 2, (2, 3, 1), (1, 2, 1), (1, 1, 1), (0, 1, 0), 1),
    (4, (4, 4, 4), 4, (2, 2, 2), (1, 1, 1), (1, 1, 1), (1, 0, 0), 4),
]


@pytest.mark.parametrize(("c", "sizes", "filters", "kernel", "stride", "dilate", "pad", "groups"), CASES)
def test_equals_definition(c, sizes, filters, kernel, stride, dilate, pad, groups):
    x, w, b = randn(2, c, *sizes), randn(filters, c // groups, *kernel, seed=1), randn(filters, seed=2)
    attrs = {
        "kernel": kernel,
        "stride": stride,
        "dilate": dilate,
        "pad": pad,
        "num_filter": filters,
        "num_group": groups,
    }
    (y,) = call("Convolution", x, w, b, **attrs)
    want = naive(x, w, stride, dilate, pad, groups) + b.reshape(-1, *[1] * len(sizes))
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-4)
    # The gradients that depend on the form that groups take, against XLA's own grouped convolution.
    head = randn(*y.shape, seed=3)
    layout = {1: ("NCW", "OIW"), 2: ("NCHW", "OIHW"), 3: ("NCDHW", "OIDHW")}[len(sizes)]
    _, pull = jax.vjp(
        lambda x, w: jax.lax.conv_general_dilated(
            x,
            w,
            stride,
            [(p, p) for p in pad],
            rhs_dilation=dilate,
            feature_group_count=groups,
            dimension_numbers=(*layout, layout[0]),
        ),
        jnp.asarray(x),
        jnp.asarray(w),
    )
    dx, dw, db = grads("Convolution", x, w, b, head=head, **attrs)
    for got, want in zip((dx, dw), pull(jnp.asarray(head)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(db, head.sum(tuple(i for i in range(head.ndim) if i != 1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("op", "groups"),
    [("Convolution", 1), ("Convolution", 2), ("Convolution", 4), ("Deconvolution", 1), ("Deconvolution", 2)],
)
@pytest.mark.parametrize("ndim", [2, 3])
def test_channel_last(op, groups, ndim):
    """A channel-last layout computes the transposed result of the transposed arrays."""
    attrs = {
        "kernel": (3,) * ndim,
        "stride": (2,) * ndim,
        "pad": (1,) * ndim,
        "num_filter": 4,
        "num_group": groups,
        "no_bias": False,
    }
    x, b = randn(2, 4, *(5,) * ndim), randn(4, seed=2)
    w = randn(4, 4 // groups, *(3,) * ndim, seed=1)
    (want,) = call(op, x, w, b, **attrs)
    last = lambda a: np.moveaxis(np.asarray(a), 1, -1)  # noqa: E731
    (got,) = call(op, last(x), last(w), b, layout="NHWC" if ndim == 2 else "NDHWC", **attrs)
    np.testing.assert_allclose(got, last(want), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("attrs", [{"stride": (2, 1), "pad": (1, 0), "adj": (1, 0)}, {"dilate": (2, 1), "pad": (1, 1)}])
def test_deconvolution_is_the_transposed_convolution(groups, attrs):
    x, w = randn(2, 4, 4, 5), randn(4, 3, 3, 2, seed=1)
    common: dict[str, Any] = dict(kernel=(3, 2), num_group=groups, **{k: v for k, v in attrs.items() if k != "adj"})
    (y,) = call("Deconvolution", x, w, num_filter=3 * groups, kernel=(3, 2), num_group=groups, **attrs)
    _, pull = jax.vjp(
        lambda a: call("Convolution", a, w, num_filter=4, no_bias=True, **common)[0], jnp.zeros(y.shape, jnp.float32)
    )
    np.testing.assert_allclose(y, pull(jnp.asarray(x))[0], rtol=1e-4, atol=1e-4)


def test_deconvolution_target_shape():
    x, w = randn(1, 2, 3, 3), randn(2, 2, 4, 4, seed=1)
    (y,) = call("Deconvolution", x, w, kernel=(4, 4), stride=(2, 2), target_shape=(6, 6), num_filter=2)
    (same,) = call("Deconvolution", x, w, kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=2)
    np.testing.assert_allclose(y, same, rtol=1e-6)
    assert "larger" in complaint(
        "Deconvolution", [(1, 2, 3, 3), None], kernel=(2, 2), stride=(2, 2), target_shape=(9, 9), num_filter=2
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gradients_numerically(groups):
    x, w = randn(2, 4, 5, 5, dtype=np.float64), randn(4, 4 // groups, 3, 3, dtype=np.float64, seed=1)

    def f(x, w):
        return call(
            "Convolution", x, w, kernel=(3, 3), stride=(2, 2), pad=(1, 1), num_filter=4, num_group=groups, no_bias=True
        )[0]

    check_grads(f, (jnp.asarray(x), jnp.asarray(w)), order=1, modes=["rev"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_float16(groups):
    x, w, b = randn(2, 4, 6, 6), randn(4, 4 // groups, 3, 3, seed=1), randn(4, seed=2)
    attrs = {"kernel": (3, 3), "num_filter": 4, "num_group": groups}
    half = [a.astype(np.float16) for a in (x, w, b)]
    (y,) = call("Convolution", *half, **attrs)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, call("Convolution", x, w, b, **attrs)[0], rtol=2e-2, atol=2e-2)
    assert [g.dtype for g in grads("Convolution", *half, **attrs)] == [np.float16] * 3


def test_platform_forms_agree_in_a_lowered_program():
    """An exported program carries the form of each platform; the names of the operations tell which."""
    op = OPS["Convolution"]
    p = op.bind({"kernel": (3, 3), "num_filter": 8, "num_group": 8, "no_bias": True})
    args = (jax.ShapeDtypeStruct((2, 8, 6, 6), np.float32), jax.ShapeDtypeStruct((8, 1, 3, 3), np.float32))
    traced = jax.jit(lambda x, w: op.apply(p, x, w)[0]).trace(*args)
    assert "stablehlo.convolution" not in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "feature_group_count = 8" in traced.lower(lowering_platforms=("cuda",)).as_text()


class TestShapes:
    def test_forward(self):
        ins, outs = shapes(
            "Convolution", [(2, 3, 9, 8), None, None], kernel=(3, 3), stride=(2, 2), pad=(1, 0), num_filter=4
        )
        assert ins == [(2, 3, 9, 8), (4, 3, 3, 3), (4,)]
        assert outs == [(2, 4, 5, 3)]

    def test_unknown_batch(self):
        ins, outs = shapes("Convolution", [(0, 3, 8, 8), None, None], kernel=(3, 3), num_filter=4)
        assert ins[1:] == [(4, 3, 3, 3), (4,)]
        assert outs == [(0, 4, 6, 6)]

    def test_backward_from_output_and_weight(self):
        ins, outs = shapes(
            "Convolution", [None, (4, 3, 3, 3), None], [(2, 4, 6, 0)], kernel=(3, 3), pad=(1, 1), num_filter=4
        )
        assert ins == [(2, 3, 6, 0), (4, 3, 3, 3), (4,)]
        assert outs == [(2, 4, 6, 0)]

    def test_channel_last(self):
        ins, outs = shapes("Convolution", [(2, 9, 8, 3), None, None], kernel=(3, 3), num_filter=4, layout="NHWC")
        assert ins[1] == (4, 3, 3, 3)
        assert outs == [(2, 7, 6, 4)]
        ins, _ = shapes(
            "Convolution", [(2, 9, 8, 6), None, None], kernel=(3, 5), num_filter=4, num_group=2, layout="NHWC"
        )
        assert ins[1] == (4, 3, 5, 3)

    def test_deconvolution(self):
        ins, outs = shapes(
            "Deconvolution", [(2, 4, 5, 5), None], kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=6, num_group=2
        )
        assert ins == [(2, 4, 5, 5), (4, 3, 4, 4)]
        assert outs == [(2, 6, 10, 10)]

    def test_nothing_known(self):
        assert shapes("Convolution", [None, None, None], kernel=(3, 3), num_filter=4) == ([None] * 3, [None])


class TestErrors:
    def test_kernel_too_big(self):
        text = complaint("Convolution", [(1, 1, 3, 3), None, None], kernel=(5, 5), num_filter=2)
        assert "spans (5, 5)" in text
        assert "(1, 1, 3, 3)" in text

    def test_weight_shape(self):
        text = complaint("Convolution", [(1, 3, 8, 8), (2, 1, 3, 3), (2,)], kernel=(3, 3), num_filter=2)
        assert "weight must have the shape (2, 3, 3, 3), got (2, 1, 3, 3)" in text
        assert "data=(1, 3, 8, 8)" in text

    def test_groups(self):
        assert "num_filter=4 must be a multiple of num_group=3" in complaint(
            "Convolution", [(1, 3, 8, 8), None, None], kernel=(3, 3), num_filter=4, num_group=3
        )
        assert "4 channels" in complaint(
            "Convolution", [(1, 4, 8, 8), None, None], kernel=(3, 3), num_filter=3, num_group=3
        )

    def test_rank(self):
        text = complaint("Convolution", [(2, 3), None, None], kernel=(3, 3), num_filter=4)
        assert "needs 4-d data (NCHW), got (2, 3)" in text

    def test_parameter_lengths(self):
        assert "stride=(1,) must have 2 sizes" in complaint(
            "Convolution", [(1, 3, 8, 8), None, None], kernel=(3, 3), stride=(1,), num_filter=4
        )
        assert "layout='NHWC' does not fit" in complaint(
            "Convolution", [(1, 3, 8), None, None], kernel=(3,), layout="NHWC", num_filter=4
        )
        assert "adj=(2, 2) must be less than stride=(2, 2)" in complaint(
            "Deconvolution", [(1, 3, 8, 8), None], kernel=(3, 3), stride=(2, 2), adj=(2, 2), num_filter=4
        )

    def test_legal_values(self):
        op = OPS["Convolution"]
        with pytest.raises(MXNetError, match="num_filter=0 must be at least 1"):
            op.bind({"kernel": (3, 3), "num_filter": 0})
        with pytest.raises(MXNetError, match="required parameter kernel"):
            op.bind({"num_filter": 2})
        with pytest.raises(MXNetError, match="NHWC"):
            op.bind({"kernel": (3, 3), "num_filter": 2, "layout": "HWCN"})

    def test_dtypes_do_not_mix(self):
        with pytest.raises(MXNetError, match="cannot be both float32 and float64"):
            dtypes("Convolution", ["float32", "float64", None], kernel=(3, 3), num_filter=2)
