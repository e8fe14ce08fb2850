# SPDX-License-Identifier: Apache-2.0
"""Optimizer states as bytes: MXNet's pickles, written without MXNet and read without trusting them.

MXNet pickles ``{index: state}``, or ``(that, optimizer)``. A pickle is a program, so reading goes in two steps: all
opcodes are parsed and checked first, and then only a handful of names can be called, none of which does more than make
an array, an optimizer or a scheduler. Nothing is imported.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import sys
from typing import Any

import numpy as np

from .. import lr_scheduler
from ..base import MXNetError
from ..context import cpu
from ..ndarray import NDArray, from_host
from ..serialize.array_bytes import Stored, read_array, write_array
from .base import Optimizer

_OPTIMIZERS, _CONTRIB, _SCHEDULERS = "mxnet.optimizer.optimizer", "mxnet.optimizer.contrib", "mxnet.lr_scheduler"
_SPARSE = ("RowSparseNDArray", "CSRNDArray")
#: Opcodes no state file has: names from the copyreg extension table, persistent ids, old instances, foreign buffers.
_REFUSED = frozenset("EXT1 EXT2 EXT4 PERSID BINPERSID INST OBJ NEXT_BUFFER READONLY_BUFFER".split())


class StateError(MXNetError, pickle.UnpicklingError):
    """Optimizer states that cannot be read."""


def dumps(states: Any) -> bytes:
    """The pickle of `states`, an index-to-state dict or a pair of it and an optimizer, as MXNet 1.9.1 reads it."""
    out = bytearray(pickle.PROTO + b"\x04")
    _write(out, states)
    return bytes(out + pickle.STOP)


def loads(data: bytes) -> tuple[dict[Any, Any], Optimizer | None]:
    """Read what `dumps`, or MXNet, wrote.

    Returns:
        ``{index: state}``, and the optimizer if one was saved, too.

    Raises:
        StateError: The bytes are damaged, hold something else, or name a function or class that no state needs.
    """
    _check(data)
    try:
        found = _finished(_Reader(io.BytesIO(data)).load())
    except MXNetError:
        raise
    except (pickle.UnpicklingError, EOFError, ArithmeticError, LookupError, AttributeError, TypeError, ValueError,
            ImportError, RecursionError, MemoryError) as e:  # fmt: skip
        raise StateError(f"invalid optimizer states: {e or type(e).__name__}") from None
    optimizer = None
    if isinstance(found, tuple) and len(found) == 2:
        found, optimizer = found
        if not isinstance(optimizer, Optimizer):
            raise StateError(f"invalid optimizer states: expected an optimizer, found {type(optimizer).__name__}")
    if not isinstance(found, dict):
        raise StateError(f"invalid optimizer states: expected a dict of states, found {type(found).__name__}")
    return found, optimizer


# ---------------------------------------------------------------- writing


def _write(out: bytearray, value: Any) -> None:
    if value is None:
        out += pickle.NONE
    elif value is True or value is False:
        out += pickle.NEWTRUE if value else pickle.NEWFALSE
    elif isinstance(value, np.generic):
        _write(out, value.item())
    elif isinstance(value, NDArray):
        _write_array(out, value)
    elif type(value) is tuple:
        out += pickle.MARK
        for item in value:
            _write(out, item)
        out += pickle.TUPLE
    elif type(value) is list:
        out += pickle.EMPTY_LIST + pickle.MARK
        for item in value:
            _write(out, item)
        out += pickle.APPENDS
    elif type(value) is dict:
        out += pickle.EMPTY_DICT + pickle.MARK
        for key, item in value.items():
            _write(out, key)
            _write(out, item)
        out += pickle.SETITEMS
    elif isinstance(value, Optimizer | lr_scheduler.LRScheduler):
        _write_object(out, value)
    else:
        # Numbers, text, numpy: without header and stop sign, protocol 3 nests; what memo it writes nobody reads.
        out += pickle.dumps(value, 3)[2:-1]


def _write_global(out: bytearray, module: str, name: str) -> None:
    out += pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _write_array(out: bytearray, value: NDArray) -> None:
    raw = write_array(Stored.dense(value.asnumpy()))
    _write_global(out, "mxnet.ndarray.ndarray", "NDArray")
    out += pickle.NONE + pickle.TUPLE1 + pickle.REDUCE + pickle.EMPTY_DICT
    _write(out, "handle")
    _write_global(out, "builtins", "bytearray")
    out += pickle.BINBYTES8 + struct.pack("<Q", len(raw)) + raw
    out += pickle.TUPLE1 + pickle.REDUCE + pickle.SETITEM + pickle.BUILD


def _write_object(out: bytearray, value: Optimizer | lr_scheduler.LRScheduler) -> None:
    kind = type(value)
    module = kind.__module__
    if module == lr_scheduler.__name__:
        module = _SCHEDULERS
    elif module.startswith(__name__.rpartition(".")[0] + "."):
        module = _CONTRIB if module.endswith(".contrib") else _OPTIMIZERS
    _write_global(out, module, kind.__qualname__)
    out += pickle.EMPTY_TUPLE + pickle.NEWOBJ
    state = value.__getstate__() if isinstance(value, Optimizer) else dict(value.__dict__)
    _write(out, dict(state))
    out += pickle.BUILD


# ---------------------------------------------------------------- reading


def _check(data: bytes) -> None:
    """Parse every opcode before any is executed."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StateError(f"optimizer states are bytes, got {type(data).__name__}")
    at = 0
    try:
        for opcode, argument, position in pickletools.genops(bytes(data)):
            at = position or 0
            if opcode.name in _REFUSED:
                raise StateError(f"invalid optimizer states: opcode {opcode.name} at byte {at}")
            # An index of the memo is no count of anything: a damaged one would allocate gigabytes.
            if "PUT" in opcode.name and int(argument or 0) > len(data):
                raise StateError(f"invalid optimizer states: memo index {argument} at byte {at}")
    except StateError:
        raise
    except (ValueError, EOFError, OverflowError, UnicodeError) as e:
        raise StateError(f"invalid optimizer states: no pickle, or a damaged one, after byte {at}: {e}") from None
    if at + 1 != len(data):
        raise StateError(f"invalid optimizer states: the pickle ends at byte {at}, {len(data) - at - 1} bytes are left")


