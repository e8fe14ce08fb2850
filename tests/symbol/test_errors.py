# SPDX-License-Identifier: Apache-2.0
"""Mistakes with symbols: MXNet's exception class, and a message that says what is legal."""

# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx
from mxlite.base import MXNetError, NotImplementedForSymbol


def x():
    return mx.sym.Variable("x")


def mlp():
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(fc, name="softmax")


CASES = {
    "missing parameter": (lambda: mx.sym.FullyConnected(x()), MXNetError, ["FullyConnected", "num_hidden"]),
    "unknown operator": (
        lambda: getattr(mx.sym, "FullyConected"),  # noqa: B009 - a type checker knows better
        AttributeError,
        ["FullyConected", "did you mean 'FullyConnected'"],
    ),
    "unknown contrib operator": (
        lambda: getattr(mx.sym.contrib, "SyncBatchNrm"),  # noqa: B009
        AttributeError,
        ["did you mean 'SyncBatchNorm'"],
    ),
    "unknown parameter": (
        lambda: mx.sym.FullyConnected(x(), num_hiden=4),
        MXNetError,
        ["num_hiden", "did you mean 'num_hidden'", "no_bias"],
    ),
    "misspelt input": (
        lambda: mx.sym.FullyConnected(data=x(), wieght=x(), num_hidden=2),
        MXNetError,
        ["wieght", "did you mean 'weight'", "data, weight, bias"],
    ),
    "dropped input": (
        lambda: mx.sym.FullyConnected(x(), x(), x(), num_hidden=2, no_bias=True),
        MXNetError,
        ["bias", "data, weight"],
    ),
    "number for text": (
        lambda: mx.sym.FullyConnected(x(), num_hidden="abc"),
        MXNetError,
        ["num_hidden", "abc", "integer"],
    ),
    "unknown choice": (lambda: mx.sym.Activation(x(), act_type="foo"), MXNetError, ["act_type", "foo", "sigmoid"]),
    "too small": (
        lambda: mx.sym.FullyConnected(x(), num_hidden=-1).infer_shape(x=(2, 3)),
        MXNetError,
        ["num_hidden", "-1"],
    ),
    "array for symbol": (
        lambda: mx.sym.FullyConnected(mx.nd.ones((2, 3)), num_hidden=3),
        AssertionError,
        ["data", "Symbol"],
    ),
    "number for symbol": (lambda: mx.sym.relu(3), AssertionError, ["data", "3"]),
    "variable name": (lambda: mx.sym.Variable(3), TypeError, ["string", "3"]),
    "variable attribute": (lambda: mx.sym.Variable("a", attr={"x": 1}), ValueError, ["string", "x=1"]),
    "variable keyword": (lambda: mx.sym.Variable("a", foo="1"), ValueError, ["foo", "__foo__"]),
    "variable dtype": (lambda: mx.sym.Variable("a", dtype="foo"), TypeError, ["foo"]),
    "scope attribute": (lambda: mx.AttrScope(ctx_group=1), ValueError, ["ctx_group", "string"]),
    "scope parameter": (lambda: scoped(), MXNetError, ["foo", "FullyConnected"]),
    "set attribute": (lambda: x()._set_attr(a=1), ValueError, ["a=1"]),
    "set parameter": (lambda: mlp()._set_attr(nonsense="1"), MXNetError, ["nonsense", "softmax"]),
    "set group attribute": (lambda: mx.sym.Group([x(), mlp()])._set_attr(a="1"), MXNetError, ["several nodes"]),
    "input option": (
        lambda: mx.sym.FullyConnected(x(), num_hidden=3, weight_lr_mult=3),
        MXNetError,
        ["weight_lr_mult", "weight=mx.sym.Variable(..., lr_mult=3)"],
    ),
    "compose unknown": (
        lambda: mlp()(nonsense=x()),
        MXNetError,
        ["nonsense", "data, fc_weight, fc_bias, softmax_label"],
    ),
    "compose by position": (lambda: mlp()(x()), MXNetError, ["keyword", "data"]),
    "compose both ways": (lambda: mlp()(x(), data=x()), TypeError, ["not both"]),
    "compose a number": (lambda: mlp()(data=3), TypeError, ["Symbol", "3"]),
    "compose a group": (lambda: mlp()(data=mx.sym.Group([x(), x()])), MXNetError, ["2 outputs", "data"]),
    "compose a state": (lambda: mx.sym.BatchNorm(x(), name="bn")(bn_moving_mean=x() + 1), MXNetError, ["auxiliary"]),
    "state that is no variable": (
        lambda: mx.sym.BatchNorm(x(), moving_mean=x() * 2),
        MXNetError,
        ["moving_mean", "variable"],
    ),
    "several outputs": (lambda: mx.sym.relu(mx.sym.Group([x(), mlp()])), MXNetError, ["2 outputs", "softmax_output"]),
    "several outputs added": (lambda: mx.sym.Group([x(), mlp()]) + 1, MXNetError, ["2 outputs"]),
    "index by name": (
        lambda: mlp().get_internals()["fc_outputs"],
        ValueError,
        ["fc_outputs", "did you mean 'fc_output'"],
    ),
    "index by double name": (lambda: mx.sym.Group([x(), x()])["x"], ValueError, ["multiple outputs", '"x"']),
    "index out of range": (lambda: mlp()[3], IndexError, ["3"]),
    "index negative": (lambda: mlp()[-1], MXNetError, ["-1"]),
    "index a fraction": (lambda: mlp()[1.5], TypeError, ["1.5"]),
    "index an empty slice": (lambda: mlp()[5:], TypeError, ["empty"]),
    "truth": (lambda: bool(x()), NotImplementedForSymbol, ["bool"]),
    "truth of comparison": (lambda: 1 if x() == 1 else 0, NotImplementedForSymbol, ["bool"]),
    "in place": (lambda: in_place(), NotImplementedForSymbol, ["+="]),
    "asnumpy": (lambda: x().asnumpy(), NotImplementedForSymbol, ["asnumpy", "eval"]),
    "hash": (lambda: hash(x()), TypeError, ["unhashable"]),
    "add text": (lambda: x() + "y", TypeError, ["str"]),
    "add None": (lambda: x() + None, TypeError, ["NoneType"]),
    "add bool": (lambda: x() + True, MXNetError, ["True"]),
    "maximum of texts": (lambda: mx.sym.maximum("a", 3), TypeError, ["str"]),
    "group of nothing": (lambda: mx.sym.Group([]), TypeError, ["list of symbols"]),
    "group of numbers": (lambda: mx.sym.Group([x(), 3]), TypeError, ["list of symbols", "3"]),
    "unknown shape name": (lambda: mlp().infer_shape(dta=(2, 3)), MXNetError, ["dta", "did you mean 'data'"]),
    "shape conflict": (
        lambda: (x() + mx.sym.Variable("b")).infer_shape(x=(2, 3), b=(3, 2)),
        MXNetError,
        ["_plus", "x=(2, 3)"],
    ),
    "shape is a list": (lambda: mlp().infer_shape(data=[2, 3]), TypeError, ["tuple", "data"]),
    "shape of texts": (lambda: mlp().infer_shape(data=(2, "a")), TypeError, ["data", "integers"]),
    "shapes both ways": (lambda: mlp().infer_shape((2, 3), fc_bias=(3,)), ValueError, ["positional or kwargs"]),
    "too many shapes": (lambda: x().infer_shape((2,), (3,)), MXNetError, ["2 shapes", "1 arguments"]),
    "weight shape": (lambda: mlp().infer_shape(data=(2, 4), fc_weight=(3, 5)), MXNetError, ["'fc'", "FullyConnected"]),
    "type conflict": (
        lambda: (x() + mx.sym.Variable("b")).infer_type(x="float32", b="float64"),
        MXNetError,
        ["_plus", "float32", "float64"],
    ),
    "unknown type": (lambda: mlp().infer_type(data="foo"), TypeError, ["foo"]),
    "type number": (lambda: mlp().infer_type(data=1), TypeError, ["1"]),
    "kernel rank": (
        lambda: mx.sym.Convolution(x(), kernel=(3, 3), num_filter=4).infer_shape(x=(2, 3)),
        MXNetError,
        ["convolution", "(2, 3)"],
    ),
    "conv groups": (
        lambda: mx.sym.Convolution(x(), kernel=(3, 3), num_filter=4, num_group=3).infer_shape(x=(1, 3, 8, 8)),
        MXNetError,
        ["convolution", "num_group"],
    ),
    "load a number": (lambda: mx.sym.load(3), TypeError, ["string"]),
    "load missing": (lambda: mx.sym.load("/nonexistent/x.json"), MXNetError, ["/nonexistent/x.json"]),
    "load garbage": (lambda: mx.sym.load_json("{not json"), MXNetError, ["line 1"]),
    "load unknown operator": (
        lambda: mx.sym.load_json(
            '{"nodes":[{"op":"null","name":"a","inputs":[]},{"op":"NoSuchOp","name":"b","inputs":[[0,0,0]]}],'
            '"arg_nodes":[0],"heads":[[1,0,0]]}'
        ),
        MXNetError,
        ["NoSuchOp", "'b'"],
    ),
    "save nowhere": (lambda: mlp().save("/nonexistent/x.json"), MXNetError, ["/nonexistent/x.json"]),
    "missing array": (lambda: x().eval(), ValueError, ["x"]),
    "eval a number": (lambda: (x() + 1).eval(x=3), TypeError, ["NDArray"]),
    "bind a list": (lambda: (x() + 1).bind(mx.cpu(), []), ValueError, ["Length of args"]),
    "bind twice one name": (lambda: (x() + x()).bind(mx.cpu(), {"x": mx.nd.ones(2)}), MXNetError, ["x"]),
    "simple_bind twice one name": (lambda: (x() + x()).simple_bind(mx.cpu(), x=(2,)), RuntimeError, ["x"]),
}


