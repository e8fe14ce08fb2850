# SPDX-License-Identifier: Apache-2.0
"""Functions of `mx.sym` that choose the operator by what they get: two symbols, or a symbol and a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mxlite_compiler.op import get_op

from .arithmetic import is_scalar, with_scalar, with_symbol
from .compose import make_node, single
from .symbol import Symbol


def _choose(
    left: Any, right: Any, name: str, right_scalar: str, left_scalar: str, numbers: Callable[[Any, Any], Any]
) -> Any:
    """`name` for two symbols, `right_scalar` where the right side is a number, `left_scalar` where the left one is."""
    if isinstance(left, Symbol) and isinstance(right, Symbol):
        return Symbol(with_symbol(name, name, left, right))
    if isinstance(left, Symbol) and is_scalar(right):
        return Symbol(with_scalar(right_scalar, _hint(right_scalar), left, right))
    if is_scalar(left) and isinstance(right, Symbol):
        return Symbol(with_scalar(left_scalar, _hint(left_scalar), right, left))
    if is_scalar(left) and is_scalar(right):
        return numbers(left, right)
    raise TypeError(f"types ({type(left)}, {type(right)}) not supported; Symbols and numbers are")


def _hint(name: str) -> str:
    # MXNet calls these by their older names, such as _MaximumScalar.
    return "_" + name.replace("_", "")


def maximum(left: Any, right: Any) -> Any:
    """The larger of both, element by element; of two numbers, a number.

    Raises:
        TypeError: something is neither a Symbol nor a number.
    """
    return _choose(left, right, "_maximum", "_maximum_scalar", "_maximum_scalar", max)


def minimum(left: Any, right: Any) -> Any:
    """The smaller of both, element by element; see `maximum`."""
    return _choose(left, right, "_minimum", "_minimum_scalar", "_minimum_scalar", min)


def hypot(left: Any, right: Any) -> Any:
    """The hypotenuse over both, element by element; see `maximum`."""
    return _choose(left, right, "_hypot", "_hypot_scalar", "_hypot_scalar", lambda a, b: (a * a + b * b) ** 0.5)


def power(base: Any, exp: Any) -> Any:
    """`base` to the power of `exp`, element by element; see `maximum`."""
    return _choose(base, exp, "_power", "_power_scalar", "_rpower_scalar", lambda a, b: a**b)


pow = power


def split_v2(
    ary: Symbol, indices_or_sections: int | Sequence[int], axis: int = 0, squeeze_axis: bool = False
) -> Symbol:
    """`ary` cut along `axis`, into equal sections or at the given indices, as a symbol with several outputs.

    Raises:
        ValueError: `indices_or_sections` is neither a number nor a sequence of numbers.
    """
    if isinstance(indices_or_sections, int):
        indices, sections = [], indices_or_sections
    elif isinstance(indices_or_sections, tuple | list | set):
        indices, sections = [0, *indices_or_sections], 0
    else:
        raise ValueError("indices_or_sections must either int or tuple / list / set of ints")
    entries = [single(ary.graph.entries, "split_v2: input 'ary'")]
    attrs = {"indices": indices, "axis": axis, "squeeze_axis": squeeze_axis, "sections": sections}
    return Symbol(make_node(get_op("_split_v2"), "_split_v2", entries, {}, attrs).entries())


def histogram(a: Symbol, bins: Any = 10, range: tuple[float, float] | None = None, **kwargs: Any) -> Symbol:
    """The counts of `a` in bins, and the edges of the bins.

    Args:
        a: the values.
        bins: a number of equal bins over `range`, or a Symbol with the edges.
        range: the two ends.

    Raises:
        ValueError: `bins` is something else, or a number without a `range`.
    """
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    entries = [single(a.graph.entries, "histogram: input 'a'")]
    if isinstance(bins, Symbol):
        entries.append(single(bins.graph.entries, "histogram: input 'bins'"))
        return Symbol(make_node(get_op("_histogram"), "_histogram", entries, {}, kwargs, name, attr).entries())
    if not isinstance(bins, int):
        raise ValueError(f"bins argument should be either an integer or a Symbol, got {bins!r}")
    if range is None:
        raise ValueError("null range is not supported in symbol mode")
    attrs = {"bin_cnt": bins, "range": range, **kwargs}
    return Symbol(make_node(get_op("_histogram"), "_histogram", entries, {}, attrs, name, attr).entries())
