# SPDX-License-Identifier: Apache-2.0
"""`bind` and `simple_bind`: from a Symbol and what the user gives to an `Executor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler.errors import explain
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.shapes import known

from ..base import MXNetError
from ..context import Context, current_context
from ..ndarray import NDArray, zeros
from ..symbol import Symbol
from ..symbol.symbol import Binder
from .executor import Executor

_SHOWN = 10  # undecided arguments that a message lists: a large network has hundreds

GRAD_REQS = ("null", "write", "add")


def _by_name(names: Sequence[str], given: Any, what: str, allow_missing: bool) -> dict[str, NDArray]:
    """Arrays given as a list in order or as a dict, by name."""
    if isinstance(given, Mapping):
        missing = [n for n in names if n not in given]
        if missing and not allow_missing:
            raise ValueError(f"key `{missing[0]}` is missing in `{what}`; it needs {', '.join(names)}")
        return _arrays({n: given[n] for n in names if given.get(n) is not None}, what)
    if not isinstance(given, Sequence):
        raise TypeError(f"{what}: only accept list of NDArrays or dict of str to NDArray, got {given!r:.80}")
    if len(given) != len(names):
        raise ValueError(
            f"Length of {what} does not match the number of arguments: "
            f"{len(given)} given, {len(names)} needed ({', '.join(names)})"
        )
    return _arrays({n: v for n, v in zip(names, given, strict=True) if v is not None}, what)


def _distinct(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise MXNetError(f"two variables share the name {', '.join(twice)}; build the symbol from one Variable object")


def _arrays(given: dict[str, Any], what: str) -> dict[str, NDArray]:
    for name, value in given.items():
        if not isinstance(value, NDArray):
            raise TypeError(f"{what}: only accept list of NDArrays or dict of str to NDArray, got {name}={value!r:.80}")
    return given


def grad_reqs(names: Sequence[str], given: Any) -> dict[str, str]:
    """`grad_req` as text, list or dict, by name. Raises ValueError on anything but null, write and add."""
    if isinstance(given, str):
        reqs = dict.fromkeys(names, given)
    elif isinstance(given, Mapping):
        reqs = {n: given.get(n, "null") for n in names}
    else:
        reqs = dict(zip(names, given, strict=True))
    for name, req in reqs.items():
        if req not in GRAD_REQS:
            raise ValueError(f"grad_req of {name} is {req!r}; legal are {', '.join(GRAD_REQS)}")
    return reqs


def bind(
    symbol: Symbol,
    ctx: Context | None,
    args: Any,
    args_grad: Any = None,
    grad_req: Any = "write",
    aux_states: Any = None,
    group2ctx: Any = None,
    shared_exec: Executor | None = None,
) -> Executor:
    """Bind `symbol` to arrays (`Symbol.bind`).

    Raises:
        ValueError: an array is missing, or lists have the wrong length.
        MXNetError: a shape or dtype does not fit; the message names the node, its inputs and the rule.
    """
    graph, ctx = symbol.graph, Context(ctx) if ctx is not None else current_context()
    names, aux_names = graph.argument_names, graph.aux_names
    _distinct(names)
    arrays = _by_name(names, args, "args", allow_missing=False)
    grads = _by_name(names, args_grad, "args_grad", allow_missing=True) if args_grad is not None else {}
    aux = _by_name(aux_names, aux_states if aux_states is not None else {}, "aux_states", allow_missing=False)
    given = {**arrays, **aux}
    shapes = {k: v.shape for k, v in given.items()}
    dtypes = {k: np.dtype(v.dtype).name for k, v in given.items()}
    infer_shapes(graph, shapes, dtypes=dtypes)
    infer_dtypes(graph, dtypes, shapes=shapes)
    for name, g in grads.items():
        if g.shape != arrays[name].shape:
            raise MXNetError(f"the gradient array of {name} has shape {g.shape}, the argument {arrays[name].shape}")
    return Executor(symbol, ctx, arrays, grads, grad_reqs(names, grad_req), aux)


def simple_bind(
    symbol: Symbol,
    ctx: Context | None = None,
    grad_req: Any = "write",
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Any = None,
    group2ctx: Any = None,
    shared_arg_names: Sequence[str] | None = None,
    shared_exec: Executor | None = None,
    shared_buffer: dict[str, NDArray] | None = None,
    **shapes: Sequence[int],
) -> Executor:
    """Infer every shape and dtype from the keywords, allocate zeros, and bind (`Symbol.simple_bind`).

    Raises:
        RuntimeError: a shape cannot be decided, or `grad_req` is none of null, write, add (as MXNet).
    """
    graph, ctx = symbol.graph, Context(ctx) if ctx is not None else current_context()
    from_user = {k: tuple(v) for k, v in shapes.items() if not isinstance(v, str)}
    try:
        _distinct(graph.argument_names)
        reqs = grad_reqs(graph.argument_names, grad_req)
        given = {k: np.dtype(v).name if not isinstance(v, str) else v for k, v in (type_dict or {}).items()}
        inferred = infer_shapes(graph, from_user, dtypes=given)
        dtypes = infer_dtypes(graph, given, shapes=from_user)
    except (MXNetError, ValueError) as e:
        raise RuntimeError(f"simple_bind error. Arguments: {from_user}\n{e}") from e
    found = dict(zip(graph.argument_names, inferred.arguments, strict=True)) | dict(
        zip(graph.aux_names, inferred.aux, strict=True)
    )
    undecided = {k: v for k, v in found.items() if not known(v)}
    if undecided:
        first = next(iter(undecided))
        problem = explain(
            f"the shapes of {len(undecided)} arguments cannot be decided",
            given=[*undecided.items()][:_SHOWN],
            hint=f"give more of them as keywords, {first}=(...) first; a 0 above is a size that is unknown",
        )
        raise RuntimeError(f"simple_bind error. Arguments: {from_user}\n{problem}")
    types = dict(zip(graph.argument_names, dtypes.arguments, strict=True)) | dict(
        zip(graph.aux_names, dtypes.aux, strict=True)
    )

    def make(name: str, kind: str) -> NDArray:
        dtype = types[name] or "float32"
        shared = getattr(shared_exec, kind, {}).get(name) if shared_exec is not None else None
        if shared is not None and shared.shape == found[name] and np.dtype(shared.dtype).name == dtype:
            return shared
        return zeros(found[name], ctx=ctx, dtype=dtype)

    args = {n: make(n, "arg_dict") for n in graph.argument_names}
    grads = {n: make(n, "grad_dict") for n in graph.argument_names if reqs[n] != "null"}
    return Executor(symbol, ctx, args, grads, reqs, {n: make(n, "aux_dict") for n in graph.aux_names})


Symbol._executor_factory = Binder(bind, simple_bind)
