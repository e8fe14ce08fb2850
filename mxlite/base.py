# SPDX-License-Identifier: Apache-2.0
"""What every part of mxlite needs: the error class, the 64-bit switch, dtypes, and the mode of eager calls."""

from __future__ import annotations

import os
import platform
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


def py_str(x: bytes) -> str:
    """Bytes in UTF-8 as text."""
    return x.decode("utf-8")


def data_dir_default() -> str:
    """The folder for data sets and models that programs download: ``.mxnet`` in the home folder (Windows: APPDATA)."""
    if platform.system() == "Windows":
        return os.path.join(os.environ["APPDATA"], "mxnet")
    return os.path.join(os.path.expanduser("~"), ".mxnet")


def data_dir() -> str:
    """The environment variable MXNET_HOME, or `data_dir_default`. mxlite itself downloads nothing."""
    return os.environ.get("MXNET_HOME", data_dir_default())


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
        try:
            np.dtype(cast(Any, dtype))
        except TypeError:
            problem = f"there is no dtype {dtype!r:.80}{nearest(str(dtype), TYPE_FLAGS)}"
            raise TypeError(explain(problem, op=what, hint=f"dtypes are: {', '.join(TYPE_FLAGS)}")) from None
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


#: Exceptions by the name that MXNet's library calls them by; see `register_error`.
error_types: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (ValueError, TypeError, AttributeError, IndexError, NotImplementedError)
}


def register_error(func_name: Any = None, cls: Any = None) -> Any:
    """Enter an exception class into `error_types`: as a decorator, or with a name of its own.

    Args:
        func_name: the class, or the name to enter it under; that of the class by default.
        cls: the class, when a name is given.

    Returns the class; a decorator when no class is given.
    Raises TypeError when the class is no exception, or the name no text.
    """
    if isinstance(func_name, type):
        func_name, cls = None, func_name
    if func_name is not None and not isinstance(func_name, str):
        raise TypeError(f"register_error takes an exception class, or a name and a class, got {func_name!r:.80}")

    def enter(kind: Any) -> Any:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"register_error takes an exception class, got {kind!r:.80}")
        error_types[func_name or kind.__name__] = kind
        return kind

    return enter if cls is None else enter(cls)


@register_error
class InternalError(MXNetError):
    """A mistake of the library itself, not of its user."""


class _NotAvailable(MXNetError):
    """A method of dense arrays that another kind of array does not have.

    Args:
        function: the method, or its name.
        alias: the operator it stands for, such as ``+=``.
        args: what it was called with.
    """

    kind = hint = ""

    def __init__(self, function: Any, alias: str | None = None, *args: Any):
        self.function = getattr(function, "__name__", str(function))
        self.alias, self.args_types = alias, [type(a).__name__ for a in args]
        operator = f" (the operator {alias!r})" if alias else ""
        super().__init__(explain(f"{self.function}{operator} is not available for {self.kind}", hint=self.hint))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function, self.alias)


@register_error
class NotImplementedForSymbol(_NotAvailable):
    """A method of NDArray that a Symbol, which holds no numbers, cannot have."""

    kind = "a Symbol, which holds no numbers"
    hint = "bind the symbol, or use eval(), and work with the NDArrays it gives"


class NotSupportedForSparseNDArray(_NotAvailable):
    """A method of NDArray that arrays with sparse storage do not have."""

    kind = "a sparse NDArray"
    hint = "x.tostype('default') is a dense array, which has it"
