# SPDX-License-Identifier: Apache-2.0
"""Programs with loops and branches that are run both by mxlite and by MXNet 1.9.1: in a graph, and eagerly.

Each program takes the package, its namespace (`mx.sym` or `mx.nd`), and the name of its bodies, and returns a function
from arrays (or symbols) to a list of results. The file must run on Python 3.8 with nothing but numpy beside the
package. `python tests/symbol/loops.py` records tests/golden/symbol/loops.json.
"""

import json
import os
import subprocess
import sys
import warnings

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "symbol", "loops.json")
LOOPS = {}
#: The default inputs; a program names those that it takes.
INPUTS = {
    "x": [[1.0, 2.0], [-3.0, 0.5], [0.25, 4.0]],
    "y": [[0.5, -1.0], [2.0, 1.5], [1.0, 0.0]],
    "s": [0.5, -0.5],
    "t": [2.0, 3.0],
    "w": [1.5, -2.0],
    "i": [0.0],
    "k": [1.25],
    "p": [1.0],
    "m": [[1.0, -0.5], [2.0, 0.25], [0.5, 1.0]],
}


def loop(names, grads=None, eager=True):
    """Register a program on the inputs `names`; gradients are asked for `grads`, all of them by default."""

    def register(function):
        LOOPS[function.__name__] = (function, names.split(), (grads or names).split(), eager)
        return function

    return register


def flat(value):
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


class Space:
    """`mx.sym.contrib` with names for the bodies, or `mx.nd.contrib`, which takes none."""

    def __init__(self, package, ops, name):
        self.package, self.ops = package, ops
        self.named = {} if ops is package.nd else {"name": name}

    def __getattr__(self, name):
        return getattr(self.ops, name)

    def foreach(self, *args, **kwargs):
        return self.ops.contrib.foreach(*args, **(dict(self.named, **kwargs) if self.named else {}))

    def while_loop(self, *args, **kwargs):
        return self.ops.contrib.while_loop(*args, **dict(kwargs, **self.named))

    def cond(self, *args, **kwargs):
        return self.ops.contrib.cond(*args, **dict(kwargs, **self.named))


@loop("x s w")
def running(F, x, s, w):
    return F.foreach(lambda row, state: (F.tanh(row * w + state), state * row), x, s)


@loop("x y s t", eager=False)  # MXNet's eager foreach does not nest the rows
def nested_lists(F, x, y, s, t):
    def body(rows, states):
        a, (b,) = rows
        c, (d,) = states
        return [a + c, [b * d]], [c * a, [d + b]]

    return F.foreach(body, [x, [y]], [s, [t]])


@loop("x s")
def passed_through(F, x, s):
    return F.foreach(lambda row, state: ([row, state], state), x, s)


@loop("x")
def no_states(F, x):
    return F.foreach(lambda row, states: (row * row, states), x, [])


@loop("x s")
def no_outputs(F, x, s):
    return F.foreach(lambda row, state: ([], state * row + row), x, s)


@loop("x s w t")
def expressions_from_outside(F, x, s, w, t):
    e = w * t
    return F.foreach(lambda row, state: (row * e + F.sin(w), state * e), x * 2, s + 1)


@loop("x s")
def row_and_whole(F, x, s):
    e = x * 2
    return F.foreach(lambda row, state: (row + F.sum(e, axis=0), state * row), e, s)


@loop("m k")
def parts_of_a_split(F, m, k):
    first, second = F.SliceChannel(m, num_outputs=2, axis=1)
    return F.foreach(lambda row, state: (row[0] * row[1] + state, state + 1), [first, second], k)


@loop("x s")
def one_result_as_output_and_state(F, x, s):
    def body(row, state):
        both = row + state
        return [both, both], both

    return F.foreach(body, x, s)


@loop("m w k")
def loop_in_loop(F, m, w, k):
    def outer(row, state):
        outs, last = F.foreach(lambda y, u: (y * u * F.sum(w), u + y), row, state, name="inner")
        return outs, last

    return F.foreach(outer, m, k)


@loop("x s w")
def branch_in_loop(F, x, s, w):
    def body(row, state):
        picked = F.cond(F.sum(row) > 2, lambda: row * w, lambda: state * row)
        return picked, state + row

    return F.foreach(body, x, s)


