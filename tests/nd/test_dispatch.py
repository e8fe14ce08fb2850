# SPDX-License-Identifier: Apache-2.0
"""Eager operator calls: arguments, signatures, outputs, errors."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.op import OPS

#: Without types: half of the calls are wrong on purpose.
nd: Any = mx.nd


def test_functions_have_signature_and_documentation() -> None:
    f = nd.FullyConnected
    assert list(inspect.signature(f).parameters)[:4] == ["data", "weight", "bias", "num_hidden"]
    assert f.__name__ == "FullyConnected" and f.__module__ == "mxlite.ndarray"
    assert "num_hidden" in f.__doc__ and "required" in f.__doc__


def test_every_public_operator_is_a_function() -> None:
    for name in OPS:
        if not name.startswith("_"):
            assert inspect.isfunction(getattr(mx.nd, name)) or name in ("maximum", "minimum", "hypot"), name


def test_methods_are_operators() -> None:
    a = nd.array([[1, -2], [3, 4]])
    assert a.sum(axis=1).asnumpy().tolist() == [-1, 7]
    assert a.sum(1).asnumpy().tolist() == [-1, 7]
    assert a.abs().max().asscalar() == 4
    assert a.clip(0, 3).asnumpy().tolist() == [[1, 0], [3, 3]]
    assert [x.shape for x in a.split(2)] == [(2, 1), (2, 1)]
    assert list(inspect.signature(nd.NDArray.clip).parameters)[:3] == ["self", "a_min", "a_max"]
    assert "a_min" in nd.NDArray.clip.__doc__


def test_parameters_as_text_and_values() -> None:
    a = nd.ones((2, 3))
    for axis in (1, "1", (1,), [1], "(1,)", np.int64(1)):
        assert nd.sum(a, axis=axis).asnumpy().tolist() == [3, 3]


def test_slices_are_the_operators() -> None:
    a = nd.arange(60).reshape((3, 4, 5))
    n = a.asnumpy()
    for axis, begin, end in ((0, 0, 2), (1, -3, None), (-1, 1, -1), (2, 4, 5)):
        for got in (a.slice_axis(axis, begin, end), nd.slice_axis(a, axis=axis, begin=begin, end=end)):
            direct = nd.invoke("slice_axis", (a,), {"axis": axis, "begin": begin, "end": end})
            np.testing.assert_array_equal(got.asnumpy(), direct.asnumpy())
    for key in (((0, 1), (2, 3), ()), ((None, 3), (None, None), (None, -2)), ((1, 0, 4), (3, 4, 0), (1, 2, -2))):
        begin, end, step = key
        got = nd.slice(a, begin=begin, end=end, step=step).asnumpy()
        spans = [slice(*s) for s in zip(begin, end, step or [None] * len(begin), strict=True)]
        np.testing.assert_array_equal(got, n[tuple(spans)])
    view = a[0].slice_axis(0, 1, 2)
    view[:] = -1
    assert a.asnumpy().min() == 0
    for bad in (
        {"axis": 5, "begin": 0, "end": 1},
        {"axis": 0, "begin": 2, "end": 1},
        {"axis": 0, "begin": 0, "nope": 1},
    ):
        with pytest.raises(mx.MXNetError, match="slice_axis"):
            nd.slice_axis(a, **bad)
    out = nd.zeros((1, 4, 5))
    assert nd.slice_axis(a, axis=0, begin=1, end=2, out=out) is out
    assert out.asnumpy()[0, 0, 0] == 20


def test_out_writes_into_arrays_and_views() -> None:
    a, out = nd.ones((2,)), nd.zeros((2, 2))
    assert nd.relu(a, out=out[1]).shape == (2,)
    assert out.asnumpy().tolist() == [[0, 0], [1, 1]]
    parts = [nd.zeros((2, 1)), nd.zeros((2, 1))]
    nd.split(out, num_outputs=2, out=parts)
    assert [p.asnumpy().tolist() for p in parts] == [[[0], [1]], [[0], [1]]]
    target = nd.zeros((2,))
    nd.relu(a, target)
    assert target.asnumpy().tolist() == [1, 1]


def test_out_that_does_not_fit_stays_as_it_was() -> None:
    a, out = nd.ones((2,)), nd.zeros((3,))
    with pytest.raises(mx.MXNetError, match=r"relu.*\n?.*\(2,\).*\(3,\)"):
        nd.relu(a, out=out)
    with pytest.raises(mx.MXNetError, match="int32"):
        nd.relu(a, out=nd.zeros((2,), dtype="int32"))
    with pytest.raises(TypeError, match="out"):
        nd.relu(a, out=3)
    assert out.asnumpy().sum() == 0


def test_in_place_that_does_not_fit_stays_as_it_was() -> None:
    a = nd.ones((2, 2))
    with pytest.raises(mx.MXNetError, match="broadcast_add"):
        a += nd.ones((3, 2, 2))
    with pytest.raises(mx.MXNetError, match="float64"):
        a += nd.ones((2, 2), dtype="float64")
    assert a.asnumpy().tolist() == [[1, 1], [1, 1]]


def test_mutated_inputs_are_written_back() -> None:
    data, mean, var = nd.array([[1.0, 2.0], [3.0, 6.0]]), nd.zeros((2,)), nd.ones((2,))
    gamma, beta = nd.ones((2,)), nd.zeros((2,))
    mx.base.eager_mode.train = True
    try:
        nd.BatchNorm(data, gamma, beta, mean, var, momentum=0.5)
    finally:
        mx.base.eager_mode.train = False
    assert mean.asnumpy().tolist() == [1, 2]
    weight = nd.ones((2,))
    nd.sgd_update(weight, nd.ones((2,)), lr=0.5, out=weight)
    assert weight.asnumpy().tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda a: nd.relu(), mx.MXNetError, "input data is missing"),
        (lambda a: nd.relu(3), AssertionError, "must be NDArray"),
        (lambda a: nd.relu(np.ones(2)), AssertionError, "must be NDArray"),
        (lambda a: nd.sum(a, bad=1), mx.MXNetError, "bad"),
        (lambda a: nd.concat([a, a]), AssertionError, "must be NDArray"),
        (lambda a: nd.FullyConnected(a, a, num_hidden=2), mx.MXNetError, "bias is missing"),
        (lambda a: nd.Activation(a, act_type="swish"), mx.MXNetError, "swish"),
        (lambda a: nd.sum(a, axis=5), mx.MXNetError, "5"),
        (lambda a: nd.sum(a, axis={1: 2}), mx.MXNetError, "axis"),
        (lambda a: nd.sum(a, axis=object()), mx.MXNetError, "axis"),
        (lambda a: nd.dot(a, nd.ones((5, 4))), mx.MXNetError, r"lhs=\(2, 2\), rhs=\(5, 4\)"),
        (lambda a: nd._internal._plus_scalar(a, scalar="x"), mx.MXNetError, "scalar"),
        (lambda a: nd.NoSuchOp(a), AttributeError, "NoSuchOp"),
        (lambda a: nd.Relu(a), AttributeError, "did you mean 'relu'"),
        (lambda a: a + "x", TypeError, "str"),
        (lambda a: a + None, TypeError, "NoneType"),
        (lambda a: a + np.ones((2, 2)), TypeError, "ndarray"),
        (lambda a: np.ones((2, 2)) + a, TypeError, "ndarray"),
        (lambda a: a + nd.ones((3,)), mx.MXNetError, "broadcast"),
        (lambda a: a + nd.ones((2, 2), dtype="float64"), mx.MXNetError, "float32 and float64"),
        (lambda a: bool(a), ValueError, "ambiguous"),
        (lambda a: float(a), TypeError, "one element"),
        (lambda a: a.asscalar(), ValueError, "one element"),
        (lambda a: a.copyto(nd.zeros((3,))), mx.MXNetError, r"\(3,\)"),
        (lambda a: a.copyto("x"), TypeError, "str"),
        (lambda a: a.broadcast_to((2, 3)), ValueError, r"\(2, 3\)"),
        (lambda a: nd.concatenate([a, nd.ones((2, 3))]), AssertionError, r"\(2, 3\)"),
        (lambda a: nd.moveaxis(a, 0, 5), ValueError, "5"),
        (lambda a: nd.split_v2(a, 3), ValueError, "3"),
    ],
)
def test_errors(call, error, words) -> None:
    with pytest.raises(error, match=words):
        call(nd.ones((2, 2)))


def test_values_that_an_operator_refuses_are_told_where_one_waits() -> None:
    bad = nd.take(nd.arange(4), nd.array([0, 99]), mode="raise")
    with pytest.raises(mx.MXNetError, match="out of bounds"):
        bad.asnumpy()
    nd.take(nd.arange(4), nd.array([9]), mode="raise")
    with pytest.raises(mx.MXNetError, match="take"):
        nd.waitall()
    assert nd.take(nd.arange(4), nd.array([99])).asnumpy().tolist() == [3]


def test_scalars_are_cut_to_the_dtype() -> None:
    i = nd.array([1, 2, 3], dtype="int32")
    assert (i + 1.5).asnumpy().tolist() == [2, 3, 4]
    assert (i / 2).asnumpy().tolist() == [0, 1, 1]
    big = nd.array([2**40], dtype="int64")
    assert (big + 1).asnumpy().tolist() == [2**40 + 1]
    assert (nd.array([250], dtype="uint8") + 10).asnumpy().tolist() == [4]


def test_comparisons_keep_the_dtype() -> None:
    for dtype in ("float32", "float64", "float16", "int32", "int64", "uint8"):
        a = nd.array([1, 2, 3], dtype=dtype)
        for result in (a > 1, a == a, a != 2, a <= a, a > 2):
            assert np.dtype(result.dtype).name == dtype


def test_comparison_makes_no_hash_trouble() -> None:
    a = nd.ones((2,))
    assert {a: 1}[a] == 1
    assert a in [a]


def test_train_mode_of_a_thread_is_its_own() -> None:
    mx.base.eager_mode.train = True
    seen: list[bool] = []
    try:
        thread = threading.Thread(target=lambda: seen.append(mx.base.eager_mode.train))
        thread.start()
        thread.join()
    finally:
        mx.base.eager_mode.train = False
    assert seen == [False]


def test_arrays_are_used_from_many_threads() -> None:
    shared = nd.zeros((50,))

    def work(i: int) -> None:
        for _ in range(20):
            shared[i] = float((nd.ones((3,)) * i).sum().asscalar())

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert shared.shape == (50,)


def test_conversions() -> None:
    one = nd.array([5.5])
    assert float(one) == 5.5 and int(one) == 5 and bool(one) and one.item() == 5.5
    assert [1, 2, 3][nd.array([1], dtype="int32")] == 2
    with pytest.raises(TypeError, match="float32"):
        [1, 2, 3][one]  # pyright: ignore[reportCallIssue,reportArgumentType]
    a = nd.arange(6).reshape((2, 3))
    assert np.asarray(a).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.asarray(a, dtype="int32").dtype == np.int32
    assert np.sum(np.array(a)) == 15
    assert [row.asnumpy().tolist() for row in a] == [[0, 1, 2], [3, 4, 5]]
    assert len(a) == 2
    assert nd.array(a).asnumpy().tolist() == a.asnumpy().tolist()


def test_split_and_rearrange() -> None:
    a = nd.arange(24).reshape((2, 3, 4))
    n = a.asnumpy()
    np.testing.assert_array_equal(nd.moveaxis(a, 0, 2).asnumpy(), np.moveaxis(n, 0, 2))
    np.testing.assert_array_equal(nd.moveaxis(a, [0, 1], [-1, -2]).asnumpy(), np.moveaxis(n, [0, 1], [-1, -2]))
    for got, want in zip(nd.split_v2(a, (1, 3), axis=2), np.split(n, (1, 3), axis=2), strict=True):
        np.testing.assert_array_equal(got.asnumpy(), want)
    np.testing.assert_array_equal(nd.concatenate([a, a], axis=1).asnumpy(), np.concatenate([n, n], 1))
    assert nd.concatenate([a], always_copy=False) is a
    np.testing.assert_array_equal(a.T.asnumpy(), n.T)
    np.testing.assert_array_equal(a.transpose(1, 0, 2).asnumpy(), n.transpose(1, 0, 2))
    inside = a.expand_dims(1, inplace=True)
    inside[0] = -1
    assert a.asnumpy()[0].max() == -1
    assert a.slice_assign(nd.ones((1, 3, 4)), (1, 0, 0), (2, 3, 4), ()).asnumpy()[1].max() == 1
