# SPDX-License-Identifier: Apache-2.0
"""``a[key]`` and ``a[key] = value``.

A key of integers, slices, None and Ellipsis is basic: a contiguous selection is a view on the same memory, another one
a copy. Integer arrays (lists, numpy arrays, NDArrays; booleans count as 0 and 1) make it advanced, with numpy's rules.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from ..base import EagerScope, MXNetError, eager_mode, explain, integer_types
from . import _kernels
from ._convert import from_python, scalar
from .checks import checks
from .handle import Handle
from .moves import record_box, record_copy, record_gather
from .tape import is_active, refuse_partial, refuse_write


class Box(NamedTuple):
    """A basic selection: per axis of the array the first position, the count and the step; and the resulting shape."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    shape: tuple[int, ...]

    def offset(self, shape: tuple[int, ...]) -> int | None:
        """The flat position of the first element when the selection is contiguous in an array of `shape`, or empty."""
        if 0 in self.sizes:
            return 0
        partial = False  # once an axis is cut, all axes before it must have one element
        for size, step, dim in zip(reversed(self.sizes), reversed(self.steps), reversed(shape), strict=True):
            if partial and size != 1:
                return None
            if size != dim or step != 1:
                if size > 1 and step != 1:
                    return None
                partial = True
        offset, stride = 0, 1
        for start, dim in zip(reversed(self.starts), reversed(shape), strict=True):
            offset += start * stride
            stride *= dim
        return offset


class Indexing(Handle):
    """Reading and writing parts of an array."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Self:
        if eager_mode.recording and is_active(self):
            return self._recorded_item(key)
        shape = self.shape
        if type(key) is int and shape:
            return self._part(*_row(key, shape))
        if type(key) is slice and shape and (key.step is None or key.step == 1):
            start, stop, _ = _slice(key, shape[0])
            return self._part(start * math.prod(shape[1:]), (max(stop - start, 0), *shape[1:]))
        items = expand(key, shape)
        if is_advanced(items):
            spec, indices = advanced(items, shape)
            _check_later(spec, indices, shape)
            return self._wrap(_kernels.gather(spec)(self._data, *indices), self._cell.ctx)
        box = basic(items, shape)
        offset = box.offset(shape)
        if offset is not None:
            return self._part(offset, box.shape)
        read, starts = _kernels.read_box(box.sizes, box.steps, box.shape), self._positions(box.starts)
        picked = self._cell.read(read, starts) if self._view is None else read(self._data, starts)
        return self._wrap(picked, self._cell.ctx)

    def _recorded_item(self, key: Any) -> Self:
        with _UNRECORDED:
            result = self[key]
        items, shape = expand(key, self.shape), self.shape
        if is_advanced(items):
            record_gather(self, result, *advanced(items, shape))
        else:
            box = basic(items, shape)
            record_box(self, result, self._positions(box.starts), box.sizes, box.steps)
        return result

    def _recorded_assign(self, key: Any, value: Any) -> None:
        """``self[key] = value`` for a recorded value, which becomes this array's origin: so it must cover all of it."""
        shape = self.shape
        items = expand(key, shape)
        box = None if is_advanced(items) else basic(items, shape)
        if box is None or box.sizes != shape or min(box.steps, default=1) < 0:
            refuse_partial()
        if value._cell.ctx != self._cell.ctx:
            value = value.copyto(self._cell.ctx)
        with _UNRECORDED:
            self[key] = value
        record_copy(value, self)

    def __setitem__(self, key: Any, value: Any) -> None:
        if eager_mode.recording:
            refuse_write(self)
            if isinstance(value, Handle) and is_active(value):
                self._recorded_assign(key, value)
                return
        shape = self.shape
        if type(key) is slice and key.start is None and key.stop is None and key.step is None:
            self._assign(value)
            return
        if type(key) is int and shape:
            offset, part = _row(key, shape)
            self._write_flat(self._value(value, part), offset, part)
            return
        items = expand(key, shape)
        if is_advanced(items):
            self._scatter(items, shape, value)
            return
        box = basic(items, shape)
        if 0 in box.shape:
            self._value(value, box.shape)  # which has to fit all the same
            return
        offset = box.offset(shape)
        if offset is not None:
            if box.sizes == shape:
                self._assign(value)
            else:
                self._write_flat(self._value(value, box.shape), offset, box.shape)
            return
        raw = self._value(value, box.shape)
        writer = _kernels.write_box(box.sizes, box.steps, box.shape)
        self._update(writer, raw, self._positions(box.starts))

    def _assign(self, value: Any) -> None:
        """``self[:] = value``."""
        shape, cell = self.shape, self._cell
        raw = self._value(value, shape)
        if self._view is not None and self.size != math.prod(cell.shape):
            self._write_flat(raw, 0, shape)
            return
        if isinstance(raw, np.generic):
            cell.settle()
            value = _kernels.constant(raw, raw.dtype.type, cell.ctx.jax_device, (raw.shape, raw.tobytes()))
            cell.write(cell.read(_kernels.refill, value), owned=True)
        elif raw.shape == cell.shape:
            numpy = isinstance(raw, np.ndarray)
            cell.write(
                _kernels.upload(raw, cell.ctx.jax_device) if numpy else _kernels.cast(cell.dtype)(raw), owned=True
            )
        else:
            self._write_flat(raw, 0, shape)

    def _scatter(self, items: list[Any], shape: tuple[int, ...], value: Any) -> None:
        spec, indices = advanced(items, shape)
        _check_later(spec, indices, shape)
        picked = _picked(spec, tuple(i.shape for i in indices), shape)
        raw = self._value(value, picked)
        self._update(_kernels.scatter(spec, picked), raw, *indices)

    def _update(self, writer: _kernels.Writer, *args: Any) -> None:
        """Change what this handle shows with a helper."""
        if self._view is None:
            self._cell.update(writer, *args)
        else:
            self._write_flat(writer.plain(self._data, *args), 0, self.shape)

    def _positions(self, starts: tuple[int, ...]) -> Any:
        """`starts`, one an axis of this array, as a traced argument."""
        dtype = np.int32 if self.size <= 0x7FFFFFFF else np.int64
        return _kernels.constant(starts, dtype, self._cell.ctx.jax_device)

    def _value(self, value: Any, shape: tuple[int, ...]) -> Any:
        """`value` for a helper: a device array, or a numpy scalar or fresh numpy array of this array's dtype."""
        dtype = self._cell.dtype
        if type(value) is float or type(value) is int:
            return scalar(value, dtype)
        if isinstance(value, Handle):
            raw: Any = value._data
            if value._cell.ctx != self._cell.ctx:
                raw = jax.device_put(raw, self._cell.ctx.jax_device)
        else:
            raw = from_python(value, dtype)
        if raw.shape != shape:
            check_broadcast(raw.shape, shape)
        return raw


