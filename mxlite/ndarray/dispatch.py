# SPDX-License-Identifier: Apache-2.0
"""The eager call: one cached `jax.jit` per operator, parameters and train mode; JAX's own cache keys the shapes."""

from __future__ import annotations

import dataclasses
import functools
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from mxlite_compiler.graph import Node
from mxlite_compiler.op import Mode, Op, get_op
from mxlite_compiler.params import parse
from mxlite_compiler.program import refused
from mxlite_compiler.segments import HostOp

from .. import _rng
from ..base import MXNetError, eager_mode, explain, x64
from ..context import Context, as_context
from . import _kernels
from .checks import checks
from .handle import Handle, SparseOperand
from .rows import RowGradient
from .tape import Arrays, Call, Cotangents, check_targets, record

H = TypeVar("H", bound=Handle)

#: After so many shapes an operator compiles anew. The program of a shape takes a megabyte or two, and JAX would keep
#: thousands: enough for the memory of a machine when every call has another shape.
SHAPES = 256


class Program(Call):
    """One operator under fixed parameters, compiled on its first call for a shape.

    Attributes:
        op: the operator.
        params: its typed parameters; the dynamic ones hold a placeholder.
        attrs: those that are not dynamic, as the user wrote them.
        train: the mode it runs in.
        dynamic: parameters that every call passes as traced scalars.
        names: the inputs that it takes.
        hidden: None for every output that `fn` does not return, because nobody sees it.
        fn: the jitted function of the key (if `op.random`), the dynamic scalars (one vector, see `_numbers`) and the
            arrays.
        check: a jitted function of inputs and outputs that tells whether they hold values to be refused, or None.
        simple: it draws no random numbers, writes no input and shows one dense output.
        storage: the sparse storage that the result is asked in, or None.
        options: those of `jax.jit`.
        traces: how often `fn` has been traced.
    """

    __slots__ = (
        "attrs", "check", "dynamic", "fn", "hidden", "host", "mutates", "name", "names", "op", "options", "params",
        "simple", "storage", "traces", "train", "visible",
    )  # fmt: skip

    def __init__(
        self,
        op: Op,
        params: Any,
        dynamic: tuple[str, ...] = (),
        train: bool = False,
        ctx: Context | None = None,
        attrs: Mapping[str, Any] | None = None,
    ):
        self.op, self.params, self.dynamic, self.train, self.attrs = op, params, dynamic, train, dict(attrs or {})
        self.name, self.visible = op.name, op.visible(params)
        self.names = op.inputs(params)
        self.mutates = tuple(self.names.index(n) for n in op.mutates(params))
        self.traces = 0
        self.host = op.is_host(params)
        self.hidden: tuple[Any, ...] = () if self.host else (None,) * (len(op.outputs(params)) - self.visible)
        wanted = getattr(params, "stype" if op.name == "cast_storage" else "forward_stype", None)
        self.storage = None if wanted == "default" else wanted
        self.simple = not (op.random or self.mutates or self.storage) and self.visible == 1
        self.options: dict[str, Any] = {}
        if ctx is not None:  # no array says where to run
            self.options["out_shardings"] = jax.sharding.SingleDeviceSharding(ctx.jax_device)
        self.fn: Any = self._run_host if self.host else self._compiled()
        failed = op._check(params) if op._check else None
        self.check = jax.jit(failed) if failed else None
        self.simple = self.simple and self.check is None

    def _compiled(self) -> Any:
        # JAX's caches know a function by what it is equal to, and methods of one object are equal.
        def run(key: Any, scalars: Any, *arrays: jax.Array) -> Any:
            return self._run(key, scalars, *arrays)

        return jax.jit(run, **self.options)

    def _run(self, key: Any, scalars: Any, *arrays: jax.Array) -> Any:
        self.traces += 1
        if self.traces % SHAPES == 0:  # this call still runs the old function, and with it what is compiled goes
            self.fn = self._compiled()
        outs, written = self._call((key, scalars), arrays, self.train)
        # Every output costs time: those that nobody sees are left out, and what is written only if it is something new.
        changed = [None if w is arrays[i] else w for i, w in zip(self.mutates, written, strict=True)]
        return outs[: self.visible], changed

    def _run_host(self, key: Any, scalars: Any, *arrays: jax.Array) -> Any:
        return cast(HostOp, self.op).host_forward(self._node(), self.train, arrays, {})

    def _node(self) -> Node:
        node = Node(None, self.name)
        node.params = self.params
        return node

    def _call(self, extras: Any, arrays: Arrays, train: bool) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        key, scalars = extras
        p = self.params
        if self.dynamic:
            p = dataclasses.replace(p, **dict(zip(self.dynamic, scalars, strict=True)))
        return self.op.apply(p, *arrays, mode=Mode(train, key))

    # On the tape; the extras are the key and the scalars.

    def apply(self, extras: Any, inputs: Arrays, train: bool) -> tuple[jax.Array, ...]:
        # backward(train_mode=False) means moving statistics to MXNet, while a dropout mask stays the one it was.
        return self._call(extras, inputs, self.train and (train or not self.op.aux))[0]

    def pull(self, extras: Any, inputs: Arrays, wanted: Sequence[int], heads: Cotangents, train: bool) -> Cotangents:
        if self.op.name in _CASTS:  # as in MXNet, also from and to integers
            return [None if heads[0] is None else heads[0].astype(inputs[0].dtype)]
        if self.op.name == "Embedding" and self.params.sparse_grad and list(wanted) == [1] and heads[0] is not None:
            return [_rows_of_embedding(inputs[0], inputs[1], heads[0])]
        return super().pull(extras, inputs, wanted, heads, train)

    def host_backward(
        self, extras: Any, inputs: Arrays, outs: Arrays, heads: Cotangents, train: bool
    ) -> Sequence[jax.Array | None]:
        given = [jnp.zeros_like(o) if h is None else h for h, o in zip(heads, outs, strict=True)]
        return cast(HostOp, self.op).host_backward(self._node(), given, inputs, outs, {})

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        given = [np.asarray(x).tolist() for x in extras[1]]  # a number, or one for each of many weights
        return [(self.op.name, {**self.attrs, **dict(zip(self.dynamic, given, strict=True))})]


