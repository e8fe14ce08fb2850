# SPDX-License-Identifier: Apache-2.0
"""Loops and branches in a graph: `foreach`, `while_loop`, `cond` of `mx.sym.contrib`.

The user's functions are called once, on placeholders, and what they return becomes a graph inside the graph. Nodes
made meanwhile carry its name in the attribute ``__subgraph_name__``; what is reached from them without that name was
made outside, and becomes an input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mxlite_compiler.errors import explain
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.op import get_op

from .._nested import build, flatten, iterations, pair
from ..attribute import AttrScope, current_scope, stored_name
from ..name import NameManager, current_manager
from .compose import make_node
from .source import caller
from .symbol import Symbol
from .variable import var

_MARK = "__subgraph_name__"

#: Numbers the bodies: loop0, loop1, ...
_names = NameManager()


class Source(NamedTuple):
    """What a variable of a body stands for: an entry outside, which the loop itself feeds in or the body took."""

    name: str
    entry: Entry
    fed: bool


class Cut(NamedTuple):
    """A body that is cut out of the graph it was written in; `sources` are those of its variables, in their order."""

    graph: Graph
    sources: list[Source]

    def place(self, placeholder: Symbol) -> int | None:
        """The number of the variable that is `placeholder`; None when the body does not use it."""
        names = [s.name for s in self.sources]
        name = placeholder.graph.entries[0].node.name
        return names.index(name) if name in names else None


class Scope(AttrScope):
    """The block in which the user's function makes the nodes of one body."""

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, got {name!r}")
        outer = current_scope().get(None).get(_MARK)
        self.name = _names.get(None, f"{outer}${name}" if outer else name)
        super().__init__(**{_MARK: self.name})

    def placeholders(self, symbols: Sequence[Symbol]) -> list[Symbol]:
        """Variables that stand for `symbols` inside the body; call it inside the block."""
        made = []
        for symbol in symbols:
            (entry,) = symbol.graph.entries
            made.append(var(f"{entry.node.name}-{entry.index}"))
        return made

    def _is_inside(self, node: Node) -> bool:
        return node.attrs.get(_MARK) == self.name

    def results(self, outputs: Sequence[Symbol], states: Sequence[Symbol]) -> list[Entry]:
        """The outputs of the body: copies of those that are variables or made outside, or were named before."""
        variables = {n.name for s in (*outputs, *states) for n in s.graph.nodes if n.is_variable}
        taken = {s.name for s in outputs}
        found = []
        for symbol, is_state in [*((s, False) for s in outputs), *((s, True) for s in states)]:
            (entry,) = symbol.graph.entries
            name = entry.node.name
            if name in variables or not self._is_inside(entry.node) or (is_state and name in taken):
                entry = Entry(make_node(get_op("_copy"), "identity", [entry], {}, {}))
            found.append(entry)
        return found

    def cut(self, entries: Sequence[Entry], placeholders: Sequence[Symbol] = (), fed: Sequence[Entry] = ()) -> Cut:
        """The body that ends in `entries`; `placeholders` stand for the entries `fed`.

        Raises:
            AssertionError: two inputs of the body have one name.
        """
        new: dict[Node, Node] = {}
        outside: dict[Entry, Entry] = {}
        feeds = {s.graph.entries[0].node: e for s, e in zip(placeholders, fed, strict=True)}
        taken: dict[Node, Entry] = {}

        def inner(entry: Entry) -> Entry:
            if self._is_inside(entry.node):
                return Entry(new[entry.node], entry.index)
            if entry not in outside:
                variable = Node(None, entry.name, origin=entry.node.origin)
                taken[variable] = entry
                outside[entry] = Entry(variable)
            return outside[entry]

        for node in Graph(entries).nodes:
            if self._is_inside(node):
                inputs = tuple(inner(e) for e in node.inputs)
                new[node] = node if inputs == node.inputs else node.with_inputs(inputs)
        graph = Graph(inner(e) for e in entries)
        variables = [n for n in graph.nodes if n.is_variable]
        names = [n.name for n in variables]
        if len(set(names)) != len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise AssertionError(
                f"The inputs of the subgraph {self.name!r} don't have unique names: {', '.join(twice)} stand for "
                "several symbols; give them other names, or copies with mx.sym.identity(x)"
            )
        entry_of = {**{n: Entry(n) for n in variables}, **taken, **feeds}
        return Cut(graph, [Source(n.name, entry_of[n], n in feeds) for n in variables])


