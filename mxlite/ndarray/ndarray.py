# SPDX-License-Identifier: Apache-2.0
"""The NDArray: a mutable array on a device."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import jax
import numpy as np
from jax.core import Tracer

from mxlite_compiler.op import Op

from ..base import MXNetError, as_dtype, eager_mode, explain
from ..context import Context, as_context, current_context
from ..serialize.array_bytes import Stored, read_array, write_array
from . import _kernels, dispatch, gradient
from ._reshape import target_shape
from .arithmetic import Arithmetic
from .cell import flush_deferred
from .checks import checks, late
from .indexing import Indexing
from .interchange import Interchange
from .moves import record_copy, record_move, record_reshape
from .printing import html, text
from .tape import Leaf

if TYPE_CHECKING:
    from ._methods import Methods  # the methods that fluent.py adds, as `make stubs` writes them
else:
    Methods = object


class NDArray(Arithmetic, Indexing, Interchange, Methods):
    """A mutable array on a device.

    Made by `mx.nd.array`, `mx.nd.zeros` and the operators of `mx.nd`, not by calling the class. Integer and slice
    indexing of leading axes, `reshape` and `astype(copy=False)` give views: writing to them changes this array.
    Everything but `asnumpy`, `wait_to_read` and conversions to Python numbers returns before it is computed.
    """

    __slots__ = ()

    def __init__(self, handle: jax.Array | None = None):
        """Wrap a JAX array. Without one the array has no content: a form that only unpickling uses."""
        self._view = self._entry = None
        if handle is not None:
            self._cell = self._wrap(_kernels.copy(handle))._cell

    # Reading.

    def asscalar(self) -> Any:
        """The only element, as a numpy scalar. ValueError when there are more. Waits."""
        if self.size != 1:
            raise ValueError(f"only an array with one element is a scalar, this one has shape {self.shape}")
        return self.asnumpy().reshape(-1)[0]

    def item(self) -> Any:
        """The only element, as a Python scalar. ValueError when there are more. Waits."""
        return self.asscalar().item()

    def wait_to_read(self) -> None:
        """Wait until the array is computed. MXNetError when the program that computes it failed."""
        checks.settle()
        try:
            self._data.block_until_ready()
        except jax.errors.JaxRuntimeError as e:
            raise late(e, "wait_to_read") from e

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                "the truth value of an NDArray with more than one element is ambiguous; reduce it first: "
                "(x > 0).sum() > 0"
            )
        return bool(self.asscalar()) if self.size else False

    __nonzero__ = __bool__

    def __float__(self) -> float:
        return float(self._only("float"))

    def __int__(self) -> int:
        return int(self._only("int"))

    def __index__(self) -> int:
        value = self._only("index")
        if not np.issubdtype(value.dtype, np.integer):
            raise TypeError(f"only integer arrays with one element are an index, this one is {value.dtype}")
        return int(value)

    def _only(self, kind: str) -> Any:
        if self.size != 1:
            raise TypeError(
                f"only an array with one element converts to a Python {kind}, this one has shape {self.shape}"
            )
        return self.asscalar()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an NDArray of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        for i in range(len(self)):
            yield self[i]

    def __repr__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return html(self)

    # Copies and devices.

    def copy(self) -> Self:
        """A copy on the same device, which shares nothing."""
        made = self._wrap(_kernels.copy(self._data), self._cell.ctx)
        if eager_mode.recording:
            record_copy(self, made)
        return made

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def copyto(self, other: Any) -> Any:
        """Copy into another array, or to another device.

        Args:
            other: an array of the same shape, which takes the values in its own dtype; or a Context.

        Returns `other`, or the new array on that device; False, with a RuntimeWarning, for a copy to itself.
        Raises MXNetError when the shapes differ, TypeError when `other` is something else.
        """
        if isinstance(other, Context):
            made = self._wrap(_moved(self._data, self._cell.ctx, other), other)
            if eager_mode.recording:
                record_move(self, made)
            return made
        if not isinstance(other, NDArray):
            raise TypeError(f"copyto takes an NDArray or a Context, got {type(other).__name__}")
        if other._cell is self._cell and other._view is self._view:
            warnings.warn("You are attempting to copy an array to itself", RuntimeWarning, stacklevel=2)
            return False
        if other.shape != self.shape:
            raise MXNetError(explain(f"cannot copy shape {self.shape} to shape {other.shape}", op="copyto"))
        if other.stype == "default":
            other[:] = self
        else:
            other._set(self.as_in_context(other.context).astype(other.dtype, copy=False)._data)
        return other

    def as_in_context(self, context: Context) -> Self:
        """This very array when it is on `context` already, else a copy there."""
        return self if context == self._cell.ctx else self.copyto(as_context(context, "as_in_context"))

    as_in_ctx = as_in_context

    def astype(self, dtype: Any, copy: bool = True) -> Self:
        """A copy in another dtype, float32 for None; with ``copy=False`` this very array if it has that dtype."""
        wanted = as_dtype("float32" if dtype is None else dtype, "astype")
        if not copy and wanted == self._cell.dtype:
            return self
        made = self._wrap(_kernels.cast(wanted)(self._data), self._cell.ctx)
        if eager_mode.recording:
            record_copy(self, made)
        return made

    def detach(self) -> Self:
        """A handle on the same memory that is no part of a recorded computation."""
        return self._of_cell(self._cell, self._view)

    def as_nd_ndarray(self) -> Self:
        """This very array."""
        return self

    def as_np_ndarray(self) -> Any:
        """MXNetError: arrays of `mx.np` are not in mxlite."""
        raise MXNetError(
            explain("mx.np is not in mxlite", op="as_np_ndarray", hint="use asnumpy(), or to_jax() and jax.numpy")
        )

    # Differentiation.

    def _mark(self, grad: NDArray, grad_req: str) -> None:
        """Make this array a variable whose gradient goes to `grad`, an array of the same shape and dtype."""
        if grad_req not in ("write", "add", "null"):
            raise KeyError(f"grad_req must be 'write', 'add' or 'null', got {grad_req!r}")
        self._entry = Leaf(grad, grad_req), 0

    @property
    def _leaf(self) -> Leaf | None:
        source = self._entry[0] if self._entry is not None else None
        return source if isinstance(source, Leaf) and source.req is not None and not source.freed else None

    @property
    def grad(self) -> Self | None:
        """The gradient of the last backward; None without `attach_grad`, and with "null" after a backward met it."""
        leaf = self._leaf
        return None if leaf is None else cast(Any, leaf.grad)

    @property
    def _fresh_grad(self) -> bool:
        """Whether backward has written `grad` since this was set to False; a Trainer asks."""
        leaf = self._leaf
        return leaf is not None and leaf.fresh

    @_fresh_grad.setter
    def _fresh_grad(self, state: bool) -> None:
        leaf = self._leaf
        if leaf is not None:
            leaf.fresh = bool(state)

    def backward(self, out_grad: NDArray | None = None, retain_graph: bool = False, train_mode: bool = True) -> None:
        """Write the gradients of this recorded array into the `grad` of the variables it depends on.

        Args:
            out_grad: its own gradient, of its shape; ones by default. Loss operators ignore it.
            retain_graph: keep the recorded computation, for another backward.
            train_mode: differentiate for training (default) or for prediction.

        Raises MXNetError for an array that was not recorded, or whose computation an earlier backward has freed.
        """
        gradient.backward([self], [out_grad], retain_graph, train_mode)

    # Shapes.

    def reshape(self, *shape: Any, reverse: bool = False, **kwargs: Any) -> Self:
        """The same memory in another shape: writing to the result changes this array.

        Args:
            *shape: sizes, one by one or as one tuple, or `shape=`. 0 keeps the size of this axis, -1 is inferred, -2
                keeps all further axes, -3 merges two axes, -4 splits one into the two sizes that follow.
            reverse: read the codes from the last axis on.

        Raises:
            MXNetError: the codes do not fit, or ask for more elements than there are.
            ValueError: they ask for fewer.
        """
        return self._reshaped(target_shape(self.shape, shape, reverse, kwargs))

    def _reshaped(self, shape: tuple[int, ...]) -> Self:
        """The same memory in another shape of the same size."""
        view = self._part(0, shape)
        if eager_mode.recording:
            record_reshape(self, view)
        return view

    @property
    def T(self) -> Self:
        """The axes in reverse order; a copy."""
        return invoke("transpose", (self,), {})

    # Pickling.

    def __getstate__(self) -> dict[str, Any]:
        ctx = self._cell.ctx
        typeid = ctx.device_typeid if ctx.device_type != "tpu" else 1
        return {"handle": bytearray(write_array(Stored.dense(self.asnumpy(), (typeid, ctx.device_id))))}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        handle = state["handle"] if isinstance(state, Mapping) else None
        if not isinstance(handle, bytes | bytearray):
            raise MXNetError("a pickled NDArray must hold its bytes under 'handle'")
        made = from_stored(read_array(handle, "a pickled NDArray"))
        self._cell, self._view, self._entry = made._cell, None, None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (None,), self.__getstate__()


def _moved(data: jax.Array, source: Context, target: Context) -> jax.Array:
    """`data` on `target`, in a buffer of its own."""
    device = target.jax_device
    return _kernels.copy(data) if device == source.jax_device else jax.device_put(data, device)


def from_stored(stored: Stored, ctx: Context | None = None) -> NDArray:
    """The array that a file holds, on `ctx`, or on the device that the file names if it is here, else on the CPU."""
    if ctx is None:
        typeid, number = stored.context
        ctx = Context(Context.devtype2str.get(typeid, "cpu"), max(number, 0))
        try:
            ctx.jax_device  # noqa: B018 - raises when it is not here
        except MXNetError:
            ctx = Context("cpu", 0)
    return from_host(np.array(stored.values), ctx)


def from_host(values: np.ndarray, ctx: Context) -> NDArray:
    """A numpy array that nobody else writes to, on `ctx`."""
    as_dtype(values.dtype, "array")
    return NDArray._wrap(_kernels.upload(values, ctx.jax_device), ctx)


def from_jax(array: jax.Array, ctx: Context | None = None) -> NDArray:
    """An NDArray around a JAX array, or around what stands for one in a function that JAX traces, without a copy.

    Args:
        array: the content; it is never written to, and must not be donated elsewhere.
        ctx: the device label; that of the array's device by default, the current context for a tracer.

    Raises TypeError for something else.
    """
    if not isinstance(array, jax.Array):
        raise TypeError(f"from_jax takes a jax.Array, got {type(array).__name__}; mx.nd.array copies other arrays")
    as_dtype(array.dtype, "from_jax")
    if ctx is None and isinstance(array, Tracer):
        ctx = current_context()
    return NDArray._wrap(array, ctx)


def invoke(op: Op | str, arrays: Sequence[NDArray], attrs: Mapping[str, Any], out: Any = None) -> Any:
    """Call an operator now: `mxlite.ndarray.dispatch.invoke` with NDArrays as results."""
    return dispatch.invoke(NDArray, op, arrays, attrs, out)


def waitall() -> None:
    """Wait until everything that was started or held back is computed.

    Raises the error of what failed, once: the next call waits for the rest only.
    """
    flush_deferred()
    checks.wait()
    checks.settle()