_ALL = slice(None)
_UNRECORDED = EagerScope(recording=False)


def _row(i: int, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The flat offset and the shape of ``a[i]``."""
    n = shape[0]
    if not -n <= i < n:
        raise _out_of_bounds(i, 0, n)
    rest = shape[1:]
    return (i + n if i < 0 else i) * math.prod(rest), rest or (1,)


def check_broadcast(given: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise ValueError when a value of shape `given` does not fit into a selection of `shape`."""
    extra = max(len(given) - len(shape), 0)
    tail = given[extra:]
    fits = all(n == 1 for n in given[:extra]) and all(
        n in (1, m) for n, m in zip(reversed(tail), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(f"a value of shape {given} cannot be broadcast to the selection of shape {shape}")


def _out_of_bounds(i: int, axis: int, n: int) -> IndexError:
    return IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")


_ARRAYS = (list, tuple, range, np.ndarray, Handle)


def _is_index_array(item: Any) -> bool:
    return isinstance(item, _ARRAYS)


def is_advanced(items: list[Any]) -> bool:
    """Whether an expanded key has an integer array."""
    return any(type(item) is not slice and type(item) is not int and isinstance(item, _ARRAYS) for item in items)


def expand(key: Any, shape: tuple[int, ...]) -> list[Any]:
    """The key as a list with one entry an axis, beside the None of new axes, and without Ellipsis."""
    if type(key) is slice or type(key) is int:
        if not shape:
            raise IndexError("too many indices (1) for an array with 0 dimensions")
        return [key, *(_ALL,) * (len(shape) - 1)]
    items = list(key) if isinstance(key, tuple) else [key]
    used = 0
    dots = None
    for position, item in enumerate(items):
        if item is Ellipsis:
            if dots is not None:
                raise IndexError("an index can have only one ellipsis (`...`)")
            dots = position
        elif item is not None:
            used += 1
            if isinstance(item, np.ndarray) and item.ndim == 0 and item.dtype.kind in "iub":
                items[position] = int(item)
            elif not isinstance(item, (slice, int, np.integer)) and not _is_index_array(item):
                raise ValueError(
                    f"an NDArray cannot be indexed with {item!r:.80} of type {type(item).__name__}; use integers, "
                    "slices, None, ..., or integer arrays"
                )
    if used > len(shape):
        raise IndexError(f"too many indices ({used}) for an array with {len(shape)} dimensions")
    full = [_ALL] * (len(shape) - used)
    return items + full if dots is None else items[:dots] + full + items[dots + 1 :]


def _slice(s: slice, n: int) -> tuple[int, int, int]:
    try:
        return s.indices(n)
    except ValueError:
        raise ValueError("slice step cannot be zero") from None
    except TypeError:
        # asscalar() of a float32 array gives numpy floats, and scripts slice with them.
        parts = [int(p) if isinstance(p, np.floating) and p == int(p) else p for p in (s.start, s.stop, s.step)]
        if all(p is None or isinstance(p, integer_types) for p in parts):
            return slice(*parts).indices(n)
        raise TypeError(f"slice bounds must be integers or None, got {s}") from None


def basic(items: list[Any], shape: tuple[int, ...]) -> Box:
    """The selection of an expanded basic key."""
    starts: list[int] = []
    sizes: list[int] = []
    steps: list[int] = []
    out: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            out.append(1)
            continue
        n = shape[axis]
        if item is _ALL:
            start, size, step = 0, n, 1
            out.append(n)
        elif isinstance(item, slice):
            start, stop, step = _slice(item, n)
            size = len(range(start, stop, step))
            out.append(size)
        else:
            start, size, step = int(item), 1, 1
            if not -n <= start < n:
                raise _out_of_bounds(start, axis, n)
            start += n if start < 0 else 0
        starts.append(start)
        sizes.append(size)
        steps.append(step if size > 1 else 1)
        axis += 1
    # MXNet's classic shapes have no scalar: x[0] of a vector has shape (1,).
    return Box(tuple(starts), tuple(sizes), tuple(steps), tuple(out) or (1,))


def advanced(items: list[Any], shape: tuple[int, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    """The static form of an expanded advanced key for the helpers, and its index arrays.

    Raises:
        IndexError: an index known on the host is out of bounds, or index arrays do not broadcast.
        ValueError: a boolean NDArray, which would be a mask only under numpy semantics.
    """
    spec: list[Any] = []
    indices: list[Any] = []
    axis = 0
    for item in items:
        if item is None:
            spec.append(None)
            continue
        n = shape[axis]
        if isinstance(item, slice):
            start, stop, step = _slice(item, n)
            # Written so that a negative stop is not taken for one from the end.
            spec.append((start, stop if stop >= 0 else None, step))
        else:
            indices.append(_index_array(item, axis, n))
            spec.append("i")
        axis += 1
    shapes = [i.shape for i in indices]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"index arrays of shapes {', '.join(map(str, shapes))} do not broadcast") from None
    return tuple(spec), indices


def _check_later(spec: tuple[Any, ...], indices: list[Any], shape: tuple[int, ...]) -> None:
    """Let the next place that waits raise IndexError when an index array on the device is out of bounds."""
    axes = [axis for axis, s in enumerate(s for s in spec if s is not None) if s == "i"]
    found = [(i, shape[axis]) for i, axis in zip(indices, axes, strict=True) if isinstance(i, jax.Array)]
    if found:
        arrays, sizes = zip(*found, strict=True)
        checks.add(
            _kernels.outside(sizes)(*arrays),
            lambda: IndexError(f"an index array holds an index that an array of shape {shape} does not have"),
        )


def _index_array(item: Any, axis: int, n: int) -> Any:
    if isinstance(item, Handle):
        if item._cell.dtype == np.bool_:
            raise ValueError("a boolean NDArray is no index; use mx.nd.contrib.boolean_mask to select by a mask")
        data = item._data
        return data if data.dtype.kind in "iu" else _kernels.cast(np.dtype(np.int32))(data)
    try:
        array = np.asarray(item)
    except ValueError:
        raise TypeError(f"cannot index with {item!r:.80}: it is no array of integers") from None
    if array.dtype.kind not in "iubf":
        raise TypeError(f"cannot index with {item!r:.80}: it is no array of integers")
    if array.size == 0:
        raise MXNetError(explain(f"the index array for axis {axis} is empty", op="NDArray"))
    array = array.astype(np.int32)
    for i in (int(array.min()), int(array.max())):
        if not -n <= i < n:
            raise _out_of_bounds(i, axis, n)
    return array


@functools.lru_cache(maxsize=4096)
def _picked(spec: tuple[Any, ...], indices: tuple[tuple[int, ...], ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the selection."""
    arrays = [jax.ShapeDtypeStruct(i, np.int32) for i in indices]
    return jax.eval_shape(_kernels.gather(spec), jax.ShapeDtypeStruct(shape, np.bool_), *arrays).shape
