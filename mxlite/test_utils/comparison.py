# SPDX-License-Identifier: Apache-2.0
"""Comparing arrays, with messages that say where they differ most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray
from ..symbol import Symbol
from .tolerance import Tolerance, get_atol, get_etol, get_rtol, get_tols

Names = Sequence[str]


def host(x: Any) -> np.ndarray:
    """The numpy array of an NDArray, a numpy array, a number or nested lists."""
    return x.asnumpy() if isinstance(x, NDArray) else np.asarray(x)


def _wide(x: np.ndarray) -> np.ndarray:
    """In float64 (or complex128), in which differences neither wrap nor round."""
    return x.astype(np.promote_types(x.dtype, np.float64))


def _close(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    if rtol == 0 and atol == 0:  # 64-bit integers do not fit into float64
        equal = a == b
        return equal | (np.not_equal(a, a) & np.not_equal(b, b)) if equal_nan else equal
    with np.errstate(invalid="ignore"):
        return np.isclose(_wide(a), _wide(b), rtol=rtol, atol=atol, equal_nan=equal_nan)


def _violation(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    """`|a - b| / (atol + rtol |b|)` of each element: above 1 where they differ too much."""
    x, y = np.broadcast_arrays(_wide(a), _wide(b))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(x == y, 0.0, np.abs(x - y) / (atol + rtol * np.abs(y) + 1e-20))
    return np.where(np.isnan(x) & np.isnan(y), 0.0, error) if equal_nan else error


def _shown(actual: np.ndarray, desired: np.ndarray) -> str:
    """Both arrays, large ones abbreviated."""
    with np.printoptions(threshold=19, edgeitems=3):
        return f"\n ACTUAL: {actual!r}\n DESIRED: {desired!r}"


def _location(violation: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(np.argmax(violation), violation.shape))


def same(a: Any, b: Any) -> bool:
    """Whether all elements are equal. nan is not."""
    return np.array_equal(host(a), host(b))


def same_array(array1: NDArray, array2: NDArray) -> bool:
    """Whether two NDArrays share memory: what is written into one is seen in the other."""
    before = array1.asnumpy()
    if array1.shape != array2.shape or not same(before, array2):
        return False
    array1 += 1
    try:
        return same(array1, array2)
    finally:
        array1[:] = before


def checkShapes(a: Any, b: Any) -> None:
    """Raise AssertionError unless the shapes are equal."""
    x, y = host(a), host(b)
    if x.shape != y.shape:
        raise AssertionError(
            f"\nItems are not equal: a.shape = {x.shape} and b.shape = {y.shape} are not equal{_shown(x, y)}"
        )


def locationError(a: Any, b: Any, index: tuple[int, ...], names: Names, maxError: bool = False) -> str:
    """Where two arrays differ, in words: ``Location of error: (1,), a=2.00000000, b=3.00000000``."""
    x, y = np.broadcast_arrays(host(a), host(b))
    which = "maximum error" if maxError else "error"
    return f"Location of {which}: {index}, {names[0]}={x[index]:.8f}, {names[1]}={y[index]:.8f}"


def find_max_violation(
    a: Any, b: Any, rtol: float | None = None, atol: float | None = None
) -> tuple[tuple[int, ...], float]:
    """Index and size of the largest ``|a - b| / (atol + rtol |b|)``; the bounds are 1e-5 and 1e-20 by default."""
    violation = _violation(host(a), host(b), get_rtol(rtol), get_atol(atol), False)
    index = _location(violation)
    return index, float(violation[index])


def almost_equal(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    use_broadcast: bool = True,
) -> bool:
    """Whether ``|a - b| <= atol + rtol |b|`` for all elements; arguments and errors as for `assert_almost_equal`.

    But the default bounds are 1e-5 and 1e-20 for all dtypes, as in MXNet.
    """
    if not use_broadcast:
        checkShapes(a, b)
    return bool(np.all(_close(host(a), host(b), get_rtol(rtol), get_atol(atol), equal_nan)))


def assert_almost_equal(
    a: Any,
    b: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    names: Names = ("a", "b"),
    equal_nan: bool = False,
    use_broadcast: bool = True,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """Raise unless ``|a - b| <= atol + rtol |b|`` for all elements.

    Args:
        a: an NDArray, a numpy array, a number or nested lists.
        b: what it should be.
        rtol: relative bound: a number, a dictionary by dtype, or by default that of the coarser dtype
            (`default_rtols`).
        atol: absolute bound, likewise (`default_atols`).
        names: what the two are called in the message.
        equal_nan: nan equals nan.
        use_broadcast: shapes may differ if they broadcast.
        mismatches: the second number says how many of the largest errors the message shows.

    Raises:
        AssertionError: with the largest errors, their places and the share of wrong elements. (MXNet prints the list of
            errors to stdout, and counts only up to `mismatches`.)
        ValueError: shapes that do not broadcast.
    """
    _assert_close(a, b, rtol, atol, 0, names, equal_nan, use_broadcast, mismatches[1])


def assert_almost_equal_with_err(
    a: Any,
    b: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    etol: float | None = None,
    names: Names = ("a", "b"),
    equal_nan: bool = False,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """As `assert_almost_equal`, but the part `etol` (0.1 is a tenth) of the elements may be wrong."""
    _assert_close(a, b, rtol, atol, get_etol(etol), names, equal_nan, True, mismatches[1])


def _assert_close(
    a: Any,
    b: Any,
    rtol: Tolerance,
    atol: Tolerance,
    etol: float,
    names: Names,
    equal_nan: bool,
    use_broadcast: bool,
    shown: int,
) -> None:
    if not use_broadcast:
        checkShapes(a, b)
    rtol, atol = get_tols(a, b, rtol, atol)
    x, y = host(a), host(b)
    close = _close(x, y, rtol, atol, equal_nan)
    wrong = 1 - np.mean(close) if close.size else 0.0
    if wrong <= etol:
        return
    violation = np.where(close, 0.0, _violation(x, y, rtol, atol, equal_nan))
    worst = _location(violation)
    head = f"\nItems are not equal:\nError {violation[worst]:f} exceeds tolerance rtol={rtol:e}, atol={atol:e}"
    if close.ndim:
        head += f" (mismatch {100 * wrong:f}%).\n{locationError(x, y, worst, names, maxError=True)}"
    message = [head + _shown(x, y)]
    if close.size - np.count_nonzero(close) > 1:
        message.append(_largest(x, y, violation, names, shown))
    raise AssertionError("\n".join(message))


def _largest(x: np.ndarray, y: np.ndarray, violation: np.ndarray, names: Names, count: int) -> str:
    """A line for each of the largest errors, nan first."""
    flat = np.nan_to_num(violation.ravel(), nan=np.inf)
    order = [i for i in np.argsort(-flat, kind="stable")[:count] if flat[i] > 0]
    lines = [f"The largest errors of {flat.size} elements, in units of the tolerance:"]
    for rank, at in enumerate(order, 1):
        index = tuple(int(i) for i in np.unravel_index(at, violation.shape))
        lines.append(f"{rank:3d}: Error {violation[index]:f}  {locationError(x, y, index, names)}")
    return "\n".join(lines)


def assert_allclose(a: Any, b: Any, rtol: float = 1e-07, atol: float = 0, equal_nan: bool = True) -> None:
    """`assert_almost_equal` with the bounds of `numpy.testing.assert_allclose`."""
    assert_almost_equal(a, b, rtol, atol, equal_nan=equal_nan)


def assert_almost_equal_ignore_nan(
    a: Any, b: Any, rtol: Tolerance = None, atol: Tolerance = None, names: Names = ("a", "b")
) -> None:
    """`assert_almost_equal` of the elements that are nan in neither."""
    x, y = host(a), host(b)
    ignored = np.isnan(x) | np.isnan(y)
    assert_almost_equal(np.where(ignored, 0, x), np.where(ignored, 0, y), rtol, atol, names)


def compare_ndarray_tuple(t1: Any, t2: Any, rtol: Tolerance = None, atol: Tolerance = None) -> None:
    """`assert_almost_equal` of every pair in two equally nested tuples of arrays. None equals anything."""
    if t1 is None or t2 is None:
        return
    if isinstance(t1, tuple):
        for one, other in zip(t1, t2, strict=True):
            compare_ndarray_tuple(one, other, rtol, atol)
    else:
        assert_almost_equal(t1, t2, rtol, atol)


def same_symbol_structure(sym1: Symbol, sym2: Symbol) -> bool:
    """Whether two symbols are the same operators, connected the same way. Names and parameters do not count."""

    def structure(symbol: Symbol) -> tuple[Any, Any]:
        graph = json.loads(symbol.tojson())
        return [(node["op"], node["inputs"]) for node in graph["nodes"]], graph["heads"]

    return structure(sym1) == structure(sym2)
