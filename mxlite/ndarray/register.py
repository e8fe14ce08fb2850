# SPDX-License-Identifier: Apache-2.0
"""The functions of `mx.nd`: one closure per operator of the table, with its signature and documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import mxlite_compiler.ops  # noqa: F401 - completes the table
from mxlite_compiler.errors import nearest
from mxlite_compiler.op import OPS, Op

from .._frontend import Arguments, docstring, signature
from ..base import MXNetError, explain
from . import dispatch
from .handle import Handle
from .ndarray import NDArray


def _is_array(value: Any) -> bool:
    return isinstance(value, Handle)


def function(op: Op, name: str, module: str) -> Callable[..., Any]:
    """The function that calls `op` eagerly.

    Args:
        op: the operator.
        name: what the function is called.
        module: the module that it says it is from.
    """
    arguments = Arguments(op, _is_array, "NDArray")
    sort = arguments.sort

    n_arrays = -1 if op.variadic or op._drop else len(op.arrays)

    n_slots = 0 if op.variadic else len(arguments.slots)

    def call(*args: Any, out: Any = None, name: str | None = None, **kwargs: Any) -> Any:
        if len(args) == n_arrays and not kwargs and all(map(_is_array, args)):
            return dispatch.invoke(NDArray, op, args, kwargs, out)
        if len(args) > n_slots > 0:  # MXNet's functions take out and name behind their parameters
            out = args[n_slots]
            args = args[:n_slots] if len(args) <= n_slots + 2 else args
        arrays, attrs = sort(args, kwargs)
        if isinstance(arrays, dict):
            arrays = _ordered(op, arrays, attrs)
        return dispatch.invoke(NDArray, op, arrays, attrs, out)

    call.__name__ = call.__qualname__ = name
    call.__module__ = module
    call.__doc__ = docstring(op, "NDArray", name)
    call.__signature__ = signature(op, "NDArray")  # pyright: ignore[reportFunctionMemberAccess]
    return call


def _ordered(op: Op, arrays: dict[str, Any], attrs: dict[str, Any]) -> list[Any]:
    """The arrays in the operator's order. MXNetError when one is missing or not wanted under the parameters."""
    wanted = dispatch.program(op, attrs)[0].names if op._drop else op.arrays
    missing = [n for n in wanted if n not in arrays]
    spare = [n for n in arrays if n not in wanted]
    if missing or spare:
        problem = f"input {', '.join(missing)} is missing" if missing else f"takes no input {', '.join(spare)} here"
        raise MXNetError(explain(problem, op=op.name, hint=f"inputs are: {', '.join(wanted)}"))
    return [arrays[n] for n in wanted]


def install(namespace: MutableMapping[str, Any], prefixes: Iterable[str], module: str) -> list[str]:
    """Put the functions of all operators whose name starts with one of `prefixes` into `namespace`.

    The prefix is cut; "" stands for the names without a leading underscore. Names that are there already stay.
    Returns the names of the new ones.
    """
    added = []
    for full, op in sorted(OPS.items()):
        for prefix in prefixes:
            name = full[len(prefix) :] if prefix and full.startswith(prefix) else full if not prefix else ""
            if name and not (not prefix and name.startswith("_")) and name not in namespace:
                namespace[name] = function(op, name, module)
                added.append(name)
    return added


def unknown(module: str, name: str, namespace: Iterable[str]) -> AttributeError:
    """The error for a name that a module does not have."""
    return AttributeError(f"module {module!r} has no attribute {name!r}{nearest(name, namespace)}")
