# SPDX-License-Identifier: Apache-2.0
"""The methods of NDArray that are operators: ``a.sum(axis=1)`` is ``mx.nd.sum(a, axis=1)``.

Only the names stand here; signature, documentation and behaviour come from the operator table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mxlite_compiler.op import OPS, Op

from .._frontend import FLUENT, docstring, signature
from ..base import MXNetError, explain
from .functions import split_v2
from .ndarray import NDArray, invoke
from .register import function
from .slicing import slice_, slice_axis
from .sparse.methods import attach_grad, in_storage, tostype

#: Methods that pass all their arguments to the operator of their name.
METHODS = (*FLUENT, "dot", "diag")


_QUICK = {"slice": slice_, "slice_axis": slice_axis}


def _method(op: Op, name: str) -> Callable[..., Any]:
    call = _QUICK.get(name) or function(op, name, __name__)

    def method(self: NDArray, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"NDArray.{name}"
    method.__doc__ = docstring(op, "NDArray", name)
    method.__signature__ = signature(op, "NDArray", method=True)  # pyright: ignore[reportFunctionMemberAccess]
    return method


def _transpose(self: NDArray, *axes: Any, **kwargs: Any) -> NDArray:
    """The axes in another order: `axes` one by one or as a tuple; reversed when there are none."""
    if axes:
        kwargs["axes"] = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
    return invoke("transpose", (self,), kwargs)


def _broadcast_to(self: NDArray, shape: Any) -> NDArray:
    """The array repeated along its axes of size 1 to `shape`; 0 keeps a size. Axes may be added in front."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    here = self if len(shape) <= self.ndim else self.reshape((1,) * (len(shape) - self.ndim) + self.shape)
    fits = len(shape) == here.ndim and all(m in (0, n) or n == 1 for n, m in zip(here.shape, shape, strict=True))
    if not fits:
        raise ValueError(f"broadcast_to: shape {self.shape} does not broadcast to {shape}")
    return invoke("broadcast_to", (here,), {"shape": shape})


def _expand_dims(self: NDArray, axis: int, inplace: bool = False) -> NDArray:
    """A new axis of size 1 at position `axis`; with ``inplace=True`` a view on the same memory."""
    if not inplace:
        return invoke("expand_dims", (self,), {"axis": axis})
    if not -self.ndim - 1 <= axis <= self.ndim:
        raise MXNetError(explain(f"axis {axis} is not in [-{self.ndim + 1}, {self.ndim}]", op="expand_dims"))
    at = axis if axis >= 0 else axis + self.ndim + 1
    return self._reshaped((*self.shape[:at], 1, *self.shape[at:]))


def _flatten(self: NDArray, inplace: bool = False) -> NDArray:
    """All axes but the first merged into one; with ``inplace=True`` a view on the same memory."""
    return self.reshape((0, -1)) if inplace else invoke("Flatten", (self,), {})


def _squeeze(self: NDArray, axis: Any = None, inplace: bool = False) -> NDArray:
    """Without the axes of size 1, or those of them in `axis`; with ``inplace=True`` a view on the same memory."""
    done = invoke("squeeze", (self,), {} if axis is None else {"axis": axis})
    return self._reshaped(done.shape) if inplace else done


def _split_v2(self: NDArray, indices_or_sections: Any, axis: int = 0, squeeze_axis: bool = False) -> Any:
    """Split along an axis, into equal sections or at positions; see `mx.nd.split_v2`."""
    return split_v2(self, indices_or_sections, axis, squeeze_axis)


def _span(begin: Any, end: Any, step: Any) -> tuple[slice, ...]:
    steps = step or (None,) * len(begin)
    return tuple(slice(b, e, s) for b, e, s in zip(begin, end, steps, strict=True))


def _slice_assign(self: NDArray, rhs: NDArray, begin: Any, end: Any, step: Any = None) -> NDArray:
    """Write `rhs` into ``[begin:end:step]`` of this array, and return the array."""
    self[_span(begin, end, step)] = rhs
    return self


def _slice_assign_scalar(self: NDArray, value: float, begin: Any, end: Any, step: Any = None) -> NDArray:
    """Write one `value` into ``[begin:end:step]`` of this array, and return the array."""
    self[_span(begin, end, step)] = value
    return self


def _broadcast_like(self: NDArray, other: NDArray) -> NDArray:
    """The array repeated along its axes of size 1 to the shape of `other`."""
    return invoke("broadcast_like", (self, other), {})


#: Methods whose arguments are not quite the operator's.
BY_HAND: dict[str, Callable[..., Any]] = {
    "attach_grad": attach_grad,
    "tostype": tostype,
    "_in_storage": in_storage,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "expand_dims": _expand_dims,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "split_v2": _split_v2,
    "slice_assign": _slice_assign,
    "slice_assign_scalar": _slice_assign_scalar,
    "broadcast_like": _broadcast_like,
}


def install() -> None:
    """Give NDArray its generated methods."""
    for name in METHODS:
        if name in OPS and name not in BY_HAND:
            setattr(NDArray, name, _method(OPS[name], name))
    for name, method in BY_HAND.items():
        method.__name__, method.__qualname__ = name, f"NDArray.{name}"
        setattr(NDArray, name, method)
