# SPDX-License-Identifier: Apache-2.0
"""Updates from row_sparse gradients: lazy ones change only the rows that the gradient has, in weight and states.

The rows are gathered, updated by the same program as whole weights, and scattered back: one definition of every rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from ..ndarray import NDArray
from ..ndarray.sparse import fallback
from ..ndarray.sparse.array import BaseSparseNDArray
from ..ndarray.sparse.storage import gather_rows
from .forms import State, tree

Run = Callable[..., tuple[list[Any], list[State]]]


def content(array: NDArray) -> jax.Array:
    """The whole array, whatever its storage. Not to be donated."""
    return array._cell.peek() if isinstance(array, BaseSparseNDArray) else array._data


def put(array: NDArray, value: Any) -> None:
    """Write a whole array; one in row_sparse storage keeps all its rows, as the weights of MXNet do."""
    if isinstance(array, BaseSparseNDArray):
        array._set_all(value)
    else:
        array._set(value)


def update(run: Run, name: str, lazy: bool | None, weight: NDArray, grad: NDArray, state: State, hyper: Any) -> None:
    """Update one weight from a gradient in sparse storage.

    Args:
        run: the compiled update of lists of weights.
        name: the optimizer, for the log.
        lazy: leave absent rows alone; None for an optimizer that does not know how, which makes the gradient dense.
        weight, grad, state: as for `Optimizer.update`; weight and state are written.
        hyper: one row of scalars.
    """
    whole = content(weight)
    arrays = tree(_reusable if lazy else content, state)
    if lazy and grad.stype == "row_sparse":
        values, places = grad._stored.operands()  # pyright: ignore[reportAttributeAccessIssue]
        states, new = _rows_of(run)(whole, values, places, arrays, hyper)
    else:
        if lazy is None:
            fallback.log(name, [weight.stype, grad.stype], weight.stype)
        (new,), (states,) = run([whole], [content(grad)], [arrays], hyper)
    put(weight, new)
    _write(state, states, bool(lazy))


@lru_cache(maxsize=256)
def _rows_of(run: Run) -> Callable[..., Any]:
    def update(weight: Any, grad: Any, places: Any, state: State, hyper: Any) -> Any:
        (new,), (states,) = run(
            [gather_rows(weight, places)], [grad], [tree(lambda x: gather_rows(x, places), state)], hyper
        )
        # States first: JAX gives donated buffers to the first outputs of their shape.
        return _zip(state, states, places), _scattered(weight, new, places)

    return jax.jit(update, donate_argnums=3)


def _reusable(array: NDArray) -> jax.Array:
    """The whole content in a buffer that the program may reuse, so that the rows of a state change in place."""
    dense = array.stype == "default" and array._view is None
    return array._cell.donatable() if dense else jnp.copy(content(array))


def _scattered(array: Any, rows: Any, places: Any) -> Any:
    return array.at[places].set(rows, mode="drop")


def _zip(state: State, rows: State, places: Any) -> State:
    if isinstance(state, tuple | list):
        return tuple(_zip(s, r, places) for s, r in zip(state, rows, strict=True))
    return None if state is None else _scattered(state, rows, places)


def _write(handles: State, new: State, fresh: bool) -> None:
    if isinstance(handles, tuple | list):
        for handle, value in zip(handles, new, strict=True):
            _write(handle, value, fresh)
    elif handles is not None:
        if fresh and handles.stype == "default" and handles._view is None:
            handles._cell.write(new, owned=True)
        else:
            put(handles, new)
