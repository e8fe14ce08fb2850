# SPDX-License-Identifier: Apache-2.0
"""`CSRNDArray` and `RowSparseNDArray`: arrays of which only what is not zero is stored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self, cast

import jax
import numpy as np

from ...base import MXNetError, NotSupportedForSparseNDArray, as_dtype, eager_mode, explain, numeric_types
from ...context import Context, as_context
from ...serialize import array_bytes
from .. import _kernels
from .._convert import from_python
from ..checks import checks, late
from ..dispatch import Program
from ..dispatch import invoke as dispatched
from ..handle import Handle, SparseOperand
from ..ndarray import NDArray, from_host
from ..rows import RowGradient, whole
from . import call, storage
from .cell import SparseCell
from .fallback import log
from .storage import Csr, Rows, Stored


class BaseSparseNDArray(NDArray):
    """What `CSRNDArray` and `RowSparseNDArray` have in common."""

    __slots__ = ()
    __hash__ = object.__hash__
    _stype = ""
    _cell: Any

    def __init__(self, handle: Stored | None = None, ctx: Context | None = None):
        """Around stored parts. Without them the array has no content: a form that only unpickling uses."""
        self._view = self._entry = None
        if handle is not None:
            (device,) = handle.values.devices()
            self._cell = SparseCell(handle, ctx or Context("cpu" if device.platform == "cpu" else "gpu", device.id))

    @classmethod
    def _wrap(cls, array: jax.Array, ctx: Context | None = None) -> Any:
        """What an operator computed densely is a dense array."""
        return NDArray._wrap(array, ctx)

    @classmethod
    def _made(cls, stored: Stored, ctx: Context) -> Self:
        return cls(stored, ctx)

    @property
    def _stored(self) -> Any:
        return self._cell.stored

    @property
    def _operand(self) -> NoReturn:
        raise SparseOperand(self)

    @property
    def _data(self) -> jax.Array:
        log("a function that takes dense arrays", [self._stype], "default")
        return self._stored.dense()

    def _call(self, prog: Program, values: Sequence[Any], arrays: Sequence[Handle], ctx: Context, out: Any) -> Any:
        return call.run(prog, values, arrays, ctx, out, wrap)

    def _in_storage(self, stype: str) -> NDArray:
        """A copy in another storage, off the tape."""
        if stype == "default":
            return NDArray._wrap(self._stored.dense(), self._cell.ctx)
        if stype != self._stype:
            raise MXNetError(
                explain(
                    f"{self._stype} does not become {stype} directly", op="cast_storage",
                    hint="by way of tostype('default')",
                )
            )  # fmt: skip
        return self._made(self._stored, self._cell.ctx)

    def _set(self, array: Any) -> None:
        """Write dense, or stored, content of this shape and dtype."""
        if isinstance(array, RowGradient):
            array = storage.rows_of(array) if self._stype == "row_sparse" else jax.jit(whole)(array)
        if not isinstance(array, Stored):
            array = storage.from_dense(array, self._stype)
        self._check(array.shape, array.values.dtype)
        self._cell.write(array)

    def _check(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if shape != self.shape or dtype != self._cell.dtype:
            raise MXNetError(
                f"cannot write an array of shape {shape} and dtype {dtype} into one of shape {self.shape} and dtype "
                f"{self._cell.dtype}"
            )

    def _set_all(self, array: jax.Array) -> None:
        """Write dense content, and store all of it where the storage goes by rows: as rows when somebody looks."""
        if self._stype != "row_sparse":
            return self._set(array)
        self._check(array.shape, array.dtype)
        self._cell.settle()
        self._cell.fill(array, keep=storage.all_rows)

    @property
    def _sum(self) -> Any:
        stored = self._stored
        if self._stype != "row_sparse":
            return stored.dense()
        values, places = stored.operands()
        return RowGradient(values, places, stored.shape)

    def _zero(self) -> None:
        self._cell.write(storage.empty(self._stype, self.shape, self._cell.dtype, self._cell.ctx.jax_device))

    # Reading.

    @property
    def stype(self) -> str:
        """The storage type."""
        return self._stype

    @property
    def size(self) -> NoReturn:
        """Not there, as in MXNet: `data.size` values are stored. Raises NotImplementedError."""
        raise NotImplementedError("a sparse array has no size; data.size is how many values it stores")

    @property
    def data(self) -> NDArray:
        """A copy of the stored values."""
        return from_host(self._stored.host_values(), self._cell.ctx)

    @data.setter
    def data(self, value: Any) -> NoReturn:
        raise NotImplementedError("the parts of a sparse array cannot be set; make a new array, or assign to x[:]")

    @property
    def indices(self) -> NDArray:
        """A copy of the stored indices, int64."""
        return from_host(self._stored.indices.copy(), self._cell.ctx)

    @indices.setter
    def indices(self, value: Any) -> NoReturn:
        raise NotImplementedError("the parts of a sparse array cannot be set; make a new array, or assign to x[:]")

    @property
    def _num_aux(self) -> int:
        return len(self._aux())

    @property
    def _aux_types(self) -> list[Any]:
        return [a.dtype.type for a in self._aux()]

    def _aux(self) -> tuple[np.ndarray, ...]:
        """The index arrays in the order of MXNet's files."""
        return (self._stored.indices,)

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise ValueError("the truth value of a sparse array is ambiguous")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not iterable; tostype('default') makes it dense")

    def __repr__(self) -> str:
        return f"\n<{type(self).__name__} {'x'.join(map(str, self.shape))} @{self.context}>"

    def asnumpy(self) -> np.ndarray:
        """The whole array as numpy. Waits until it is computed."""
        self.wait_to_read()
        stored = self._stored
        out = np.zeros(self.shape, self._cell.dtype)
        if isinstance(stored, Csr):
            out[stored.rows, stored.indices] = stored.host_values()
        else:
            out[stored.indices] = stored.host_values()
        return out

    def asscalar(self) -> NoReturn:
        """Not there, as in MXNet. Raises NotImplementedError."""
        raise NotImplementedError("a sparse array is no scalar; tostype('default') makes it dense")

    def wait_to_read(self) -> None:
        """Wait until the array is computed."""
        checks.settle()
        try:
            self._stored.values.block_until_ready()
        except jax.errors.JaxRuntimeError as e:
            raise late(e, "wait_to_read") from e

    def check_format(self, full_check: bool = True) -> None:
        """Raise MXNetError where the indices are none of an array of this storage and shape.

        Args:
            full_check: look at every index, not only at the sizes.
        """
        stored = self._stored
        kept = (stored.count, *stored.values.shape[1:])
        problem = array_bytes.sparse_problem(self._stype, self.shape, kept, self._aux(), full_check, full_check)
        if problem:
            raise MXNetError(explain(problem, op="check_format", given=[("stype", self._stype), ("shape", self.shape)]))

    # Copies and devices.

    def _recorded(self, op: str, attrs: Mapping[str, Any]) -> Any:
        return dispatched(NDArray, op, (self,), attrs)

    def copy(self) -> Self:
        """A copy on the same device, which shares nothing."""
        if eager_mode.recording:
            return self._recorded("_copy", {})
        return self._made(self._stored, self._cell.ctx)

    def detach(self) -> Self:
        """A handle on the same memory that is no part of a recorded computation."""
        made = type(self)()
        made._cell = self._cell
        return made

    def copyto(self, other: Any) -> Any:
        """Copy into another array of this storage or a dense one, or to another device.

        Returns `other`, or the new array on that device; False, with a RuntimeWarning, for a copy to itself.
        Raises MXNetError when the shapes differ, TypeError for another storage or type.
        """
        if isinstance(other, Context):
            where = as_context(other, "copyto")
            stored = self._stored
            return self._made(stored.with_values(jax.device_put(stored.values, where.jax_device)), where)
        if not isinstance(other, NDArray):
            raise TypeError(f"copyto takes an NDArray or a Context, got {type(other).__name__}")
        if other.stype not in ("default", self._stype):
            raise TypeError(f"copyto does not go from {self._stype} to {other.stype}")
        if other._cell is self._cell:
            warnings.warn("You are attempting to copy an array to itself", RuntimeWarning, stacklevel=2)
            return False
        if other.shape != self.shape:
            raise MXNetError(explain(f"cannot copy shape {self.shape} to shape {other.shape}", op="copyto"))
        made = self.astype(other.dtype, copy=False).as_in_context(other.context)
        if isinstance(other, BaseSparseNDArray):
            other._set(made._stored)
        else:
            other[:] = made._in_storage("default")
        return other

    def astype(self, dtype: Any, copy: bool = True) -> Self:
        """A copy in another dtype; with ``copy=False`` this very array when it has that dtype already."""
        wanted = as_dtype(dtype, "astype")
        if wanted == self._cell.dtype:
            return self.copy() if copy else self
        stored = self._stored
        return self._made(stored.with_values(_kernels.cast(wanted)(stored.values)), self._cell.ctx)

    def reshape(self, *shape: Any, **kwargs: Any) -> NoReturn:
        """Not there, as in MXNet. Raises NotSupportedForSparseNDArray."""
        raise NotSupportedForSparseNDArray(self.reshape, None, *shape)

    # Indexing.

    def __setitem__(self, key: Any, value: Any) -> None:
        name = type(self).__name__
        if not isinstance(key, int | slice):
            raise AssertionError(f"{name} takes only [:] for assignment, got {key!r:.80}")
        if key != slice(None):
            kind = ValueError if isinstance(key, slice) else TypeError
            raise kind(f"{name} takes only [:] for assignment, got {key!r}")
        if isinstance(value, NDArray):
            if value is not self:
                value.copyto(self)
        elif isinstance(value, numeric_types):
            self._fill(value)
        elif isinstance(value, np.ndarray | np.generic):
            dense = NDArray._wrap(_kernels.upload(from_python(value, self._cell.dtype), self._cell.ctx.jax_device))
            dense.copyto(self)
        else:
            raise TypeError(f"{name}: cannot assign {type(value).__name__}")

    def _fill(self, value: Any) -> None:
        raise ValueError(f"a number cannot be assigned to a {type(self).__name__}")

    # Pickling.

    def __getstate__(self) -> dict[str, Any]:
        return {"handle": bytearray(array_bytes.write_array(to_stored(self)))}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        handle = state["handle"] if isinstance(state, Mapping) else None
        if not isinstance(handle, bytes | bytearray):
            raise MXNetError("a pickled array must hold its bytes under 'handle'")
        found = array_bytes.read_array(handle, "a pickled array")
        if found.stype != self._stype:
            raise MXNetError(f"a pickled {type(self).__name__} must hold a {self._stype} array, not {found.stype}")
        self._cell, self._view, self._entry = from_file(found, as_context(None))._cell, None, None


