# SPDX-License-Identifier: Apache-2.0
"""The arrays behind an iterator, on the host, and the sources that users give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ..base import nearest
from ..context import Context, current_context
from ..ndarray import Cell, NDArray
from ..ndarray._convert import from_python
from .desc import DataError

_FLOAT32 = np.dtype(np.float32)


class Source:
    """One named array of an iterator.

    Batches are slices of a copy on the host, so that they cost no work on the device. The copy is never written to:
    on the CPU a batch may be a window on it. When the NDArray it came from has changed, it is made anew.

    Attributes:
        name: the name of the input.
        ctx: the device of the batches.
    """

    __slots__ = ("_array", "_host", "_version", "ctx", "name")

    def __init__(self, name: str, given: Any, ctx: Context | None = None):
        self.name = name
        self._array: NDArray | None = None
        self._version = -1
        if isinstance(given, NDArray):
            self.ctx = given.context
            self._array, self._host = given, np.empty(0)
        else:
            self.ctx = current_context() if ctx is None else ctx
            self._host = from_python(given, _FLOAT32)

    @property
    def host(self) -> np.ndarray:
        """The rows, as they are now."""
        array = self._array
        if array is not None:
            cell = array._cell
            if cell.pending is not None or cell.version != self._version:
                # Through __array__ this could alias what an in-place update of the NDArray later reuses.
                self._host = array.asnumpy()
                self._version = cell.version
        return self._host

    @property
    def shape(self) -> tuple[int, ...]:
        return self._host.shape if self._array is None else self._array.shape

    @property
    def dtype(self) -> Any:
        return self._host.dtype.type if self._array is None else self._array.dtype

    @property
    def array(self) -> NDArray:
        """All rows as an NDArray; what is written to it is seen in later batches."""
        if self._array is None:
            self._array = uploads([self._host], self.ctx)[0]
            self._version = self._array._cell.version
        return self._array

    def rows(self, which: slice | np.ndarray) -> NDArray:
        """Some of the rows on the device."""
        return uploads([self.host[which]], self.ctx)[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.name, self._array if self._array is not None else self._host, self.ctx)


def _restore(name: str, given: Any, ctx: Context) -> Source:
    return Source(name, given, ctx)


def uploads(values: list[np.ndarray], ctx: Context) -> list[NDArray]:
    """Numpy arrays that nobody writes to any more, as NDArrays. They travel with the program that reads them."""
    ctx.jax_device  # noqa: B018 - a device that does not exist is told now
    hosts = [np.asarray(x, jax.dtypes.canonicalize_dtype(x.dtype)) for x in values]
    return [NDArray._of_cell(Cell.from_host(host, ctx)) for host in hosts]


def sources(given: Any, default_name: str, *, allow_empty: bool) -> list[Source]:
    """The arrays of an iterator from what its user passed.

    Args:
        given: None, one array, a list of arrays, or a dictionary of arrays, which is sorted by name.
        default_name: the name of a single array; those of a list get ``_0_`` and so on before it.
        allow_empty: whether there may be none.

    Raises:
        DataError: there are none and there must be, or one has no rows to speak of.
        TypeError: one is no array.
    """
    if given is None:
        given = []
    if isinstance(given, NDArray | np.ndarray) or _is_dataset(given):
        given = [given]
    if isinstance(given, list | tuple):
        many = len(given) > 1
        given = {f"_{i}_{default_name}" if many else default_name: x for i, x in enumerate(given)}
    elif isinstance(given, Mapping):
        given = {str(name): given[name] for name in sorted(given)}
    else:
        raise TypeError(f"{_LEGAL}; {default_name} is {type(given).__name__}")
    if not given and not allow_empty:
        raise DataError(f"NDArrayIter needs data: {_LEGAL}")
    return [_source(name, x) for name, x in given.items()]


_LEGAL = "Input must be NDArray, numpy.ndarray, h5py.Dataset, a list of them or dict with them as values"


def _source(name: str, given: Any) -> Source:
    if not isinstance(given, NDArray | np.ndarray | list | tuple) and not _is_dataset(given):
        raise TypeError(f"{_LEGAL}; {name!r} is {type(given).__name__}")
    source = Source(name, given)
    if not source.shape:
        raise DataError(f"{name!r} is a single number; an iterator needs arrays with rows")
    return source


def _is_dataset(x: Any) -> bool:
    """Whether `x` is a dataset of h5py, or alike: an array that numpy can read."""
    return hasattr(x, "__array__") and hasattr(x, "shape") and hasattr(x, "dtype")


def checked_handling(value: str) -> str:
    """`value`, one of "pad", "discard", "roll_over". ValueError for another."""
    legal = ("pad", "discard", "roll_over")
    if value not in legal:
        raise ValueError(f"last_batch_handle={value!r} is none of {', '.join(legal)}{nearest(str(value), legal)}")
    return value