class _Array:
    """Stands for MXNet's NDArray until its bytes are known."""

    def __init__(self, handle: None = None) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        handle = state.get("handle") if isinstance(state, dict) else None
        if handle is not None:
            if not isinstance(handle, bytes | bytearray):
                raise StateError("invalid optimizer states: an array without bytes")
            stored = read_array(handle, "in optimizer states")
            self.value = None if stored.empty else stored.to_dense("a state")


class _Object:
    """Stands for an optimizer or a scheduler of the class `target` until all is read."""

    target: type
    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _DType:
    """Stands for a numpy dtype, which has a `__setstate__` of its own that trusts its input."""

    def __init__(self, text: Any = "", *_: Any) -> None:
        if not isinstance(text, str) or text[:1] not in tuple("biuf") or not text[1:].isdigit():
            raise StateError(f"invalid optimizer states: a numpy array of dtype {text!r}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")

    def read(self, raw: Any) -> np.ndarray:
        if not isinstance(raw, bytes | bytearray):
            raise StateError("invalid optimizer states: a numpy array without bytes")
        return np.frombuffer(raw, self.dtype).astype(self.dtype.newbyteorder("="))


class _NumpyArray:
    """Stands for a numpy array."""

    def __init__(self, *_: Any) -> None:
        self.value = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.value = dtype.read(raw).reshape(shape, order="F" if fortran else "C")


def _bytes(*args: Any) -> bytes:
    """Protocol 2 has text and its encoding, later ones have bytes; ``bytearray(n)`` would allocate."""
    if not args:
        return b""
    if isinstance(args[0], str):
        return args[0].encode("latin-1")
    if not isinstance(args[0], bytes | bytearray):
        raise StateError(f"invalid optimizer states: bytes made of {type(args[0]).__name__}")
    return bytes(args[0])


def _numpy_scalar(dtype: Any, raw: Any = b"") -> Any:
    return dtype.read(raw)[0].item()


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        # What a pickle gets hold of it can also write attributes to. So it gets a new object every time.
        found = _KNOWN.get((module_name, global_name))
        if isinstance(found, type):
            return type(found.__name__, (found,), {})
        if found is not None:
            return lambda *args: found(*args)
        if module_name.partition(".")[0] in ("mxnet", "mxlite"):
            known = Optimizer.opt_registry.get(global_name.lower(), getattr(lr_scheduler, global_name, None))
        else:
            # A user's own class, if the program has defined it already.
            known = getattr(sys.modules.get(module_name), global_name, None)
        if isinstance(known, type) and issubclass(known, Optimizer | lr_scheduler.LRScheduler):
            return type(known.__name__, (_Object,), {"target": known})
        raise StateError(
            f"invalid optimizer states: they refer to {module_name}.{global_name}, which is neither an array nor "
            "a known optimizer or scheduler. If it is your own class, import or define it before loading"
        )


_KNOWN: dict[tuple[str, str], Any] = {
    ("mxnet.ndarray.ndarray", "NDArray"): _Array,
    **{("mxnet.ndarray.sparse", name): _Array for name in _SPARSE},
    ("builtins", "bytearray"): _bytes,
    ("__builtin__", "bytearray"): _bytes,
    ("_codecs", "encode"): _bytes,
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _NumpyArray,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _NumpyArray for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _numpy_scalar for core in ("core", "_core")},
}


def _finished(value: Any) -> Any:
    """Replace the placeholders by what they stand for."""
    if isinstance(value, _Array):
        return None if value.value is None else from_host(np.array(value.value), cpu())
    if isinstance(value, _NumpyArray):
        return value.value
    if isinstance(value, _Object):
        made = object.__new__(value.target)
        state = _finished(value.state) if isinstance(value.state, dict) else {}
        if isinstance(made, Optimizer):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)
        return made
    if type(value) in (tuple, list):
        return type(value)(_finished(item) for item in value)
    if type(value) is dict:
        return {key: _finished(item) for key, item in value.items()}
    return value
