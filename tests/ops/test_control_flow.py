# SPDX-License-Identifier: Apache-2.0
"""`_foreach`, `_while_loop`, `_cond`: inference through bodies, states that bodies write, random numbers, mistakes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.export import export_graph
from mxlite_compiler.verify import verify

S = mx.sym
a, b, c, d = (S.var(n) for n in "abcd")
foreach, while_loop, cond = S.contrib.foreach, S.contrib.while_loop, S.contrib.cond


def multiples() -> Any:
    """At most five steps of ``a += 1; b += a`` while a < d, and what b * c was before each."""
    outs, (i, s) = while_loop(lambda i, s: i < d, lambda i, s: (s * c, [i + 1, s + i]), [a, b], max_iterations=5)
    return S.Group([outs, i, s])


def layers() -> Any:
    """A fully connected layer on every row."""
    outs, s = foreach(lambda x, s: (S.FullyConnected(x, num_hidden=3, name="fc") + s, s * 1), a, b)
    return S.Group([outs, s])


def test_shapes_through_a_loop():
    want = [(5, 2, 7), (2, 3), (3, 7), (3,)], [(5, 2, 3), (2, 3)], []
    assert layers().infer_shape(a=(5, 2, 7)) == want
    assert layers().infer_shape_partial(fc_weight=(3, 7), b=(2, 3))[1] == [(0, 2, 3), (2, 3)]
    outs, s = foreach(lambda x, s: (x * c + s, s * 2), a, b)
    assert S.Group([outs, s]).infer_shape(a=(3,)) == ([(3,), (1,), (1,)], [(3, 1), (1,)], [])  # as MXNet: no () arrays
    assert S.Group([outs, s]).infer_shape_partial(b=(2, 4))[1] == [(0, 2, 4), (2, 4)]


def test_shapes_through_a_bounded_loop_and_a_branch():
    assert multiples().infer_shape(b=(1,)) == ([(1,)] * 4, [(5, 1), (1,), (1,)], [])
    branch = cond(a < b, lambda: S.FullyConnected(c, num_hidden=2, name="fc"), lambda: d * 2)
    assert branch.infer_shape(a=(1,), c=(3, 4)) == ([(1,), (1,), (3, 4), (2, 4), (2,), (3, 2)], [(3, 2)], [])


def test_dtypes_through_bodies():
    assert layers().infer_type(a="float64")[1] == [np.float64] * 2
    assert multiples().infer_type(b="float16")[0] == [np.float16] * 4
    with pytest.raises(MXNetError, match="an output of both branches cannot be both int32 and float64"):
        cond(a < b, lambda: S.cast(c, dtype="int32"), lambda: c * 2).infer_type(c="float64")
    outs, s = foreach(lambda x, s: (x, S.cast(s, dtype="float64")), a, b)
    with pytest.raises(MXNetError, match="a state before and after a step cannot be both float32 and float64"):
        S.Group([outs, s]).infer_type(b="float32")


@pytest.mark.parametrize(
    ("symbol", "shapes", "message"),
    [
        (
            lambda: foreach(lambda x, s: (x, S.concat(x, s, dim=0)), a, b)[1],
            {"a": (5, 2, 7), "b": (2, 7)},
            "_foreach.*axis 0 of a state before and after a step cannot be both 2 and 4",
        ),
        (
            lambda: foreach(lambda x, s: (x[0] + x[1], s + 1), [a, c], b)[0],
            {"a": (3, 2), "c": (4, 2), "b": (1,)},
            "axis 0 of the number of rows cannot be both 3 and 4",
        ),
        (lambda: foreach(lambda x, s: (x + s, s), a, b)[0], {"a": (3, 2), "b": (4,)}, "elemwise_add.* 2 and 4"),
        (
            lambda: while_loop(lambda i: i < 3, lambda i: (i, S.concat(i, i, dim=0)), a, 3)[1],
            {"a": (1,)},
            "a loop variable before and after a step cannot be both 1 and 2",
        ),
        (lambda: while_loop(lambda i: i < 3, lambda i: (i, i + 1), a, 3)[1], {"a": (2,)}, "result of cond must be one"),
        (lambda: cond(a, lambda: b, lambda: c), {"a": (2,)}, r"the predicate must be one number, got the shape \(2,\)"),
        (
            lambda: cond(a, lambda: c * 2, lambda: S.concat(c, c, dim=0)),
            {"a": (1,), "c": (2,)},
            "axis 0 of an output of both branches cannot be both 2 and 4",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_told(symbol: Any, shapes: Any, message: str):
    with pytest.raises(MXNetError, match=f"(?s){message}"):
        symbol().infer_shape(**shapes)


def bound(symbol: Any, **values: Any) -> Any:
    arrays = {n: mx.nd.array(v) for n, v in values.items()}
    return symbol.bind(mx.cpu(), arrays, {n: mx.nd.zeros(x.shape) for n, x in arrays.items()})


def step(executor: Any, train: bool = True) -> list[Any]:
    outs = executor.forward(is_train=train)
    if train:
        executor.backward([mx.nd.ones(o.shape) for o in outs])
    return [o.asnumpy().ravel().tolist() for o in outs]


@pytest.mark.parametrize(
    ("end", "values", "grads"),
    [  # counted by hand; MXNet 1.9.1 has no gradient when the condition alone uses a variable
        (3, [[2, 2, 4, 0, 0], [3], [4]], {"a": 10, "b": 7, "c": 4, "d": 0}),
        (-1, [[0] * 5, [0], [1]], {"a": 1, "b": 1, "c": 0, "d": 0}),
        (30, [[2, 2, 4, 8, 14], [5], [11]], {"a": 26, "b": 11, "c": 15, "d": 0}),
    ],
)
def test_a_loop_ends_by_its_condition_or_its_bound(end: float, values: Any, grads: Any):
    executor = bound(multiples(), a=[0], b=[1], c=[2], d=[end])
    assert step(executor) == values
    assert {n: g.asscalar() for n, g in executor.grad_dict.items()} == grads
    assert step(executor, train=False) == values


def test_steps_after_the_end_make_no_nan():
    """1 / (2 - i) is infinite in the step that does not happen any more."""
    outs, _ = while_loop(lambda i, s: i < 2, lambda i, s: (s / (2 - i), [i + 1, s]), [a, b], max_iterations=4)
    executor = bound(outs, a=[0], b=[3])
    assert step(executor) == [[1.5, 3, 0, 0]]
    assert executor.grad_dict["b"].asscalar() == 1.5


def test_integers_count():
    outs, (i, s) = while_loop(lambda i, s: i < 3, lambda i, s: (i, [i + 1, s * b]), [a, b], max_iterations=4)
    args = {"a": mx.nd.array([0], dtype="int32"), "b": mx.nd.array([2], dtype="float64")}
    grads = {"b": mx.nd.zeros(1, dtype="float64")}
    executor = S.Group([outs, i, s]).bind(mx.cpu(), args, grads, {"a": "null", "b": "write"})
    found = executor.forward(is_train=True)
    assert [str(np.dtype(o.dtype)) for o in found] == ["int32", "int32", "float64"]
    executor.backward([mx.nd.ones(o.shape, dtype=o.dtype) for o in found])
    assert found[2].asscalar() == 16
    assert executor.grad_dict["b"].asscalar() == 32


def test_a_body_writes_moving_statistics():
    norm = lambda x: S.BatchNorm(x, fix_gamma=False, momentum=0.5, name="bn")  # noqa: E731
    outs, s = foreach(lambda x, s: (norm(x) + s, s * 1), a, b)
    both = S.Group([outs, s])
    assert both.list_arguments() == ["a", "b", "bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var"]  # as MXNet
    executor = both.simple_bind(mx.cpu(), a=(2, 3, 2))
    data = np.random.RandomState(0).randn(2, 3, 2).astype("float32")
    executor.arg_dict["a"][:] = mx.nd.array(data)
    executor.arg_dict["bn_moving_var"][:] = 1
    executor.arg_dict["bn_gamma"][:] = 1
    step(executor)
    mean = 0.25 * data[0].mean(0) + 0.5 * data[1].mean(0)
    np.testing.assert_allclose(executor.arg_dict["bn_moving_mean"].asnumpy(), mean, rtol=1e-5)
    assert not executor.grad_dict["bn_moving_mean"].asnumpy().any()
    centred = (data - data.mean(1, keepdims=True)) / data.std(1, keepdims=True)
    np.testing.assert_allclose(executor.outputs[0].asnumpy(), centred, rtol=2e-2, atol=1e-3)
    step(executor, train=False)
    np.testing.assert_allclose(executor.arg_dict["bn_moving_mean"].asnumpy(), mean, rtol=1e-5)
    again = mx.sym.load_json(both.tojson())
    assert again.tojson() == both.tojson()
    inputs = json.loads(again.tojson())["nodes"][-1]["inputs"]
    assert [e[2] for e in inputs] == [0, 0, 0, 0, 1, 1]  # the versions that MXNet counts


def test_a_branch_writes_moving_statistics_when_taken():
    norm = lambda: S.BatchNorm(c, fix_gamma=False, momentum=0.5, name="bn")  # noqa: E731
    executor = cond(a < b, norm, lambda: c * 2).simple_bind(mx.cpu(), a=(1,), b=(1,), c=(3, 2))
    executor.arg_dict["c"][:] = 4
    for end, mean in ((-1, 0), (1, 2)):
        executor.arg_dict["b"][:] = end
        step(executor)
        assert executor.arg_dict["bn_moving_mean"].asnumpy().tolist() == [mean] * 2


def test_random_numbers_differ_in_every_step_and_call():
    drawn, _ = foreach(lambda x, s: (S.random.uniform(shape=(4,)) + x, s * 1), a, b)
    executor = bound(drawn, a=np.zeros((3, 4)), b=[0])
    first, second = step(executor)[0], step(executor)[0]
    assert len({*first, *second}) == 24


def test_dropout_in_a_loop():
    dropped, _ = foreach(lambda x, s: (S.Dropout(x, p=0.5), s * 1), a, b)
    executor = bound(dropped, a=np.ones((8, 64)), b=[0])
    rows = np.reshape(step(executor)[0], (8, 64))
    assert set(np.unique(rows)) == {0, 2}
    assert len({tuple(r) for r in rows}) == 8
    assert np.array_equal(executor.grad_dict["a"].asnumpy(), rows)  # the gradient has the same mask
    assert set(step(executor, train=False)[0]) == {1}


def test_a_module_trains_a_loop():
    def body(x, state):
        state = S.FullyConnected(S.concat(x, state, dim=1), num_hidden=8, name="cell")
        return [], S.tanh(state)

    _, last = foreach(body, S.swapaxes(S.var("data"), dim1=0, dim2=1), S.zeros((0, 8)))
    net = S.SoftmaxOutput(S.FullyConnected(last, num_hidden=2, name="fc"), name="softmax")
    rs = np.random.RandomState(0)
    data = rs.randn(64, 5, 3).astype("float32")
    label = (data[:, :, 0].sum(1) > 0).astype("float32")
    mx.random.seed(0)
    module = mx.mod.Module(net)
    module.fit(mx.io.NDArrayIter(data, label, 16), num_epoch=20, optimizer="adam",
               optimizer_params={"learning_rate": 0.02}, initializer=mx.init.Xavier())  # fmt: skip
    assert dict(module.score(mx.io.NDArrayIter(data, label, 16), "acc"))["accuracy"] > 0.95


def test_a_loop_is_exported():
    graph = layers().graph
    params = {"fc_weight": np.ones((3, 2), np.float32), "fc_bias": np.zeros(3, np.float32)}
    artefact = export_graph(graph, params, {"a": ("steps", 1, 2), "b": (1, 3)})
    (rows, last) = artefact(a=np.ones((4, 1, 2), np.float32), b=np.ones((1, 3), np.float32))
    assert np.asarray(rows).shape == (4, 1, 3)
    assert (np.asarray(rows) == 3).all()
    assert (np.asarray(last) == 1).all()


class Twice(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0] * 2)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_grad[0] * 2)


class TwiceProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Twice()


def test_custom_operators_in_a_loop():
    mx.operator.register("twice_in_loop", jit=True)(TwiceProp)
    mx.operator.register("twice_outside", jit=False)(TwiceProp)

    def made(op_type: str) -> Any:
        return foreach(lambda x, s: (S.Custom(x, op_type=op_type, name="twice") + s, s * 1), a, b)[0]

    executor = bound(made("twice_in_loop"), a=[[1], [2]], b=[1])
    assert step(executor) == [[3, 5]]
    assert executor.grad_dict["a"].asnumpy().ravel().tolist() == [2, 2]
    with pytest.raises(MXNetError, match="'twice' runs Python and cannot be part of one compiled program"):
        step(bound(made("twice_outside"), a=[[1], [2]], b=[1]))


def test_the_contract_holds_for_bodies():
    for symbol in (layers(), multiples(), cond(a < b, lambda: c, lambda: d)):
        verify(symbol.graph)
        text = symbol.graph.dump()
        assert "\n    return " in text  # the bodies are shown


def damaged(attrs: dict[str, str], drop: bool = False) -> str:
    data = json.loads(layers().tojson())
    node = data["nodes"][-1]
    node["attrs"].update(attrs)
    if drop:
        del node["subgraphs"]
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda: damaged({"in_data_locs": "[7]"}), r"in_data_locs=\(7,\).* must name each of the 4 variables"),
        (lambda: damaged({"remain_locs": "[1]"}), r"remain_locs=\(1,\) must name each of the 4 variables of the body"),
        (lambda: damaged({"num_out_data": "2"}), "num_outputs=2 must count 2 outputs and the final states"),
        (lambda: damaged({"num_outputs": "3", "num_out_data": "2"}), "body must have 3 outputs, has 2"),
        (lambda: damaged({"num_args": "x"}), "num_args='x' must be an integer"),
        (lambda: damaged({}, drop=True), r"needs 1 subgraphs \(body\), got 0"),
    ],
)
def test_damaged_files_are_told(text: Any, message: str):
    with pytest.raises(MXNetError, match=f"(?s)nodes\\[4\\].*{message}"):
        mx.sym.load_json(text())


def test_the_operators_are_made_by_contrib():
    options: dict[str, Any] = {"num_args": 3, "num_outputs": 1, "num_out_data": 1, "in_data_locs": (0,),
                               "in_state_locs": (), "remain_locs": ()}  # fmt: skip
    for call in (
        lambda: mx.sym._internal._foreach(a, b, **options),  # type: ignore[attr-defined]
        lambda: mx.nd._internal._foreach(mx.nd.ones(1), mx.nd.ones(1), **options),  # type: ignore[attr-defined]
    ):
        with pytest.raises(MXNetError, match=r"(?s)needs 1 subgraphs.*contrib\.foreach"):
            call()
