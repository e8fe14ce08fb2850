# SPDX-License-Identifier: Apache-2.0
"""The parameters of a module: their first values, and copies of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mxlite_compiler.errors import explain, nearest

from ..base import MXNetError
from ..context import Context
from ..executor import Executor
from ..initializer import InitDesc
from ..ndarray import NDArray
from ..symbol import Symbol
from .description import check_initializer

Arrays = Mapping[str, NDArray]


def initialise(
    executor: Executor,
    symbol: Symbol,
    param_names: Sequence[str],
    aux_names: Sequence[str],
    initializer: Any,
    given: tuple[Arrays | None, Arrays | None],
    allow_missing: bool,
) -> None:
    """Give every parameter of `executor` a value: the given one, else that of the initializer.

    Args:
        executor: whose arrays.
        symbol: its network, whose variables may name initializers of their own.
        param_names, aux_names: what to fill.
        initializer: called with an `InitDesc` and the array; None leaves what is not given.
        given: parameters and auxiliary states by name; None where there are none.
        allow_missing: whether what is given may lack some.

    Raises:
        RuntimeError: a parameter is missing and may not be.
        MXNetError: a shape differs. Nothing is changed in either case.
        TypeError: what is given is no dict, or the initializer none.
    """
    check_initializer(initializer)
    for what, values in zip(("arg_params", "aux_params"), given, strict=True):
        if values is not None and not isinstance(values, Mapping):
            raise TypeError(f"{what} must be a dict of NDArrays by name, got {type(values).__name__}")
    attrs = symbol.attr_dict()
    plan: list[tuple[str, NDArray, NDArray | None]] = []
    for names, bound, values in (
        (param_names, executor.arg_dict, given[0]),
        (aux_names, executor.aux_dict, given[1]),
    ):
        for name in sorted(names):
            value = values.get(name) if values is not None else None
            if values is not None and value is None and not allow_missing:
                raise RuntimeError(
                    f"{name} is not presented; pass allow_missing=True to initialise it{nearest(name, values)}"
                )
            if value is not None and value.shape != bound[name].shape:
                raise MXNetError(
                    explain(
                        f"parameter {name} has shape {value.shape}, the module needs {bound[name].shape}",
                        op="set_params",
                    )
                )
            plan.append((name, bound[name], value))
    for name, target, value in plan:
        if value is not None:
            target[:] = value
        elif initializer is not None:
            initializer(InitDesc(name, attrs.get(name)), target)


def copies(
    executor: Executor, param_names: Sequence[str], aux_names: Sequence[str], ctx: Context
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Copies of the parameters and the auxiliary states on `ctx`, by name."""
    held = {**{n: executor.arg_dict[n] for n in param_names}, **executor.aux_dict}
    if executor.devices is not None or any(a.stype != "default" for a in held.values()):
        # One program copies dense arrays on one device.
        copied = {n: a.copyto(ctx) for n, a in held.items()}
        return {n: copied[n] for n in param_names}, {n: copied[n] for n in aux_names}
    found = _copy_all({n: a._cell.peek() for n, a in held.items()})
    wrapped = {n: NDArray._wrap(x, ctx) for n, x in found.items()}
    return {n: wrapped[n] for n in param_names}, {n: wrapped[n] for n in aux_names}


@jax.jit
def _copy_all(arrays: Any) -> Any:
    return jax.tree.map(jnp.copy, arrays)
