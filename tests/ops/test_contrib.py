# SPDX-License-Identifier: Apache-2.0
"""Attention, Fourier transforms, the count sketch, Hawkes processes: numbers, gradients, mistakes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import mxlite as mx
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS
from tests.ops.call import call, dtypes, grads, randn, shapes


def test_self_attention_is_attention():
    length, batch, heads, size = 4, 2, 3, 5
    qkv = randn(length, batch, heads, 3, size, dtype=np.float64)
    packed = qkv.reshape(length, batch, -1)
    q, k, v = (qkv[:, :, :, i].transpose(1, 2, 0, 3).reshape(-1, length, size) for i in range(3))
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(size)
    (got,) = call("_contrib_interleaved_matmul_selfatt_qk", packed, heads=heads)
    np.testing.assert_allclose(got, scores, atol=1e-12)
    (mixed,) = call("_contrib_interleaved_matmul_selfatt_valatt", packed, scores, heads=heads)
    want = (scores @ v).reshape(batch, heads, length, size).transpose(2, 0, 1, 3).reshape(length, batch, -1)
    np.testing.assert_allclose(mixed, want, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4), (3, 5), (2, 1, 3, 6)])
def test_fft(shape: tuple[int, ...]):
    x, head = randn(*shape), randn(*shape[:-1], 2 * shape[-1], seed=1)
    (got,) = call("_contrib_fft", x)
    want = np.fft.fft(x)
    np.testing.assert_allclose(got[..., ::2], want.real, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got[..., 1::2], want.imag, rtol=1e-5, atol=1e-5)
    assert got.dtype == np.float32
    # MXNet's own test of the gradient: the inverse transform, not divided by the length.
    inverse = np.fft.ifft(head[..., ::2] + 1j * head[..., 1::2]).real * shape[-1]
    np.testing.assert_allclose(grads("_contrib_fft", x, head=head)[0], inverse, rtol=1e-5, atol=1e-5)


def test_ifft_leaves_the_division_to_the_caller():
    x = randn(3, 5, dtype=np.float64)
    np.testing.assert_allclose(call("_contrib_ifft", call("_contrib_fft", x)[0])[0], 5 * x, atol=1e-12)
    spectrum, head = randn(2, 8, dtype=np.float64), randn(2, 4, seed=1, dtype=np.float64)
    want = np.fft.fft(head)
    (got,) = grads("_contrib_ifft", spectrum, head=head)
    np.testing.assert_allclose(got, np.stack([want.real, want.imag], -1).reshape(2, 8), atol=1e-12)
    assert call("_contrib_ifft", spectrum.astype(np.float16))[0].dtype == np.float16


def test_count_sketch():
    x, places, signs = randn(2, 4), np.array([[0, 2, 0, 1]], np.float32), np.array([[1, -1, -1, 1]], np.float32)
    (got,) = call("_contrib_count_sketch", x, places, signs, out_dim=3)
    np.testing.assert_allclose(got, np.stack([x[:, 0] - x[:, 2], x[:, 3], -x[:, 1]], 1))
    head = randn(2, 3, seed=1)
    dx, dh, ds = grads("_contrib_count_sketch", x, places, signs, head=head, out_dim=3)
    np.testing.assert_allclose(dx, head[:, [0, 2, 0, 1]] * signs)
    assert not dh.any() and not ds.any()
    outside = np.array([[-1, 3, 0, 1]], np.float32)
    np.testing.assert_allclose(call("_contrib_count_sketch", x, outside, signs, out_dim=3)[0][:, 2], 0)


HAWKES = (
    np.array([[1.0, 1.5]]), np.array([0.5, 0.3]), np.array([1.0, 2.0]), np.array([[0.1, 0.2]]),
    np.array([[0.3, 0.2, 9.0]]), np.array([[0, 1, 1]], np.int32), np.array([2.0]), np.array([1.5]),
)  # fmt: skip


def test_hawkes_gradient():
    parameters, rest = jax.tree.map(jnp.asarray, (HAWKES[:3], HAWKES[3:]))
    op = OPS["_contrib_hawkesll"]

    def likelihood(*xs: jax.Array) -> Any:
        return op.apply(op.bind({}), *map(jnp.asarray, xs), *rest)[0][0]  # check_grads gives numpy arrays, too

    check_grads(likelihood, parameters, order=2, modes=["rev"], rtol=1e-3)
    assert not any(np.any(g) for g in grads("_contrib_hawkesll", *HAWKES)[3:5])


def test_hawkes_without_events():
    still = (*HAWKES[:3], np.zeros((1, 2)), *HAWKES[4:6], np.array([0.0]), HAWKES[7])
    likelihood, state = call("_contrib_hawkesll", *still)
    np.testing.assert_allclose(likelihood, -HAWKES[0].sum(1) * 1.5)
    assert not state.any()


def test_batch_norm_with_relu():
    x = randn(4, 3, 2, 2)
    gamma, beta, mean, var = (np.array(v, np.float32) for v in ([1, 2, 0.5], [0.1, -0.2, 0.3], [0] * 3, [1] * 3))
    arrays, attrs = (x, gamma, beta, mean, var), {"fix_gamma": False, "train": True}
    plain = call("BatchNorm", *arrays, **attrs)
    both = call("_contrib_BatchNormWithReLU", *arrays, **attrs)
    np.testing.assert_array_equal(both[0], np.maximum(plain[0], 0))
    symbol = mx.sym.contrib.BatchNormWithReLU(mx.sym.var("x"), name="bn")
    assert symbol.list_auxiliary_states() == ["bn_moving_mean", "bn_moving_var"]
    assert symbol.attr_dict()["bn_moving_var"]["__init__"] == '["one", {}]'


def test_set_value():
    x = mx.nd.zeros((2, 2), dtype="int32")
    assert mx.nd._internal._set_value(3.5, out=x) is x
    assert x.asnumpy().tolist() == [[3, 3], [3, 3]]
    with pytest.raises(MXNetError, match="the array out, which is written, is missing"):
        mx.nd._internal._set_value(1)
    with pytest.raises(MXNetError, match="src is missing"):
        mx.nd._internal._set_value(out=x)


SELF, CROSS = "_contrib_interleaved_matmul_selfatt", "_contrib_interleaved_matmul_encdec"


@pytest.mark.parametrize(
    ("name", "attrs", "ins", "message"),
    [
        (f"{SELF}_qk", {"heads": 2}, [(3, 2, 10)], r"size 10, no multiple of 3 \* heads = 6"),
        (f"{SELF}_qk", {"heads": 2}, [(3, 12)], r"queries_keys_values must be \(length, batch, 3 \* heads"),
        (f"{SELF}_valatt", {"heads": 2}, [(3, 2, 12), (3, 3, 3)], "axis 0 of attention cannot be both 4 and 3"),
        (f"{CROSS}_qk", {"heads": 2}, [(3, 2, 4), (5, 2, 16)], "the size of a head cannot be both 2 and 4"),
        (f"{CROSS}_valatt", {"heads": 2}, [(5, 2, 8), (4, 3, 4)], "axis 2 of attention"),
        ("_contrib_fft", {}, [(4,)], "data must have 2 or 4 dimensions"),
        ("_contrib_ifft", {}, [(2, 3, 4)], "data must have 2 or 4 dimensions"),
        ("_contrib_count_sketch", {"out_dim": 5}, [(3, 4), (1, 5), (1, 4)], "axis 1 of h cannot be both 4 and 5"),
        (
            "_contrib_hawkesll",
            {},
            [(2, 3), (2,), None, None, None, None, None, None],
            "axis 1 of lda and axis 0 of alpha cannot be both 3 and 2",
        ),
    ],
)
def test_mistakes(name: str, attrs: dict[str, Any], ins: list[Any], message: str):
    with pytest.raises(MXNetError, match=message):
        shapes(name, ins, **attrs)


def test_hawkes_marks_are_int32():
    assert dtypes("_contrib_hawkesll", ["float64", *[None] * 7])[0][5] == "int32"
    with pytest.raises(MXNetError, match="the dtype of marks must be int32, got float32"):
        dtypes("_contrib_hawkesll", ["float32"] * 8)