def _flat(value: Any, what: str) -> tuple[list[Symbol], Any]:
    """The single-output symbols in `value`, and its form; a symbol with several outputs is a list of them."""
    symbols, form = flatten(_split(value), Symbol, what)
    return symbols, form


def _split(value: Any) -> Any:
    if isinstance(value, Symbol) and len(value) > 1:
        return list(value)
    return [_split(v) for v in value] if isinstance(value, list | tuple) else value


def _entries(symbols: Sequence[Symbol]) -> list[Entry]:
    return [s.graph.entries[0] for s in symbols]


def _node(op: str, attrs: dict[str, Any], inputs: Sequence[Entry], cuts: Sequence[Cut]) -> list[Symbol]:
    """The outputs of a new control flow node."""
    name = current_manager().get(None, op)
    own = {k: str(v) for k, v in attrs.items()}
    own["num_args"] = str(len(inputs) + len(cuts))
    attributes = {**{stored_name(k): v for k, v in current_scope().get(None).items()}, **own}
    node = Node(get_op(op), name, attributes, inputs, [c.graph for c in cuts], caller())
    return [Symbol([e]) for e in node.entries()]


def foreach(body: Callable[..., Any], data: Any, init_states: Any, name: str = "foreach") -> tuple[Any, Any]:
    """Run a function over the rows of symbols, step by step, as one node of the graph.

    Args:
        body: ``body(row, states) -> (outputs, new states)``, called once on placeholders; a row has the shape of the
            data without its first axis. Whatever else it uses is an input of the node.
        data: a symbol, or a nested list of symbols, of shape (steps, ...).
        init_states: the states before the first step, a symbol or a nested list; [] for none.
        name: what the body is called in the graph.

    Returns:
        (outputs, states): the outputs of all steps stacked along a new first axis, and the states after the last step,
        in the form in which `body` returns them.

    Raises:
        AssertionError: the data, the states or what the body returns are no symbols; a row or a state is not used by
            the body; new states have another form than the old.
        TypeError, ValueError: the body returns no pair.

    Source: `mxnet.symbol.contrib.foreach`.

    Example:
        >>> total = lambda row, state: (row + state, row + state)
        >>> sums, last = mx.sym.contrib.foreach(total, mx.sym.var("x"), mx.sym.var("start"))
        >>> sums.eval(x=mx.nd.array([[1], [2], [3]]), start=mx.nd.zeros(1))[0].reshape(-1)
        [1. 3. 6.]
        <NDArray 3 @cpu(0)>
    """
    rows, rows_form = _flat(data, "foreach input")
    states, states_form = _flat(init_states, "foreach states")
    scope = Scope(name)
    with scope:
        stand_ins = scope.placeholders([*rows, *states])
        inner = build(stand_ins[: len(rows)], rows_form), build(stand_ins[len(rows) :], states_form)
        outputs, last = pair(body(*inner), "the body of foreach", "outputs, states")
        out, out_form = _flat(outputs, "foreach output")
        new, new_form = _flat(last, "foreach loop_vars")
        if new_form != states_form:
            raise AssertionError(
                f"The input and output loop_vars have different format: foreach gave the body {inner[1]!r:.200} "
                f"and got back {last!r:.200}"
            )
        results = scope.results(out, new)
    fed = _entries([*rows, *states])
    cut = scope.cut(results, stand_ins, fed)
    places = [cut.place(s) for s in stand_ins]
    for what, symbols, at in (("data", rows, places[: len(rows)]), ("state", states, places[len(rows) :])):
        unused = [s.name for s, place in zip(symbols, at, strict=True) if place is None]
        if unused:
            raise AssertionError(f"the {what} arrays have to be used in the loop body: {', '.join(map(str, unused))}")
    others = [i for i in range(len(cut.sources)) if i not in places]
    attrs = {
        "num_outputs": len(results),
        "num_out_data": len(out),
        "in_data_locs": places[: len(rows)],
        "in_state_locs": places[len(rows) :],
        "remain_locs": others,
    }
    made = _node("_foreach", attrs, [*fed, *(cut.sources[i].entry for i in others)], [cut])
    return build(made[: len(out)], out_form), build(made[len(out) :], states_form)


