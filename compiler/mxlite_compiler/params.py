# SPDX-License-Identifier: Apache-2.0
"""Operator parameters: text or Python value in, typed value out, and the text MXNet would write back."""

from __future__ import annotations

import types
from ast import literal_eval
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Union, cast, get_args, get_origin

import numpy as np

Shape = tuple[int, ...]
DType = Annotated[str, "dtype"]


class Range(NamedTuple):
    """The legal values of a number, both ends included: ``Annotated[int, Range(low=1)]``; of a tuple, of each in it."""

    low: float | None = None
    high: float | None = None

    def check(self, value: Any) -> Any:
        """`value`, or ValueError when it is not in the range."""
        for x in value if isinstance(value, tuple) else (value,):
            if (self.low is not None and not x >= self.low) or (self.high is not None and not x <= self.high):
                raise ValueError(f"must be {self}")
        return value

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"between {self.low:g} and {self.high:g}"
        return f"at least {self.low:g}" if self.low is not None else f"at most {self.high:g}"


#: MXNet's type flags, the numbers in `.params` files and in ``__dtype__`` attributes.
TYPE_FLAGS: dict[str, int] = {
    "float32": 0,
    "float64": 1,
    "float16": 2,
    "uint8": 3,
    "int32": 4,
    "int8": 5,
    "int64": 6,
    "bool": 7,
    "bfloat16": 12,
}


def dtype_name(value: Any) -> str:
    """The name of a dtype that is given as text, numpy or jax dtype, type, or MXNet type flag."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        for name, flag in TYPE_FLAGS.items():
            if flag == value:
                return name
    if isinstance(value, str) and value in TYPE_FLAGS:
        return value
    try:
        name = np.dtype(cast(Any, value)).name
    except TypeError:
        name = str(value)
    if name not in TYPE_FLAGS:
        raise ValueError(f"must be one of {', '.join(TYPE_FLAGS)}")
    return name


def to_text(value: Any) -> str:
    """The text that MXNet's front end stores in a symbol's attribute for `value`."""
    if isinstance(value, str):
        return value
    if isinstance(value, type | np.dtype):
        return dtype_name(value)
    return str(value)


def parse(hint: Any, value: Any) -> Any:
    """Turn `value`, a Python object or its text, into a `hint`; ValueError says what is legal."""
    if isinstance(value, str):
        return _parse_text(hint, value)
    return _convert(hint, value)


@lru_cache(maxsize=4096)
def _parse_text(hint: Any, text: str) -> Any:
    if hint is str or hint is DType or (get_origin(hint) is Literal and text in get_args(hint)):
        return _convert(hint, text)
    if text == "None":
        return _convert(hint, None)
    if text.lower() in ("true", "false"):
        return _convert(hint, text.lower() == "true")
    if text.lower().lstrip("+-") in ("inf", "nan", "infinity"):
        return _convert(hint, float(text))
    if get_origin(hint) in (Union, types.UnionType) and str in get_args(hint):
        return text
    try:
        value = literal_eval(text.replace("L", "") if text[:1] in "([0123456789" else text)
    except (ValueError, SyntaxError):
        value = text
    return _convert(hint, value)


def _convert(hint: Any, value: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is DType:
        return dtype_name(value)
    if origin is Annotated:
        return args[1].check(_convert(args[0], value))
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        problems = []
        for arg in args:
            if arg is not type(None):
                try:
                    return _convert(arg, value)
                except ValueError as e:
                    problems.append(str(e))
        raise ValueError(" or ".join(problems) + (" or None" if type(None) in args else ""))
    if origin is Literal:
        for legal in args:
            if value == legal or str(value) == str(legal):
                return legal
        raise ValueError(f"must be one of {', '.join(map(repr, args))}")
    if origin is tuple:
        items = value if isinstance(value, tuple | list) or getattr(value, "ndim", 0) == 1 else (value,)
        return tuple(_convert(args[0], item) for item in items)
    try:
        if hint is bool:
            if isinstance(value, str) or float(value) not in (0, 1):
                raise ValueError
            return bool(value)
        if hint is int:
            if isinstance(value, str) or float(value) != int(value):
                raise ValueError
            return int(value)
        if hint is float:
            return float(value)
    except (TypeError, ValueError, OverflowError):
        names = {bool: "True or False", int: "an integer", float: "a number"}
        raise ValueError(f"must be {names[hint]}") from None
    if hint is str:
        return str(value)
    raise TypeError(f"no parser for the parameter type {hint}")


def describe(hint: Any) -> str:
    """The type `hint` in words, for documentation and signatures."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is DType:
        return "dtype"
    if origin is Annotated:
        return f"{describe(args[0])} ({args[1]})"
    if origin in (Union, types.UnionType):
        return " or ".join("None" if a is type(None) else describe(a) for a in args)
    if origin is Literal:
        return "{" + ", ".join(map(repr, args)) + "}"
    if origin is tuple:
        return "Shape(tuple)" if args[0] is int else f"tuple of {describe(args[0])}"
    return getattr(hint, "__name__", str(hint))
