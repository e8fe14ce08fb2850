# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.Custom`: a custom operator that is called at once, and recorded where calls are recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Node

from ..base import MXNetError, eager_mode
from ..context import current_context
from ..ndarray import NDArray
from ..ndarray.dispatch import Program, run
from ..ndarray.tape import Arrays, Call, Cotangents, record
from .custom import CUSTOM, CustomParams
from .describe import CustomOpProp


def custom(*inputs: NDArray, op_type: str | None = None, name: str | None = None, **kwargs: Any) -> Any:
    """Call a custom operator at once (`mx.nd.Custom`).

    Args:
        *inputs: the arrays, auxiliary states last; or by keyword under the names of `list_arguments`.
        op_type: the registered name.
        name: for error messages.
        **kwargs: attributes, passed to the description as text.

    Returns:
        The output, or a list of them.

    Raises:
        MXNetError: no such operator, or a wrong number of inputs.
    """
    attrs = {k: v for k, v in kwargs.items() if not isinstance(v, NDArray)}
    if op_type is not None:
        attrs["op_type"] = op_type
    p = CUSTOM.bind(attrs, name or "")
    named = {k: v for k, v in kwargs.items() if isinstance(v, NDArray)}
    names = CUSTOM.inputs(p)
    unknown = [k for k in named if k not in names]
    if unknown:
        raise MXNetError(
            explain(
                f"no input {unknown[0]!r}{nearest(unknown[0], names)}",
                op=p.op_type,
                hint=f"inputs are: {', '.join(names)}",
            )
        )
    rest = iter(inputs)
    found = [named[n] if n in named else next(rest, None) for n in names]
    arrays = [a for a in found if a is not None]
    if len(inputs) + len(named) != len(names) or len(arrays) != len(names):
        problem = f"takes {len(names)} inputs ({', '.join(names)}), got {len(inputs) + len(named)}"
        raise MXNetError(explain(problem, op="Custom", node=p.op_type))
    ctx = arrays[0].context if arrays else current_context()
    if p.jit:
        return run(NDArray, _traced(p.make, p.op_type, tuple(p.attrs.items()), eager_mode.train), (), arrays, ctx)
    node = Node(None, name or p.op_type)
    node.params = p
    state: dict[Any, Any] = {}
    values = [a._data for a in arrays]
    outs, states = CUSTOM.host_forward(node, eager_mode.train, values, state)
    for array, new in zip(arrays[p.num_args :], states, strict=True):
        array._set(new)
    results = [NDArray._wrap(o, ctx) for o in outs]
    if eager_mode.recording:
        # Backward sees the auxiliary states as forward left them.
        record(_CUSTOM_CALL, (node, state), arrays, [*values[: p.num_args], *states], outs, results)
    return results[0] if len(results) == 1 else results


@functools.lru_cache(maxsize=256)
def _traced(
    make: Callable[..., CustomOpProp], op_type: str, items: tuple[tuple[str, str], ...], train: bool
) -> Program:
    """The compiled form of an operator that was registered with ``jit=True``; registering it again makes another."""
    attrs = dict(items)
    return Program(CUSTOM, CustomParams(op_type, attrs, ""), train=train, attrs={"op_type": op_type, **attrs})


class _CustomCall(Call):
    """How a custom operator that runs Python is on the tape; the extras are its node and its state."""

    __slots__ = ()
    name = "Custom"
    host = True

    def host_backward(
        self, extras: Any, inputs: Arrays, outs: Arrays, heads: Cotangents, train: bool
    ) -> Sequence[jax.Array | None]:
        given = [jnp.zeros_like(o) if h is None else h for h, o in zip(heads, outs, strict=True)]
        return CUSTOM.host_backward(extras[0], given, inputs, outs, extras[1])

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        p = extras[0].params
        return [("Custom", {"op_type": p.op_type, **p.attrs})]


_CUSTOM_CALL = _CustomCall()