#: Numbers as bytes, by how many they are.
_doubles = [struct.Struct(f"{n}d").pack for n in range(32)]

_CASTS = frozenset({"Cast", "amp_cast"})


def _rows_of_embedding(data: jax.Array, weight: jax.Array, head: jax.Array) -> RowGradient:
    """The gradient of the weight: one row for every index, which the operator clips."""
    indices = jnp.clip(data.astype(jnp.int32), 0, weight.shape[0] - 1).reshape(-1)
    return RowGradient(head.reshape(-1, *weight.shape[1:]), indices, weight.shape)


@functools.lru_cache(maxsize=8192)
def _program(
    op: Op, items: tuple[tuple[str, Any], ...], dynamic: tuple[str, ...], train: bool, ctx: Context | None
) -> Program:
    # The real value of a dynamic one comes with each call; parsing needs some legal one.
    params = op.bind({**dict(items), **dict.fromkeys(dynamic, 0.5)})
    return Program(op, params, dynamic, train, ctx, dict(items))


def program(op: Op, attrs: Mapping[str, Any], ctx: Context | None = None) -> tuple[Program, Sequence[Any]]:
    """The cached program of a call, and the values of its dynamic parameters.

    Args:
        op: the operator.
        attrs: parameters as the user wrote them.
        ctx: where to run, for a call without arrays.
    """
    train = eager_mode.train and bool(op._mode_name)
    if not attrs:
        return _program(op, (), (), train, ctx), ()
    dynamic, scalars, items = [], [], []
    for key, value in attrs.items():
        if key in op.dynamic and value is not None and not (op.fixed and value in op.fixed):
            dynamic.append(key)
            scalars.append(_scalar(op, key, value))
        elif key in op.param_types or not op.ignores(key):
            items.append((key, value))
    try:
        return _program(op, tuple(items), tuple(dynamic), train, ctx), scalars
    except TypeError:  # a list, or another value that cannot be hashed
        items = [(k, _hashable(op, k, v)) for k, v in items]
        return _program(op, tuple(items), tuple(dynamic), train, ctx), scalars


