# SPDX-License-Identifier: Apache-2.0
"""`mx.util`: environment variables, devices, and the switches between classic and numpy semantics.

mxlite has the classic semantics of MXNet 1.x: a 0 in a shape is an unknown size, `mx.np` does not exist. So the
questions (`is_np_shape`, `is_np_array`) answer False, switching off is accepted, and switching on is an MXNetError.
Which environment variables of MXNet have a meaning is told in `mxlite.environment`.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from .base import MXNetError, explain
from .context import Context, gpu, gpu_memory_info, num_gpus

_T = TypeVar("_T")


def getenv(name: str) -> str | None:
    """The value of an environment variable; None where it is not set."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable, or with None remove it. mxlite reads most of its own when it is imported."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def makedirs(d: str) -> None:
    """Make the folder `d` and those above it, unless they are there (MXNet before 1.6)."""
    os.makedirs(os.path.expanduser(d), exist_ok=True)


def get_gpu_count() -> int:
    """How many GPUs JAX sees."""
    return num_gpus()


def get_gpu_memory(gpu_dev_id: int) -> tuple[int, int]:
    """Free and total bytes in the memory pool of a GPU. MXNetError where there is no such GPU."""
    return gpu_memory_info(gpu_dev_id)


def get_cuda_compute_capability(ctx: Context) -> int:
    """Ten times the compute capability of a GPU: 90 for 9.0.

    Raises:
        ValueError: `ctx` is no GPU.
        MXNetError: there is no such GPU, or it is none of NVIDIA's.
    """
    if not isinstance(ctx, Context) or ctx.device_type != "gpu":
        raise ValueError(f"Expecting a gpu context to get cuda compute capability, while received ctx {ctx}")
    text = str(getattr(gpu(ctx.device_id).jax_device, "compute_capability", ""))
    if not text.replace(".", "", 1).isdigit():
        raise MXNetError(explain(f"{ctx} tells no compute capability", op="get_cuda_compute_capability"))
    major, _, minor = text.partition(".")
    return 10 * int(major) + int(minor or 0)


# The switches.


def _refuse(op: str) -> NoReturn:
    problem = "numpy semantics (mx.np, empty shapes) are not in mxlite, which has the classic ones of MXNet 1.x"
    raise MXNetError(explain(problem, op=op, hint="leave the call out and use mx.nd and mx.sym"))


def is_np_shape() -> bool:
    """False: a 0 in a shape is an unknown size."""
    return False


def is_np_array() -> bool:
    """False: arrays are `mx.nd.NDArray`."""
    return False


def set_np_shape(active: bool) -> bool:
    """Accept False, and return the state before: False. MXNetError for True."""
    if active:
        _refuse("set_np_shape")
    return False


def set_np(shape: bool = True, array: bool = True) -> None:
    """Accept only ``set_np(False, False)``.

    Raises:
        ValueError: `array` without `shape`, as in MXNet.
        MXNetError: for anything else that is true.
    """
    if array and not shape:
        raise ValueError("NumPy Shape semantics is required in using NumPy array semantics.")
    if shape or array:
        _refuse("set_np")


def reset_np() -> None:
    """Classic semantics: they are always on."""


@contextmanager
def np_shape(active: bool = True) -> Iterator[None]:
    """A ``with`` block with (MXNetError) or without numpy's shapes."""
    set_np_shape(active)
    yield


@contextmanager
def np_array(active: bool = True) -> Iterator[None]:
    """A ``with`` block with (MXNetError) or without numpy's arrays."""
    if active:
        _refuse("np_array")
    yield


def _decorator(name: str) -> Callable[[Any], Any]:
    def decorate(func: Any) -> Any:
        if not inspect.isclass(func) and not callable(func):
            kinds = "classes and callable objects"
            raise TypeError(f"{name} can only decorate {kinds}, while received a {type(func)}")
        _refuse(name)

    decorate.__name__ = decorate.__qualname__ = name
    decorate.__doc__ = "A decorator for numpy semantics: MXNetError; TypeError for what is no class and not callable."
    return decorate


use_np_shape = _decorator("use_np_shape")
use_np_array = _decorator("use_np_array")
use_np = _decorator("use_np")


# Arguments of numpy's universal functions.

_DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int32", "int64")
_LEGAL: dict[str, Callable[[Any], bool]] = {
    "where": lambda value: True,
    "casting": lambda value: value in ("no", "equiv", "safe", "same_kind", "unsafe"),
    "order": lambda value: isinstance(value, str),
    "dtype": lambda value: getattr(value, "__name__", value) in _DTYPES,
    "subok": lambda value: isinstance(value, bool),
}
#: The values that functions made with `wrap_np_unary_func` take.
_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "dtype": None, "subok": True}


def np_ufunc_legal_option(key: str, value: Any) -> bool:
    """Whether `key` is an option of numpy's universal functions and `value` is legal for it."""
    return key in _LEGAL and _LEGAL[key](value)


def _wrapped(func: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    @functools.wraps(func)
    def call(*arrays: Any, out: Any = None, **kwargs: Any) -> Any:
        if len(arrays) == inputs + 1 and out is None:
            arrays, out = arrays[:-1], arrays[-1]
        if len(arrays) != inputs:
            raise TypeError(f"{func.__name__}: {inputs} arrays and perhaps out are needed, got {len(arrays)}")
        for key, value in kwargs.items():
            if key not in _DEFAULTS:
                raise TypeError(f"{key} is an invalid keyword to function '{func.__name__}'")
            if value != _DEFAULTS[key]:
                if not np_ufunc_legal_option(key, value):
                    raise TypeError(f"{key}={value} is not a legal option of function '{func.__name__}'")
                raise NotImplementedError(f"{key}={value} is not implemented yet for operator {func.__name__}")
        return func(*arrays, out=out)

    return call


def wrap_np_unary_func(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``func(x, out=None)`` take numpy's options where, casting, order, dtype, subok, at their defaults.

    Raises (the function that is returned) TypeError for unknown options, NotImplementedError for other values.
    """
    return _wrapped(func, 1)


def wrap_np_binary_func(func: Callable[..., Any]) -> Callable[..., Any]:
    """As `wrap_np_unary_func`, for ``func(x1, x2, out=None)``."""
    return _wrapped(func, 2)


def set_module(module: str | None) -> Callable[[_T], _T]:
    """A decorator that sets ``__module__``; None leaves it."""

    def decorate(thing: _T) -> _T:
        if module is not None:
            thing.__module__ = module
        return thing

    return decorate
