# SPDX-License-Identifier: Apache-2.0
"""Loops and branches on arrays: `foreach`, `while_loop`, `cond` of `mx.nd.contrib`, and tests for nan and infinity.

They are ordinary Python loops: the user's functions run once a step on real arrays, may print and look at values, and
are recorded for gradients because each of their operators is. `mx.sym.contrib` has the same functions for graphs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._nested import build, flatten, iterations, pair
from .creation import zeros
from .ndarray import NDArray, invoke


def _truth(value: Any, what: str) -> bool:
    if not isinstance(value, NDArray):
        return bool(value)
    if value.size != 1:
        raise ValueError(f"The current array is not a scalar: {what} must be one number, got the shape {value.shape}")
    return bool(value.asscalar())


def _stacked(steps: Sequence[Sequence[NDArray]], total: int) -> list[NDArray]:
    """The outputs of all steps along a new first axis, with rows of 0 up to `total` of them."""
    columns = []
    for column in zip(*steps, strict=True):
        rows = invoke("stack", column, {"axis": 0})
        if len(column) < total:
            rest = zeros((total - len(column), *rows.shape[1:]), ctx=rows.context, dtype=rows.dtype)
            rows = invoke("Concat", [rows, rest], {"dim": 0})
        columns.append(rows)
    return columns


def foreach(body: Callable[..., Any], data: Any, init_states: Any) -> tuple[Any, Any]:
    """Call a function on the rows of arrays, one after the other.

    Args:
        body: ``body(row, states) -> (outputs, new states)``; a row is an array without its first axis.
        data: an array, or a nested list of arrays, of shape (steps, ...); the first one tells the number of steps.
        init_states: the states before the first step, an array or a nested list; [] for none.

    Returns:
        (outputs, states): the outputs of all steps stacked along a new first axis, in the form in which `body` returns
        them, and what it returned last as states.

    Raises:
        AssertionError: the data, the states or what the body returns are no arrays.
        IndexError: there is no data, or one array has fewer rows than the first.
        TypeError, ValueError: the body returns no pair, or other outputs than in the step before.

    Source: `mxnet.ndarray.contrib.foreach`.

    Example:
        >>> total = lambda row, state: (row + state, row + state)
        >>> sums, last = mx.nd.contrib.foreach(total, mx.nd.array([[1], [2], [3]]), mx.nd.zeros(1))
        >>> sums.reshape(-1)
        [1. 3. 6.]
        <NDArray 3 @cpu(0)>
    """
    arrays, form = flatten(data, NDArray, "foreach input")
    flatten(init_states, NDArray, "foreach states")
    if not arrays:
        raise IndexError("foreach needs at least one array to loop over, got an empty list")
    states, steps, first = init_states, [], None
    for x in arrays:
        if x.shape[0] < arrays[0].shape[0]:
            raise IndexError(f"foreach makes {arrays[0].shape[0]} steps, but one array has the shape {x.shape}")
    for i in range(arrays[0].shape[0]):
        rows = build([x[i] for x in arrays], form)
        outputs, states = pair(body(rows, states), "the body of foreach", "outputs, states")
        elements, shape = flatten(outputs, NDArray, "foreach output")
        flatten(states, NDArray, "foreach loop_vars")
        first = _same_form(first, shape, i)
        steps.append(elements)
    return build(_stacked(steps, 0), [] if first is None else first[0]), states


def _same_form(first: Any, form: Any, step: int) -> Any:
    """`form` in a tuple, after it was compared with that of the first step; None stands for a single array."""
    if first is not None and first[0] != form:
        raise ValueError(f"Number of elements in step_output should be the same in each step: step {step} differs")
    return (form,)


def while_loop(
    cond: Callable[..., Any], func: Callable[..., Any], loop_vars: Any, max_iterations: int | None = None
) -> tuple[Any, Any]:
    """Call a function as long as a condition holds.

    Args:
        cond: ``cond(*loop_vars) ->`` an array of one number, or anything that is true or false.
        func: ``func(*loop_vars) -> (outputs, new loop variables)``; outputs may be None or [].
        loop_vars: an array, or a nested list of arrays.
        max_iterations: an upper bound of the number of steps.

    Returns:
        (outputs, loop_vars): the outputs of the steps stacked to shape (max_iterations, ...), rows after the last step
        being 0 (undefined in MXNet), [] when there was no step; and the loop variables after the last step.

    Raises:
        ValueError: no `max_iterations`; no loop variables; another number of them comes back; the condition is an
            array of several numbers.
        AssertionError: `loop_vars` or what `func` returns are no arrays.

    Source: `mxnet.ndarray.contrib.while_loop`.

    Example:
        >>> step = lambda i, s: (i, [i + 1, s * 2])
        >>> _, (_, power) = mx.nd.contrib.while_loop(lambda i, s: i < 3, step, [mx.nd.zeros(1), mx.nd.ones(1)], 5)
        >>> power
        [8.]
        <NDArray 1 @cpu(0)>
    """
    limit = iterations(max_iterations)
    arrays, form = flatten(loop_vars, NDArray, "while loop_vars")
    if not arrays:
        raise ValueError("loop_vars should contain at least one element")
    steps, first = [], None
    while len(steps) < limit:
        variables = [build(arrays, form)] if form is None else build(arrays, form)
        if not _truth(cond(*variables), "the result of cond"):
            break
        outputs, last = pair(func(*variables), "func of while_loop", "outputs, loop_vars")
        elements, shape = flatten([] if outputs is None else outputs, NDArray, "while output")
        new, _ = flatten([] if last is None else last, NDArray, "while loop_vars")
        if len(new) != len(arrays):
            raise ValueError(
                f"The length of loop_vars should be consistent during the loop: {len(arrays)} went into func, "
                f"{len(new)} came back"
            )
        first = _same_form(first, shape, len(steps))
        arrays = new
        steps.append(elements)
    return build(_stacked(steps, limit), [] if first is None else first[0]), build(arrays, form)


def cond(pred: Any, then_func: Callable[[], Any], else_func: Callable[[], Any]) -> Any:
    """What one of two functions returns; the other is not called.

    Args:
        pred: an array of one number, or anything that is true or false.
        then_func: called without arguments when `pred` is not 0.
        else_func: called otherwise.

    Raises:
        ValueError: `pred` is an array of several numbers.

    Source: `mxnet.ndarray.contrib.cond`.

    Example:
        >>> a, b = mx.nd.array([5]), mx.nd.array([3])
        >>> mx.nd.contrib.cond(a < b, lambda: b - a, lambda: a - b)
        [2.]
        <NDArray 1 @cpu(0)>
    """
    chosen, what = (then_func, "then_func") if _truth(pred, "pred") else (else_func, "else_func")
    if not callable(chosen):
        raise TypeError(f"cond: {what} must be a function without arguments, got {type(chosen).__name__}")
    return chosen()


def isinf(data: NDArray) -> NDArray:
    """1 where `data` is infinite, 0 elsewhere, in the dtype of `data`.

    Source: `mxnet.ndarray.contrib.isinf`.
    """
    return invoke("abs", [data], {}) == math.inf if _has_inf(data) else data != data


def isnan(data: NDArray) -> NDArray:
    """1 where `data` is nan, 0 elsewhere, in the dtype of `data`.

    Source: `mxnet.ndarray.contrib.isnan`.
    """
    return data != data


def isfinite(data: NDArray) -> NDArray:
    """1 where `data` is neither nan nor infinite, 0 elsewhere, in the dtype of `data`.

    Source: `mxnet.ndarray.contrib.isfinite`.
    """
    return (data - data == 0) if _has_inf(data) else data == data


def _has_inf(data: NDArray) -> bool:
    return not np.issubdtype(data.dtype, np.integer)
