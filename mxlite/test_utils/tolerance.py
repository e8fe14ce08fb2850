# SPDX-License-Identifier: Apache-2.0
"""Which errors are tolerated: relative and absolute bounds by dtype, as in MXNet's testing kit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

_DOUBLE = np.dtype(np.float64)
#: dtype: (relative bound, absolute bound, step of a difference quotient). bfloat16 is not among MXNet's.
_FLOATS = {
    np.dtype(np.float16): (1e-2, 1e-1, 1.0 / 2**6),
    np.dtype(jnp.bfloat16): (5e-2, 1e-1, 1.0 / 2**4),
    np.dtype(np.float32): (1e-4, 1e-3, 1.0 / 2**9),
    _DOUBLE: (1e-5, 1e-20, 1.0 / 2**14),
}
_EXACT = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")

#: A bound: a number, one for each dtype, or None for the default of the dtype.
Tolerance = float | Mapping[Any, float] | None


def _table(column: int) -> dict[np.dtype, float]:
    return {**{dtype: row[column] for dtype, row in _FLOATS.items()}, **{np.dtype(name): 0 for name in _EXACT}}


def default_rtols() -> dict[np.dtype, float]:
    """The relative bound of each dtype: 1e-2, 1e-4, 1e-5 for float16, 32, 64; 0 for integers."""
    return _table(0)


def default_atols() -> dict[np.dtype, float]:
    """The absolute bound of each dtype: 1e-1, 1e-3, 1e-20 for float16, 32, 64; 0 for integers."""
    return _table(1)


def default_numeric_eps() -> dict[np.dtype, float]:
    """The step of a difference quotient in each dtype: a power of two, so that adding it is exact."""
    return {dtype: row[2] for dtype, row in _FLOATS.items()}


def get_rtol(rtol: float | None = None, dtype: Any = _DOUBLE) -> float:
    """`rtol`, or the default of `dtype`."""
    return default_rtols()[np.dtype(dtype)] if rtol is None else rtol


def get_atol(atol: float | None = None, dtype: Any = _DOUBLE) -> float:
    """`atol`, or the default of `dtype`."""
    return default_atols()[np.dtype(dtype)] if atol is None else atol


def get_etol(etol: float | None = None) -> float:
    """The part of the elements that may be wrong: `etol`, or 0."""
    return 0 if etol is None else etol


def effective_dtype(dat: Any) -> np.dtype:
    """The dtype whose precision the numbers of `dat` have.

    It is the dtype of `dat`. (MXNet says float16 for float32 on GPUs that multiply in TF32; mxlite multiplies float32
    in full precision unless `jax_default_matmul_precision` says otherwise.)
    """
    return np.dtype(dat.dtype) if hasattr(dat, "dtype") else np.asarray(dat).dtype


def get_tolerance(dat: Any, tol: Tolerance, default_tol: Mapping[np.dtype, float]) -> float:
    """The bound for one array: `tol` itself, its entry for the dtype, or else that of `default_tol`.

    Raises KeyError for a dtype that no table has.
    """
    dtype = effective_dtype(dat)
    if isinstance(tol, Mapping):
        return {np.dtype(key): value for key, value in tol.items()}.get(dtype, default_tol[dtype])
    return default_tol[dtype] if tol is None else tol


def get_tols(x: Any, y: Any, rtol: Tolerance, atol: Tolerance) -> tuple[float, float]:
    """The relative and the absolute bound for comparing `x` with `y`: each that of the coarser dtype."""
    rtols, atols = default_rtols(), default_atols()
    return (
        max(get_tolerance(x, rtol, rtols), get_tolerance(y, rtol, rtols)),
        max(get_tolerance(x, atol, atols), get_tolerance(y, atol, atols)),
    )
