# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.save`, `mx.nd.load`, `mx.nd.load_frombuffer`: NDArrays in MXNet's file format."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..base import as_dtype
from ..context import Context, num_gpus
from ..ndarray.ndarray import NDArray, from_host
from ..ndarray.sparse.array import BaseSparseNDArray, from_file
from ..ndarray.sparse.array import to_stored as sparse_to_stored
from . import array_bytes
from .array_bytes import CPU, Stored
from .atomic import atomic_write, read_file

Arrays = NDArray | list[NDArray] | dict[str, NDArray]


def save(fname: str | os.PathLike[str], data: Arrays) -> None:
    """Save arrays to a file that MXNet 1.x reads.

    The file is replaced as a whole: when saving fails or is interrupted, an older file stays as it was.
    Arrays of shape () can be told in the file only in the form of MXNet's numpy semantics; when there is one, MXNet
    needs ``mx.npx.set_np()`` to load the file.

    Args:
        fname: the file.
        data: one array, a list of arrays, or a dict of them by name.

    Raises:
        ValueError: `data` is none of these.
        TypeError: an item is no NDArray or a key is no text.
        MXNetError: the file cannot be written.

    Source: `mxnet.ndarray.save`.
    """
    pieces = _pieces(data)
    if not isinstance(fname, str | os.PathLike):
        raise TypeError(f"fname must be a path, got {fname!r}")
    atomic_write(fname, pieces)


def save_tobuffer(data: Arrays) -> bytes:
    """What `save` would write to a file, as bytes; `load_frombuffer` reads it. Errors are those of `save`."""
    return b"".join(_pieces(data))


def check(data: object) -> None:
    """Raise what `save` would raise for `data`: ValueError when it is no collection of arrays, else TypeError."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                raise TypeError(f"the names of saved arrays must be text, got {key!r}")
            _check_array(value, f"the entry {key!r}")
    elif isinstance(data, list):
        for i, value in enumerate(data):
            _check_array(value, f"item {i}")
    elif not isinstance(data, NDArray):
        raise ValueError(f"save takes an NDArray, a list of them or a dict of them by name, got {type(data).__name__}")


def _check_array(value: object, what: str) -> None:
    if not isinstance(value, NDArray):
        kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        raise TypeError(f"only NDArrays can be saved, {what} is of type {kind}; mx.nd.array makes an NDArray of it")


def _pieces(data: Arrays) -> Iterable[bytes | memoryview]:
    check(data)
    if isinstance(data, NDArray):
        data = [data]
    names, arrays = (list(data), list(data.values())) if isinstance(data, dict) else ([], data)
    return array_bytes.write_list([to_stored(a) for a in arrays], names)


def load(fname: str | os.PathLike[str]) -> Any:
    """Load what `save`, or any version of MXNet, saved.

    An array goes to the GPU that it was saved from if there is such
    a GPU, otherwise to ``cpu(0)``.

    Returns:
        A dict of NDArrays by name when the file has names, else a list of NDArrays; an empty dict comes back as an
        empty list. Which of them a call returns only its file knows, so the static type is Any.

    Raises:
        TypeError: `fname` is no path.
        MXNetError: the file cannot be read or is damaged; the offset and what was expected there are told.

    Source: `mxnet.ndarray.load`.
    """
    if not isinstance(fname, str | os.PathLike):
        raise TypeError(f"fname must be a path, got {fname!r}")
    return _load(read_file(fname), repr(os.fspath(fname)))


def load_frombuffer(buf: bytes | bytearray | memoryview) -> Any:
    """Load arrays from the content of a file: what `load` returns.

    Raises:
        TypeError: `buf` is not bytes.
        MXNetError: the bytes are damaged.

    Source: `mxnet.ndarray.load_frombuffer`.
    """
    if not isinstance(buf, bytes | bytearray | memoryview):
        raise TypeError(f"buf must be bytes, got {type(buf).__name__}")
    return _load(bytes(buf), "in memory")


def _load(data: bytes, source: str) -> Any:
    stored, names = array_bytes.read_list(data, source)
    arrays = [from_stored(item, f"{names[i] if names else f'array {i}'} of {source}") for i, item in enumerate(stored)]
    return dict(zip(names, arrays, strict=True)) if names else arrays


def to_stored(array: NDArray) -> Stored:
    """`array` as the byte layer takes it."""
    if isinstance(array, BaseSparseNDArray):
        return sparse_to_stored(array)
    ctx = array.context
    # MXNet knows no TPU; what it does not know it cannot load.
    place = (ctx.device_typeid, ctx.device_id) if ctx.device_typeid in (1, 2, 3, 5) else CPU
    return Stored.dense(np.asarray(array._data), place)


def from_stored(item: Stored, name: str = "the array") -> NDArray:
    """The NDArray for what the byte layer read.

    Raises:
        MXNetError: it needs 64 bits, which are switched off.
    """
    kind, index = item.context
    ctx = Context("gpu", index) if kind == 2 and 0 <= index < num_gpus() else Context("cpu", 0)
    as_dtype(item.values.dtype, name)  # 64 bits may be off: told with the array's name
    return from_host(item.values, ctx) if item.stype == "default" else from_file(item, ctx)
