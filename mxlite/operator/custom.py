# SPDX-License-Identifier: Apache-2.0
"""The operator behind `mx.sym.Custom` and `mx.nd.Custom`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from mxlite_compiler.errors import Mismatch, explain, nearest
from mxlite_compiler.graph import Node
from mxlite_compiler.op import PREDICT, Mode, Op, register_op
from mxlite_compiler.params import dtype_name
from mxlite_compiler.shapes import DTypes, Shapes, join_shapes, known

from ..base import EagerScope, MXNetError
from ..context import Context, current_context
from ..ndarray import NDArray, zeros
from .describe import REGISTRY, CustomOp


class CustomParams:
    """The parameters of one Custom node: its type, its attributes and the description made from them."""

    def __init__(self, op_type: str, attrs: Mapping[str, str], node: str):
        if op_type not in REGISTRY:
            raise MXNetError(
                explain(
                    f"no custom operator is registered as op_type={op_type!r}{nearest(op_type, REGISTRY)}",
                    op="Custom",
                    node=node,
                    hint=f"registered are: {', '.join(REGISTRY) or 'none'}; use @mx.operator.register",
                )
            )
        self.make, self.jit = REGISTRY[op_type]
        self.op_type, self.attrs = op_type, dict(attrs)
        with user_code(op_type, node, "__init__"):
            self.prop = self.make(**attrs)
        self.num_args = len(self.prop.list_arguments())


@contextmanager
def user_code(op_type: str, node: str, method: str, train: bool | None = None) -> Iterator[None]:
    """Run user code, unrecorded. Its exceptions surface as themselves, with a note of the operator and the node."""
    try:
        with EagerScope(False, train):
            yield
    except Exception as e:
        e.add_note(f"raised by {method} of the custom operator {op_type!r}" + (f", node {node!r}" if node else ""))
        raise


def _handle(x: jax.Array) -> NDArray:
    # A value that is being traced has no device yet.
    return NDArray._wrap(x, current_context() if isinstance(x, jax.core.Tracer) else None)


def _place(arrays: Sequence[jax.Array]) -> Context:
    """The device that user code works on: that of the first input."""
    return _handle(arrays[0]).context if arrays else current_context()


class Custom(Op):
    """The operator behind `mx.sym.Custom` and `mx.nd.Custom`: its schema comes from the user's `CustomOpProp`."""

    def __init__(self) -> None:
        super().__init__("Custom", _schema, host=True)
        self.open_params, self.loose = True, False

    def bind(self, attrs: Mapping[str, Any], node: str = "") -> Any:
        """The node's parameters; everything but `op_type` goes to the description as text, as in MXNet."""
        if "op_type" not in attrs:
            raise MXNetError(explain("required parameter op_type is missing", op="Custom", node=node))
        return CustomParams(str(attrs["op_type"]), {k: str(v) for k, v in attrs.items() if k != "op_type"}, node)

    def inputs(self, p: Any) -> tuple[str, ...]:
        return (*p.prop.list_arguments(), *p.prop.list_auxiliary_states())

    def outputs(self, p: Any) -> tuple[str, ...]:
        return tuple(p.prop.list_outputs())

    def visible(self, p: Any) -> int:
        return len(p.prop.list_outputs())

    def aux_states(self, p: Any) -> tuple[str, ...]:
        return tuple(p.prop.list_auxiliary_states())

    def mutates(self, p: Any) -> tuple[str, ...]:
        return tuple(p.prop.list_auxiliary_states())

    def is_host(self, p: Any) -> bool:
        return not p.jit

    def is_loss(self, p: Any) -> bool:
        return not p.prop.need_top_grad_

    def infer_shape(self, p: Any, ins: Sequence[Any], outs: Sequence[Any], node: str = "") -> tuple[Shapes, Shapes]:
        """Ask the description; while inputs are unknown its failure only means that it cannot tell yet."""
        given = list(ins[: p.num_args])
        try:
            with user_code(p.op_type, node, "infer_shape"):
                found = p.prop.infer_shape([list(s) if s is not None else [] for s in given])
        except Exception:
            if all(known(s) for s in given):
                raise
            return list(ins), list(outs)
        parts = [[tuple(int(d) for d in s) for s in part] for part in found]
        parts += [[]] * (3 - len(parts))
        counts = p.num_args, len(self.outputs(p)), len(self.aux_states(p))
        for part, count, what in zip(parts, counts, ("inputs", "outputs", "auxiliary states"), strict=True):
            if len(part) != count:
                raise MXNetError(
                    explain(f"infer_shape gave {len(part)} shapes for {count} {what}", op=p.op_type, node=node)
                )
        try:
            merge = lambda a, b, n: join_shapes(a, b if b or known(given[0] if given else ()) else None, n)  # noqa: E731
            new_ins = [merge(a, b, n) for a, b, n in zip(ins, parts[0] + parts[2], self.inputs(p), strict=True)]
            new_outs = [merge(a, b, n) for a, b, n in zip(outs, parts[1], self.outputs(p), strict=True)]
        except Mismatch as e:
            raise MXNetError(
                explain(str(e), op=p.op_type, node=node, given=zip(self.inputs(p), ins, strict=False))
            ) from None
        return new_ins, new_outs

    def infer_dtype(self, p: Any, ins: Sequence[Any], outs: Sequence[Any], node: str = "") -> tuple[DTypes, DTypes]:
        """Ask the description; unknown inputs follow the first known one."""
        given = list(ins[: p.num_args])
        first = next((d for d in given if d), None)
        if first is None:
            return list(ins), list(outs)
        with user_code(p.op_type, node, "infer_type"):
            found = p.prop.infer_type(
                [np.dtype(d or first).type if (d or first) != "bfloat16" else "bfloat16" for d in given]
            )
        parts: list[list[str | None]] = [[dtype_name(d) for d in part] for part in found]
        parts += [[]] * (3 - len(found))
        return parts[0] + parts[2], parts[1]

    # Python outside the program.

    def _instance(self, node: Node, p: Any, arrays: Sequence[Any], state: dict[Any, Any]) -> CustomOp:
        key = (node, tuple((x.shape, str(x.dtype)) for x in arrays))
        if key not in state:
            with user_code(p.op_type, node.name, "create_operator"):
                state[key] = p.prop.create_operator(
                    _place(arrays),
                    [list(x.shape) for x in arrays[: p.num_args]],
                    [np.dtype(x.dtype).type for x in arrays[: p.num_args]],
                )
        return state[key]

    def _blank(self, p: Any, arrays: Sequence[Any], node: str) -> list[NDArray]:
        shapes = self.infer_shape(p, [x.shape for x in arrays], [None] * len(self.outputs(p)), node)[1]
        dtypes = self.infer_dtype(p, [x.dtype.name for x in arrays], [None] * len(self.outputs(p)), node)[1]
        ctx = _place(arrays)
        return [zeros(s, ctx, d or "float32") for s, d in zip(shapes, dtypes, strict=True)]

    def host_forward(
        self, node: Node, train: bool, inputs: Sequence[jax.Array], state: dict[Any, Any]
    ) -> tuple[list[jax.Array], list[jax.Array]]:
        """Run the user's forward: outputs, and the new auxiliary states."""
        p = node.params
        arrays = [_handle(x) for x in inputs]
        data, aux = arrays[: p.num_args], arrays[p.num_args :]
        out = self._blank(p, inputs, node.name)
        op = self._instance(node, p, inputs, state)
        with user_code(p.op_type, node.name, "forward", train):
            op.forward(train, ["write"] * len(out), data, out, aux)
        return [o._data for o in out], [a._data for a in aux]

    def host_backward(
        self,
        node: Node,
        heads: Sequence[jax.Array],
        inputs: Sequence[jax.Array],
        outputs: Sequence[jax.Array],
        state: dict[Any, Any],
    ) -> list[jax.Array | None]:
        """Run the user's backward: the gradient of every input, None for auxiliary states."""
        p = node.params
        arrays = [_handle(x) for x in inputs]
        data, aux = arrays[: p.num_args], arrays[p.num_args :]
        grads = [zeros(x.shape, _place(inputs), x.dtype) for x in data]
        op = self._instance(node, p, inputs, state)
        with user_code(p.op_type, node.name, "backward"):
            op.backward(
                ["write"] * len(grads), [_handle(h) for h in heads], data, [_handle(o) for o in outputs], grads, aux
            )
        return [*(g._data for g in grads), *([None] * len(aux))]

    # Traced into the program.

    def apply(
        self, p: Any, *arrays: jax.Array, mode: Mode = PREDICT, node: str = ""
    ) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """Trace an operator that was registered with ``jit=True``."""
        call = Node(None, node)
        call.params = p
        state: dict[Any, Any] = {}
        count = p.num_args

        def forward(*xs: jax.Array) -> Any:
            try:
                outs, states = self.host_forward(call, mode.train, xs, state)
            except jax.errors.TracerArrayConversionError as e:
                raise MXNetError(
                    explain(
                        "the operator was registered with jit=True but its code looks at values (asnumpy, float, if)",
                        op=p.op_type,
                        node=node,
                        hint="use mx.nd operators only, or register it without jit=True",
                    )
                ) from e
            return tuple(outs), tuple(states)

        def forward_rule(*xs: jax.Array) -> Any:
            result = forward(*xs)
            return result, (xs, result[0])

        def backward_rule(residuals: Any, heads: Any) -> Any:
            xs, outs = residuals
            grads = self.host_backward(call, heads[0], xs, outs, state)
            return tuple(
                np.zeros(x.shape, jax.dtypes.float0)
                if not jnp.issubdtype(x.dtype, jnp.inexact)
                else jnp.zeros_like(x)
                if g is None
                else g
                for g, x in zip(grads, xs, strict=True)
            )

        if len(arrays) != count + len(self.aux_states(p)):
            raise MXNetError(
                explain(f"takes {count} inputs ({', '.join(self.inputs(p))}), got {len(arrays)}", op=p.op_type)
            )
        f = jax.custom_vjp(forward)
        f.defvjp(forward_rule, backward_rule)
        return f(*arrays)


def _schema(*data: Any, num_args: int = 1, op_type: str) -> Any:
    """Apply a custom operator implemented in the front-end language.

    Inputs, outputs and further keywords are those of the `CustomOpProp` registered as `op_type`.
    """
    raise MXNetError("Custom runs through CustomOp.forward")


CUSTOM = Custom()
register_op(CUSTOM)