@loop("i p k")
def bounded(F, i, p, k):
    return F.while_loop(lambda i, s: i < 3, lambda i, s: (s * k + i, [i + k, s * s + i]), [i, p], max_iterations=3)


@loop("i k")
def one_variable(F, i, k):
    return F.while_loop(lambda i: i < 3, lambda i: (i * k, i + k), i, max_iterations=3)


@loop("i k")
def only_states(F, i, k):
    return F.while_loop(lambda i, s: i < 3, lambda i, s: ([], [i + 1, s * 2 + i]), [i, k], max_iterations=7)


@loop("i s")
def nested_variables(F, i, s):
    return F.while_loop(
        lambda i, rest: i < 2, lambda i, rest: ([], [i + 1, [rest[0] * rest[0]]]), [i, [s]], max_iterations=9
    )


@loop("i s w t")
def while_expressions_from_outside(F, i, s, w, t):
    e = w * t
    return F.while_loop(lambda i, s: i < 2, lambda i, s: (s * e + t, [i + 1, s + e]), [i * 1, s], max_iterations=2)


@loop("i x s", eager=False)
def foreach_in_while(F, i, x, s):
    def func(i, s):
        outs, last = F.foreach(lambda row, u: (F.broadcast_add(row * u, i), u + row), x, s, name="rows")
        return outs, [i + 1, last * 0.5]

    return F.while_loop(lambda i, s: i < 2, func, [i, s], max_iterations=2)


@loop("p s t")
def branch_taken(F, p, s, t):
    return F.cond(p > 0, lambda: s * t, lambda: s + t)


@loop("p s t")
def branch_not_taken(F, p, s, t):
    return F.cond(p < 0, lambda: [s * t, [s]], lambda: [s + t, [t]])


# MXNet leaves gradients of what only the other branch uses uninitialised, so they are not asked for below.


@loop("k s t w", grads="s t w")
def branch_on_a_variable(F, k, s, t, w):
    e = t * w
    return F.cond(k, lambda: e * s + w, lambda: s)


@loop("p s t w", grads="t w")
def branch_to_outside(F, p, s, t, w):
    e = t * w
    return F.cond(p > 0, lambda: e, lambda: s)


@loop("p s t", grads="s")
def branches_make_arrays(F, p, s, t):
    return F.cond(p > 0, lambda: [s * 2] * 2, lambda: [t, t])


def describe(mx, name):
    """What the program gives as a graph: the symbol, and its JSON, names and form."""
    function, inputs, _, _ = LOOPS[name]
    with mx.name.NameManager():
        found = function(Space(mx, mx.sym, name), *[mx.sym.var(n) for n in inputs])
        symbol = mx.sym.Group(flat(found))
    return symbol, {
        "json": json.loads(symbol.tojson()),
        "arguments": symbol.list_arguments(),
        "outputs": symbol.list_outputs(),
        "form": form(found),
    }


def run(mx, name, symbol):
    """The numbers that the graph gives: outputs, and gradients for the head gradients 1, 2, ..."""
    _, inputs, wanted, _ = LOOPS[name]
    args = {n: mx.nd.array(INPUTS[n]) for n in inputs}
    grads = {n: mx.nd.zeros(args[n].shape) for n in wanted}
    executor = symbol.bind(mx.cpu(), args, grads)
    outputs = executor.forward(is_train=True)
    executor.backward([mx.nd.arange(1, 1 + o.size).reshape(o.shape) for o in outputs])
    return {
        "values": [o.asnumpy().tolist() for o in outputs],
        "grads": {n: g.asnumpy().tolist() for n, g in grads.items()},
    }


def run_eagerly(mx, name):
    """What the program gives at once: the form, numbers, and gradients through autograd."""
    function, inputs, wanted, _ = LOOPS[name]
    args = {n: mx.nd.array(INPUTS[n]) for n in inputs}
    for n in wanted:
        args[n].attach_grad()
    with mx.autograd.record():
        found = function(Space(mx, mx.nd, name), *[args[n] for n in inputs])
        # No head gradients on what does not depend on an input, as an output that is a row of an input.
        total = sum(((o * mx.nd.arange(1, 1 + o.size).reshape(o.shape)).sum() for o in flat(found)), mx.nd.zeros(1))
    total.backward()  # pyright: ignore[reportAttributeAccessIssue]
    return {
        "form": form(found),
        "values": [o.asnumpy().tolist() for o in flat(found)],
        "grads": {n: args[n].grad.asnumpy().tolist() for n in wanted},
    }


