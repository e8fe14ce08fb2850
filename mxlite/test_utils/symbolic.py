# SPDX-License-Identifier: Apache-2.0
"""Running symbols on given arrays, and comparing outputs and gradients with expected ones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..context import Context
from ..ndarray import NDArray, array, waitall
from ..symbol import Symbol
from .comparison import assert_almost_equal, host
from .surroundings import default_context
from .tolerance import Tolerance


def as_array(value: Any, ctx: Context, dtype: Any) -> NDArray:
    """An NDArray as it is; anything else as a new one of `dtype` ("asnumpy": the dtype it has) on `ctx`."""
    if isinstance(value, NDArray):
        return value
    return array(value, ctx=ctx, dtype=np.asarray(value).dtype if isinstance(dtype, str) else dtype)


def named(names: Sequence[str], given: Any, ctx: Context, dtype: Any, what: str) -> dict[str, NDArray]:
    """Arrays by name, from a dictionary or a list in the order of `names`.

    Raises ValueError where a dictionary has other names than `names`.
    """
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ValueError(
                f"Symbol {what} and keys of the given location do not match. "
                f"symbol {what}: {sorted(names)}, given: {sorted(given)}"
            )
        return {name: as_array(given[name], ctx, dtype) for name in names}
    if len(given) != len(names):
        raise ValueError(f"{len(given)} arrays are given for the {len(names)} {what}: {', '.join(names)}")
    return {name: as_array(value, ctx, dtype) for name, value in zip(names, given, strict=True)}


def located(sym: Symbol, location: Any, ctx: Context, dtype: Any) -> dict[str, NDArray]:
    """The arguments of `sym`, by name; errors as for `named`."""
    return named(sym.list_arguments(), location, ctx, dtype, "args")


def auxiliary(sym: Symbol, aux_states: Any, ctx: Context, dtype: Any) -> dict[str, NDArray]:
    """The auxiliary states of `sym`, by name; errors as for `named`, also where they are needed and not given."""
    return named(sym.list_auxiliary_states(), {} if aux_states is None else aux_states, ctx, dtype, "aux states")


def gradient_requests(names: Sequence[str], grad_req: Any) -> dict[str, str]:
    """`grad_req` (text, list in the order of `names`, or dictionary) by name."""
    if isinstance(grad_req, str):
        return dict.fromkeys(names, grad_req)
    return dict(grad_req) if isinstance(grad_req, Mapping) else dict(zip(names, grad_req, strict=False))


def _expected(expected: Any, names: Sequence[str]) -> dict[str, Any]:
    if not isinstance(expected, Mapping):
        return dict(zip(names, expected, strict=False))
    for name in expected:
        if name not in names:
            raise KeyError(f"expected: there is no {name!r}, only {', '.join(names)}")
    return dict(expected)


def simple_forward(
    sym: Symbol, ctx: Context | None = None, is_train: bool = False, **inputs: Any
) -> np.ndarray | list[np.ndarray]:
    """The outputs of `sym` as numpy arrays: one alone, several in a list.

    Args:
        sym: the symbol.
        ctx: the device; `default_context()` by default.
        is_train: whether operators behave as in training.
        **inputs: numpy arrays by name of the argument.
    """
    ctx = ctx or default_context()
    arrays = {name: as_array(value, ctx, np.float32) for name, value in inputs.items()}
    outputs = [out.asnumpy() for out in sym.bind(ctx, arrays).forward(is_train=is_train)]
    return outputs[0] if len(outputs) == 1 else outputs


def check_symbolic_forward(
    sym: Symbol,
    location: Any,
    expected: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    aux_states: Any = None,
    ctx: Context | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> list[NDArray]:
    """Compare the outputs of `sym` (`is_train=False`) with `expected`.

    Args:
        sym: the symbol.
        location: the arguments: a list in the order of `list_arguments`, or a dictionary.
        expected: the outputs: a list in the order of `list_outputs`, or a dictionary of some or all of them.
        rtol: as for `assert_almost_equal`; `atol` and `equal_nan`, too.
        aux_states: the auxiliary states, likewise.
        ctx: the device; `default_context()` by default.
        dtype: of arguments that are no NDArrays; "asnumpy" keeps the dtypes they have.

    Returns:
        The outputs.

    Raises:
        AssertionError: an output differs.
        ValueError: `location` does not fit the arguments.
        KeyError: `expected` names no output.
    """
    ctx = ctx or default_context()
    executor = sym.bind(
        ctx, located(sym, location, ctx, dtype), grad_req="null", aux_states=auxiliary(sym, aux_states, ctx, dtype)
    )
    wanted = _expected(expected, sym.list_outputs())
    outputs = executor.forward(is_train=False)
    for name, out in zip(sym.list_outputs(), outputs, strict=True):
        if name in wanted:
            names = f"EXPECTED_{name}", f"FORWARD_{name}"
            assert_almost_equal(wanted[name], out, rtol, atol, names, equal_nan=equal_nan)
    return outputs


def check_symbolic_backward(
    sym: Symbol,
    location: Any,
    out_grads: Any,
    expected: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    aux_states: Any = None,
    grad_req: Any = "write",
    ctx: Context | None = None,
    grad_stypes: Mapping[str, str] | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> dict[str, NDArray]:
    """Compare the gradients of `sym` with `expected`.

    Args:
        sym: the symbol.
        location: the arguments, as for `check_symbolic_forward`; `aux_states`, `ctx`, `dtype`, too.
        out_grads: the head gradients: a list, a dictionary by name of the output, or None for losses.
        expected: the gradients: a list in the order of `list_arguments`, or a dictionary of some of them.
        grad_req: text, list or dictionary. With "add" the gradient arrays begin with random values, and what is
            added is compared; with "null" they must stay as they were.
        grad_stypes: the storage of gradient arrays by name; dense ones by default.

    Returns:
        The gradient arrays of the arguments in `expected`, by name.

    Raises AssertionError when a gradient differs; ValueError, KeyError as `check_symbolic_forward`.
    """
    ctx = ctx or default_context()
    names = sym.list_arguments()
    arrays = located(sym, location, ctx, dtype)
    wanted = _expected(expected, names)
    before = {name: np.random.normal(size=arrays[name].shape) for name in names if name in wanted}
    grads = {name: array(value, ctx=ctx, dtype=arrays[name].dtype) for name, value in before.items()}
    for name, stype in (grad_stypes or {}).items():
        if name in grads:
            grads[name] = grads[name].tostype(stype)
    started = {name: grad.asnumpy() for name, grad in grads.items()}
    requests = gradient_requests(names, grad_req)
    executor = sym.bind(
        ctx, arrays, grads, {name: requests.get(name, "null") if name in grads else "null" for name in names},
        auxiliary(sym, aux_states, ctx, dtype),
    )  # fmt: skip
    executor.forward(is_train=True)
    executor.backward(_heads(sym, out_grads, executor.outputs, ctx))
    for name, want in wanted.items():
        request, labels = requests.get(name, "null"), (f"EXPECTED_{name}", f"BACKWARD_{name}")
        got = grads[name].asnumpy()
        if request == "write":
            assert_almost_equal(want, got, rtol, atol, labels, equal_nan=equal_nan)
        elif request == "add":
            assert_almost_equal(want, got - started[name], rtol, atol, labels, equal_nan=equal_nan)
        else:
            assert_almost_equal(started[name], got, rtol, atol, labels, equal_nan=equal_nan)
    return grads


def _heads(sym: Symbol, out_grads: Any, outputs: Sequence[NDArray], ctx: Context) -> list[NDArray] | None:
    if out_grads is None:
        return None
    if isinstance(out_grads, Mapping):
        by_name = _expected(out_grads, sym.list_outputs())
        missing = [name for name in sym.list_outputs() if name not in by_name]
        if missing:
            raise KeyError(f"out_grads: the gradient of {missing[0]!r} is missing")
        given = [by_name[name] for name in sym.list_outputs()]
    else:
        given = list(out_grads)
    return [as_array(head, ctx, out.dtype) for head, out in zip(given, outputs, strict=False)]


def check_speed(
    sym: Symbol,
    location: Mapping[str, Any] | None = None,
    ctx: Context | None = None,
    N: int = 20,
    grad_req: Any = None,
    typ: str = "whole",
    **kwargs: Any,
) -> float:
    """Seconds that one run of `sym` takes, the mean of `N`; a first run, which compiles, is not counted.

    Args:
        sym: the symbol.
        location: the arguments by name; random normal ones of the shapes in `**kwargs` by default.
        ctx: the device; `default_context()` by default.
        N: how many runs.
        grad_req: "write" by default.
        typ: "whole" for forward and backward (the outputs are the head gradients), "forward" for forward alone.
        **kwargs: shapes by name.

    Raises ValueError for another `typ`.
    """
    if typ not in ("whole", "forward"):
        raise ValueError(f'typ can only be "whole" or "forward", got {typ!r}')
    ctx, whole = ctx or default_context(), typ == "whole"
    shapes = kwargs if location is None else {name: value.shape for name, value in location.items()}
    executor = sym.simple_bind(ctx, grad_req=(grad_req or "write") if whole else "null", **shapes)
    for name, arg in executor.arg_dict.items():
        arg[:] = np.random.normal(size=arg.shape) if location is None else host(location[name])

    def run() -> None:
        executor.forward(is_train=whole)
        if whole:
            executor.backward(executor.outputs)
        for out in executor.outputs:
            out.wait_to_read()

    run()
    waitall()
    start = time.perf_counter()
    for _ in range(N):
        run()
    waitall()
    return (time.perf_counter() - start) / N
