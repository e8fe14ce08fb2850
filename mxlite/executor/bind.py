# SPDX-License-Identifier: Apache-2.0
"""`bind` and `simple_bind`: from a Symbol and what the user gives to an `Executor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Graph
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.placement import place
from mxlite_compiler.shapes import known

from ..base import MXNetError
from ..context import Context, as_context
from ..environment import check_subgraph_backend
from ..ndarray import NDArray
from ..symbol import Symbol
from ..symbol.symbol import Binder
from .executor import Executor
from .layout import Batch
from .memory import Memory, Spec
from .storage import Storages, declared

_SHOWN = 10  # undecided arguments that a message lists: a large network has hundreds

GRAD_REQS = ("null", "write", "add")


def _by_name(names: Sequence[str], given: Any, what: str, allow_missing: bool) -> dict[str, NDArray]:
    """Arrays given as a list in order or as a dict, by name."""
    if isinstance(given, Mapping):
        missing = [n for n in names if n not in given]
        if missing and not allow_missing:
            raise ValueError(f"key `{missing[0]}` is missing in `{what}`; it needs {', '.join(names)}")
        return _arrays({n: given[n] for n in names if given.get(n) is not None}, what)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise TypeError(f"{what}: only accept list of NDArrays or dict of str to NDArray, got {given!r:.80}")
    if len(given) != len(names):
        raise ValueError(
            f"Length of {what} does not match the number of arguments: "
            f"{len(given)} given, {len(names)} needed ({', '.join(names)})"
        )
    absent = [n for n, v in zip(names, given, strict=True) if v is None]
    if absent and not allow_missing:
        raise TypeError(f"{what}: only accept list of NDArrays or dict of str to NDArray, got None for {absent[0]}")
    return _arrays({n: v for n, v in zip(names, given, strict=True) if v is not None}, what)


def _distinct(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise MXNetError(f"two variables share the name {', '.join(twice)}; build the symbol from one Variable object")


def _there(graph: Graph, what: str, given: Iterable[str]) -> None:
    """Refuse names that all mean nothing. Like MXNet, which then cannot decide, let them pass beside one that does."""
    names, wrong = [*graph.argument_names, *graph.aux_names], list(given)
    if wrong and not set(wrong) & set(names):
        problem = f"{what}: {wrong[0]!r} is no argument{nearest(wrong[0], names)}"
        raise MXNetError(explain(problem, hint=f"arguments are: {', '.join(names[:_SHOWN])}"))


def _arrays(given: dict[str, Any], what: str) -> dict[str, NDArray]:
    for name, value in given.items():
        if not isinstance(value, NDArray):
            raise TypeError(f"{what}: only accept list of NDArrays or dict of str to NDArray, got {name}={value!r:.80}")
    return given


def grad_reqs(names: Sequence[str], given: Any) -> dict[str, str]:
    """`grad_req` as text, list or dict, by name; None is null for all.

    Raises:
        ValueError: a list of the wrong length, or anything but null, write and add.
    """
    if given is None or isinstance(given, str):
        reqs = dict.fromkeys(names, "null" if given is None else given)
    elif isinstance(given, Mapping):
        reqs = {n: given.get(n, "null") for n in names}
    elif len(given) != len(names):
        raise ValueError(
            f"the length of the grad_req list does not match the number of arguments: "
            f"{len(given)} given, {len(names)} needed ({', '.join(names)})"
        )
    else:
        reqs = dict(zip(names, given, strict=True))
    for name, req in reqs.items():
        if req not in GRAD_REQS:
            raise ValueError(f"grad_req of {name} is {req!r}; legal are {', '.join(GRAD_REQS)}")
    return reqs


def bind(
    symbol: Symbol,
    ctx: Context,
    args: Any,
    args_grad: Any = None,
    grad_req: Any = "write",
    aux_states: Any = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_exec: Executor | None = None,
) -> Executor:
    """Bind `symbol` to arrays (`Symbol.bind`).

    Raises:
        TypeError: `ctx` is no Context, or something given is no NDArray.
        ValueError: an array is missing, lists have the wrong length, or `grad_req` is none of null, write and add.
        MXNetError: a shape or dtype does not fit (the message names the node, its inputs and the rule), an array is
            on another device, or a node is in a group that `group2ctx` lacks.
    """
    if not isinstance(ctx, Context):
        raise TypeError(f"Context type error: ctx must be a Context such as mx.cpu(), got {ctx!r}")
    check_subgraph_backend()
    graph, groups = symbol.graph, _groups(group2ctx)
    names, aux_names = graph.argument_names, graph.aux_names
    _distinct(names)
    arrays = _by_name(names, args, "args", allow_missing=False)
    grads = _by_name(names, args_grad, "args_grad", allow_missing=True) if args_grad is not None else {}
    aux = _by_name(aux_names, aux_states if aux_states is not None else [], "aux_states", allow_missing=False)
    reqs = grad_reqs(names, grad_req)
    given = {**arrays, **aux}
    shapes = {k: v.shape for k, v in given.items()}
    dtypes = {k: np.dtype(v.dtype).name for k, v in given.items()}
    infer_shapes(graph, shapes, dtypes=dtypes)
    infer_dtypes(graph, dtypes, shapes=shapes)
    for name, g in grads.items():
        if g.shape != arrays[name].shape or np.dtype(g.dtype) != np.dtype(arrays[name].dtype):
            raise MXNetError(
                f"the gradient array of {name} has shape {g.shape} and dtype {np.dtype(g.dtype).name}, "
                f"the argument {arrays[name].shape} and {dtypes[name]}"
            )
    if not groups:
        _together(ctx, {**given, **{f"the gradient of {n}": g for n, g in grads.items()}})
    return Executor(symbol, ctx, arrays, grads, reqs, aux, groups)


def _groups(group2ctx: Any) -> dict[str, Context]:
    for name, ctx in (group2ctx or {}).items():
        if not isinstance(ctx, Context):
            raise TypeError(f"group2ctx: the device of group {name!r} must be a Context such as mx.cpu(1), got {ctx!r}")
    return dict(group2ctx or {})


def _together(ctx: Context, arrays: Mapping[str, NDArray]) -> None:
    for name, array in arrays.items():
        if array.context != ctx:
            raise MXNetError(
                f"{name} is on {array.context}, the executor on {ctx}: move it with as_in_context({ctx}), or place "
                "parts of the graph on several devices with group2ctx"
            )


def simple_bind(
    symbol: Symbol,
    ctx: Context,
    grad_req: Any = "write",
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Mapping[str, str] | None = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_arg_names: Sequence[str] | None = None,
    shared_exec: Executor | None = None,
    shared_buffer: dict[str, NDArray] | None = None,
    **shapes: Sequence[int],
) -> Executor:
    """Infer every shape and dtype from the keywords, allocate zeros, and bind (`Symbol.simple_bind`).

    Raises:
        as `allocate` does.
    """
    return allocate(
        symbol, ctx, shapes, grad_req, type_dict, stype_dict, group2ctx, shared_arg_names, shared_exec, shared_buffer
    )


def allocate(
    symbol: Symbol,
    ctx: Context,
    shapes: Mapping[str, Any],
    grad_req: Any = "write",
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Mapping[str, str] | None = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_arg_names: Sequence[str] | None = None,
    shared_exec: Executor | None = None,
    shared_buffer: dict[str, NDArray] | None = None,
    batch: Batch | None = None,
) -> Executor:
    """`simple_bind` with the shapes in a dict.

    With `batch`, several devices compute it together; everything is dense then, and no group has a device of its own.

    Raises:
        TypeError: a dtype is none.
        ValueError: `shared_buffer` is no dict.
        RuntimeError: a shape cannot be decided, `grad_req` is none of null, write, add, a node is in a group that
            `group2ctx` lacks, a storage is none of default, csr, row_sparse, or shared memory does not fit.
    """
    if shared_buffer is not None and not isinstance(shared_buffer, dict):
        raise ValueError(f"shared_buffer in simple_bind must be dict or None, got {type(shared_buffer).__name__}")
    graph, ctx, groups = symbol.graph, as_context(ctx, "simple_bind"), _groups(group2ctx)
    from_user = {k: tuple(v) for k, v in shapes.items() if isinstance(v, Sequence) and not isinstance(v, str)}
    given = {k: np.dtype(v).name if v != "bfloat16" else v for k, v in (type_dict or {}).items()}
    try:
        check_subgraph_backend()
        _distinct(graph.argument_names)
        _there(graph, "type_dict", given)
        _there(graph, "stype_dict", stype_dict or {})
        reqs = grad_reqs(graph.argument_names, grad_req)
        inferred = infer_shapes(graph, from_user, dtypes=given)
        dtypes = infer_dtypes(graph, given, shapes=from_user)
        places = place(graph, groups, ctx) if groups else dict.fromkeys(graph.nodes, ctx)
        found = dict(zip(graph.argument_names, inferred.arguments, strict=True))
        found |= dict(zip(graph.aux_names, inferred.aux, strict=True))
        undecided = {k: v for k, v in found.items() if not known(v)}
        if undecided:
            unused = [f"{name} is no argument{nearest(name, found)}; " for name in from_user if name not in found]
            raise MXNetError(
                explain(
                    f"the shapes of {len(undecided)} arguments cannot be decided",
                    given=[*undecided.items()][:_SHOWN],
                    hint=f"{''.join(unused)}give more of them as keywords, {next(iter(undecided))}=(...) first; "
                    "a 0 above is a size that is unknown",
                )
            )
        types = dict(zip(graph.argument_names, dtypes.arguments, strict=True))
        types |= dict(zip(graph.aux_names, dtypes.aux, strict=True))
        stypes = declared(graph, stype_dict)
        gradient_stypes = Storages(graph, stypes).gradients()
        memory = Memory(shared_arg_names, shared_exec, shared_buffer)
        args, grads, aux = {}, {}, {}
        for node in (*graph.arguments, *graph.aux):
            name, shape, dtype = node.name, found[node.name] or (), types[node.name] or "float32"
            spec = Spec(shape, dtype, places[node], stypes[name])
            if node in graph.aux:
                aux[name] = memory.aux(name, spec)
                continue
            args[name] = memory.argument(name, spec)
            if reqs[name] != "null":
                grads[name] = memory.gradient(name, spec._replace(stype=gradient_stypes[name]))
        return Executor(symbol, ctx, args, grads, reqs, aux, groups, batch)
    except (MXNetError, ValueError) as e:
        raise RuntimeError(f"simple_bind error. Arguments: {shapes}\n{e}") from e


Symbol._executor_factory = Binder(bind, simple_bind)