def _scalar(op: Op, key: str, value: Any) -> Any:
    if op.param_types[key] is float and (type(value) is float or (type(value) is int and abs(value) < 1 << 53)):
        return float(value)
    try:
        value = parse(op.param_types[key], value)
    except ValueError as e:
        raise MXNetError(explain(f"parameter {key}={value!r} {e}", op=op.name)) from None
    if value is None:
        raise MXNetError(explain(f"parameter {key} must be a number", op=op.name))
    return value


def _numbers(values: Sequence[Any], ctx: Context) -> Any:
    """The values of dynamic parameters as an argument of the program: one vector, or an array for each if one has many.

    What a program takes from the host costs by the piece.
    """
    if not values:
        return ()
    dtype = np.float64 if x64() else np.float32
    if tuple in map(type, values):
        return tuple([np.asarray(v, dtype) for v in values])
    return _kernels.constant(values, dtype, ctx.jax_device, _doubles[len(values)](*values))


def _hashable(op: Op, key: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_hashable(op, key, v) for v in value)
    if isinstance(value, np.ndarray | Handle):
        return _hashable(op, key, (value.asnumpy() if isinstance(value, Handle) else value).tolist())
    try:
        hash(value)
    except TypeError:
        problem = f"parameter {key} cannot be {value!r:.80} ({type(value).__name__})"
        raise MXNetError(explain(problem, op=op.name)) from None
    return value


def invoke(cls: type[H], op: Op | str, arrays: Sequence[Handle], attrs: Mapping[str, Any], out: Any = None) -> Any:
    """Call an operator now.

    Args:
        cls: the class of the results.
        op: the operator or its name.
        arrays: its inputs in order, the optional ones that the parameters drop left out.
        attrs: its parameters, as values or text.
        out: an array, or a list of them, to write the results into.

    Returns one array, or a list of them for an operator with several visible outputs.
    Raises MXNetError for unknown, missing or illegal parameters, and shapes or dtypes that do not fit.
    """
    if isinstance(op, str):
        op = get_op(op)
    if op.variadic and op.variadic not in attrs:
        attrs = {**attrs, op.variadic: op.counted(len(arrays))}
    if arrays:
        ctx = arrays[0]._cell.ctx
        prog, values = program(op, attrs)
    else:
        ctx = _placement(op, attrs, out)
        if "ctx" in attrs:
            attrs = {**attrs, "ctx": str(ctx)}
        prog, values = program(op, attrs, ctx)
    return run(cls, prog, values, arrays, ctx, out)


def _placement(op: Op, attrs: Mapping[str, Any], out: Any) -> Context:
    if attrs.get("ctx"):
        return as_context(attrs["ctx"], op.name)
    first = out[0] if isinstance(out, list | tuple) and out else out
    return first._cell.ctx if isinstance(first, Handle) else as_context(None)


