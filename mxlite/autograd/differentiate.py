# SPDX-License-Identifier: Apache-2.0
"""`backward`, `grad` and `mark_variables` on lists of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..base import MXNetError, explain
from ..ndarray import NDArray, gradient

Arrays = NDArray | Sequence[NDArray]
HeadGrads = NDArray | Sequence[NDArray | None] | None


def _heads(heads: Any, head_grads: Any, what: str) -> tuple[list[NDArray], list[NDArray | None]]:
    """Both as lists of one length, with None for ones."""
    if not isinstance(heads, NDArray | Iterable):
        raise TypeError(f"{what}: heads must be an NDArray or a list of them, got {type(heads).__name__}")
    arrays = [heads] if isinstance(heads, NDArray) else list(heads)
    given: list[NDArray | None] = [None] * len(arrays)
    if head_grads is not None:
        given = [head_grads] if isinstance(head_grads, NDArray) else list(head_grads)
    if len(given) != len(arrays):
        raise AssertionError(f"{what}: {len(arrays)} heads need as many head_grads, got {len(given)}")
    for x in arrays:
        _check(x, "heads", what)
    for x in given:
        if x is not None:
            _check(x, "head_grads", what)
    return arrays, given


def _check(value: Any, argument: str, what: str) -> None:
    if not isinstance(value, NDArray):
        raise TypeError(f"{what}: {argument} must be NDArrays, got {value!r:.80} ({type(value).__name__})")


def mark_variables(variables: Arrays, gradients: Arrays, grad_reqs: str | Sequence[str] = "write") -> None:
    """Make arrays variables whose gradients backward writes into given arrays.

    Args:
        variables: an array or a list of them.
        gradients: for each one an array of the same shape and dtype, on the same device.
        grad_reqs: "write", "add" or "null", for all or one by one.

    Raises MXNetError when the lists or the arrays do not fit, KeyError for another grad_req, as MXNet does.
    """
    marked = [variables] if isinstance(variables, NDArray) else list(variables)
    grads = [gradients] if isinstance(gradients, NDArray) else list(gradients)
    reqs = [grad_reqs] * len(marked) if isinstance(grad_reqs, str) else list(grad_reqs)
    if not len(marked) == len(grads) == len(reqs):
        raise MXNetError(
            explain(
                f"{len(marked)} variables, {len(grads)} gradients and {len(reqs)} grad_reqs are not as many",
                op="mark_variables",
            )
        )
    for x, g in zip(marked, grads, strict=True):
        _check(x, "variables", "mark_variables")
        _check(g, "gradients", "mark_variables")
        if (x.shape, x.dtype, x.context) != (g.shape, g.dtype, g.context):
            given = [(n, f"{a.shape} {a._cell.dtype} {a.context}") for n, a in (("variable", x), ("gradient", g))]
            raise MXNetError(explain("a gradient must be like its variable", op="mark_variables", given=given))
    for x, g, req in zip(marked, grads, reqs, strict=True):
        x._mark(g, req)


def backward(heads: Arrays, head_grads: HeadGrads = None, retain_graph: bool = False, train_mode: bool = True) -> None:
    """Write the gradients of the sum of the heads into the `grad` of the variables that they depend on.

    Args:
        heads: a recorded array or a list of them.
        head_grads: their own gradients, of their shapes; None, for all or for one of them, stands for ones.
        retain_graph: keep the recorded computation, for another backward.
        train_mode: differentiate for training (default) or for prediction.

    Raises:
        MXNetError: a head was not recorded, or an earlier backward has freed what it depends on; nothing that the
            heads depend on takes a gradient; a head gradient does not fit its head.
        AssertionError: not as many head gradients as heads, as in MXNet.
    """
    gradient.backward(*_heads(heads, head_grads, "backward"), retain_graph, train_mode)


def grad(
    heads: Arrays,
    variables: Arrays,
    head_grads: HeadGrads = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    train_mode: bool = True,
) -> list[NDArray]:
    """The gradients of the sum of the heads with respect to variables, as new arrays.

    The arrays of `attach_grad` stay as they are.

    Args:
        heads, head_grads, train_mode: as for `backward`.
        variables: an array with `attach_grad`, or a list of them.
        retain_graph: keep the recorded computation; by default if `create_graph`.
        create_graph: record the computation of the gradients too, so that they can be differentiated, to any order.

    Returns a list with the gradient of each variable.

    Raises:
        MXNetError: as `backward`; a variable has no `attach_grad` or the heads do not depend on it; `create_graph`
            with an operator that runs Python.
        AssertionError: `variables` is empty, as in MXNet.
    """
    if not isinstance(variables, NDArray | Iterable):
        raise TypeError(f"grad: variables must be an NDArray or a list of them, got {type(variables).__name__}")
    wanted = [variables] if isinstance(variables, NDArray) else list(variables)
    if not wanted:
        raise AssertionError("grad: variables must be at least one array")
    for x in wanted:
        _check(x, "variables", "grad")
    arrays, given = _heads(heads, head_grads, "grad")
    retain = create_graph if retain_graph is None else retain_graph
    return gradient.grad(arrays, wanted, given, retain, create_graph, train_mode)
