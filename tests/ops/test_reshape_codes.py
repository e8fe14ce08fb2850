# SPDX-License-Identifier: Apache-2.0
"""Reshape's codes: specifications built together with their result, in both reading directions, and mistakes."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS
from mxlite_compiler.ops.reshape import reshaped

Shape = tuple[int, ...]
RESHAPE = OPS["Reshape"]


@st.composite
def specifications(draw: Any) -> tuple[Shape, Shape, Shape, bool]:
    """A shape, codes, the shape they make of it, and whether they are read from the right."""
    data = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    codes: list[int] = []
    out: list[int] = []
    i, free = 0, True  # free: -1 has not been used
    while i < len(data):
        kind = draw(st.sampled_from(["copy", "merge", "split", "rest", "size", "remains"]))
        if kind == "rest":
            codes.append(-2)
            out += data[i:]
            break
        if kind == "merge" and i + 1 < len(data):
            codes.append(-3)
            out.append(data[i] * data[i + 1])
            i += 2
        elif kind == "split":
            a = draw(st.sampled_from([d for d in range(1, data[i] + 1) if data[i] % d == 0]))
            pair = [a, data[i] // a]
            out += pair
            hidden = draw(st.sampled_from([None, 0, 1]))
            codes += [-4, *(-1 if n == hidden else v for n, v in enumerate(pair))]
            i += 1
        else:
            codes.append(0 if kind == "copy" else -1 if kind == "remains" and free else data[i])
            free &= codes[-1] != -1
            out.append(data[i])
            i += 1
    if draw(st.booleans()):
        codes.insert(0, 1)  # a size that no axis of the data has: every later 0 would then be shifted
        out.insert(0, 1)
        if any(c in (0, -2, -3, -4) for c in codes):
            codes, out = codes[1:], out[1:]
    reverse = draw(st.booleans())
    step = -1 if reverse else 1
    return tuple(data[::step]), tuple(codes[::step]), tuple(out[::step]), reverse


@settings(deadline=None, max_examples=150)
@given(specifications())
def test_forward(spec: tuple[Shape, Shape, Shape, bool]):
    data, codes, out, reverse = spec
    assert reshaped(codes, reverse, data) == (data, out)
    p = RESHAPE.bind({"shape": codes, "reverse": reverse})
    assert RESHAPE.infer_shape(p, [data], [None]) == ([data], [out])
    assert RESHAPE.infer_shape(p, [data], [out]) == ([data], [out])


@settings(deadline=None, max_examples=150)
@given(specifications(), st.data())
def test_one_unknown_size_is_found(spec: tuple[Shape, Shape, Shape, bool], source: Any):
    data, codes, out, reverse = spec
    axis = source.draw(st.integers(0, len(data) - 1))
    hole = (*data[:axis], 0, *data[axis + 1 :])
    assert reshaped(codes, reverse, hole, out) == (data, out)
    # Without the output nothing false is said.
    found, made = reshaped(codes, reverse, hole)
    assert all(a in (0, b) for a, b in zip((*found, *made), (*data, *out), strict=True))


@settings(deadline=None, max_examples=60)
@given(specifications(), st.data())
def test_many_unknown_sizes(spec: tuple[Shape, Shape, Shape, bool], source: Any):
    data, codes, out, reverse = spec

    def holes(shape: Shape) -> Shape:
        return tuple(n if source.draw(st.booleans()) else 0 for n in shape)

    found, made = reshaped(codes, reverse, holes(data), holes(out))
    assert all(a in (0, b) for a, b in zip((*found, *made), (*data, *out), strict=True))


@settings(deadline=None, max_examples=20)
@given(specifications())
def test_kernel_keeps_order(spec: tuple[Shape, Shape, Shape, bool]):
    data, codes, out, reverse = spec
    x = np.arange(math.prod(data), dtype=np.float32).reshape(data)
    (y,), _ = RESHAPE.apply(RESHAPE.bind({"shape": codes, "reverse": reverse}), jnp.asarray(x))
    np.testing.assert_array_equal(y, x.reshape(out))


@pytest.mark.parametrize(
    ("data", "codes", "says"),
    [
        ((2, 3), (4, 2), "6 elements cannot become 8"),
        ((2, 3), (-1, 4), "6 elements cannot be divided by 4"),
        ((2, 3), (-1, -1), "more than one -1"),
        ((2, 3), (0, 0, 0), "needs axis 2 of 2"),
        ((2,), (-3,), "needs axis 1 of 1"),
        ((6,), (-4, -1, -1), "one of which may be -1"),
        ((6,), (-4, 2), "two sizes after it"),
        ((6,), (-4, 4, -1), "6 elements cannot be divided by 4"),
        ((6,), (-5,), "legal are"),
        ((6,), (), "shape is missing"),
    ],
)
def test_mistakes(data: Shape, codes: Shape, says: str):
    with pytest.raises(MXNetError, match=says):
        RESHAPE.infer_shape(RESHAPE.bind({"shape": codes}), [data], [None], "net")


@pytest.mark.parametrize(
    ("data", "target", "keep", "out"),
    [((2, 3, 4), (2, 0), False, (2, 12)), ((2, 3, 4), (0, 4), False, (6, 4)), ((2, 3, 4), (0, 12), True, (2, 12))],
)
def test_target_shape_of_old_files(data: Shape, target: Shape, keep: bool, out: Shape):
    p = RESHAPE.bind({"target_shape": str(target), "keep_highest": str(keep)})
    assert RESHAPE.infer_shape(p, [data], [None])[1] == [out]


def test_shape_wins_over_target_shape():
    p = RESHAPE.bind({"shape": "(3, 2)", "target_shape": "(0, 0)"})
    assert RESHAPE.infer_shape(p, [(6,)], [None])[1] == [(3, 2)]
