# SPDX-License-Identifier: Apache-2.0
"""Python values to numpy arrays of one of MXNet's dtypes, with C's conversion rules."""

from __future__ import annotations

from typing import Any

import numpy as np


def from_python(source: Any, dtype: np.dtype) -> np.ndarray:
    """A fresh numpy array of `dtype`: floats are cut to integers, integers wrap, None is nan.

    Raises TypeError for what is no array of numbers, and for a list with nan or inf where integers are wanted.
    """
    try:
        values = np.asarray(source)
        if values.dtype == dtype:
            return values.copy()
        if values.dtype.kind == "O":
            values = values.astype(np.float64)
        if values.dtype.kind == "c" and isinstance(source, np.ndarray):
            values = np.real(values)
        if values.dtype.kind not in "biufV":
            raise TypeError
        if values.dtype.kind == "f" and dtype.kind in "iu" and isinstance(source, list | tuple):
            # Python's own numbers, of which an integer keeps the low bits; nan and inf are none.
            if not np.isfinite(values).all():
                raise ValueError
            values = values.astype(np.int64)
        with np.errstate(all="ignore"):
            return values.astype(dtype)
    except (TypeError, ValueError):
        why = "; it must hold numbers, and its rows must have one length"
        raise TypeError(f"cannot make an array of {dtype} from {source!r:.80} ({type(source).__name__}){why}") from None


def scalar(value: float, dtype: np.dtype) -> Any:
    """A Python number as a numpy scalar of `dtype`; inf where a float16 overflows, wrapped where an integer does."""
    if dtype.kind == "f":
        if -65504.0 < value < 65504.0:
            return dtype.type(value)
        with np.errstate(over="ignore"):
            return dtype.type(value)
    return from_python(value, dtype)
