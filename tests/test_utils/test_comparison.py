# SPDX-License-Identifier: Apache-2.0
"""Comparing arrays: what MXNet 1.9.1 finds equal is equal, and messages name the place. Numbers recorded there."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite import test_utils as tu

F16, F32, F64 = np.float16, np.float32, np.float64


def test_bounds_by_dtype() -> None:
    rtols, atols, steps = tu.default_rtols(), tu.default_atols(), tu.default_numeric_eps()
    assert [rtols[np.dtype(d)] for d in (F16, F32, F64, "int32", "bool")] == [1e-2, 1e-4, 1e-5, 0, 0]
    assert [atols[np.dtype(d)] for d in (F16, F32, F64, "int32", "bool")] == [1e-1, 1e-3, 1e-20, 0, 0]
    assert [steps[np.dtype(d)] for d in (F16, F32, F64)] == [0.015625, 0.001953125, 6.103515625e-05]
    assert (tu.get_rtol(), tu.get_atol(), tu.get_etol()) == (1e-5, 1e-20, 0)
    assert (tu.get_rtol(0.5), tu.get_atol(0.0, F32), tu.get_rtol(None, F16)) == (0.5, 0.0, 1e-2)
    assert tu.effective_dtype(mx.nd.ones((1,))) == F32


@pytest.mark.parametrize(
    ("dtypes", "tols", "expected"),
    [
        ((F32, F16), (None, None), (0.01, 0.1)),
        ((F32, F64), (None, None), (1e-4, 1e-3)),
        ((F32, "int32"), (None, None), (1e-4, 1e-3)),
        ((F32, "int32"), (1e-3, None), (1e-3, 1e-3)),
        ((F32, F64), ({np.dtype(F32): 1.0}, {F64: 7.0}), (1.0, 7.0)),
    ],
)
def test_the_coarser_dtype_decides(dtypes: tuple, tols: tuple, expected: tuple) -> None:
    x, y = (np.ones(1, d) for d in dtypes)
    assert tu.get_tols(x, y, *tols) == expected


# a, b, keywords, whether MXNet accepts.
CASES = [
    (np.array([1.0, 2, 3]), np.array([1.0, 2, 3.1]), {}, False),
    (np.array([1.0], F16), np.array([1.005], F32), {}, True),
    (np.array([1.0], F32), np.array([1.00005], F64), {}, True),
    (np.array([1.0, np.nan]), np.array([1.0, np.nan]), {}, False),
    (np.array([1.0, np.nan]), np.array([1.0, np.nan]), {"equal_nan": True}, True),
    (np.array([1.0, np.nan]), np.array([1.0, 2]), {"equal_nan": True}, False),
    (np.array([1.0, np.inf]), np.array([1.0, np.inf]), {}, True),
    (np.array([1.0, np.inf]), np.array([1.0, -np.inf]), {}, False),
    (np.array([1.0, 1]), 1.0, {}, True),
    (np.ones((2, 3)), np.ones((3,)), {}, True),
    (np.ones((2, 3)), np.ones((3,)), {"use_broadcast": False}, False),
    (np.array([], F32), np.array([], F32), {}, True),
    (np.array([True, False]), np.array([True, True]), {}, False),
    (True, False, {}, False),
    (1.0, 1.0001, {}, False),
    (mx.nd.array([1, 2]), np.array([1, 3.0]), {"rtol": 1e-3, "atol": 1e-4}, False),
    (mx.nd.array([1, 2]), [1, 2], {}, True),
    (np.array([250], "uint8"), np.array([5], "uint8"), {}, False),
    (np.array([2**53 + 1]), np.array([2**53]), {}, False),
    (np.ones(3, jnp.bfloat16), np.full(3, 1.01, F32), {}, True),
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_assert_almost_equal(case: tuple) -> None:
    a, b, keywords, accepted = case
    if accepted:
        tu.assert_almost_equal(a, b, **keywords)
    else:
        with pytest.raises(AssertionError, match="Items are not equal"):
            tu.assert_almost_equal(a, b, **keywords)


def test_the_message_names_the_largest_errors() -> None:
    with pytest.raises(AssertionError) as caught:
        tu.assert_almost_equal(np.array([[1, 2], [3, 4]], F32), np.array([[1, 2.5], [3.1, 4]], F32), names=("x", "y"))
    assert str(caught.value).splitlines() == [
        "",
        "Items are not equal:",
        "Error 400.000000 exceeds tolerance rtol=1.000000e-04, atol=1.000000e-03 (mismatch 50.000000%).",
        "Location of maximum error: (0, 1), x=2.00000000, y=2.50000000",
        " ACTUAL: array([[1., 2.],",
        "       [3., 4.]], dtype=float32)",
        " DESIRED: array([[1. , 2.5],",
        "       [3.1, 4. ]], dtype=float32)",
        "The largest errors of 4 elements, in units of the tolerance:",
        "  1: Error 400.000000  Location of error: (0, 1), x=2.00000000, y=2.50000000",
        "  2: Error 76.335806  Location of error: (1, 0), x=3.00000000, y=3.09999990",
    ]


def test_large_arrays_are_abbreviated_and_mismatches_limits_the_list() -> None:
    with pytest.raises(AssertionError) as caught:
        tu.assert_almost_equal(np.arange(1000.0), np.arange(1000.0) + 1, mismatches=(3, 2))
    message = str(caught.value)
    assert "mismatch 100.000000%" in message
    assert "..., 997." in message
    assert message.count("Location of error") == 2


def test_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(ValueError, match="could not be broadcast together with shapes"):
        tu.assert_almost_equal(np.ones(3), np.ones(2))
    with pytest.raises(AssertionError, match=r"a.shape = \(2,\) and b.shape = \(3,\) are not equal"):
        tu.checkShapes(np.ones(2), np.ones(3))


def test_almost_equal_has_bounds_of_its_own() -> None:
    assert not tu.almost_equal(np.array([1.0], F32), np.array([1.00005], F32))
    assert tu.almost_equal(mx.nd.array([1.0]), np.array([1.00005]), rtol=1e-3)
    assert tu.almost_equal([np.nan], [np.nan], equal_nan=True)
    with pytest.raises(AssertionError, match="shape"):
        tu.almost_equal(np.ones((2, 3)), np.ones(3), use_broadcast=False)


def test_same_and_location() -> None:
    assert tu.same(mx.nd.array([1, 2]), [1.0, 2.0])
    assert not tu.same([np.nan], [np.nan])
    index, violation = tu.find_max_violation(np.array([1.0, 2, 3]), np.array([1.0, 2, 3.1]))
    assert index == (2,)
    assert violation == pytest.approx(3225.806452)
    told = tu.locationError(np.array([1.0, 2]), np.array([1.0, 3]), (1,), ("p", "q"), True)
    assert told == "Location of maximum error: (1,), p=2.00000000, q=3.00000000"


def test_a_part_may_be_wrong() -> None:
    x = np.arange(10.0)
    y = x.copy()
    y[3] = 9
    tu.assert_almost_equal_with_err(x, y, etol=0.1)
    for etol in (None, 0.05):
        with pytest.raises(AssertionError, match=r"mismatch 10.000000%.*\n.*\(3,\), a=3.00000000, b=9.0"):
            tu.assert_almost_equal_with_err(x, y, etol=etol)


def test_nan_is_ignored_on_both_sides() -> None:
    tu.assert_almost_equal_ignore_nan(np.array([1, np.nan, 3]), np.array([1, 2.0, np.nan]))
    with pytest.raises(AssertionError, match=r"\(0,\), a=1.00000000, b=3.0"):
        tu.assert_almost_equal_ignore_nan(np.array([1, np.nan]), np.array([3, 2.0]))


def test_assert_allclose() -> None:
    tu.assert_allclose(np.array([np.nan, 1]), np.array([np.nan, 1 + 1e-8]))
    with pytest.raises(AssertionError, match=r"rtol=1.000000e-07, atol=0.000000e\+00"):
        tu.assert_allclose(mx.nd.ones((2,)), np.ones(2) + 1e-6)


def test_tuples_of_arrays() -> None:
    one, two = mx.nd.ones((2,)), mx.nd.ones((2,)) * 2
    tu.compare_ndarray_tuple((one, None, (two,)), (one, two, (two,)))
    with pytest.raises(AssertionError, match=r"a=1\.0+, b=2\.0+"):
        tu.compare_ndarray_tuple((one, (one,)), (one, (two,)))
    with pytest.raises(ValueError, match="shorter"):
        tu.compare_ndarray_tuple((one, one), (one,))


def test_same_array_means_shared_memory() -> None:
    a = mx.nd.zeros((4,))
    assert tu.same_array(a, a[0:4])
    assert not tu.same_array(a, a.copy())
    assert not tu.same_array(a, a[0:2])
    np.testing.assert_array_equal(a.asnumpy(), np.zeros(4))


def test_same_symbol_structure() -> None:
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    assert tu.same_symbol_structure(x * 2, x * 3)
    assert tu.same_symbol_structure(x * 2, y * 2)
    assert not tu.same_symbol_structure(x * 2, x + 2)
    assert not tu.same_symbol_structure(x + y, x + x)