class CSRNDArray(BaseSparseNDArray):
    """A matrix in compressed sparse rows. Made by `csr_matrix`, `tostype("csr")` and operators."""

    __slots__ = ()
    _stype = "csr"

    @property
    def indptr(self) -> NDArray:
        """A copy of the positions where rows begin, int64 (rows + 1,)."""
        return from_host(self._stored.indptr.copy(), self._cell.ctx)

    def _aux(self) -> tuple[np.ndarray, ...]:
        return self._stored.indptr, self._stored.indices

    def __getitem__(self, key: Any) -> Any:
        """One row as a matrix, or rows that follow each other. A copy.

        Raises MXNetError for a row that is not there or an empty slice, ValueError for other keys, as MXNet does.
        """
        rows = self.shape[0]
        if isinstance(key, tuple):
            raise ValueError("a CSRNDArray is indexed by rows only")
        if isinstance(key, int | np.integer):
            at = int(key) + rows * (int(key) < 0)
            if not 0 <= at < rows:
                raise MXNetError(explain(f"row {key} is none of {rows}", op="CSRNDArray"))
            begin, end = at, at + 1
        elif isinstance(key, slice):
            if key.step is not None:
                raise ValueError("a CSRNDArray takes slices of rows without a step")
            begin, end, _ = key.indices(rows)
        else:
            raise ValueError(f"a CSRNDArray is indexed by a row or a slice of rows, not by {key!r:.80}")
        if end <= begin:
            raise MXNetError(explain(f"the slice {key} of {rows} rows is empty", op="CSRNDArray"))
        return self._recorded("slice", {"begin": (begin,), "end": (end,)})

    def asscipy(self) -> Any:
        """A `scipy.sparse.csr_matrix` copy; needs scipy. Waits."""
        from scipy.sparse import csr_matrix

        stored = self._stored
        return csr_matrix((stored.host_values(), stored.indices, stored.indptr), shape=self.shape, dtype=self.dtype)


