# SPDX-License-Identifier: Apache-2.0
"""The shape that `NDArray.reshape` asks for: the arguments of the call, and the operator's codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mxlite_compiler.errors import Mismatch
from mxlite_compiler.ops.reshape import balance, decode

from ..base import MXNetError, explain, integer_types

Shape = tuple[int, ...]


def target_shape(old: Shape, args: Sequence[Any], reverse: bool, kwargs: Mapping[str, Any]) -> Shape:
    """The shape for a call ``reshape(*args, reverse=reverse, **kwargs)`` of an array of shape `old`.

    Raises:
        MXNetError: the codes do not fit `old`, or ask for more elements than there are.
        ValueError: they ask for fewer, or do not come out even.
        TypeError: the shape is missing, given twice, or holds something else than integers.
    """
    codes = _codes(args, kwargs)
    total = math.prod(old)
    if codes and min(codes) > 0:
        return _checked(codes, total, old)
    if not codes:
        if total != 1:
            raise ValueError(f"reshape: an array of shape {old} cannot take shape ()")
        return ()
    step = -1 if reverse else 1
    try:
        new, blocks = decode(codes[::step], len(old))
        balance(list(old[::step]), new, blocks[:-1])  # the last block is the whole, which comes next
    except Mismatch as e:
        raise MXNetError(explain(str(e), op="reshape", given=[("data", old), ("shape", codes)])) from None
    if 0 in new:
        known = math.prod(n for n in new if n)
        if total % known:
            raise ValueError(f"reshape: {total} elements of shape {old} do not divide by {known}, asked for {codes}")
        new[new.index(0)] = total // known
    return _checked(tuple(new[::step]), total, old)


def _codes(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Shape:
    unknown = [k for k in kwargs if k != "shape"]
    if unknown:
        raise TypeError(f"reshape takes no argument {', '.join(unknown)}; it takes shape and reverse")
    if ("shape" in kwargs) == bool(args):
        raise TypeError("reshape needs the shape once, as integers or as one tuple")
    codes = args[0] if len(args) == 1 else args or kwargs["shape"]
    codes = (codes,) if isinstance(codes, integer_types) else codes
    if not isinstance(codes, tuple | list) or not all(isinstance(c, integer_types) for c in codes):
        raise TypeError(f"reshape takes integers, got {codes!r:.80}")
    return tuple(int(c) for c in codes)


def _checked(shape: Shape, total: int, old: Shape) -> Shape:
    asked = math.prod(shape)
    if asked > total:
        raise MXNetError(explain(f"shape {shape} has more elements than shape {old}", op="reshape"))
    if asked < total:
        raise ValueError(f"reshape: shape {shape} has fewer elements than shape {old}")
    return shape
