# SPDX-License-Identifier: Apache-2.0
"""Loops and branches in a graph: `_foreach`, `_while_loop`, `_cond`, whose bodies are graphs of their own.

The inputs of such a node feed the variables of its bodies; parameters called locations say which feeds which. Bodies
are lowered like any graph and run inside `lax.scan`, `lax.while_loop` and `lax.cond`, so loops nest, have gradients,
draw new random numbers in every step, and write moving statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from ..body import DTYPES, SHAPES, Body, Facts
from ..errors import Mismatch, MXNetError, explain
from ..graph import Graph
from ..op import PREDICT, Mode, Op, register_op
from ..params import Range, Shape
from ..shapes import DTypes, Shapes

Arrays = Sequence[jax.Array]
#: Outputs, and the new values of the inputs that were written, by their number.
Result = tuple[Sequence[jax.Array], dict[int, jax.Array]]


class Bound(NamedTuple):
    """The parameters of a node, and its bodies."""

    given: Any
    bodies: tuple[Body, ...] = ()


class Rules(NamedTuple):
    """What one control flow operator does.

    Attributes:
        graphs: what its bodies are called, in the order of the subgraphs.
        feeds: (parameters, number of inputs) -> for every body, the input that each of its variables reads.
        results: parameters -> for every body, how many outputs it has.
        sweep: (node's parameters, facts of inputs, of outputs, which facts) -> the facts after one look at the bodies.
        run: (node's parameters, inputs, mode, outputs' shapes and dtypes) -> outputs and written inputs.
        own: parameters -> the inputs that change from step to step; a body cannot write the variable behind one.
    """

    graphs: tuple[str, ...]
    feeds: Callable[[Any, int], list[Sequence[int]]]
    results: Callable[[Any], list[int]]
    sweep: Callable[[Bound, list[Any], list[Any], Facts], tuple[list[Any], list[Any]]]
    run: Callable[[Bound, Arrays, Mode, list[jax.ShapeDtypeStruct]], Result]
    own: Callable[[Any], Sequence[int]]


class ControlFlow(Op):
    """An operator with bodies; `schema` is a function whose keywords are its parameters."""

    def __init__(self, name: str, schema: Callable[..., Any], rules: Rules):
        super().__init__(name, schema, random=True)
        self.rules = rules

    def bind(self, attrs: Mapping[str, Any], node: str = "") -> Bound:
        """The parameters, still without bodies; see `with_graphs`."""
        return Bound(super().bind(attrs, node))

    def with_graphs(self, p: Bound, graphs: Sequence[Graph], node: str = "") -> Bound:
        """The parameters with the bodies. MXNetError when the locations do not fit them."""
        names, given, count = self.rules.graphs, p.given, self._count_inputs(p)
        try:
            if len(graphs) != len(names):
                raise Mismatch(f"needs {len(names)} subgraphs ({', '.join(names)}), got {len(graphs)}")
            rows = zip(names, graphs, self.rules.feeds(given, count), self.rules.results(given), strict=True)
            bodies = tuple(Body(name, graph, feeds, count, results) for name, graph, feeds, results in rows)
        except Mismatch as e:
            hint = f"make such nodes with contrib.{self.name.lstrip('_')}"
            raise MXNetError(explain(str(e), op=self.name, node=node, hint=hint)) from None
        return Bound(given, bodies)

    def _count_inputs(self, p: Bound) -> int:
        return max(p.given.num_args - len(self.rules.graphs), 0)

    def inputs(self, p: Bound) -> tuple[str, ...]:
        return tuple(f"data{i}" for i in range(self._count_inputs(p)))

    def outputs(self, p: Bound) -> tuple[str, ...]:
        n = p.given.num_outputs
        return ("output",) if n == 1 else tuple(f"output{i}" for i in range(n))

    def mutates(self, p: Bound) -> tuple[str, ...]:
        return tuple(f"data{i}" for i in self._written(p))

    def _written(self, p: Bound) -> list[int]:
        own = set(self.rules.own(p.given)) if p.bodies else set()
        return sorted({i for body in p.bodies for i in body.writes} - own)

    def infer_shape(
        self, p: Bound, ins: Sequence[Shape | None], outs: Sequence[Shape | None], node: str = ""
    ) -> tuple[Shapes, Shapes]:
        return self._infer(p, ins, outs, SHAPES, node)

    def infer_dtype(
        self, p: Bound, ins: Sequence[str | None], outs: Sequence[str | None], node: str = ""
    ) -> tuple[DTypes, DTypes]:
        return self._infer(p, ins, outs, DTYPES, node)

    def _infer(self, p: Bound, ins: Sequence[Any], outs: Sequence[Any], of: Facts, node: str) -> Any:
        before, now = None, (list(ins), list(outs))
        if not p.bodies:
            self.with_graphs(p, (), node)
        try:
            while now != before:  # what a step finds about its result holds for the state of the next
                before = now
                now = self.rules.sweep(p, *before, of)
        except Mismatch as e:
            given = [(n, s) for n, s in zip(self.inputs(p), ins, strict=True) if s is not None]
            raise MXNetError(explain(str(e), op=self.name, node=node, given=given)) from None
        return now

    def apply(
        self, p: Bound, *arrays: jax.Array, mode: Mode = PREDICT, node: str = ""
    ) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """Trace the loop or branch: outputs, and the new values of the inputs that `mutates` names."""
        nothing = [None] * p.given.num_outputs
        shapes = self.infer_shape(p, [x.shape for x in arrays], nothing, node)[1]
        dtypes = self.infer_dtype(p, [x.dtype.name for x in arrays], nothing, node)[1]
        structs = [jax.ShapeDtypeStruct(s or (), d) for s, d in zip(shapes, dtypes, strict=True)]
        outs, new = self.rules.run(p, arrays, mode, structs)
        return tuple(outs), tuple(new.get(i, arrays[i]) for i in self._written(p))


def _replaced(arrays: Arrays, numbers: Sequence[int], values: Sequence[Any]) -> list[Any]:
    new = list(arrays)
    for i, value in zip(numbers, values, strict=True):
        new[i] = value
    return new


# foreach: the inputs are the data, the first states, and what else the body reads.


def _foreach_feeds(p: Any, count: int) -> list[Sequence[int]]:
    locations = [*p.in_data_locs, *p.in_state_locs, *p.remain_locs]
    if sorted(locations) != list(range(count)) or not p.in_data_locs:
        raise Mismatch(
            f"in_data_locs={p.in_data_locs}, in_state_locs={p.in_state_locs} and remain_locs={p.remain_locs} must name "
            f"each of the {count} variables of the body once, and data must not be empty"
        )
    if p.num_outputs != p.num_out_data + len(p.in_state_locs):
        raise Mismatch(f"num_outputs={p.num_outputs} must count {p.num_out_data} outputs and the final states")
    return [[locations.index(v) for v in range(count)]]


def _foreach_sweep(p: Bound, ins: list[Any], outs: list[Any], of: Facts) -> tuple[list[Any], list[Any]]:
    n, k = len(p.given.in_data_locs), p.given.num_out_data
    data, states, rest = ins[:n], ins[n : n + len(outs) - k], ins[n + len(outs) - k :]
    steps = of.steps([*data, *outs[:k]])
    what = "a state before and after a step"
    states = of.join_all(states, outs[k:], what)
    known = [*map(of.row, data), *states, *rest]
    inner, results = p.bodies[0].infer(of, known, [*map(of.row, outs[:k]), *states], what)
    states = of.join_all(inner[n : n + len(states)], results[k:], what)
    ins = [*(of.rows(x, steps, old) for x, old in zip(inner, data, strict=False)), *states, *inner[n + len(states) :]]
    return ins, [*(of.rows(y, steps, old) for y, old in zip(results, outs[:k], strict=False)), *states]


def _foreach_run(p: Bound, arrays: Arrays, mode: Mode, outs: list[jax.ShapeDtypeStruct]) -> Result:
    (body,), k = p.bodies, p.given.num_out_data
    n = len(p.given.in_data_locs)
    states = range(n, n + len(outs) - k)
    written = [i for i in body.writes if i >= states.stop]

    def step(carry: Any, rows: Any) -> tuple[Any, Any]:
        i, now, kept = carry
        inputs = _replaced([*rows, *now, *arrays[states.stop :]], written, kept)
        results, new = body.call(inputs, mode, i)
        return (i + 1, results[k:], [new.get(w, inputs[w]) for w in written]), results[:k]

    start = jnp.int32(0), tuple(arrays[i] for i in states), [arrays[w] for w in written]
    # MXNet has no arrays without axes: a row of a vector has shape (1,).
    data = [x[:, None] if x.ndim == 1 else x for x in arrays[:n]]
    (_, last, kept), stacked = jax.lax.scan(step, start, data)
    return [*stacked, *last], dict(zip(written, kept, strict=True))


# while_loop: each body says which input each of its variables reads; `func_var_locs` are the variables that change.


def _loop_vars(p: Any) -> list[int]:
    """The inputs that are loop variables."""
    return [p.func_input_locs[v] for v in p.func_var_locs]


def _while_feeds(p: Any, count: int) -> list[Sequence[int]]:
    if any(not 0 <= v < len(p.func_input_locs) for v in p.func_var_locs):
        raise Mismatch(
            f"func_var_locs={p.func_var_locs} must name variables of func, which has {len(p.func_input_locs)}"
        )
    if p.num_outputs != p.num_out_data + len(p.func_var_locs):
        raise Mismatch(f"num_outputs={p.num_outputs} must count {p.num_out_data} outputs and the loop variables")
    return [p.cond_input_locs, p.func_input_locs]


def _while_sweep(p: Bound, ins: list[Any], outs: list[Any], of: Facts) -> tuple[list[Any], list[Any]]:
    (cond, func), k, variables = p.bodies, p.given.num_out_data, _loop_vars(p.given)
    what = "a loop variable before and after a step"
    states = of.join_all([ins[i] for i in variables], outs[k:], what)
    ins, (found,) = cond.infer(of, _replaced(ins, variables, states), [None], "the result of cond")
    of.scalar(found, "the result of cond")
    states = [ins[i] for i in variables]
    ins, results = func.infer(of, ins, [*map(of.row, outs[:k]), *states], what)
    states = of.join_all([ins[i] for i in variables], results[k:], what)
    steps = p.given.max_iterations
    rows = [of.rows(y, steps, old) for y, old in zip(results[:k], outs[:k], strict=True)]
    return _replaced(ins, variables, states), [*rows, *states]


def _while_run(p: Bound, arrays: Arrays, mode: Mode, outs: list[jax.ShapeDtypeStruct]) -> Result:
    (cond, func), k, variables = p.bodies, p.given.num_out_data, _loop_vars(p.given)
    written = [i for i in func.writes if i not in variables]
    limit = p.given.max_iterations
    changing = [*variables, *written]

    def goes_on(arrays: Arrays, key: Any, i: Any, now: Any) -> jax.Array:
        (found,), _ = cond.call(_replaced(arrays, changing, now), Mode(mode.train, key), i)
        return found.reshape(()) != 0

    def step(arrays: Arrays, key: Any, i: Any, now: Any) -> tuple[Any, Any]:
        inputs = _replaced(arrays, changing, now)
        results, new = func.call(inputs, Mode(mode.train, key), i)
        return results[:k], [*results[k:], *(new.get(w, inputs[w]) for w in written)]

    def until_done(arrays: Arrays, key: Any) -> tuple[Any, Any]:
        """Stops early, and has no gradient."""

        def body(carry: Any) -> Any:
            i, now, rows = carry
            results, now = step(arrays, key, i, now)
            rows = [jax.lax.dynamic_update_index_in_dim(r, y, i, 0) for r, y in zip(rows, results, strict=True)]
            return i + 1, now, rows

        start = jnp.int32(0), [arrays[i] for i in changing], [jnp.zeros(o.shape, o.dtype) for o in outs[:k]]
        _, now, rows = jax.lax.while_loop(
            lambda carry: (carry[0] < limit) & goes_on(arrays, key, *carry[:2]), body, start
        )
        return rows, now

    def bounded(arrays: Arrays, key: Any) -> tuple[Any, Any]:
        """The same as a scan of `max_iterations` steps, those after the end doing nothing; it has a gradient."""

        def body(carry: Any, i: Any) -> tuple[Any, Any]:
            going, now = carry
            going = going & goes_on(arrays, key, i, now)
            # A branch rather than a select: what an idle step would compute may be inf, and its gradient nan.
            idle = [jnp.zeros(o.shape[1:], o.dtype) for o in outs[:k]]
            results, now = jax.lax.cond(
                going, lambda now: tuple(map(list, step(arrays, key, i, now))), lambda now: (idle, now), now
            )
            return (going, now), results

        start = jnp.bool_(True), [arrays[i] for i in changing]
        (_, now), rows = jax.lax.scan(body, start, jnp.arange(limit, dtype=jnp.int32))
        return rows, now

    loop = jax.custom_vjp(until_done)
    loop.defvjp(lambda arrays, key: jax.vjp(bounded, arrays, key), lambda pull, heads: pull(heads))
    rows, now = loop(list(arrays), mode.key)
    states, kept = now[: len(variables)], now[len(variables) :]
    return [*rows, *states], dict(zip(written, kept, strict=True))


# cond: the predicate is a graph as well.


def _cond_sweep(p: Bound, ins: list[Any], outs: list[Any], of: Facts) -> tuple[list[Any], list[Any]]:
    ins, (found,) = p.bodies[0].infer(of, ins, [None], "the predicate")
    of.scalar(found, "the predicate")
    what = "an output of both branches"
    for branch in p.bodies[1:]:
        ins, results = branch.infer(of, ins, outs, what)
        outs = of.join_all(outs, results, what)
    return ins, outs


def _cond_run(p: Bound, arrays: Arrays, mode: Mode, outs: list[jax.ShapeDtypeStruct]) -> Result:
    predicate, *branches = p.bodies
    written = sorted({i for body in branches for i in body.writes})

    def taken(branch: Body) -> Callable[[Any], Any]:
        def run(arrays: Any) -> Any:
            results, new = branch.call(arrays, mode)
            return list(results), [new.get(i, arrays[i]) for i in written]

        return run

    (found,), _ = predicate.call(arrays, mode)
    results, kept = jax.lax.cond(found.reshape(()) != 0, *map(taken, branches), list(arrays))
    return results, dict(zip(written, kept, strict=True))


def _foreach(
    *data, num_args: int, num_outputs: int, num_out_data: int, in_state_locs: Shape, in_data_locs: Shape,
    remain_locs: Shape,
):  # fmt: skip
    """Run a body over the rows of arrays; see `mx.sym.contrib.foreach`, which makes the parameters."""


def _while_loop(
    *data, num_args: int, num_outputs: int, num_out_data: int, max_iterations: Annotated[int, Range(low=1)],
    cond_input_locs: Shape, func_input_locs: Shape, func_var_locs: Shape,
):  # fmt: skip
    """Run a body while a condition holds; see `mx.sym.contrib.while_loop`, which makes the parameters."""


def _cond(
    *data, num_args: int, num_outputs: int, cond_input_locs: Shape, then_input_locs: Shape, else_input_locs: Shape
):
    """Run one of two bodies; see `mx.sym.contrib.cond`, which makes the parameters."""


FOREACH = register_op(
    ControlFlow(
        "_foreach",
        _foreach,
        Rules(
            ("body",), _foreach_feeds, lambda p: [p.num_outputs], _foreach_sweep, _foreach_run,
            lambda p: range(len(p.in_data_locs) + len(p.in_state_locs)),
        ),
    )
)  # fmt: skip
WHILE_LOOP = register_op(
    ControlFlow(
        "_while_loop",
        _while_loop,
        Rules(("cond", "func"), _while_feeds, lambda p: [1, p.num_outputs], _while_sweep, _while_run, _loop_vars),
    )
)
COND = register_op(
    ControlFlow(
        "_cond",
        _cond,
        Rules(
            ("cond", "then_branch", "else_branch"),
            lambda p, count: [p.cond_input_locs, p.then_input_locs, p.else_input_locs],
            lambda p: [1, p.num_outputs, p.num_outputs],
            _cond_sweep,
            _cond_run,
            lambda p: (),
        ),
    )
)
