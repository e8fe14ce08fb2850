# SPDX-License-Identifier: Apache-2.0
"""MXNet's array files as bytes: the list (`.params`) and the single array, to and from numpy.

Reads every form that MXNet ever wrote (versions 0 to 3, dense, row_sparse and csr) and writes the bytes that MXNet
1.9.1 writes. Nothing is trusted: each count and size is compared with the bytes that are there before anything is
allocated, and a file that does not fit is an `MXNetError` that names it, the offset and what was expected there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.params import TYPE_FLAGS, Shape

LIST_MAGIC = 0x112
V1_MAGIC, V2_MAGIC, V3_MAGIC = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
STORAGE_TYPES = ("default", "row_sparse", "csr")
CPU = (1, 0)  # device type and id as in the file
MAX_NDIM = 32
#: A sparse array is made dense up to this size, or up to this multiple of what the file stores of it.
DENSE_BYTES, DENSE_RATIO = 1 << 24, 64

_DTYPES = {
    flag: np.dtype(jnp.bfloat16) if name == "bfloat16" else np.dtype(name).newbyteorder("<")
    for name, flag in TYPE_FLAGS.items()
}
_FLAGS = {dtype.name: flag for flag, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class Stored:
    """One array as a file holds it.

    Attributes:
        values: the elements; for row_sparse the stored rows, for csr the stored elements.
        shape: the shape of the whole array.
        stype: "default", "row_sparse" or "csr".
        aux: row_sparse: (indices,); csr: (indptr, indices).
        context: MXNet's device type (1 cpu, 2 gpu, 3 pinned, 5 shared) and device id.
        empty: MXNet's "none" array, which has neither shape nor dtype; `values` then has no elements.
        np_shape: written under numpy shape semantics, where () is a scalar.
    """

    values: np.ndarray
    shape: Shape
    stype: str = "default"
    aux: tuple[np.ndarray, ...] = ()
    context: tuple[int, int] = CPU
    empty: bool = False
    np_shape: bool = False

    @classmethod
    def dense(cls, values: np.ndarray, context: tuple[int, int] = CPU) -> Stored:
        """A dense array with `values`."""
        return cls(values, values.shape, context=context)

    def to_dense(self, name: str = "the array") -> np.ndarray:
        """The whole array, zeros where nothing is stored.

        Raises:
            MXNetError: the result would be over 16 MiB and over 64 times what is stored.
        """
        if self.stype == "default":
            return self.values
        stored = self.values.nbytes + sum(a.nbytes for a in self.aux)
        wanted = math.prod(self.shape) * self.values.dtype.itemsize
        if wanted > max(DENSE_BYTES, DENSE_RATIO * stored):
            raise MXNetError(
                f"{name} is a {self.stype} array of shape {self.shape} with {stored} stored bytes; "
                f"dense instead of sparse it would take {wanted} bytes"
            )
        dense = np.zeros(self.shape, self.values.dtype)
        if self.stype == "row_sparse":
            dense[self.aux[0]] = self.values
        else:
            indptr, indices = self.aux
            rows = np.repeat(np.arange(self.shape[0]), np.diff(indptr))
            dense[rows, indices] = self.values
        return dense


#: The one "none" array: a file can hold one in every four bytes, so they share it.
EMPTY = Stored(np.zeros((0,), np.float32), (), empty=True)


class _Reader:
    """A place in `data`, and the errors that name it."""

    def __init__(self, data: bytes | bytearray | memoryview, source: str):
        self.data, self.source, self.at, self.what = memoryview(data), source, 0, ""

    def error(self, problem: str, at: int | None = None) -> MXNetError:
        where = f" of {self.what}" if self.what else ""
        at = self.at if at is None else at
        return MXNetError(f"invalid NDArray file {self.source}: {problem}{where} at byte {at}")

    def take(self, size: int, what: str) -> memoryview:
        left = len(self.data) - self.at
        if size > left:
            raise self.error(f"expected {what} ({size} bytes), the file ends {left} bytes after the start")
        piece = self.data[self.at : self.at + size]
        self.at += size
        return piece

    def ints(self, form: str, what: str) -> tuple[int, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form), what))

    def array(self, dtype: np.dtype, shape: Shape, what: str) -> np.ndarray:
        at, size = self.at, math.prod(shape) * dtype.itemsize
        raw = self.take(size, f"{what} of shape {shape}, dtype {dtype.name}")
        if dtype.kind == "b" and size and np.frombuffer(raw, np.uint8).max() > 1:
            raise self.error(f"{what} of dtype bool hold a byte that is neither 0 nor 1", at)
        return np.frombuffer(raw, dtype).reshape(shape)

    def dims(self, count: int, form: str, what: str) -> Shape:
        at = self.at
        if not 0 <= count <= MAX_NDIM:
            raise self.error(f"{what} has {count} dimensions, expected 0 to {MAX_NDIM}", at - 4)
        shape = self.ints(f"{count}{form}", f"the {count} dimensions of {what}")
        if any(n < 0 for n in shape):
            raise self.error(f"{what} {shape} has a negative size", at)
        # numpy multiplies the sizes that are not zero, even for an array without elements.
        if math.prod(n for n in shape if n) >= 1 << 58:
            raise self.error(f"{what} {shape} is larger than any memory", at)
        return shape

    def shape(self, what: str) -> Shape:
        return self.dims(self.ints("i", f"the number of dimensions of {what}")[0], "q", what)

    def dtype(self, what: str) -> np.dtype:
        at = self.at
        (flag,) = self.ints("i", f"the type flag of {what}")
        if flag not in _DTYPES:
            legal = ", ".join(f"{f} {name}" for name, f in TYPE_FLAGS.items())
            raise self.error(f"type flag {flag} of {what}, expected one of {legal}", at)
        return _DTYPES[flag]


def read_list(data: bytes | bytearray | memoryview, source: str = "in memory") -> tuple[list[Stored], list[str]]:
    """The arrays and names of a `.params` file.

    Args:
        data: the file's content. The arrays returned are read-only views of it.
        source: how errors call the file.

    Returns:
        The arrays in order, and as many names, or no names when the file holds a list.

    Raises:
        MXNetError: the file is damaged.
    """
    r = _Reader(data, source)
    magic, _, count = r.ints("QQQ", "the file header")
    if magic != LIST_MAGIC:
        numpys = "it is an archive of numpy, which np.load reads; " if r.data[:2] == b"PK" else ""
        raise r.error(f"{numpys}the first word is {magic:#x}, expected {LIST_MAGIC:#x}", 0)
    if count > (len(r.data) - r.at) // 4:
        raise r.error(f"{count} arrays in the header, but only {len(r.data)} bytes in the file", 16)
    arrays = []
    for i in range(count):
        r.what = f"array {i}"
        arrays.append(_read_array(r))
    r.what = ""
    at = r.at
    (n_names,) = r.ints("Q", "the number of names")
    if n_names not in (0, count):
        raise r.error(f"{n_names} names for {count} arrays, expected 0 or {count}", at)
    names: list[str] = []
    seen: set[str] = set()
    for i in range(n_names):
        at = r.at
        (length,) = r.ints("Q", f"the length of name {i}")
        try:
            name = str(r.take(length, f"name {i}"), "utf-8")
        except UnicodeDecodeError:
            raise r.error(f"name {i} is not UTF-8", at) from None
        if name in seen:
            raise r.error(f"the name {name!r} a second time", at)
        seen.add(name)
        names.append(name)
    if r.at != len(r.data):
        raise r.error(f"expected the end of the file, {len(r.data) - r.at} bytes are left")
    return arrays, names


def read_array(data: bytes | bytearray | memoryview, source: str = "in memory") -> Stored:
    """The one array that `data` holds, without a list around it (the form inside pickled optimizer states)."""
    r = _Reader(data, source)
    array = _read_array(r)
    if r.at != len(r.data):
        raise r.error(f"expected the end of the array, {len(r.data) - r.at} bytes are left")
    return array


def _read_array(r: _Reader) -> Stored:
    at = r.at
    (magic,) = r.ints("I", "the array magic")
    stype = 0
    if magic in (V2_MAGIC, V3_MAGIC):
        (stype,) = r.ints("i", "the storage type")
        if stype not in (0, 1, 2):
            raise r.error(f"storage type {stype}, expected 0 (dense), 1 (row_sparse) or 2 (csr)", at + 4)
    elif magic != V1_MAGIC and magic > MAX_NDIM:
        raise r.error(f"{magic:#x} is neither the magic of an array nor a number of dimensions", at)
    np_shape = magic == V3_MAGIC
    if np_shape and stype:
        raise r.error(f"a {STORAGE_TYPES[stype]} array under numpy shape semantics, expected a dense one", at + 4)
    stored_shape = r.shape("the storage shape") if stype else ()
    shape = r.shape("the shape") if magic > MAX_NDIM else r.dims(magic, "I", "the shape")
    if not shape and not np_shape:
        if stype:
            raise r.error(f"a {STORAGE_TYPES[stype]} array without a shape", at)
        return EMPTY
    at_context = r.at
    device, index = r.ints("ii", "the context")
    if device not in (1, 2, 3, 5):
        raise r.error(f"device type {device}, expected 1 (cpu), 2 (gpu), 3 (pinned) or 5 (shared)", at_context)
    dtype = r.dtype("the values")
    if not stype:
        values = r.array(dtype, shape, "the values")
        return Stored(values, shape, context=(device, index), np_shape=np_shape)
    return _read_sparse(r, STORAGE_TYPES[stype], stored_shape, shape, (device, index), dtype)


def _read_sparse(
    r: _Reader, stype: str, stored_shape: Shape, shape: Shape, context: tuple[int, int], dtype: np.dtype
) -> Stored:
    aux_names = ("indices",) if stype == "row_sparse" else ("indptr", "indices")
    kinds = []
    for name in aux_names:
        at = r.at
        kind = r.dtype(name)
        if kind.kind != "i":
            raise r.error(f"{name} of dtype {kind.name}, expected an integer", at)
        kinds.append((kind, r.shape(f"the shape of {name}")))
    at = r.at
    values = r.array(dtype, stored_shape, "the values")
    aux = tuple(r.array(kind, size, name) for name, (kind, size) in zip(aux_names, kinds, strict=True))
    problem = sparse_problem(stype, shape, values.shape, aux)
    if problem:
        raise r.error(f"{stype} {shape}: {problem}", at)
    return Stored(values, shape, stype, aux, context)


def sparse_problem(
    stype: str, shape: Shape, stored: Shape, aux: tuple[np.ndarray, ...], full: bool = True, ordered: bool = False
) -> str:
    """What is wrong with the parts of a sparse array, or nothing.

    Args:
        stype: "csr" or "row_sparse".
        shape: of the whole array.
        stored: the shape of what is stored.
        aux: row_sparse: (indices,); csr: (indptr, indices).
        full: look at every index.
        ordered: indices must ascend, in each row of a csr matrix.
    """
    if any(a.ndim != 1 for a in aux):
        return "the indices are not one-dimensional"
    indices = aux[-1]
    if stype == "row_sparse":
        if stored[:1] != indices.shape:
            return f"{indices.size} row indices for stored values of shape {stored}"
        if stored[1:] != shape[1:]:
            return f"the stored rows have shape {stored[1:]}"
        if full and indices.size and (indices.min() < 0 or indices.max() >= shape[0]):
            return f"a row index is not below {shape[0]}"
        return "the row indices do not ascend" if ordered and (np.diff(indices) <= 0).any() else ""
    if len(shape) != 2:
        return "a csr array has two dimensions"
    indptr = aux[0]
    # MXNet stores an empty csr array without an indptr.
    if not (indptr.size == 0 and math.prod(stored) == 0):
        if indptr.size != shape[0] + 1:
            return f"indptr has {indptr.size} elements, expected {shape[0] + 1}"
        if full and (indptr[0] != 0 or indptr[-1] != indices.size or (np.diff(indptr) < 0).any()):
            return f"indptr does not ascend from 0 to {indices.size}"
    if stored != indices.shape:
        return f"{indices.size} column indices for stored values of shape {stored}"
    if full and indices.size and (indices.min() < 0 or indices.max() >= shape[1]):
        return f"a column index is not below {shape[1]}"
    if ordered and indices.size:
        steps = np.diff(indices) <= 0
        begins = indptr[1:-1]
        steps[begins[(begins > 0) & (begins < indices.size)] - 1] = False
        if steps.any():
            return "the column indices of a row do not ascend"
    return ""


def write_list(arrays: Sequence[Stored], names: Sequence[str] = ()) -> Iterator[bytes | memoryview]:
    """The pieces of a `.params` file with `arrays`, as MXNet 1.9.1 writes it.

    A dense array without dimensions can only be told under numpy shape semantics; when there is one, or one that was
    read so, all arrays are written in that form (MXNet then loads the file with ``np_shape`` active).

    Args:
        arrays: what to write.
        names: one name an array, or none for the list form.

    Raises:
        MXNetError: a sparse array stands beside one that needs numpy shape semantics.
        ValueError: the number of names is wrong.
    """
    if names and len(names) != len(arrays):
        raise ValueError(f"{len(names)} names for {len(arrays)} arrays")
    np_shape = _needs_np_shape(arrays)
    yield struct.pack("<QQQ", LIST_MAGIC, 0, len(arrays))
    for array in arrays:
        yield from _write_array(array, np_shape)
    yield struct.pack("<Q", len(names))
    for name in names:
        raw = name.encode("utf-8")
        yield struct.pack("<Q", len(raw)) + raw


def write_array(array: Stored) -> bytes:
    """One array without a list around it, as MXNet 1.9.1 writes it."""
    return b"".join(_write_array(array, _needs_np_shape([array])))


def _needs_np_shape(arrays: Iterable[Stored]) -> bool:
    return any(a.np_shape or (a.shape == () and not a.empty) for a in arrays)


def _write_array(array: Stored, np_shape: bool) -> Iterator[bytes | memoryview]:
    if np_shape and (array.stype != "default" or array.empty):
        kind = "an empty" if array.empty else f"a {array.stype}"
        raise MXNetError(f"{kind} array and one without dimensions cannot be saved in one file")
    stype = STORAGE_TYPES.index(array.stype)
    head = struct.pack("<Ii", V3_MAGIC if np_shape else V2_MAGIC, stype)
    if stype:
        head += _pack_shape(array.values.shape)
    head += _pack_shape(array.shape)
    if array.empty:
        yield head
        return
    head += struct.pack("<iii", *array.context, _flag(array.values.dtype))
    for aux in array.aux:
        head += struct.pack("<i", _flag(aux.dtype)) + _pack_shape(aux.shape)
    yield head
    for part in (array.values, *array.aux):
        yield _raw(part)


def _pack_shape(shape: Shape) -> bytes:
    return struct.pack(f"<i{len(shape)}q", len(shape), *shape)


def _flag(dtype: np.dtype) -> int:
    if dtype.name not in _FLAGS:
        raise MXNetError(f"dtype {dtype.name} cannot be saved; MXNet's files know {', '.join(TYPE_FLAGS)}")
    return _FLAGS[dtype.name]


def _raw(array: np.ndarray) -> memoryview:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<") if array.dtype.name != "bfloat16" else None)
    return little.reshape(-1).view(np.uint8).data
