# SPDX-License-Identifier: Apache-2.0
"""Indexing and assignment agree with numpy for every key, and views with an array that shares its memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxlite as mx

FEW = settings(max_examples=40, deadline=None, derandomize=True)
# Few shapes, so that few programs are compiled.
SHAPES = st.sampled_from([(5,), (3, 4), (2, 3, 4)])


@st.composite
def basic_key(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A key of integers, slices, None and one Ellipsis, whose selection is not empty."""
    items: list[Any] = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        if draw(st.booleans()):
            items.append(draw(st.integers(-n, n - 1)))
        else:
            step = draw(st.sampled_from([None, 1, 2, -1, -2, 3]))
            start, stop = draw(st.sampled_from([None, *range(-n, n)])), draw(st.sampled_from([None, *range(-n, n + 1)]))
            s = slice(start, stop, step)
            items.append(s if len(range(*s.indices(n))) else slice(None))
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), None)
    if draw(st.booleans()) and len(items) < 4:
        items.append(Ellipsis)
    return tuple(items)


@st.composite
def any_key(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A key with at least one integer array."""
    axis = draw(st.integers(0, len(shape) - 1))
    size = draw(st.integers(1, 3))
    items: list[Any] = []
    for i, n in enumerate(shape):
        kind = "array" if i == axis else draw(st.sampled_from(["array", "int", "slice", "slice"]))
        if kind == "array":
            values = draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size))
            items.append(draw(st.sampled_from([list, np.array]))(values))
        elif kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        else:
            items.append(draw(st.sampled_from([slice(None), slice(1, None), slice(None, None, -1)])))
    return tuple(items)


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)


def as_mxnet(values: np.ndarray) -> np.ndarray:
    return values.reshape(1) if values.ndim == 0 else values


@FEW
@given(st.data())
def test_basic_reading(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    key, x = data.draw(basic_key(shape)), numbers(shape)
    np.testing.assert_array_equal(mx.nd.array(x)[key].asnumpy(), as_mxnet(np.asarray(x[key])))


@FEW
@given(st.data())
def test_advanced_reading(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    key, x = data.draw(any_key(shape)), numbers(shape)
    np.testing.assert_array_equal(mx.nd.array(x)[key].asnumpy(), as_mxnet(np.asarray(x[key])))


@FEW
@given(st.data())
def test_assignment(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    key, x = data.draw(st.one_of(basic_key(shape), any_key(shape))), numbers(shape)
    a = mx.nd.array(x)
    picked = np.asarray(x[key]).shape
    value: Any = data.draw(st.sampled_from(["number", "array", "numpy", "row"]))
    if value == "number" or (value == "row" and not picked):
        value = plain = 7.5
    else:
        plain = -1.0 - numbers(picked[-1:] if value == "row" else picked)
        if isinstance(plain, np.ndarray) and any(isinstance(k, list | np.ndarray) for k in key):
            plain[...] = 9.0  # with equal indices only equal values are defined
        value = mx.nd.array(plain) if value == "array" else plain
    a[key] = value
    x[key] = plain
    np.testing.assert_array_equal(a.asnumpy(), x)


@FEW
@given(st.data())
def test_views_share_memory_like_numpys(data: st.DataObject) -> None:
    """A random program over an array and views of views of it; numpy plays the same with its own views."""
    x = numbers((2, 3, 4))
    pairs: list[tuple[Any, np.ndarray]] = [(mx.nd.array(x), x)]
    for _ in range(data.draw(st.integers(1, 12))):
        a, n = data.draw(st.sampled_from(pairs))
        action = data.draw(st.sampled_from(["row", "slice", "reshape", "write", "add", "element", "read", "column"]))
        if action == "row" and n.ndim > 1:
            i = data.draw(st.integers(-len(n), len(n) - 1))
            pairs.append((a[i], n[i]))
        elif action == "slice":
            i = data.draw(st.integers(0, len(n) - 1))
            j = data.draw(st.integers(i + 1, len(n)))
            pairs.append((a[i:j], n[i:j]))
        elif action == "reshape":
            pairs.append((a.reshape((-1,)), n.reshape(-1)))
        elif action == "write":
            a[:] = len(pairs)
            n[:] = len(pairs)
        elif action == "add":
            a += 1
            n += 1
        elif action == "element":
            i = data.draw(st.integers(0, len(n) - 1))
            a[i] = 50
            n[i] = 50
        elif action == "column" and n.ndim > 1:
            a[:, 1] = 70
            n[:, 1] = 70
        else:
            np.testing.assert_array_equal(a.asnumpy(), n)
    for a, n in pairs:
        np.testing.assert_array_equal(a.asnumpy(), n)


def test_copies_do_not_share() -> None:
    a = mx.nd.arange(6).reshape((2, 3))
    for other in (a.copy(), a.T, a[:, 1], a[[0]], a[::-1], a.astype("float32"), a + 0, a.copyto(mx.cpu(1))):
        other[:] = -1
    assert a.asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_operators_that_change_nothing_do_not_share() -> None:
    a = mx.nd.arange(6)
    for name, attrs in (("_copy", {}), ("BlockGrad", {}), ("Reshape", {"shape": (6,)}), ("Cast", {"dtype": "float32"})):
        b = mx.ndarray.invoke(name, (a,), attrs)
        b[0:2] = 9
        b[0:2] = 8
        assert a.asnumpy().tolist() == list(range(6)), name
        a[2:3] = 2
        a[2:3] = 2
        assert b.asnumpy().tolist() == [8, 8, 2, 3, 4, 5], name


def test_a_held_result_survives_in_place_writes() -> None:
    """In-place writes may reuse a buffer only when nobody else holds it."""
    a = mx.nd.zeros((4,))
    a[1] = 1
    held, view, numpy = a._data, a[0:2], a.asnumpy()
    seen = view._data
    a[2] = 2
    a[3] = 3
    assert np.asarray(held).tolist() == [0, 1, 0, 0]
    assert np.asarray(seen).tolist() == [0, 1]
    assert numpy.tolist() == [0, 1, 0, 0]
    assert a.asnumpy().tolist() == [0, 1, 2, 3]


def test_asnumpy_is_a_copy() -> None:
    a = mx.nd.zeros((3,))
    out = a.asnumpy()
    out[:] = 5
    assert a.asnumpy().tolist() == [0, 0, 0]


def test_source_array_is_copied() -> None:
    for dtype in (np.float32, np.float64):
        x = np.zeros((128,), dtype)
        a = mx.nd.array(x, dtype=dtype)
        x[:] = 5
        assert a.asnumpy().sum() == 0


@pytest.mark.parametrize("key", [5, -4, (0, 4), (slice(None), 9), [3], [-4], ([0], [4])])
def test_out_of_bounds_is_an_index_error(key: Any) -> None:
    a = mx.nd.zeros((3, 4))
    with pytest.raises(IndexError, match="out of bounds"):
        a[key]
    with pytest.raises(IndexError, match="out of bounds"):
        a[key] = 1


def test_out_of_bounds_on_the_device_is_raised_where_one_waits() -> None:
    a, bad = mx.nd.zeros((3, 4)), mx.nd.array([0, 3])
    for wait in (
        lambda x: x.asnumpy(),
        lambda x: x.wait_to_read(),
        lambda x: mx.nd.waitall(),
        lambda x: (x + 1).asnumpy(),
    ):
        picked = a[bad]
        with pytest.raises(IndexError, match="does not have"):
            wait(picked)
        mx.nd.waitall()  # once raised, it is over


def test_assignment_errors() -> None:
    a = mx.nd.zeros((2, 3))
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        a[:] = np.ones((4, 5))
    with pytest.raises(TypeError, match="'x'"):
        a[0] = "x"
    with pytest.raises(ValueError, match="cannot be indexed"):
        a["x"] = 1
    assert a.asnumpy().sum() == 0


def test_a_number_that_is_written_often_is_not_taken_for_a_parameter():
    """What comes again is kept on the device: equal bytes, but of another shape."""
    a = mx.nd.ones((2, 3), dtype="float64")
    for _ in range(10):
        a[:] = 0.125
        a[0, 1] = 0.125
        assert (a + 0.125).asnumpy().sum() == 1.5
