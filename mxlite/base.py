# SPDX-License-Identifier: Apache-2.0
"""What every part of mxlite needs: the error class, the 64-bit switch, dtypes, and the mode of eager calls."""

from __future__ import annotations

import os
import threading
from typing import Any, cast

import jax
import numpy as np

from mxlite_compiler.errors import MXNetError as MXNetError
from mxlite_compiler.errors import explain as explain
from mxlite_compiler.errors import nearest as nearest
from mxlite_compiler.params import TYPE_FLAGS as TYPE_FLAGS
from mxlite_compiler.params import dtype_name

#: Scalars that arithmetic with arrays takes.
numeric_types = (float, int, np.generic)
integer_types = (int, np.integer)
string_types = (str,)

if os.environ.get("MXLITE_ENABLE_X64", "1") != "0":
    # MXNet has float64 and int64; JAX would silently cut them to 32 bits.
    jax.config.update("jax_enable_x64", True)

_WIDE = {"float64": "float32", "int64": "int32"}


def x64() -> bool:
    """Whether 64-bit types are on."""
    return jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]


def as_dtype(dtype: Any, what: str = "") -> np.dtype:
    """The numpy dtype for a name, type, dtype or MXNet type flag.

    Args:
        dtype: what the user wrote.
        what: the operator or function to name in the error.

    Raises:
        TypeError: there is no such dtype at all.
        MXNetError: the dtype exists but is none of MXNet's, or it is a 64-bit one while 64 bits are switched off.
    """
    if isinstance(dtype, np.dtype) and dtype in _KNOWN:
        return dtype
    if not ((isinstance(dtype, str) and dtype in TYPE_FLAGS) or (type(dtype) is int and dtype in TYPE_FLAGS.values())):
        np.dtype(cast(Any, dtype))  # TypeError, with numpy's words, for what is no dtype at all
    try:
        name = dtype_name(dtype)
    except ValueError as e:
        raise MXNetError(explain(f"dtype {dtype!r} {e}", op=what)) from None
    if name in _WIDE and not x64():
        raise MXNetError(
            explain(
                f"dtype {name} needs 64-bit arrays, which are switched off",
                op=what,
                hint=f"unset MXLITE_ENABLE_X64, or use {_WIDE[name]}",
            )
        )
    return np.dtype(jax.numpy.bfloat16) if name == "bfloat16" else np.dtype(name)


_KNOWN = frozenset(np.dtype(n) for n in ("float32", "float16", "uint8", "int32", "int8", "bool"))


class _EagerMode(threading.local):
    """How eager operator calls of this thread run.

    Attributes:
        train: operators that behave differently in training (Dropout, BatchNorm) do so.
        recording: calls are recorded for differentiation.
    """

    train: bool = False
    recording: bool = False

    def __init__(self) -> None:  # threading.local runs it in every thread
        self.before: list[tuple[bool, bool]] = []


#: The mode of this thread; autograd's scopes set and restore it.
eager_mode = _EagerMode()


class EagerScope:
    """A context manager that sets how eager calls of this thread run. One may serve many times, and many threads.

    Args:
        recording: whether calls are recorded; None leaves it as it is.
        train: whether operators behave as in training; None leaves it as it is.
    """

    __slots__ = ("recording", "train")

    def __init__(self, recording: bool | None = None, train: bool | None = None):
        self.recording, self.train = recording, train

    def __enter__(self) -> None:
        eager_mode.before.append((eager_mode.recording, eager_mode.train))
        if self.recording is not None:
            eager_mode.recording = self.recording
        if self.train is not None:
            eager_mode.train = self.train

    def __exit__(self, *_: object) -> None:
        eager_mode.recording, eager_mode.train = eager_mode.before.pop()


class NotImplementedForSymbol(MXNetError):
    """A method of NDArray that a Symbol, which holds no numbers, cannot have.

    Args:
        function: the method, or its name.
        alias: the operator it stands for, such as ``+=``.
        args: what it was called with.
    """

    def __init__(self, function: Any, alias: str = "", *args: Any):
        name = getattr(function, "__name__", str(function))
        self.function, self.alias, self.args_types = name, alias, [type(a).__name__ for a in args]
        operator = f" (the operator {alias!r})" if alias else ""
        super().__init__(
            explain(
                f"{name}{operator} is not available for a Symbol, which holds no numbers",
                hint="bind the symbol, or use eval(), and work with the NDArrays it gives",
            )
        )
