# SPDX-License-Identifier: Apache-2.0
"""`slice_axis` and `slice` of arrays with traced positions: scripts call them in loops, with another place each time.

Where the operator would raise, the operator itself is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mxlite_compiler.op import get_op

from ..base import eager_mode, integer_types
from . import _kernels
from .moves import record_box
from .ndarray import NDArray
from .register import function


def _bounds(begin: Any, end: Any, step: Any, n: int) -> range | None:
    """The places of an axis that a slice takes, when they are plain and there are some."""
    parts = (begin, end, step)
    if not all(p is None or isinstance(p, integer_types) for p in parts) or step == 0:
        return None
    for p in (begin, end):
        if p is not None and not -n <= p <= n:
            return None
    return range(*slice(begin, end, step).indices(n)) or None


def _read(data: NDArray, spans: Sequence[range | None]) -> NDArray | None:
    """The box of these places, or None when an axis has none that are plain."""
    found = [s for s in spans if s is not None]
    if len(found) != len(spans):
        return None
    sizes = tuple(map(len, found))
    steps = tuple(s.step if len(s) > 1 else 1 for s in found)
    read = _kernels.read_box(sizes, steps, sizes)
    starts = data._positions(tuple(s.start for s in found))
    result = NDArray._wrap(read(data._data, starts), data.context)
    if eager_mode.recording:
        record_box(data, result, starts, sizes, steps)
    return result


def _slice_axis(data: NDArray, axis: Any = None, begin: Any = None, end: Any = None) -> NDArray | None:
    shape = data.shape
    if not isinstance(axis, integer_types) or not -len(shape) <= axis < len(shape) or begin is None:
        return None
    spans: list[range | None] = [range(n) for n in shape]
    spans[axis] = _bounds(begin, end, None, shape[axis])
    return _read(data, spans)


def _slice(data: NDArray, begin: Any = None, end: Any = None, step: Any = None) -> NDArray | None:
    shape = data.shape
    if not isinstance(begin, tuple | list) or not isinstance(end, tuple | list) or len(begin) != len(end):
        return None
    steps = step or (None,) * len(begin)
    if not isinstance(steps, tuple | list) or len(steps) != len(begin) or len(begin) > len(shape):
        return None
    cut = [_bounds(b, e, s, n) for b, e, s, n in zip(begin, end, steps, shape, strict=False)]
    return _read(data, [*cut, *(range(n) for n in shape[len(begin) :])])


def _with_operator(name: str, quick: Callable[..., NDArray | None]) -> Callable[..., Any]:
    """The operator's own function, tried only where `quick` has no answer."""
    call = function(get_op(name), name, "mxlite.ndarray")

    def either(*args: Any, out: Any = None, name: str | None = None, **kwargs: Any) -> Any:
        if out is None and args and isinstance(args[0], NDArray) and args[0].stype == "default":
            try:
                done = quick(*args, **kwargs)
            except TypeError:  # arguments that the operator will explain
                done = None
            if done is not None:
                return done
        return call(*args, out=out, **kwargs)

    either.__name__ = either.__qualname__ = name
    either.__module__, either.__doc__ = call.__module__, call.__doc__
    either.__signature__ = call.__signature__  # pyright: ignore[reportFunctionMemberAccess]
    return either


slice_axis = _with_operator("slice_axis", _slice_axis)
slice_ = _with_operator("slice", _slice)