def scoped():
    with mx.AttrScope(foo="1"):
        return mx.sym.FullyConnected(x(), num_hidden=2)


def in_place():
    symbol = x()
    symbol += 1


@pytest.mark.parametrize("case", CASES)
def test_error(case):
    call, kind, words = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_concat_errors():
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    with pytest.raises(AssertionError, match="Symbol"):
        mx.sym.concat([a, b], dim=1)
    with pytest.raises(MXNetError, match="arg0"):
        mx.sym.concat(a=a, b=b, dim=1)
    with pytest.raises(TypeError, match="not both"):
        mx.sym.concat(a, b=b, dim=1)
    with pytest.raises(MXNetError):
        mx.sym.concat(dim=1)


def test_a_failed_call_uses_no_name():
    with mx.name.NameManager():
        with pytest.raises(MXNetError):
            mx.sym.FullyConnected(x(), num_hiden=4)
        assert mx.sym.FullyConnected(x(), num_hidden=4).name in ("fullyconnected0", "fullyconnected1")


def test_types_for_names_that_are_no_arguments_are_refused() -> None:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    with pytest.raises(RuntimeError, match=r"(?s)type_dict: 'fc_wieght' is no argument; did you mean 'fc_weight'"):
        net.simple_bind(mx.cpu(), data=(2, 3), type_dict={"fc_wieght": "float32"})
    net.simple_bind(mx.cpu(), data=(2, 3), type_dict={"data": "float32", "label": "float32"})