class RowSparseNDArray(BaseSparseNDArray):
    """An array of which some rows are stored. Made by `row_sparse_array`, `tostype("row_sparse")` and operators."""

    __slots__ = ()
    _stype = "row_sparse"

    def __getitem__(self, key: Any) -> Any:
        """``[:]`` is this very array. Raises ValueError for other keys: tostype("default") can be indexed."""
        if isinstance(key, slice) and key == slice(None):
            return self
        raise ValueError(f"a RowSparseNDArray takes only [:], not {key!r:.80}; tostype('default') can be indexed")

    def retain(self, indices: NDArray) -> RowSparseNDArray:
        """Only the rows `indices` (n,), in their order; what is not stored becomes zeros."""
        return dispatched(NDArray, "_sparse_retain", (self, indices), {})

    def _fill(self, value: Any) -> None:
        dtype, ctx = self._cell.dtype, self._cell.ctx
        full = _kernels.fill(self.shape, from_python(value, dtype)[()], dtype, ctx.jax_device)
        self._set_all(full)


CLASSES: dict[str, type[BaseSparseNDArray]] = {"csr": CSRNDArray, "row_sparse": RowSparseNDArray}


def wrap(content: Any, ctx: Context) -> NDArray:
    """An array around stored parts, or around a dense JAX array."""
    return CLASSES[content.stype]._made(content, ctx) if isinstance(content, Stored) else NDArray._wrap(content, ctx)


