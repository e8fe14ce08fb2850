# SPDX-License-Identifier: Apache-2.0
"""Operators written in Python by the user: `CustomOp`, `CustomOpProp`, `register`.

User code may call `mx.nd`, ``asnumpy`` and anything else, so a graph is cut at a Custom node: compiled segments with
Python between them. An operator registered with ``jit=True`` promises that its forward and backward use `mx.nd` only;
it is traced into the program, runs on an accelerator and exports.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
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

from .base import EagerScope, MXNetError, eager_mode
from .context import Context, current_context
from .ndarray import NDArray, zeros
from .ndarray.dispatch import Program, run
from .ndarray.tape import Arrays, Call, Cotangents, record


class CustomOp:
    """The computation; subclass it and define `forward` and `backward`."""

    def forward(
        self, is_train: bool, req: list[str], in_data: list[NDArray], out_data: list[NDArray], aux: list[NDArray]
    ) -> None:
        """Compute `out_data` from `in_data`; `aux` may be changed in place.

        Args:
            is_train: whether this is training.
            req: per output: null, write, inplace or add.
            in_data, out_data, aux: arrays of the shapes `CustomOpProp.infer_shape` gave.
        """
        raise MXNetError(f"{type(self).__name__} defines no forward(is_train, req, in_data, out_data, aux)")

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Compute `in_grad` from the rest; by default no gradient flows."""

    def assign(self, dst: NDArray, req: str, src: Any) -> None:
        """Put `src` into `dst` as `req` says: null drops it, write and inplace replace, add adds."""
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src
        elif req != "null":
            raise ValueError(f"req must be null, write, inplace or add, got {req!r}")


class CustomOpProp:
    """The description: names, shapes and dtypes; subclass it and register it.

    Args:
        need_top_grad: whether `backward` uses `out_grad`; False makes the operator a loss.
    """

    def __init__(self, need_top_grad: bool = True):
        self.need_top_grad_ = need_top_grad

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states."""
        return []

    def infer_shape(self, in_shape: list[Any]) -> Any:
        """Input, output and (optionally) auxiliary shapes from the input shapes; all like the first by default."""
        return in_shape, [in_shape[0]] * len(self.list_outputs()), [in_shape[0]] * len(self.list_auxiliary_states())

    def infer_type(self, in_type: list[Any]) -> Any:
        """Input, output and auxiliary dtypes from the input dtypes; all like the first by default."""
        return (
            [in_type[0]] * len(in_type),
            [in_type[0]] * len(self.list_outputs()),
            [in_type[0]] * len(self.list_auxiliary_states()),
        )

    def declare_backward_dependency(self, out_grad: list[int], in_data: list[int], out_data: list[int]) -> list[int]:
        """Accepted as in MXNet; XLA finds out by itself what backward reads."""
        return [*(out_grad if self.need_top_grad_ else []), *in_data, *out_data]

    def create_operator(self, ctx: Context, in_shapes: list[Any], in_dtypes: list[Any]) -> CustomOp:
        """The `CustomOp` for these shapes."""
        return CustomOp()


_REGISTRY: dict[str, tuple[Callable[..., CustomOpProp], bool]] = {}


def register(reg_name: str, jit: bool = False) -> Callable[[Any], Any]:
    """Register a `CustomOpProp` class as ``op_type=reg_name``.

    Args:
        reg_name: the name; registering it again replaces it, which suits notebooks.
        jit: the operator's forward and backward are pure `mx.nd`: trace them into the compiled program.

    Returns:
        A class decorator.
    """

    def decorate(prop: Any) -> Any:
        _REGISTRY[reg_name] = (prop, jit)
        return prop

    return decorate


def get_all_registered_operators() -> list[str]:
    """Names of all registered custom operators."""
    return sorted(_REGISTRY)


class CustomParams:
    """The parameters of one Custom node: its type, its attributes and the description made from them."""

    def __init__(self, op_type: str, attrs: Mapping[str, str], node: str):
        if op_type not in _REGISTRY:
            raise MXNetError(
                explain(
                    f"no custom operator is registered as op_type={op_type!r}{nearest(op_type, _REGISTRY)}",
                    op="Custom",
                    node=node,
                    hint=f"registered are: {', '.join(_REGISTRY) or 'none'}; use @mx.operator.register",
                )
            )
        self.make, self.jit = _REGISTRY[op_type]
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
        self.open_params = True

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
