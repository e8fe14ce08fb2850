# SPDX-License-Identifier: Apache-2.0
"""Arrays for other libraries: numpy, JAX, and through DLPack whatever else holds arrays.

A `jax.Array` never changes. What is handed out here without a copy is the content as it is now; a later write to the
NDArray goes to a new buffer.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import jax
import numpy as np

from ..base import MXNetError, explain
from . import _kernels
from .handle import Handle


class Interchange(Handle):
    """The protocols through which other libraries read an array."""

    __slots__ = ()

    def to_jax(self) -> jax.Array:
        """The content as a `jax.Array`, without a copy and without waiting. Later writes do not change it."""
        return self._data

    def __jax_array__(self) -> jax.Array:
        return self._data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """A numpy copy; with ``copy=False`` the memory itself, to be read only. ValueError where that cannot be."""
        if copy is not False:
            values = self.asnumpy()
            return values if dtype is None else values.astype(dtype, copy=False)
        data = self._data
        if self._cell.ctx.jax_device.platform != "cpu" or dtype not in (None, data.dtype):
            raise ValueError(
                f"an NDArray of {data.dtype} on {self._cell.ctx} cannot be {dtype or 'read'} without a copy"
            )
        return np.asarray(data)

    def __dlpack__(self, **options: Any) -> Any:
        """A DLPack capsule of the content, without a copy where that can be. `options` are those of the protocol."""
        return self._data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        data: Any = self._data
        return data.__dlpack_device__()

    def to_dlpack_for_read(self) -> Any:
        """A DLPack capsule of the content as it is now. Waits. It can be taken once, and is not to be written to."""
        return self._data.block_until_ready().__dlpack__()

    def to_dlpack_for_write(self) -> Any:
        """A DLPack capsule of this array's memory: what is written there is seen here, until this array is written to.

        Waits. Raises MXNetError for a part of another array: take the capsule of the whole.
        """
        cell, view = self._cell, self._view
        if view is not None and self.size != math.prod(cell.shape):
            raise MXNetError(
                explain(
                    f"this array of shape {self.shape} is a part of one of shape {cell.shape}, whose memory JAX does "
                    "not share by pieces",
                    op="to_dlpack_for_write",
                    hint="take the capsule of the whole array, or of a copy()",
                )
            )
        cell.write(_kernels.copy(cell.peek()))  # a buffer that nobody but this cell and the reader of the capsule holds
        return self.to_dlpack_for_read()


def import_dlpack(source: Any) -> jax.Array:
    """A DLPack capsule, or an object that gives one, as a `jax.Array` on the same memory where that can be.

    Raises AssertionError, as MXNet does, for something else and for a capsule that has been taken already.
    """
    if type(source).__name__ == "PyCapsule":
        source = _Capsule(source)
    elif not hasattr(source, "__dlpack__"):
        raise AssertionError(f"from_dlpack takes a DLPack capsule, or an array that gives one, got {source!r:.80}")
    elif isinstance(source, np.ndarray) and not source.flags.writeable:  # numpy gives JAX no capsule of it
        return jax.device_put(source.copy(), jax.local_devices(backend="cpu")[0])
    return jax.dlpack.from_dlpack(source)


class _Capsule:
    """A bare capsule as an object of today's protocol, which has to tell the device without giving the array away."""

    def __init__(self, capsule: Any):
        pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
        pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        try:
            start = pointer_of(capsule, b"dltensor")
        except ValueError:
            raise AssertionError(f"from_dlpack: {capsule!r} is no DLPack tensor, or was taken already") from None
        # DLTensor: a pointer to the data, then type and number of the device.
        kind, number = (ctypes.c_int32 * 2).from_address(start + ctypes.sizeof(ctypes.c_void_p))
        self._capsule, self._device = capsule, (kind, number)

    def __dlpack__(self, **options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device
