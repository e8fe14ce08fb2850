# SPDX-License-Identifier: Apache-2.0
"""Operator parameters: what Python values and texts become, and what is refused."""

from __future__ import annotations

import contextlib
import math
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxlite_compiler.params import DType, Range, Shape, describe, dtype_name, parse, to_text

Bounds = tuple[int | None, ...]


@pytest.mark.parametrize(
    ("hint", "value", "want"),
    [
        (int, "3", 3), (int, "3L", 3), (int, 3.0, 3), (int, np.int64(4), 4), (int, True, 1),
        (float, "1e-3", 0.001), (float, "2", 2.0), (float, 1, 1.0), (float, "inf", math.inf),
        (float, "-inf", -math.inf),
        (bool, "True", True), (bool, "true", True), (bool, "0", False), (bool, 1, True), (bool, np.bool_(False), False),
        (str, "abc", "abc"), (str, "None", "None"), (str, "1", "1"), (str, 5, "5"),
        (Shape, "(2, 3)", (2, 3)), (Shape, "[2,3]", (2, 3)), (Shape, "(2L,3L)", (2, 3)), (Shape, "(2,)", (2,)),
        (Shape, "()", ()), (Shape, 5, (5,)), (Shape, "5", (5,)), (Shape, [1, 2], (1, 2)),
        (Shape, np.array([1, 2]), (1, 2)),
        (Bounds, "(None, 1)", (None, 1)), (Bounds, (None, -1), (None, -1)),
        (Shape | None, "None", None), (Shape | None, None, None), (Shape | None, "(1,)", (1,)),
        (int | None, "-1", -1), (int | None, None, None), (float | None, "None", None), (float | None, "0.5", 0.5),
        (Literal["a", "b"], "b", "b"), (Literal["a", "b"] | None, None, None), (Literal["a"] | None, "None", None),
        (Annotated[int, Range(low=1)], "2", 2),
        (DType, "float16", "float16"), (DType, np.float32, "float32"), (DType, np.dtype("int8"), "int8"),
        (DType, "bfloat16", "bfloat16"), (DType, 2, "float16"), (DType, jnp.int32, "int32"), (DType, bool, "bool"),
        (DType | None, "None", None),
    ],
)  # fmt: skip
def test_parse(hint: Any, value: Any, want: Any):
    got = parse(hint, value)
    assert got == want
    assert type(got) is type(want)


@pytest.mark.parametrize(
    ("hint", "value", "says"),
    [
        (int, "abc", "must be an integer"), (int, 1.5, "must be an integer"), (int, "1.5", "must be an integer"),
        (int, None, "must be an integer"), (int, "inf", "must be an integer"), (int, [1], "must be an integer"),
        (float, "abc", "must be a number"), (float, None, "must be a number"), (float, "(1, 2)", "must be a number"),
        (bool, "maybe", "must be True or False"), (bool, 2, "must be True or False"),
        (Shape, "(1, x)", "must be an integer"), (Shape, (1, 1.5), "must be an integer"),
        (Shape, None, "must be an integer"),
        (Literal["a", "b"], "c", "must be one of 'a', 'b'"), (int | None, "x", "must be an integer or None"),
        (DType, "float33", "must be one of float32"), (DType, "complex64", "must be one of float32"),
        (Annotated[int, Range(low=1)], 0, "must be at least 1"),
        (Annotated[float, Range(0, 1)], "1.5", "must be between 0 and 1"),
        (Annotated[float, Range(high=1)], math.nan, "must be at most 1"),
    ],
)  # fmt: skip
def test_refused(hint: Any, value: Any, says: str):
    with pytest.raises(ValueError, match=says):
        parse(hint, value)


@pytest.mark.parametrize("text", ["__import__('os').getcwd()", "(1,)*9", "open('x')", "1 if 1 else 2", "lambda: 1"])
def test_text_is_never_run(text: str):
    for hint in (int, Shape, float):
        with pytest.raises(ValueError):
            parse(hint, text)


@given(st.lists(st.integers(-(2**40), 2**40), max_size=6).map(tuple))
def test_shape_text_comes_back(shape: Shape):
    assert parse(Shape, to_text(shape)) == shape


@given(st.floats(allow_nan=False))
def test_float_text_comes_back(value: float):
    assert parse(float, to_text(value)) == value


@given(st.text(max_size=12), st.sampled_from([int, float, bool, Shape, Bounds, int | None, DType, Literal["a"]]))
def test_any_text_is_parsed_or_refused(text: str, hint: Any):
    with contextlib.suppress(ValueError):
        parse(hint, text)


def test_dtype_name():
    assert [dtype_name(i) for i in (0, 1, 2, 3, 4, 5, 6, 7, 12)] == [
        "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "bfloat16",
    ]  # fmt: skip
    with pytest.raises(ValueError):
        dtype_name(99)


def test_to_text_is_mxnets():
    assert [to_text(v) for v in ((2, 2), True, 1e-5, "x", None, np.float32, 3)] == [
        "(2, 2)", "True", "1e-05", "x", "None", "float32", "3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "int"), (Shape, "Shape(tuple)"), (int | None, "int or None"), (DType, "dtype"),
        (Literal["a", "b"], "{'a', 'b'}"), (Bounds, "tuple of int or None"),
        (Annotated[int, Range(low=1)], "int (at least 1)"),
    ],
)  # fmt: skip
def test_describe(hint: Any, words: str):
    assert describe(hint) == words