@pytest.mark.parametrize("name", ["FOO", "xla"])
def test_a_backend_of_the_environment_that_is_not_there_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, given = mx.sym.Variable("a") * 2, {"a": mx.nd.ones(2)}
    monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", name)
    with pytest.raises(RuntimeError, match=f"(?s)MXNET_SUBGRAPH_BACKEND='{name}'.*NONE, XLA, MKLDNN"):
        net.simple_bind(mx.cpu(), a=(2,))
    with pytest.raises(mx.MXNetError, match="is no backend"):
        net.bind(mx.cpu(), given)
    for known in ("XLA", "NONE", "MKLDNN", ""):
        monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", known)
        assert net.bind(mx.cpu(), given).forward()[0].asnumpy().tolist() == [2, 2]


def test_integers_are_inferred_and_refused_where_a_floating_operator_runs() -> None:
    net = mx.sym.Activation(mx.sym.Variable("a"), act_type="relu", name="act")
    assert net.infer_type(a="int32") == ([np.int32], [np.int32], [])
    executor = net.bind(mx.cpu(), {"a": mx.nd.ones(2, dtype="int32")})
    with pytest.raises(mx.MXNetError, match=r"(?s)node 'act'.*floating point numbers, got int32.*cast it first"):
        executor.forward()[0].asnumpy()
