# SPDX-License-Identifier: Apache-2.0
"""Passes as text, before and after; the graphs of MXNet are compared in tests/contrib/test_amp_symbols.py."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import mxlite_compiler.ops  # noqa: F401 - registers the operators
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.op import get_op
from mxlite_compiler.passes import OpLists, mixed_precision, scale_losses
from mxlite_compiler.program import Program
from mxlite_compiler.verify import verify


def var(name: str) -> Entry:
    return Entry(Node(None, name))


def call(op: str, name: str, *inputs: Entry, **attrs: object) -> Entry:
    return Entry(Node(get_op(op), name, attrs, inputs))


def network() -> Graph:
    data, weight = var("data"), var("w")
    fc = call("FullyConnected", "fc", data, weight, num_hidden=3, no_bias=True)
    return Graph([call("SoftmaxOutput", "softmax", fc, var("label")), call("exp", "e", weight)])


LISTS = OpLists(frozenset({"FullyConnected"}), frozenset({"SoftmaxOutput", "exp"}), {}, frozenset())


def test_mixed_precision() -> None:
    made, narrowed = mixed_precision(network(), "float16", LISTS)
    verify(made)
    assert not narrowed
    assert (
        made.dump()
        == """\
data = variable
data_amp_cast_float16 = amp_cast(data) {dtype: float16}
w = variable
w_amp_cast_float16 = amp_cast(w) {dtype: float16}
fc = FullyConnected(data_amp_cast_float16, w_amp_cast_float16) {no_bias: True, num_hidden: 3}
fc_output_amp_cast_float32 = amp_cast(fc) {dtype: float32}
label = variable
softmax = SoftmaxOutput(fc_output_amp_cast_float32, label)
e = exp(w)
return softmax, e"""
    )


def test_loss_scaling() -> None:
    made = scale_losses(network(), "scale")
    verify(made)
    assert (
        made.dump()
        == """\
data = variable
scale = variable
data_unscaled_gradient = _scaled_gradient(data, scale) {divide: True}
w = variable
w_unscaled_gradient = _scaled_gradient(w, scale) {divide: True}
fc = FullyConnected(data_unscaled_gradient, w_unscaled_gradient) {no_bias: True, num_hidden: 3}
fc_scaled_gradient = _scaled_gradient(fc, scale) {divide: False}
label = variable
label_unscaled_gradient = _scaled_gradient(label, scale) {divide: True}
softmax = SoftmaxOutput(fc_scaled_gradient, label_unscaled_gradient)
e = exp(w_unscaled_gradient)
e_scaled_gradient = _scaled_gradient(e, scale) {divide: False}
return softmax, e_scaled_gradient"""
    )


def test_scaled_gradients_are_the_same() -> None:
    args = {"data": np.ones((2, 4), "f4"), "w": np.linspace(-1, 1, 12, dtype="f4").reshape(3, 4)}
    args |= {"label": np.array([0, 2], "f4")}
    heads = (jnp.ones((2, 3)), jnp.full((3, 4), 0.5))
    plain, scaled = Program(network(), ["w"]), Program(scale_losses(network(), "scale"), ["w"])
    outputs, _, grads = plain.forward_backward(args, {}, None, heads)
    for scale in (1.0, 2.0**20):
        again, _, same = scaled.forward_backward({**args, "scale": np.array([scale], "f4")}, {}, None, heads)
        jax.tree.map(np.testing.assert_array_equal, again, outputs)
        np.testing.assert_allclose(same["w"], grads["w"], rtol=1e-6)
