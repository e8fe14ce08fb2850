# SPDX-License-Identifier: Apache-2.0
"""Arrays from nothing and from Python: `array`, `zeros`, `ones`, `full`, `empty`, `arange`, `eye`, `linspace`."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from ..base import MXNetError, as_dtype, explain, integer_types
from ..context import Context, as_context
from . import _kernels
from ._convert import from_python
from .interchange import import_dlpack
from .ndarray import NDArray, from_host, from_jax

_FLOAT32 = np.dtype(np.float32)


def array(source_array: Any, ctx: Any = None, dtype: Any = None) -> NDArray:
    """An array with the values of a list, a numpy array, a number or another NDArray.

    Args:
        source_array: the values.
        ctx: the device; the current one by default.
        dtype: float32 by default, whatever a list or numpy array holds; an NDArray keeps its own.

    Returns an array of the shape of the source.
    Raises TypeError for a source that is no array of numbers or a dtype that does not exist, MXNetError for a dtype
    that MXNet does not have.
    """
    where = as_context(ctx, "array")
    if isinstance(source_array, NDArray):
        wanted = source_array._cell.dtype if dtype is None else as_dtype(dtype, "array")
        moved = source_array.copyto(where)
        return moved if wanted == moved._cell.dtype else moved.astype(wanted)
    wanted = _FLOAT32 if dtype is None else as_dtype(dtype, "array")
    return NDArray._wrap(_kernels.upload(from_python(source_array, wanted), where.jax_device), where)


def _constant(value: int, what: str, shape: Any, ctx: Any, dtype: Any, options: dict[str, Any]) -> NDArray:
    out = options.pop("out", None)
    for key in options:
        raise MXNetError(explain(f"no parameter {key!r}", op=what, hint="parameters are: shape, ctx, dtype, out"))
    wanted = _FLOAT32 if dtype is None else as_dtype(dtype, what)
    where = as_context(ctx, what)
    sizes = checked_shape(shape, what)
    if out is not None:
        if value:
            out[:] = value
        else:
            out._zero()
        return out
    return NDArray._wrap(_kernels.fill(sizes, wanted.type(value), wanted, where.jax_device), where)


def checked_shape(shape: Any, what: str) -> tuple[int, ...]:
    """`shape` as a tuple. MXNetError unless it is a positive integer or a sequence of them."""
    sizes = (shape,) if isinstance(shape, integer_types) else shape
    if not isinstance(sizes, tuple | list) or not all(isinstance(n, integer_types) for n in sizes):
        raise MXNetError(explain(f"shape={shape!r:.80} must be an integer or a tuple of integers", op=what))
    if not sizes or min(sizes) <= 0:
        raise MXNetError(explain(f"shape={shape!r:.80} leaves sizes unknown: each must be at least 1", op=what))
    return tuple(int(n) for n in sizes)


def zeros(shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None, **kwargs: Any) -> NDArray:
    """An array of zeros.

    Args:
        shape: an integer or a tuple of positive integers.
        ctx: the device; the current one by default.
        dtype: float32 by default.
        stype: None or "default".
        **kwargs: `out`, an array to write into.

    Raises MXNetError for an illegal shape, dtype or device.
    """
    return _constant(0, "zeros", shape, ctx, dtype, kwargs)


def ones(shape: Any, ctx: Any = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """An array of ones; arguments and errors as for `zeros`."""
    return _constant(1, "ones", shape, ctx, dtype, kwargs)


def empty(shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None) -> NDArray:
    """An array whose values do not matter yet (they are zeros); arguments and errors as for `zeros`."""
    return zeros(shape, ctx, dtype, stype)


def full(shape: Any, val: Any, ctx: Any = None, dtype: Any = np.float32, out: NDArray | None = None) -> NDArray:
    """An array full of one value.

    Args:
        shape: an integer or a tuple of positive integers.
        val: a number, or an array that broadcasts to `shape`.
        ctx: the device; the current one by default.
        dtype: float32 by default; `val` is cut to it.
        out: an array to write into.

    Raises TypeError for a value that is no number, MXNetError for an illegal shape, dtype or device.
    """
    target = empty(shape, ctx, dtype) if out is None else out
    target[:] = val
    return target


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool | None = None,
    ctx: Any = None,
    dtype: Any = np.float32,
) -> NDArray:
    """Evenly spaced values of the half-open interval [start, stop).

    Args:
        start: the first value; when `stop` is None, the end of an interval from 0.
        stop: the end, not included.
        step: the distance of two values.
        repeat: how often each value stands in the result.
        infer_range: kept for scripts that give it; not needed.
        ctx: the device; the current one by default.
        dtype: float32 by default.

    Returns a vector. Raises MXNetError when it would be empty or step is 0.
    """
    if stop is None:
        start, stop = 0, start
    wanted = as_dtype(dtype, "arange")
    if not step:
        raise MXNetError(explain("step must not be 0", op="arange"))
    count = math.ceil((stop - start) / step)
    if count <= 0:
        raise MXNetError(explain(f"the interval from {start} to {stop} with step {step} is empty", op="arange"))
    # On the host, so that other numbers cost no compilation; in the dtype itself, as MXNet computes it.
    with np.errstate(all="ignore"):
        first, distance = np.array([start, step]).astype(wanted)
        values = first + np.arange(count).astype(wanted) * distance
    return from_host(np.repeat(values, repeat), as_context(ctx, "arange"))


def linspace(
    start: float, stop: float, num: int, endpoint: bool = True, ctx: Any = None, dtype: Any = np.float32
) -> NDArray:
    """`num` evenly spaced values from start to stop, `stop` included when `endpoint` is True."""
    wanted = as_dtype(dtype, "linspace")
    return from_host(np.linspace(start, stop, num, endpoint=endpoint).astype(wanted), as_context(ctx, "linspace"))


def eye(N: int, M: int = 0, k: int = 0, ctx: Any = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """A matrix (N, M or N) with ones on the k-th diagonal, zeros elsewhere."""
    out = kwargs.pop("out", None)
    for key in kwargs:
        raise MXNetError(explain(f"no parameter {key!r}", op="eye", hint="parameters are: N, M, k, ctx, dtype, out"))
    made = from_host(np.eye(N, M or N, k, as_dtype(dtype or "float32", "eye")), as_context(ctx, "eye"))
    return made if out is None else made.copyto(out)


def from_numpy(ndarray: np.ndarray, zero_copy: bool = True, array_cls: type[NDArray] = NDArray) -> NDArray:
    """An array with the values and the dtype of a numpy array, on the CPU.

    Args:
        ndarray: the values.
        zero_copy: use the memory of `ndarray` itself where its alignment lets JAX do so, and make `ndarray` read-only.
            A write to the result goes to memory of its own.
        array_cls: the class of the result.

    Raises:
        ValueError: `ndarray` is not C-contiguous, with `zero_copy`.
        TypeError: `ndarray` is no numpy array.
        MXNetError: a dtype that MXNet does not have.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy takes a numpy array, got {type(ndarray).__name__}; use mx.nd.array")
    as_dtype(ndarray.dtype, "from_numpy")
    here = Context("cpu", 0)
    if not zero_copy:
        return array_cls._wrap(from_host(np.array(ndarray, order="C"), here)._data, here)
    if not ndarray.flags["C_CONTIGUOUS"]:
        raise ValueError("from_numpy with zero_copy=True takes C-contiguous arrays only; use zero_copy=False")
    if ndarray.flags.writeable and ndarray.size:  # numpy gives no capsule of a read-only array
        shared = jax.dlpack.from_dlpack(ndarray)
        ndarray.flags.writeable = False
    else:
        shared = jax.device_put(ndarray, here.jax_device)
    return array_cls._wrap(shared, here)


def from_dlpack(dlpack: Any) -> NDArray:
    """An array on the memory of another library's array, where that can be; else a copy.

    Args:
        dlpack: a DLPack capsule, or an array that gives one (numpy, JAX, torch, ...). Nobody may write to it while
            the result is in use. A write to the result goes to memory of its own.

    Raises AssertionError, as MXNet does, for something else and for a capsule that has been taken already.
    """
    return from_jax(import_dlpack(dlpack))


def to_dlpack_for_read(data: NDArray) -> Any:
    """A DLPack capsule of the content of `data`; see `NDArray.to_dlpack_for_read`."""
    return data.to_dlpack_for_read()


def to_dlpack_for_write(data: NDArray) -> Any:
    """A DLPack capsule of the memory of `data`; see `NDArray.to_dlpack_for_write`."""
    return data.to_dlpack_for_write()
