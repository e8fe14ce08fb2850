# SPDX-License-Identifier: Apache-2.0
"""Arrays for other shapes: `Executor.reshape`, and memory that executors share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.infer import infer_shapes
from mxlite_compiler.shapes import known

from ..base import MXNetError
from ..ndarray import NDArray
from ..ndarray.sparse import zeros

if TYPE_CHECKING:
    from .executor import Executor

Shape = tuple[int, ...]


def beginning(array: NDArray, shape: Shape) -> NDArray:
    """`array` itself, or a view of its first elements in another shape that needs no more of them."""
    if array.shape == shape:
        return array
    if array.stype != "default":  # which has no beginning
        return zeros(array.stype, shape, array.context, array.dtype)
    return array.reshape((-1,))[: math.prod(shape)].reshape(shape)


def reshaped(
    executor: Executor, given: dict[str, Sequence[int]], partial: bool, grow: bool
) -> tuple[dict[str, NDArray], dict[str, NDArray], dict[str, NDArray]]:
    """Arguments, gradients and auxiliary states of `executor` in other shapes; those that do not grow share memory.

    Sparse arrays of another shape are new.

    Args:
        executor: whose arrays.
        given: new shapes by argument name.
        partial: whether arrays that `given` does not name may change.
        grow: whether arrays may grow, as new ones are allocated then.

    Raises:
        MXNetError: a shape cannot be decided or is illegal, or an array would change or grow and that was not allowed.
    """
    shapes = _shapes(executor, given)
    args: dict[str, NDArray] = {}
    grads: dict[str, NDArray] = {}
    aux: dict[str, NDArray] = {}
    for kind, bound, into in (("arg", executor.arg_dict, args), ("aux", executor.aux_dict, aux)):
        for name, array in bound.items():
            shape, size = shapes[name], math.prod(shapes[name])
            if shape != array.shape and not partial and name not in given:
                raise MXNetError(
                    f"reshape would change {kind} {name}: {array.shape} to {shape}; allow it with partial_shaping=True"
                )
            if size > math.prod(array.shape) and not grow:
                raise MXNetError(
                    f"reshape would grow {kind} {name}: {array.shape} to {shape}; allow it with allow_up_sizing=True"
                )
            grad = executor.grad_dict.get(name) if kind == "arg" else None
            for old, target in ((array, into), (grad, grads)):
                if old is not None:
                    fits = size <= math.prod(old.shape)
                    new = beginning(old, shape) if fits else zeros(old.stype, shape, old.context, old.dtype)
                    target[name] = new
    return args, grads, aux


def _shapes(executor: Executor, given: dict[str, Any]) -> dict[str, Shape]:
    for name, shape in given.items():
        if not isinstance(shape, tuple | list):
            raise MXNetError(explain(f"the shape of {name} must be a tuple, got {shape!r}", op="reshape"))
    found = infer_shapes(executor.graph, {k: tuple(v) for k, v in given.items()})
    names = [*executor.arg_dict, *executor.aux_dict]
    shapes = dict(zip(names, [*found.arguments, *found.aux], strict=True))
    for name, shape in shapes.items():
        if shape is None or not known(shape):
            strange = [n for n in given if n not in names]
            hint = f"{strange[0]} is no argument{nearest(strange[0], names)}" if strange else "give it as a keyword"
            raise MXNetError(explain(f"the shape of {name} cannot be decided", op="reshape", hint=hint))
    return shapes  # pyright: ignore[reportReturnType] - none is None any more
