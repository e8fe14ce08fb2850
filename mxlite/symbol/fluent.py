# SPDX-License-Identifier: Apache-2.0
"""The methods of Symbol that call an operator on it: ``x.reshape((2, -1))``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mxlite_compiler.op import OPS

from .._frontend import FLUENT
from . import scalar_functions
from .functions import Namespace
from .symbol import Symbol

#: Method names; each calls the operator of that name.
METHODS = (*FLUENT, "broadcast_to", "reshape")

#: Methods whose arguments are not quite the operator's.
BY_HAND = ("astype", "squeeze", "diag", "split_v2", "as_nd_ndarray", "expand_dims", "flatten")

#: MXNet's argument that asks for no copy; a symbol makes none either way.
INPLACE = ("expand_dims", "flatten")


def _method(name: str, functions: Namespace) -> Callable[..., Symbol]:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Symbol:
        return functions.get(name)(self, *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"Symbol.{name}"
    method.__doc__ = f"`mx.sym.{name}` of this symbol; takes the same arguments after the first."
    return method


def _inplace_method(name: str, functions: Namespace) -> Callable[..., Symbol]:
    def method(self: Symbol, *args: Any, inplace: bool = False, **kwargs: Any) -> Symbol:
        return functions.get(name)(self, *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"Symbol.{name}"
    method.__doc__ = f"`mx.sym.{name}` of this symbol; `inplace` is accepted, a symbol makes no copy anyway."
    return method


def add_methods(functions: Namespace) -> None:
    """Give Symbol its fluent methods."""
    for name in METHODS:
        setattr(Symbol, name, _method(name, functions))
    for name in INPLACE:
        setattr(Symbol, name, _inplace_method(name, functions))

    def astype(self: Symbol, *args: Any, **kwargs: Any) -> Symbol:
        """`mx.sym.cast` of this symbol to `dtype`."""
        kwargs.pop("copy", None)
        return functions.get("cast")(self, *args, **kwargs)

    def squeeze(self: Symbol, axis: Any = None, inplace: bool = False, **kwargs: Any) -> Symbol:
        """`mx.sym.squeeze` of this symbol: without axes of size 1."""
        return functions.get("squeeze")(self, axis=axis, **kwargs)

    def diag(self: Symbol, k: int = 0, **kwargs: Any) -> Symbol:
        """`mx.sym.diag` of this symbol: diagonal `k`, or a matrix with it."""
        return functions.get("diag")(self, k=k, **kwargs)

    def as_nd_ndarray(self: Symbol) -> Symbol:
        """This symbol: it is one of `mx.sym` already."""
        return self

    def split_v2(self: Symbol, *args: Any, **kwargs: Any) -> Symbol:
        """`mx.sym.split_v2` of this symbol: cut at indices, or into equal sections."""
        return scalar_functions.split_v2(self, *args, **kwargs)

    for method in (astype, squeeze, diag, split_v2, as_nd_ndarray):
        method.__qualname__ = f"Symbol.{method.__name__}"
        setattr(Symbol, method.__name__, method)


def missing_operators() -> list[str]:
    """Methods whose operator is not registered (yet); for tests."""
    return [name for name in (*METHODS, *INPLACE) if name not in OPS]