def form(value):
    if isinstance(value, (list, tuple)):
        return [form(item) for item in value]
    return None


def structures(mx):
    """Texts of graphs whose names, copies and shared inputs are the point: auxiliary states, scopes, parameters."""
    S = mx.sym
    a, b, c, d = (S.var(n) for n in "abcd")
    shaped = S.var("e", shape=(2,), attr={"__foo__": "bar"})
    foreach, while_loop, cond = S.contrib.foreach, S.contrib.while_loop, S.contrib.cond
    found = {}

    def keep(name, make):
        with mx.name.NameManager():
            found[name] = S.Group(flat(make(name))).tojson()

    def shared_statistics(name):
        mean, var = S.var("m"), S.var("v")
        norm = lambda x, name: S.BatchNorm(x, moving_mean=mean, moving_var=var, name=name)  # noqa: E731
        return foreach(lambda x, s: (norm(x, "bn1") + s, s * 2), norm(a, "bn0"), b, name=name)

    def nested(name):
        def body(x, s):
            return foreach(lambda y, u: (S.BatchNorm(y, name="bn") * u * c, u + y), x, s, name="inner")

        return foreach(body, a, b, name=name)

    def scope(name):
        with mx.AttrScope(ctx_group="g"):
            q = S.var("q")
            return foreach(lambda x, s: (S.relu(x) + s + q, s * 2), a, b, name=name)

    def prefix(name):
        with mx.name.Prefix("p_"):
            return foreach(lambda x, s: (S.relu(x) + s, s * 2), a, b, name=name)

    def layer(x):
        return S.FullyConnected(x, num_hidden=2, name="fc")

    keep("statistics", lambda n: foreach(lambda x, s: (S.BatchNorm(x, name="bn") + s, s), a, b, name=n))
    keep("shared_statistics", shared_statistics)
    keep("statistics_in_a_branch", lambda n: cond(a < b, lambda: S.BatchNorm(c, name="bn"), lambda: d, name=n))
    keep("nested", nested)
    keep("scope", scope)
    keep("prefix", prefix)
    keep("dropout", lambda n: foreach(lambda x, s: (S.Dropout(x) + s, s), a, b, name=n))
    keep("one_layer_in_both_branches", lambda n: cond(a < b, lambda: layer(c), lambda: layer(c * 2), name=n))
    keep(
        "variable_in_both_bodies",
        lambda n: while_loop(lambda a, b: a < shaped, lambda a, b: (a + shaped, [a + 1, b]), [a, b], 4, name=n),
    )
    keep("layer", lambda n: while_loop(lambda a, b: a < 5, lambda a, b: (layer(b), [a + 1, b]), [a, b], 2, name=n))
    keep("second_output", lambda n: foreach(lambda x, s: (x + s, s * 1), b, S.split(a, num_outputs=2)[1], name=n))
    return found


def record(mx, name):
    """What MXNet says of a program; without numbers where it fails, as for some nested loops."""
    symbol, facts = describe(mx, name)
    try:
        facts.update(run(mx, name, symbol))
    except mx.MXNetError as e:
        print(name, "does not run in MXNet:", str(e).split("\n")[0], file=sys.stderr)
    return {"graph": facts, "eager": run_eagerly(mx, name) if LOOPS[name][3] else None}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        import mxnet  # pyright: ignore[reportMissingImports]

        warnings.simplefilter("ignore")
        print(json.dumps(structures(mxnet) if sys.argv[1] == "structures" else record(mxnet, sys.argv[1])))
    else:  # a process each: an error of MXNet's engine comes back in later programs
        data = {n: json.loads(subprocess.check_output([sys.executable, __file__, n])) for n in (*LOOPS, "structures")}
        with open(FILE, "w", encoding="utf-8") as file:
            json.dump(data, file, sort_keys=True, separators=(",", ":"))
            file.write("\n")