def while_loop(
    cond: Callable[..., Any],
    func: Callable[..., Any],
    loop_vars: Any,
    max_iterations: int | None = None,
    name: str = "while_loop",
) -> tuple[Any, Any]:
    """Run a function as long as a condition holds, as one node of the graph.

    Args:
        cond: ``cond(*loop_vars) -> symbol`` of one number; the loop ends when it is 0.
        func: ``func(*loop_vars) -> (outputs, new loop variables)``; outputs may be None or [].
        loop_vars: a symbol, or a nested list of them; each keeps its shape and dtype.
        max_iterations: an upper bound of the number of steps.
        name: what the bodies are called in the graph.

    Returns:
        (outputs, loop_vars): the outputs of the steps stacked to shape (max_iterations, ...), rows after the last step
        being 0 (undefined in MXNet), and the loop variables after the last step.

    Raises:
        ValueError: no `max_iterations`; no loop variables; `cond` returns no symbol; a loop variable is not used by
            `func`, or not returned.
        AssertionError: `func` returns something else than symbols.

    Source: `mxnet.symbol.contrib.while_loop`.

    Example:
        >>> step = lambda i, s: (i, [i + 1, s * 2])
        >>> _, (_, power) = mx.sym.contrib.while_loop(
        ...     lambda i, s: i < 3, step, [mx.sym.var("i"), mx.sym.var("s")], max_iterations=5)
        >>> power.eval(i=mx.nd.zeros(1), s=mx.nd.ones(1))[0]
        [8.]
        <NDArray 1 @cpu(0)>
    """
    limit = iterations(max_iterations)
    variables, form = _flat(loop_vars, "while loop_vars")
    if not variables:
        raise ValueError("loop_vars should contain at least one element")
    fed = _entries(variables)

    def inside(scope: Scope, function: Callable[..., Any]) -> tuple[list[Symbol], Any]:
        stand_ins = scope.placeholders(variables)
        given = build(stand_ins, form)
        return stand_ins, function(*given) if isinstance(given, list) else function(given)

    condition = Scope(f"{name}_cond")
    with condition:
        stand_ins, found = inside(condition, cond)
        if not isinstance(found, Symbol) or len(found) != 1:
            raise ValueError(f"Return of cond must be a Symbol with one output, got {found!r:.80}")
        results = condition.results([found], [])
    cond_cut = condition.cut(results, stand_ins, fed)

    function = Scope(f"{name}_func")
    with function:
        stand_ins, returned = inside(function, func)
        outputs, last = pair(returned, "func of while_loop", "outputs, loop_vars")
        out, out_form = _flat([] if outputs is None else outputs, "while output")
        new, new_form = _flat([] if last is None else last, "while loop_vars")
        if len(new) != len(variables):
            raise ValueError(
                f"The number of loop_vars should be consistent during the loop: {len(variables)} went into func, "
                f"{len(new)} came back"
            )
        results = function.results(out, new)
    func_cut = function.cut(results, stand_ins, fed)

    places = [func_cut.place(s) for s in stand_ins]
    for i, place in enumerate(places):
        if place is None:
            raise ValueError(
                f"The {i + 1}-th loop_var doesn't involve into the computation: func does not use {variables[i].name!r}"
            )
    inputs = _Inputs(lambda source: source.entry if source.fed else None)
    attrs = {
        "max_iterations": limit,
        "cond_input_locs": inputs.locations(cond_cut),
        "func_input_locs": inputs.locations(func_cut),
        "func_var_locs": places,
        "num_out_data": len(out),
        "num_outputs": len(results),
    }
    made = _node("_while_loop", attrs, inputs.entries, [cond_cut, func_cut])
    return build(made[: len(out)], out_form), build(made[len(out) :], new_form)


