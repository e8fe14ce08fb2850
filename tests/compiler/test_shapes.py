# SPDX-License-Identifier: Apache-2.0
"""Shape and dtype signatures: solved forward and backward, never saying something false."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxlite_compiler.errors import Mismatch
from mxlite_compiler.shapes import broadcast, join_shapes, known, parse, solve, solve_dtypes

Shape = tuple[int, ...]
sizes = st.lists(st.integers(1, 5), max_size=4).map(tuple)

FULLY_CONNECTED = "n *k, h (*k), h -> n h"


def test_parse():
    assert parse(FULLY_CONNECTED) == ((("n", "*k"), ("h", "(*k)"), ("h",), ("n", "h")), 3)
    assert parse("-> *s") == ((("*s",),), 0)


def test_forward_and_parameters():
    assert solve(FULLY_CONNECTED, [(2, 3, 4), None, None, None], {"h": 5}) == [(2, 3, 4), (5, 12), (5,), (2, 5)]


def test_backward():
    assert solve(FULLY_CONNECTED, [(0, 3, 4), None, None, (7, 0)], {"h": 5}) == [(7, 3, 4), (5, 12), (5,), (7, 5)]
    assert solve("*s, *s -> *s", [None, None, (2, 3)], {}) == [(2, 3)] * 3
    assert solve("*s, *s -> *s", [(0, 3), (2, 0), None], {}) == [(2, 3)] * 3


def test_fixed_size():
    assert solve("n -> 1", [(4,), None], {}) == [(4,), (1,)]
    with pytest.raises(Mismatch, match="both 1 and 3"):
        solve("n -> 1", [(4,), (3,)], {})


def test_alternatives_take_the_first_that_fits():
    rule = "n k, n -> n | n k, n k -> n k"
    assert solve(rule, [(2, 3), (2,), None], {})[2] == (2,)
    assert solve(rule, [(2, 3), (2, 3), None], {})[2] == (2, 3)
    with pytest.raises(Mismatch):
        solve(rule, [(2, 3), (4, 5, 6), None], {})


@pytest.mark.parametrize(
    ("rule", "shapes", "says"),
    [
        ("a b -> a", [(1, 2, 3), None], "array 0: expected 2 axes"),
        ("a *r -> a", [(), None], "array 0: expected at least 1 axes"),
        ("a, a -> a", [(2,), (3,), None], "axis 0 of array 0 and axis 0 of array 1 cannot be both 2 and 3"),
        ("*s, *s -> *s", [(2, 3), (2,), None], "array 1 has 1 axes where array 0 has 2"),
        (
            "a *k, (*k) -> a",
            [(2, 3, 4), (11,), None],
            "axis 1 of array 0 times axis 2 of array 0 and axis 0 of array 1 cannot be both 12 and 11",
        ),
        ("a -> a", [(2,)], "expected 2 arrays, got 1"),
    ],
)
def test_contradictions(rule: str, shapes: list[Any], says: str):
    with pytest.raises(Mismatch, match=says):
        solve(rule, shapes, {})


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 5), sizes, st.integers(1, 5), st.data())
def test_solve_says_nothing_false(n: int, k: Shape, h: int, source: Any):
    truth: list[Shape] = [(n, *k), (h, math.prod(k)), (h,), (n, h)]

    def hide(shape: Shape) -> Shape | None:
        if source.draw(st.booleans()):
            return None
        return tuple(s if source.draw(st.booleans()) else 0 for s in shape)

    found = solve(FULLY_CONNECTED, [hide(s) for s in truth], {})
    for got, true in zip(found, truth, strict=True):
        assert got is None or all(a in (0, b) for a, b in zip(got, true, strict=True))


@settings(deadline=None, max_examples=150)
@given(sizes, sizes)
def test_broadcast_is_numpys(a: Shape, b: Shape):
    try:
        want: Shape | None = np.broadcast_shapes(a, b)
    except ValueError:
        want = None
    if want is None:
        with pytest.raises(Mismatch, match="do not broadcast"):
            broadcast(a, b)
    else:
        assert broadcast(a, b) == want


@settings(deadline=None, max_examples=150)
@given(sizes, st.data())
def test_broadcast_of_partial_shapes_says_nothing_false(whole: Shape, source: Any):
    def part() -> tuple[Shape, Shape]:
        full = tuple(n if source.draw(st.booleans()) else 1 for n in whole[source.draw(st.integers(0, len(whole))) :])
        return full, tuple(n if source.draw(st.booleans()) else 0 for n in full)

    (a, hidden_a), (b, hidden_b) = part(), part()
    true, got = broadcast(a, b), broadcast(hidden_a, hidden_b)
    assert true is not None
    assert got is not None
    assert all(x in (0, y) for x, y in zip(got, true, strict=True))


def test_broadcast_of_unknown_rank():
    assert broadcast(None, (2, 3)) is None


def test_join_shapes_and_known():
    assert join_shapes((0, 3), (2, 0)) == (2, 3)
    assert join_shapes(None, (2,)) == (2,)
    assert join_shapes(None, None) is None
    with pytest.raises(Mismatch, match="the output cannot be both"):
        join_shapes((2,), (2, 3), "the output")
    with pytest.raises(Mismatch, match="axis 1 of shape cannot be both 3 and 4"):
        join_shapes((2, 3), (2, 4))
    assert known((2, 3)) and known(())
    assert not known((0, 3)) and not known(None)


def test_dtypes():
    assert solve_dtypes(None, [None, "float16", None], {}) == ["float16"] * 3
    assert solve_dtypes("i, t -> t", ["int32", None, "float64"], {}) == ["int32", "float64", "float64"]
    assert solve_dtypes("a -> {dtype}", [None, None], {"dtype": "int8"}) == [None, "int8"]
    assert solve_dtypes("a -> int64", ["float32", None], {}) == ["float32", "int64"]


@pytest.mark.parametrize(
    ("rule", "dtypes", "says"),
    [
        (None, ["float32", "float64"], "cannot be both float32 and float64"),
        ("a -> int64", [None, "int32"], "the dtype of array 1 must be int64, got int32"),
        ("a -> {dtype}", [None, "int32"], "the dtype of array 1 must be int8, got int32"),
        ("a -> a", ["float32"], "expected 2 arrays, got 1"),
    ],
)
def test_dtype_contradictions(rule: str | None, dtypes: list[Any], says: str):
    with pytest.raises(Mismatch, match=says):
        solve_dtypes(rule, dtypes, {"dtype": "int8"})
