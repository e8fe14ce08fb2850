# SPDX-License-Identifier: Apache-2.0
"""Gradients by difference quotients, and comparing a symbol's own with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError, explain
from ..context import Context
from ..ndarray import NDArray, array
from ..symbol import Symbol
from .comparison import assert_almost_equal, host
from .surroundings import default_context
from .symbolic import auxiliary, located
from .tolerance import Tolerance, default_numeric_eps, get_atol, get_rtol

#: Difference quotients mean nothing in other dtypes.
FLOATS = ("float16", "float32", "float64")


def _quotients(
    executor: Any,
    location: Mapping[str, Any],
    aux_states: Mapping[str, Any] | None,
    eps: float,
    train: bool,
    objective: Callable[[Sequence[NDArray]], float],
) -> dict[str, np.ndarray]:
    """``(f(x + eps/2) - f(x - eps/2)) / eps`` for each element of each floating point array in `location`."""
    aux = {name: host(value).copy() for name, value in (aux_states or {}).items()}

    def at(name: str, x: np.ndarray) -> float:
        executor.arg_dict[name][:] = x
        for aux_name, value in aux.items():  # BatchNorm moves its statistics in every training run
            executor.aux_dict[aux_name][:] = value
        return objective(executor.forward(is_train=train))

    values = {name: host(value) for name, value in location.items()}
    for name, value in values.items():
        executor.arg_dict[name][:] = value
    found = {}
    for name, value in values.items():
        if np.dtype(executor.arg_dict[name].dtype).kind not in "fV":  # V: bfloat16
            continue
        gradient, x = np.zeros(value.shape), value.astype(np.float64)
        for index in np.ndindex(value.shape):
            center = x[index]
            x[index] = center + eps / 2
            above = at(name, x)
            x[index] = center - eps / 2
            gradient[index] = (above - at(name, x)) / eps
            x[index] = center
        executor.arg_dict[name][:] = value
        found[name] = gradient
    return found


def numeric_grad(
    executor: Any,
    location: Mapping[str, Any],
    aux_states: Mapping[str, Any] | None = None,
    eps: float = 1e-4,
    use_forward_train: bool = True,
    dtype: Any = np.float32,
) -> dict[str, np.ndarray]:
    """The gradient of the sum of an executor's first output, by central difference quotients.

    Args:
        executor: a bound `Executor`.
        location: the arguments by name, numpy arrays.
        aux_states: auxiliary states by name; they are put back before each run.
        eps: the distance of the two points of a quotient.
        use_forward_train: run with `is_train=True`.
        dtype: of the results: float16, float32 or float64.

    Returns:
        An array for each argument of floating point numbers. The sums are made in float64, so rounding errors are
        those of the outputs alone.
    """

    def objective(outputs: Sequence[NDArray]) -> float:
        return float(outputs[0].asnumpy().astype(np.float64).sum())

    found = _quotients(executor, location, aux_states, eps, use_forward_train, objective)
    return {name: gradient.astype(dtype) for name, gradient in found.items()}


def _requests(sym: Symbol, grad_nodes: Any) -> dict[str, str]:
    if grad_nodes is None:
        return dict.fromkeys(sym.list_arguments(), "write")
    if isinstance(grad_nodes, Mapping):
        return dict(grad_nodes)
    if isinstance(grad_nodes, list | tuple):
        return dict.fromkeys(grad_nodes, "write")
    raise ValueError(f"grad_nodes: a list of names or a dictionary of requests by name, got {grad_nodes!r}")


def check_numeric_gradient(
    sym: Symbol,
    location: Any,
    aux_states: Any = None,
    numeric_eps: float | None = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    grad_nodes: Any = None,
    use_forward_train: bool = True,
    ctx: Context | None = None,
    grad_stype_dict: Mapping[str, str] | None = None,
    dtype: Any = np.float32,
) -> None:
    """Compare the gradients of `sym` with difference quotients.

    The function that is differentiated is the sum of all outputs, each element times a random weight from 0.1 to 1.1.

    Args:
        sym: the symbol; it may have several outputs (in MXNet: one).
        location: the arguments: a list in the order of `list_arguments`, or a dictionary.
        aux_states: the auxiliary states, likewise.
        numeric_eps: the distance of the two points of a quotient; by default a power of two that suits `dtype`.
        rtol: relative bound; by default that of `dtype`. `atol`: likewise.
        grad_nodes: names of the arguments to check, or a dictionary of their `grad_req`; by default all of floating
            point numbers. "add" checks what is added, "null" that nothing is written.
        use_forward_train: run with `is_train=True` for the quotients.
        ctx: the device; `default_context()` by default.
        grad_stype_dict: storage of gradients; only "default".
        dtype: float16, float32 or float64, of arguments that are no NDArrays.

    Raises:
        AssertionError: a gradient differs, or `dtype` is none of those.
        ValueError: `location` does not fit the arguments, or `grad_nodes` is none of these.
        MXNetError: `grad_nodes` names no argument, or `grad_stype_dict` asks for sparse storage.

    It takes two runs for every element of every checked argument: use small arrays.
    """
    if np.dtype(dtype).name not in FLOATS:
        raise AssertionError(f"check_numeric_gradient: dtype must be one of {', '.join(FLOATS)}, got {dtype!r}")
    sparse = {k: v for k, v in (grad_stype_dict or {}).items() if v != "default"}
    if sparse:
        raise MXNetError(explain(f"gradients are dense, not {sparse}", op="check_numeric_gradient"))
    ctx, requests = ctx or default_context(), _requests(sym, grad_nodes)
    arrays = located(sym, location, ctx, dtype)
    unknown = [name for name in requests if name not in arrays]
    if unknown:
        problem = f"grad_nodes: {unknown[0]!r} is no argument of the symbol"
        raise MXNetError(explain(problem, op="check_numeric_gradient", hint=f"there are {', '.join(arrays)}"))
    if grad_nodes is None:
        requests = {name: req for name, req in requests.items() if np.dtype(arrays[name].dtype).kind in "fV"}
    aux = auxiliary(sym, aux_states, ctx, dtype)
    values, aux_values = ({k: v.asnumpy() for k, v in d.items()} for d in (arrays, aux))
    started = {name: np.random.normal(size=arrays[name].shape).astype(values[name].dtype) for name in requests}
    grads = {name: array(value, ctx=ctx, dtype=value.dtype) for name, value in started.items()}
    everything = {name: requests.get(name, "null") for name in arrays}
    executor = sym.bind(
        ctx, {k: v.copy() for k, v in arrays.items()}, grads, everything, {k: v.copy() for k, v in aux.items()}
    )

    outputs = executor.forward(is_train=True)
    weights = [np.random.rand(*out.shape) + 0.1 for out in outputs]
    heads = [array(weight, ctx=ctx, dtype=out.dtype) for weight, out in zip(weights, outputs, strict=True)]
    weights = [head.asnumpy().astype(np.float64) for head in heads]
    executor.backward(heads)
    symbolic = {name: grad.asnumpy() for name, grad in grads.items()}

    def objective(outs: Sequence[NDArray]) -> float:
        return float(sum((out.asnumpy() * weight).sum() for out, weight in zip(outs, weights, strict=True)))

    eps = default_numeric_eps()[np.dtype(dtype)] if numeric_eps is None else numeric_eps
    checked = {name: values[name] for name, request in requests.items() if request != "null"}
    numeric = _quotients(executor, checked, aux_values, eps, use_forward_train, objective)
    rtol = rtol if isinstance(rtol, Mapping) else get_rtol(rtol, dtype)
    atol = atol if isinstance(atol, Mapping) else get_atol(atol, dtype)
    for name, request in requests.items():
        labels = f"NUMERICAL_{name}", f"BACKWARD_{name}"
        if request == "null":
            assert_almost_equal(started[name], symbolic[name], rtol, atol, labels)
        elif name in numeric:
            got = symbolic[name] - started[name] if request == "add" else symbolic[name]
            assert_almost_equal(numeric[name].astype(dtype), got, rtol, atol, labels)