def cond(pred: Any, then_func: Callable[[], Any], else_func: Callable[[], Any], name: str = "cond") -> Any:
    """One of two results, of which only one is computed, as one node of the graph.

    Args:
        pred: a symbol of one number; 0 takes `else_func`.
        then_func: ``then_func() -> outputs``, a symbol or a nested list.
        else_func: the other branch; its outputs have the same number, shapes and dtypes.
        name: what the branches are called in the graph.

    Returns:
        The outputs, in the form in which `then_func` returns them.

    Raises:
        AssertionError: `pred` or what a branch returns is no symbol.
        ValueError: the branches have different numbers of outputs.

    Source: `mxnet.symbol.contrib.cond`.

    Example:
        >>> a, b = mx.sym.var("a"), mx.sym.var("b")
        >>> mx.sym.contrib.cond(a < b, lambda: b - a, lambda: a - b).eval(a=mx.nd.array([5]), b=mx.nd.array([3]))[0]
        [2.]
        <NDArray 1 @cpu(0)>
    """

    def graph(part: str, make: Callable[[], Any]) -> tuple[Cut, Any]:
        scope = Scope(f"{name}_{part}")
        with scope:
            found, form = _flat(make(), "cond outputs")
            if not found:
                raise TypeError(f"Expected a list of symbols as input: {part} of cond returned nothing")
            results = scope.results(found, [])
        return scope.cut(results), form

    for what, function in (("then_func", then_func), ("else_func", else_func)):
        if not callable(function) or isinstance(function, Symbol):
            raise TypeError(explain(f"{what} must be a function without arguments, got {function!r:.80}", op="cond"))
    predicate, pred_form = graph("pred", lambda: pred)
    if pred_form is not None:
        raise AssertionError(f"cond: pred must be one Symbol with one output, got {pred!r:.80}")
    then_cut, form = graph("then", then_func)
    else_cut, _ = graph("else", else_func)
    counts = len(then_cut.graph.entries), len(else_cut.graph.entries)
    if counts[0] != counts[1]:
        raise ValueError(f"Number of outputs differs between then-branch and else-branch: {counts[0]} and {counts[1]}")
    inputs = _Inputs(lambda source: source.entry.node.name if source.entry.node.is_variable else None)
    attrs = {
        "cond_input_locs": inputs.locations(predicate),
        "then_input_locs": inputs.locations(then_cut),
        "else_input_locs": inputs.locations(else_cut),
        "num_outputs": counts[0],
    }
    return build(_node("_cond", attrs, inputs.entries, [predicate, then_cut, else_cut]), form)


class _Inputs:
    """The inputs of a node with several bodies.

    Args:
        key: variables of bodies with one key have one input; None for an input of its own.
    """

    def __init__(self, key: Callable[[Source], Any]):
        self.key = key
        self.entries: list[Entry] = []
        self._shared: dict[Any, int] = {}

    def locations(self, cut: Cut) -> list[int]:
        """For every variable of a body the number of the input, which is added where it is a new one."""
        found = []
        for source in cut.sources:
            key = self.key(source)
            place = len(self.entries) if key is None else self._shared.setdefault(key, len(self.entries))
            if place == len(self.entries):
                self.entries.append(source.entry)
            found.append(place)
        return found