def converted(array: NDArray, stype: str) -> NDArray:
    """A copy of an array in a storage, off the tape."""
    if isinstance(array, BaseSparseNDArray):
        return array._in_storage(stype)
    if stype == "default":
        return NDArray._wrap(_kernels.copy(array._data), array._cell.ctx)
    if stype == "csr" and array.ndim != 2:
        raise ValueError(f"only a matrix becomes csr, this array has shape {array.shape}")
    return wrap(storage.from_dense(array._data, stype), array._cell.ctx)


def to_stored(array: BaseSparseNDArray) -> array_bytes.Stored:
    """`array` as the byte layer takes it."""
    ctx, stored = array.context, array._stored
    place = (ctx.device_typeid, ctx.device_id) if ctx.device_typeid in (1, 2, 3, 5) else array_bytes.CPU
    return array_bytes.Stored(stored.host_values(), array.shape, array.stype, array._aux(), place)


#: MXNet writes an empty csr matrix without positions of rows. More of them than this are made for no file.
MOST_EMPTY_ROWS = 1 << 24


def from_file(found: array_bytes.Stored, ctx: Context) -> BaseSparseNDArray:
    """The sparse array that the byte layer read, on `ctx`."""
    values = storage.on_device(np.ascontiguousarray(found.values, found.values.dtype.newbyteorder("=")), ctx.jax_device)
    aux = [np.array(a, np.int64) for a in found.aux]
    if found.stype == "row_sparse":
        return cast(BaseSparseNDArray, wrap(Rows(values, aux[0], found.shape), ctx))
    if not len(aux[0]) and found.shape[0] > MOST_EMPTY_ROWS:
        raise MXNetError(f"an empty csr array of shape {found.shape} without its indptr, which the file should have")
    indptr = aux[0] if len(aux[0]) else np.zeros(found.shape[0] + 1, np.int64)
    return cast(BaseSparseNDArray, wrap(Csr(values, aux[1], indptr, found.shape), ctx))
