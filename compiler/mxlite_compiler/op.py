# SPDX-License-Identifier: Apache-2.0
"""One definition per operator; `mx.nd`, `mx.sym`, JSON, inference, lowering and the documentation all read it.

The kernel's signature is the schema. Positional names are arrays (``*data`` for as many as the parameter `num_args`
says), keyword-only names are typed parameters with MXNet's defaults, and a keyword annotated `Mode` receives what a
kernel may know beside them: whether this is training, and a random key.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np

from . import shapes as _shapes
from .errors import Mismatch, MXNetError, explain, nearest
from .params import Shape, describe, parse
from .shapes import DTypes, Shapes

#: Every operator under each of its public and internal names.
OPS: dict[str, Op] = {}


class Mode(NamedTuple):
    """What a kernel may know about the call beside its arrays and parameters."""

    train: bool = False
    key: jax.Array | None = None


#: Inference without random numbers.
PREDICT = Mode()


@dataclasses.dataclass(frozen=True)
class NoParams:
    """The parameters of an operator that has none."""


class Op:
    """An operator: kernel, parameter schema, shape and dtype rules, gradient.

    Attributes:
        name: the canonical name, the one in symbol JSON.
        aliases: the other names it is registered under.
        kernel: the JAX function.
        params: a frozen dataclass of the parameters; hashable, so compiled programs are cached on it.
        param_types: parameter name to its type, for parsing.
        arrays: names of all inputs, optional ones included; empty for a variadic operator.
        variadic: the parameter that counts the inputs of a variadic operator (option `count`), else "".
        group: names of the inputs of a variadic operator that come once for each number it counts, as ``weight_0``,
            ``grad_0``, ``weight_1``, ...; `tail` are those that come once, after them.
        aux: inputs that are auxiliary states.
        random: the kernel draws from `Mode.key`.
        loss: the gradient does not depend on the head gradient, so backward needs none.
        dynamic: float parameters that eager calls pass as traced values, so that changing them does not recompile.
        fixed: values of theirs that are compiled in all the same, because XLA makes something better of them.
        host: runs Python outside the compiled program; the graph is cut there.
        floats: the first input holds floating point numbers; integers are refused when it runs, not by inference.
        loose: parameters that it does not have are ignored, as in MXNet, where an operator without any is so.
    """

    #: What one can do when a program must not be cut at this operator.
    host_hint = "register the CustomOp with jit=True if it is pure mx.nd, or cut the graph with segments.cut"

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any],
        *,
        shapes: str | Callable[[Any], str] | None = None,
        dtypes: str | Callable[[Any], str] | None = None,
        alias: Sequence[str] = (),
        drop: Mapping[str, Callable[[Any], bool]] | None = None,
        aux: Sequence[str] = (),
        mutates: Sequence[str] | Callable[[Any], Sequence[str]] | None = None,
        outputs: Sequence[str] | Callable[[Any], Sequence[str]] = ("output",),
        visible: Callable[[Any], int] | None = None,
        random: bool = False,
        loss: bool = False,
        dynamic: Sequence[str] = (),
        fixed: Sequence[float] = (),
        count: str = "num_args",
        arg_prefix: str = "arg",
        group: Sequence[str] = (),
        tail: Sequence[str] = (),
        host: bool = False,
        floats: bool = False,
        loose: bool | None = None,
    ):
        self.name, self.kernel, self.aliases = name, kernel, tuple(alias)
        self.aux, self.random, self.loss, self.dynamic = tuple(aux), random, loss, tuple(dynamic)
        self.fixed = frozenset(fixed)
        self.host, self.arg_prefix, self._count, self.floats = host, arg_prefix, count, floats
        self.group, self.tail = tuple(group), tuple(tail)
        self._shapes, self._dtypes, self._drop = shapes, dtypes, dict(drop or {})
        self._mutates, self._outputs, self._visible = (aux if mutates is None else mutates), outputs, visible
        self._infer_shape: Callable | None = None
        self._infer_dtype: Callable | None = None
        self._grad: Callable | None = None
        self._check: Callable[[Any], Callable[..., Any] | None] | None = None
        self._read_signature()
        self.loose = not self.param_types if loose is None else loose

    def _read_signature(self) -> None:
        signature, hints = inspect.signature(self.kernel), get_type_hints(self.kernel, include_extras=True)
        arrays, fields, self.variadic, self._mode_name = [], [], "", ""
        self.param_types: dict[str, Any] = {}
        for key, v in signature.parameters.items():
            if v.kind is v.VAR_POSITIONAL:
                self.variadic = self._count
            elif v.kind is v.POSITIONAL_OR_KEYWORD:
                arrays.append(key)
            elif hints.get(key) is Mode:
                self._mode_name = key
            else:
                self.param_types[key] = hints[key]
                default = dataclasses.field() if v.default is v.empty else dataclasses.field(default=v.default)
                fields.append((key, hints[key], default))
        self.arrays = tuple(arrays)
        self.params: type = (
            dataclasses.make_dataclass(f"{self.name}Params", fields, frozen=True, kw_only=True) if fields else NoParams
        )

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    # Rules given as decorators, right under the kernel.

    def grad(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Use ``rule(p, g, *inputs, out) -> gradients of the inputs`` instead of JAX's own derivative.

        `g` and `out` are one array for an operator with one output, else tuples. None stands for a zero gradient.
        """
        self._grad = rule
        return rule

    def infer(self, rule: Callable[[Any, Shapes, Shapes], tuple[Shapes, Shapes]]) -> Callable[..., Any]:
        """Use ``rule(p, ins, outs) -> (ins, outs)`` where no shape signature can say it; raise Mismatch on conflict."""
        self._infer_shape = rule
        return rule

    def infer_dtypes(self, rule: Callable[[Any, DTypes, DTypes], tuple[DTypes, DTypes]]) -> Callable[..., Any]:
        """Use ``rule(p, ins, outs) -> (ins, outs)`` where no dtype signature can say it; raise Mismatch on conflict."""
        self._infer_dtype = rule
        return rule

    def check(self, rule: Callable[[Any], Callable[..., Any] | None]) -> Callable[..., Any]:
        """Use ``rule(p) -> f``, ``f(inputs, outputs) -> failed`` (one boolean) for values that eager calls refuse.

        The rule's docstring says what is wrong. None instead of `f`: under `p` all values are fine. The error appears
        where one waits for a result; compiled graphs do without it.
        """
        self._check = rule
        return rule

    # The schema under given parameters.

    def inputs(self, p: Any) -> tuple[str, ...]:
        """Names of the inputs that a node with parameters `p` has, auxiliary states included."""
        if self.variadic:
            count = range(getattr(p, self.variadic))
            if self.group:
                return (*(f"{n}_{i}" for i in count for n in self.group), *self.tail)
            return tuple(f"{self.arg_prefix}{i}" for i in count)
        return tuple(n for n in self.arrays if not (n in self._drop and self._drop[n](p)))

    def counted(self, inputs: int) -> int:
        """The value of the parameter `variadic` for a call with so many inputs that does not say it."""
        return (inputs - len(self.tail)) // len(self.group) if self.group else inputs

    def outputs(self, p: Any) -> tuple[str, ...]:
        """Suffixes of all outputs, hidden ones included."""
        return tuple(self._outputs(p) if callable(self._outputs) else self._outputs)

    def visible(self, p: Any) -> int:
        """How many of the outputs a Symbol or an eager call shows."""
        return self._visible(p) if self._visible else len(self.outputs(p))

    def aux_states(self, p: Any) -> tuple[str, ...]:
        """The inputs under `p` that are auxiliary states."""
        return self.aux

    def is_host(self, p: Any) -> bool:
        """Whether a node with parameters `p` runs Python outside the compiled program."""
        return self.host

    def is_loss(self, p: Any) -> bool:
        """Whether the gradient under `p` does not depend on the head gradient."""
        return self.loss

    def mutates(self, p: Any) -> tuple[str, ...]:
        """The inputs whose new values the kernel returns beside its outputs."""
        return tuple(self._mutates(p) if callable(self._mutates) else self._mutates)

    def ignores(self, key: str) -> bool:
        """Whether calls may say `key` without a meaning, as in MXNet: the user's own begin with two underscores."""
        return key not in self.param_types and (self.loose or key.startswith("__"))

    def bind(self, attrs: Mapping[str, Any], node: str = "") -> Any:
        """Typed parameters from values or text. MXNetError names an unknown, missing or illegal parameter."""
        values = {}
        for key, value in attrs.items():
            if self.ignores(key):
                continue
            if key not in self.param_types:
                legal = ", ".join(self.param_types) or "none"
                raise MXNetError(
                    explain(
                        f"no parameter {key!r}{nearest(key, self.param_types)}",
                        op=self.name,
                        node=node,
                        hint=f"parameters are: {legal}",
                    )
                )
            try:
                values[key] = parse(self.param_types[key], value)
            except ValueError as e:
                shape = getattr(value, "shape", None)
                what = f"parameter {key}={value!r:.80} {e}"
                if isinstance(shape, tuple) and shape:  # its numbers would bury the sentence
                    what = f"parameter {key} {e}, got {type(value).__name__} of shape {shape}"
                raise MXNetError(explain(what, op=self.name, node=node, hint=self._arrays_hint(shape))) from None
        missing = [
            f.name for f in dataclasses.fields(self.params) if f.default is dataclasses.MISSING and f.name not in values
        ]
        if missing:
            problem = f"required parameter {', '.join(missing)} is missing"
            hint = "give " + " and ".join(f"{name}, {describe(self.param_types[name])}" for name in missing)
            raise MXNetError(explain(problem, op=self.name, node=node, hint=hint))
        return self.params(**values)

    def _arrays_hint(self, shape: Any) -> str:
        return "" if not shape or self.variadic else f"the arrays are {', '.join(self.arrays)}, in this order"

    def with_graphs(self, p: Any, graphs: Sequence[Any], node: str = "") -> Any:
        """The parameters `p` of a node that has the subgraphs `graphs`; only control flow operators use them."""
        return p

    # Inference.

    def rule(self, p: Any) -> str:
        """The shape signature under `p`, without the inputs that `p` drops; "" when a function infers."""
        if self._shapes is None:
            return ""
        text = self._shapes(p) if callable(self._shapes) else self._shapes
        kept = set(self.inputs(p))

        def without_dropped(alternative: str) -> str:
            left, right = alternative.split("->")
            arrays = [a for n, a in zip(self.arrays, left.split(","), strict=True) if n in kept] if self.arrays else []
            return ",".join(arrays) + "->" + right

        return "|".join(without_dropped(a) for a in text.split("|")) if self._drop else text

    def infer_shape(
        self, p: Any, ins: Sequence[Shape | None], outs: Sequence[Shape | None], node: str = ""
    ) -> tuple[Shapes, Shapes]:
        """Fill in shapes (None: unknown rank, 0: unknown size) in both directions; MXNetError on contradiction."""
        try:
            if self._infer_shape:
                return self._infer_shape(p, list(ins), list(outs))
            sizes = {k: v for k, v in vars(p).items() if type(v) is int}
            done = _shapes.solve(self.rule(p), [*ins, *outs], sizes, [*self.inputs(p), *self.outputs(p)])
            return done[: len(ins)], done[len(ins) :]
        except Mismatch as e:
            given = zip([*self.inputs(p), *self.outputs(p)], [*ins, *outs], strict=False)
            raise MXNetError(
                explain(
                    str(e),
                    op=self.name,
                    node=node,
                    given=[(n, s) for n, s in given if s is not None],
                    rule=self.rule(p),
                )
            ) from None

    def infer_dtype(
        self, p: Any, ins: Sequence[str | None], outs: Sequence[str | None], node: str = ""
    ) -> tuple[DTypes, DTypes]:
        """Fill in dtype names (None: unknown) in both directions; MXNetError on contradiction."""
        try:
            if self._infer_dtype:
                return self._infer_dtype(p, list(ins), list(outs))
            sig = self._dtypes(p) if callable(self._dtypes) else self._dtypes
            if sig and self._drop:
                left, right = sig.split("->")
                kept = set(self.inputs(p))
                terms = zip(self.arrays, left.split(","), strict=True)
                sig = ",".join(t for n, t in terms if n in kept) + "->" + right
            done = _shapes.solve_dtypes(sig, [*ins, *outs], vars(p), [*self.inputs(p), *self.outputs(p)])
            return done[: len(ins)], done[len(ins) :]
        except Mismatch as e:
            given = list(zip([*self.inputs(p), *self.outputs(p)], [*ins, *outs], strict=False))
            raise MXNetError(
                explain(
                    str(e),
                    op=self.name,
                    node=node,
                    given=[(n, s) for n, s in given if s is not None],
                    hint="MXNet promotes no types; cast one of them: x.astype('float32')",
                )
            ) from None

    # Execution.

    def apply(
        self, p: Any, *arrays: jax.Array, mode: Mode = PREDICT, node: str = ""
    ) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """Check shapes and dtypes, then run the kernel under its own gradient rule, if it has one.

        Meant to be traced: the checks read only shapes and dtypes, so a compiled call pays nothing for them.
        Returns all outputs, and the new values of the inputs that `mutates` names.
        """
        arity = len(self.outputs(p))
        self.infer_shape(p, [x.shape for x in arrays], [None] * arity, node)
        self.infer_dtype(p, [x.dtype.name for x in arrays], [None] * arity, node)
        if self.floats and arrays and "float" not in arrays[0].dtype.name:
            given = [(n, f"{x.shape} {x.dtype.name}") for n, x in zip(self.inputs(p), arrays, strict=True)]
            problem = f"{given[0][0]} must hold floating point numbers, got {arrays[0].dtype.name}"
            hint = "cast it first: x.astype('float32')"
            raise MXNetError(explain(problem, op=self.name, node=node, given=given, hint=hint))
        keywords = dict(vars(p))
        if self._mode_name:
            keywords[self._mode_name] = mode
        names = self.inputs(p)

        def run(*xs: jax.Array) -> Any:
            return (
                self.kernel(*xs, **keywords)
                if self.variadic
                else self.kernel(**dict(zip(names, xs, strict=True)), **keywords)
            )

        mutated = self.mutates(p)
        if self._grad is not None:
            out = self._with_gradient(p, run)(*arrays)
        else:
            out = run(*arrays)
        out, written = out if mutated else (out, ())
        return (tuple(out) if isinstance(out, tuple | list) else (out,)), tuple(written)

    def _with_gradient(self, p: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        rule = self._grad
        assert rule is not None

        def forward(*xs: jax.Array) -> Any:
            out = run(*xs)
            return out, (xs, out)

        def backward(residuals: Any, g: Any) -> tuple[Any, ...]:
            xs, out = residuals
            grads = rule(p, g, *xs, out)
            grads = grads if isinstance(grads, tuple | list) else (grads,)
            return tuple(_cotangent(d, x) for d, x in zip(grads, xs, strict=True))

        f = jax.custom_vjp(run)
        f.defvjp(forward, backward)
        return f


def _cotangent(grad: Any, x: jax.Array) -> Any:
    """`grad` in the form that JAX wants for `x`: float0 zeros for integers, `x`'s dtype for floats."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return np.zeros(x.shape, jax.dtypes.float0)
    return jnp.zeros_like(x) if grad is None else grad.astype(x.dtype)


def op(
    name: str, shapes: str | Callable[[Any], str] | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Op]:
    """Register the decorated kernel as operator `name`; the options are those of `Op`.

    Raises MXNetError when a name is taken.
    """

    def register(kernel: Callable[..., Any]) -> Op:
        return register_op(Op(name, kernel, shapes=shapes, **options))

    return register


def register_op(new: Op) -> Op:
    """Enter `new` into `OPS` under its name and aliases. Raises MXNetError when a name is taken."""
    _enter(new, (new.name, *new.aliases))
    return new


def add_names(known: Op, *names: str) -> None:
    """Enter the registered operator `known` under further names. Raises MXNetError when one is taken."""
    _enter(known, names)
    known.aliases += names


def _enter(new: Op, names: Sequence[str]) -> None:
    for name in names:
        if name in OPS:
            raise MXNetError(f"operator {name!r} is registered twice")
    OPS.update(dict.fromkeys(names, new))


def get_op(name: str, node: str = "") -> Op:
    """The operator registered as `name`. MXNetError names the nearest one when there is none."""
    if name not in OPS:
        raise MXNetError(explain(f"operator {name!r} is not in mxlite{nearest(name, OPS)}", node=node))
    return OPS[name]
