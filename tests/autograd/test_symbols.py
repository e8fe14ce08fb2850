# SPDX-License-Identifier: Apache-2.0
"""`get_symbol`: evaluated with the arrays that were recorded, it gives the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mxlite as mx

nd, ag = mx.nd, mx.autograd


def var(*shape: int) -> Any:
    x = nd.array(np.random.uniform(0.5, 1.5, shape))
    x.attach_grad()
    return x


X, W, B = var(4, 6), var(3, 6), var(3)
NETS: list[Any] = [
    lambda: nd.relu(nd.FullyConnected(X, W, B, num_hidden=3)) * 2 - 1,
    lambda: nd.softmax(nd.dot(X, W.T), axis=1)[1],
    lambda: X[1:3, ::2].sum(axis=1) + X[3:0:-2, 1],
    lambda: nd.concat(*nd.split(X, 3, axis=1), dim=0).astype("float64"),
    lambda: X.reshape((2, -1))[-1].expand_dims(0).copy(),
    lambda: nd.slice_axis(X, axis=1, begin=2, end=5) / 3 + 2 ** X[:, 0:3],
    lambda: nd.clip(X, 0.6, 1.1).mean() * W.max(axis=(0,)),
    lambda: nd.LeakyReLU(nd.Reshape(X, shape=(2, 2, 6)), act_type="elu", slope=0.3),
]


@pytest.mark.parametrize("number", range(len(NETS)))
def test_same_numbers(number: int) -> None:
    with ag.record():
        y = NETS[number]()
    symbol = ag.get_symbol(y)
    names = {a._entry[0].name: a for a in (X, W, B)}
    given = {n: names[n] for n in symbol.list_arguments()}
    np.testing.assert_allclose(symbol.eval(**given)[0].asnumpy(), y.asnumpy(), rtol=1e-6)
    again = mx.sym.load_json(symbol.tojson())
    np.testing.assert_allclose(again.eval(**given)[0].asnumpy(), y.asnumpy(), rtol=1e-6)


def test_rows_by_index() -> None:
    with ag.record():
        y = X[[0, 2]]
    symbol = ag.get_symbol(y)
    (leaf, index) = symbol.list_arguments()
    got = symbol.eval(**{leaf: X, index: nd.array([[0, 2]])})[0]
    np.testing.assert_allclose(got.asnumpy(), y.asnumpy())


def test_custom_operator() -> None:
    class Op(mx.operator.CustomOp):
        def forward(self, is_train: Any, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
            self.assign(out_data[0], req[0], in_data[0] * 3)

    @mx.operator.register("autograd_triple")
    class Prop(mx.operator.CustomOpProp):
        def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> Any:
            return Op()

    with ag.record():
        y = nd.Custom(X, op_type="autograd_triple")
    symbol = ag.get_symbol(y)
    np.testing.assert_allclose(symbol.eval(**{symbol.list_arguments()[0]: X})[0].asnumpy(), y.asnumpy())


def test_what_has_no_symbol() -> None:
    class Double(ag.Function):
        def forward(self, a: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return a * 2

    with ag.record():
        y = Double()(X)
        g = ag.grad(nd.exp(X), X, create_graph=True)[0] * 2
    with pytest.raises(mx.MXNetError, match="Double: a Function is Python code"):
        ag.get_symbol(y)
    with pytest.raises(mx.MXNetError, match="gradient"):
        ag.get_symbol(g)