def run(
    cls: type[H], prog: Program, values: Sequence[Any], arrays: Sequence[Handle], ctx: Context, out: Any = None
) -> Any:
    """Call a program on arrays and wrap, or write, what comes out.

    Args:
        cls: the class of the results.
        prog: the program.
        values: those of its dynamic parameters.
        arrays: its inputs.
        ctx: where they are.
        out: an array, or a list of them, to write the results into.
    """
    recording = eager_mode.recording
    if recording and out is not None:
        check_targets(out if isinstance(out, list | tuple) else (out,), arrays)
    try:
        inputs = [a._operand for a in arrays]
    except SparseOperand as e:
        return e.array._call(prog, values, arrays, ctx, out)
    scalars = _numbers(values, ctx)
    if prog.simple and not recording:  # the usual case, short
        try:
            outs, _ = prog.fn(None, scalars, *inputs)
        except (TypeError, ValueError, jax.errors.JaxRuntimeError) as e:
            raise _explained(prog, arrays, e) from e
        return cls._wrap(outs[0], ctx) if out is None else _write(prog, outs[:1], out, ctx)
    key = _rng.draw_key(ctx) if prog.op.random else None
    try:
        outs, written = prog.fn(key, scalars, *inputs)
    except (TypeError, ValueError, jax.errors.JaxRuntimeError) as e:
        raise _explained(prog, arrays, e) from e
    if prog.op.random and isinstance(outs[0], Tracer):
        _refuse_frozen(prog, scalars, inputs)
    if prog.check is not None:
        checks.add(prog.check(inputs, outs), lambda: MXNetError(explain(str(prog.op._check.__doc__), op=prog.op.name)))
    if prog.mutates:
        for i, value in zip(prog.mutates, written, strict=True):
            if value is not None:
                arrays[i]._set(value)
    if out is not None:
        results = _write(prog, outs[: prog.visible], out, ctx)
    elif prog.visible == 1:
        results = cls._wrap(outs[0], ctx)
        if prog.storage is not None:
            results = results._in_storage(prog.storage)  # pyright: ignore[reportAttributeAccessIssue]
    else:
        results = [cls._wrap(x, ctx) for x in outs[: prog.visible]]
    if recording:
        shown = results if isinstance(results, list | tuple) else (results,)
        record(prog, (key, scalars), arrays, inputs, (*outs, *prog.hidden), shown)
    return results


def _refuse_frozen(prog: Program, scalars: Any, inputs: Arrays) -> None:
    """Raise MXNetError when a call draws random numbers that a compiled function would repeat for ever."""
    if not isinstance(jnp.zeros(()), Tracer):  # under jax.grad or jax.vmap alone every call draws anew
        return
    try:
        jax.eval_shape(prog.fn, None, scalars, *inputs)  # in prediction, a dropout needs no key
    except MXNetError:
        problem = "a function that jax.jit compiles would use the same random numbers in every call"
        hint = "draw them outside, and give them to the function as an argument"
        raise MXNetError(explain(problem, op=prog.op.name, hint=hint)) from None


def _write(prog: Program, results: Sequence[jax.Array], out: Any, ctx: Context) -> Any:
    targets = list(out) if isinstance(out, list | tuple) else [out]
    for target in targets:
        if not isinstance(target, Handle):
            raise TypeError(f"{prog.op.name}: out must be an NDArray or a list of them, got {type(target).__name__}")
    if len(targets) != len(results):
        raise MXNetError(
            explain(f"out has {len(targets)} arrays, the operator {len(results)} outputs", op=prog.op.name)
        )
    for target, result in zip(targets, results, strict=True):
        aval = result.aval  # whose attributes cost less
        if target.shape != aval.shape or target._cell.dtype != aval.dtype:
            raise MXNetError(
                explain(
                    f"the result has shape {result.shape} and dtype {result.dtype}, out has shape {target.shape} "
                    f"and dtype {target._cell.dtype}",
                    op=prog.op.name,
                    hint="out= and in-place operators such as += keep what they write into as it is; a = a + b makes "
                    "a new array",
                )
            )
    for target, result in zip(targets, results, strict=True):
        elsewhere = target._cell.ctx is not ctx and target._cell.ctx.jax_device != ctx.jax_device
        target._set(jax.device_put(result, target._cell.ctx.jax_device) if elsewhere else result)
    return out


def _explained(prog: Program, arrays: Sequence[Handle], error: Exception) -> MXNetError:
    if isinstance(error, MXNetError):
        return error
    names = prog.names
    contexts = [a._cell.ctx for a in arrays]
    if len({c.jax_device for c in contexts}) > 1:
        placed = ", ".join(f"{n} on {c}" for n, c in zip(names, contexts, strict=False))
        return MXNetError(
            explain(
                f"the inputs are on different devices: {placed}", op=prog.op.name, hint="move them with as_in_context"
            )
        )
    given = [(n, f"{a.shape} {a._cell.dtype}") for n, a in zip(names, arrays, strict=False)]
    return MXNetError(refused(error, prog.op.name, given))
