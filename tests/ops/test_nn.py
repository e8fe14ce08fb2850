# SPDX-License-Identifier: Apache-2.0
"""FullyConnected, activations, softmax, Dropout, Embedding, UpSampling, sequences: what the golden cases leave out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS, Mode
from mxlite_compiler.ops.precision import precision
from tests.ops.call import call, complaint, dtypes, grads, randn, shapes


class TestFullyConnected:
    def test_float16(self):
        x, w, b = randn(8, 300), randn(4, 300, seed=1), randn(4, seed=2)
        (y,) = call("FullyConnected", *(a.astype(np.float16) for a in (x, w, b)), num_hidden=4)
        assert y.dtype == np.float16
        np.testing.assert_allclose(y, x @ w.T + b, rtol=2e-2, atol=5e-2)

    def test_shapes_in_both_directions(self):
        assert shapes("FullyConnected", [(0, 2, 3), None, None], num_hidden=4) == ([(0, 2, 3), (4, 6), (4,)], [(0, 4)])
        assert shapes("FullyConnected", [(0, 5), (4, 5), None], [(7, 4)], num_hidden=4)[0][0] == (7, 5)
        ins, outs = shapes("FullyConnected", [(2, 3, 5), None], num_hidden=4, flatten=False, no_bias=True)
        assert (ins, outs) == ([(2, 3, 5), (4, 5)], [(2, 3, 4)])

    def test_errors(self):
        text = complaint("FullyConnected", [(2, 3), (4, 5), (4,)], num_hidden=4)
        assert "data=(2, 3), weight=(4, 5)" in text
        assert "rule: n *k, num_hidden (*k)" in text
        op = OPS["FullyConnected"]
        with pytest.raises(MXNetError, match="required parameter num_hidden"):
            op.bind({})
        with pytest.raises(MXNetError, match="num_hidden=-1 must be at least 1"):
            op.bind({"num_hidden": -1})
        with pytest.raises(MXNetError, match="num_hidden='abc' must be an integer"):
            op.bind({"num_hidden": "abc"})
        with pytest.raises(MXNetError, match="no parameter 'num_hiden'; did you mean 'num_hidden'"):
            op.bind({"num_hiden": 3})


def test_float32_products_are_float32_unless_the_user_says_otherwise():
    x = jnp.ones((2, 2), jnp.float32)
    assert precision(x) is jax.lax.Precision.HIGHEST
    assert precision(x.astype(jnp.float16)) is None
    with jax.default_matmul_precision("tensorfloat32"):
        assert precision(x) is None


class TestActivations:
    @pytest.mark.parametrize("kind", ["relu", "sigmoid", "softrelu", "softsign", "tanh"])
    def test_activation_keeps_dtype(self, kind):
        for dtype in (np.float16, np.float32, np.float64):
            assert call("Activation", randn(3, dtype=dtype), act_type=kind)[0].dtype == dtype

    @pytest.mark.parametrize("kind", ["leaky", "elu", "gelu", "selu", "prelu", "rrelu"])
    def test_leaky_relu_keeps_dtype_and_has_no_nan(self, kind):
        x = np.array([-1e4, -1, -0.0, 0, 1, 1e4], np.float16)
        args = (x, np.array([0.5], np.float16)) if kind == "prelu" else (x,)
        (y,) = call("LeakyReLU", *args, train=True, act_type=kind)
        assert y.dtype == np.float16
        assert np.isfinite(y).all()
        assert np.isfinite(grads("LeakyReLU", *args, act_type=kind)[0]).all()

    def test_rrelu_draws_slopes_in_training(self):
        x = -np.ones(2000, np.float32)
        attrs = {"act_type": "rrelu", "lower_bound": 0.1, "upper_bound": 0.3}
        (y,) = call("LeakyReLU", x, train=True, **attrs)
        assert -0.3 <= y.min() < -0.29
        assert -0.11 < y.max() <= -0.1
        np.testing.assert_allclose(y.mean(), -0.2, atol=0.01)
        np.testing.assert_array_equal(grads("LeakyReLU", x, **attrs)[0], -y)  # the same slopes
        np.testing.assert_allclose(call("LeakyReLU", x, **attrs)[0], -0.2, rtol=1e-6)

    def test_prelu_has_one_slope_a_channel(self):
        x, gamma = randn(2, 3, 4), np.array([0.1, 0.2, 0.3], np.float32)
        (y,) = call("LeakyReLU", x, gamma, act_type="prelu")
        np.testing.assert_allclose(y, np.where(x > 0, x, x * gamma[:, None]), rtol=1e-6)

    def test_unknown_kind(self):
        with pytest.raises(MXNetError, match="act_type='swish' must be one of 'relu'"):
            OPS["Activation"].bind({"act_type": "swish"})


class TestSoftmax:
    @pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
    def test_gradient(self, name):
        x = jnp.asarray(randn(2, 3, 4, dtype=np.float64))
        f = lambda x: call(name, x, axis=1, temperature=0.7)[0]  # noqa: E731
        check_grads(f, (x,), order=1, modes=["rev"])

    def test_length_zero_has_no_nan(self):
        args = randn(2, 3), np.array([0, 2], np.int32)
        (y,) = call("softmax", *args, use_length=True)
        assert y[0].tolist() == [0, 0, 0]
        np.testing.assert_allclose(y[1].sum(), 1, rtol=1e-6)
        x = jnp.asarray(args[0])
        (dx,) = jax.vjp(lambda x: call("softmax", x, args[1], use_length=True)[0], x)[1](jnp.asarray(randn(2, 3)))
        assert np.isfinite(dx).all()

    def test_rules(self):
        assert shapes("softmax", [(2, 3, 4), None], axis=1, use_length=True)[0][1] == (2, 4)
        assert dtypes("softmax", ["float16"], dtype="float32")[1] == ["float32"]
        assert "axis=2 is not an axis of data (2, 3)" in complaint("softmax", [(2, 3)], axis=2)


class TestDropout:
    def test_keeps_and_scales(self):
        x = np.ones((100, 100), np.float32)
        (y,) = call("Dropout", x, train=True, p=0.3)
        values, counts = np.unique(y, return_counts=True)
        np.testing.assert_allclose(values, [0, 1 / 0.7], rtol=1e-6)
        assert abs(counts[0] / x.size - 0.3) < 0.02
        np.testing.assert_array_equal(grads("Dropout", x, p=0.3)[0], y)  # the same mask

    def test_modes(self):
        x = randn(10, 10)
        np.testing.assert_array_equal(call("Dropout", x)[0], x)
        np.testing.assert_array_equal(call("Dropout", x, key=None)[0], x)
        assert (np.asarray(call("Dropout", x, mode="always")[0]) == 0).any()
        with pytest.raises(MXNetError, match="needs a key"):
            call("Dropout", x, train=True, key=None)

    def test_axes_share_the_mask(self):
        y = np.asarray(call("Dropout", np.ones((50, 4, 3), np.float32), train=True, axes=(0, -1))[0])
        assert (y == y[:1, :, :1]).all()

    def test_the_key_decides(self):
        x = np.ones((8, 8), np.float32)
        y = [np.asarray(call("Dropout", x, train=True, key=np.array([0, k], np.uint32))[0]) for k in (1, 1, 2)]
        assert (y[0] == y[1]).all()
        assert (y[0] != y[2]).any()

    def test_one_program_for_all_keys(self):
        op = OPS["Dropout"]
        p = op.bind({})
        traces = []

        @jax.jit
        def run(key, x):
            traces.append(1)
            return op.apply(p, x, mode=Mode(True, key))[0][0]

        for k in range(3):
            run(np.array([0, k], np.uint32), jnp.ones(4))
        assert len(traces) == 1

    def test_p_out_of_range(self):
        with pytest.raises(MXNetError, match=r"p=1\.5 must be between 0 and 1"):
            OPS["Dropout"].bind({"p": 1.5})


class TestEmbedding:
    def test_clips_and_adds_up_gradients(self):
        w = randn(4, 2)
        index = np.array([[-3, 0, 99], [1, 1, 1]], np.int32)
        (y,) = call("Embedding", index, w, input_dim=4, output_dim=2)
        np.testing.assert_array_equal(y, w[np.clip(index, 0, 3)])
        _, dw = grads("Embedding", index.astype(np.float32), w, input_dim=4, output_dim=2)
        assert dw[:, 0].tolist() == [2, 3, 0, 1]

    def test_dtypes(self):
        assert dtypes("Embedding", ["int32", None], input_dim=4, output_dim=2)[1] == ["float32"]
        assert dtypes("Embedding", ["int32", "float16"], input_dim=4, output_dim=2)[1] == ["float16"]

    def test_weight_shape(self):
        text = complaint("Embedding", [(2,), (5, 2)], input_dim=4, output_dim=2)
        assert "input_dim and axis 0 of weight cannot be both 4 and 5" in text


class TestSequences:
    """(time, batch, ...) and, with axis=1, (batch, time, ...)."""

    length = np.array([1, 3, 2], np.float32)

    @pytest.mark.parametrize("axis", [0, 1])
    def test_against_loops(self, axis):
        x = randn(4, 3, 2)
        mask, reverse, last = x.copy(), x.copy(), np.zeros((3, 2), np.float32)
        for b, n in enumerate(self.length.astype(int)):
            mask[n:, b], reverse[:n, b], last[b] = 9, x[:n, b][::-1], x[n - 1, b]
        turn = (lambda a: a) if axis == 0 else (lambda a: a.swapaxes(0, 1))
        attrs = {"use_sequence_length": True, "axis": axis}
        np.testing.assert_array_equal(turn(call("SequenceMask", turn(x), self.length, value=9, **attrs)[0]), mask)
        np.testing.assert_array_equal(turn(call("SequenceReverse", turn(x), self.length, **attrs)[0]), reverse)
        np.testing.assert_array_equal(call("SequenceLast", turn(x), self.length, **attrs)[0], last)

    def test_rules(self):
        assert shapes("SequenceLast", [(5, 2, 3), None], use_sequence_length=True) == ([(5, 2, 3), (2,)], [(2, 3)])
        assert shapes("SequenceLast", [None], [(2, 3)], axis=1)[0] == [(2, 0, 3)]
        assert dtypes("SequenceMask", ["float32", "int32"], use_sequence_length=True)[0] == ["float32", "int32"]
        assert "axis=2 must be 0" in complaint("SequenceMask", [(2, 3)], axis=2)
        assert "sequence_length must have the shape (3,), got (2,)" in complaint(
            "SequenceMask", [(2, 3), (2,)], use_sequence_length=True
        )


class TestUpSampling:
    def test_inputs(self):
        op = OPS["UpSampling"]
        assert op.inputs(op.bind({"scale": 2, "sample_type": "bilinear", "num_filter": 2, "num_args": 2})) == (
            "data",
            "weight",
        )
        assert op.inputs(op.bind({"scale": 2, "sample_type": "nearest", "num_args": 2})) == ("arg0", "arg1")

    def test_weight_shape(self):
        attrs = {"scale": 3, "sample_type": "bilinear", "num_filter": 2, "num_args": 2}
        assert shapes("UpSampling", [(1, 2, 4, 4), None], **attrs) == ([(1, 2, 4, 4), (2, 1, 5, 5)], [(1, 2, 12, 12)])

    def test_errors(self):
        attrs = {"scale": 2, "sample_type": "nearest", "num_args": 2}
        assert "whole number" in complaint("UpSampling", [(1, 2, 4, 4), (1, 2, 3, 3)], **attrs)
        assert "height" in complaint("UpSampling", [(1, 2, 4), None], **attrs)


def test_lrn_needs_an_odd_size():
    assert "nsize=4 must be odd" in complaint("LRN", [(1, 4, 2, 2)], nsize=4)
