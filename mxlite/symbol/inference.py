# SPDX-License-Identifier: Apache-2.0
"""`Symbol.infer_shape` and `Symbol.infer_type` over the inference of the compiler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Graph
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.params import Shape
from mxlite_compiler.shapes import known

from ..base import MXNetError, as_dtype

Shapes = tuple[list[Shape], list[Shape], list[Shape]]
Types = tuple[list[Any], list[Any], list[Any]]
Undecided = tuple[None, None, None]

_SHOWN = 10


def shapes(graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Shapes | Undecided:
    """See `Symbol.infer_shape`."""
    found = shapes_partial(graph, args, kwargs)
    if all(shape and known(shape) for part in found for shape in part):
        return found
    _warn(
        "shape for the following arguments (0s in shape means unknown dimensions)",
        {name: s for name, s in zip(graph.argument_names, found[0], strict=True) if not s or not known(s)},
    )
    return None, None, None


def shapes_partial(graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Shapes:
    """See `Symbol.infer_shape_partial`."""
    given = {}
    for name, shape in _by_name(graph, args, kwargs, "shapes").items():
        if not isinstance(shape, tuple):
            raise TypeError(f"Arguments need to be shapes (tuple), but '{name}' is {type(shape)}.")
        if not all(hasattr(size, "__index__") for size in shape):
            raise TypeError(f"the shape of '{name}' must hold integers, got {shape}")
        if shape:  # () says nothing: MXNet has no arrays without axes
            given[name] = tuple(max(size.__index__(), 0) for size in shape)
    try:
        found = infer_shapes(graph, given)
    except MXNetError as e:
        raise _with_arguments(e, given) from None
    parts = found.arguments, found.outputs, found.aux
    arguments, outputs, aux = ([s if s is not None else () for s in part] for part in parts)
    return arguments, outputs, aux


def dtypes(graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Types | Undecided:
    """See `Symbol.infer_type`."""
    found = dtypes_partial(graph, args, kwargs)
    if all(dtype is not None for part in found for dtype in part):
        return found
    _warn(
        "type for the following arguments",
        {name: dtype for name, dtype in zip(graph.argument_names, found[0], strict=True) if dtype is None},
    )
    return None, None, None


def dtypes_partial(graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Types:
    """See `Symbol.infer_type_partial`."""
    given = {}
    for name, dtype in _by_name(graph, args, kwargs, "types").items():
        if isinstance(dtype, int | np.integer):  # a type flag is for files, not for users
            raise TypeError(f"the type of {name} cannot be the number {dtype}; write a name such as 'float32'")
        given[name] = as_dtype(dtype, f"the type of {name}").name
    try:
        found = infer_dtypes(graph, given)
    except MXNetError as e:
        raise _with_arguments(e, given) from None
    parts = found.arguments, found.outputs, found.aux
    arguments, outputs, aux = ([as_dtype(d).type if d is not None else None for d in part] for part in parts)
    return arguments, outputs, aux


def _by_name(graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any], what: str) -> dict[str, Any]:
    names = graph.argument_names
    if args and kwargs:
        raise ValueError(f"Can only specify known argument {what} either by positional or kwargs way.")
    if len(args) > len(names):
        raise MXNetError(f"{len(args)} {what} are given for {len(names)} arguments: {', '.join(names)}")
    if args:
        return {name: value for name, value in zip(names, args, strict=False) if value is not None}
    legal = [*names, *graph.aux_names]
    for name in kwargs:
        if name not in legal:
            problem = f"{name!r} is no argument of the graph{nearest(name, legal)}"
            raise MXNetError(explain(problem, hint=f"arguments are: {', '.join(legal)}"))
    return dict(kwargs)


def _with_arguments(error: MXNetError, given: Mapping[str, Any]) -> MXNetError:
    """`error` with what the user gave: the cause is often far from the node that fails."""
    shown = ", ".join(f"{name}={value}" for name, value in given.items())
    return MXNetError(f"{error}\n  inferred from: {shown}") if shown else error


def _warn(what: str, unknown: Mapping[str, Any]) -> None:
    lines = [f"{name}: {value}" for name, value in list(unknown.items())[:_SHOWN]]
    if len(unknown) > _SHOWN:
        lines.append("...")
    # The caller of the Symbol's method is three frames up.
    warnings.warn(
        f"Cannot decide {what}. Consider providing them as input:\n\t" + "\n\t".join(lines), UserWarning, stacklevel=4
    )
