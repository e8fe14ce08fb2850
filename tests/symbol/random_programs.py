# SPDX-License-Identifier: Apache-2.0
"""Random symbol programs, the same from the same seed in mxlite and in MXNet 1.9.1 (Python 3.8).

They mix what the written programs show one by one: scopes inside scopes, operators with texts and attributes of all
kinds, arithmetic, composition, groups, slices, copies. What is kept of a program is a digest of all it says.
"""

import copy
import hashlib
import json
import operator
import pickle
import random

import numpy as np
import programs

#: Without two programs that take auxiliary states out of their graph and use them again: in its JSON MXNet numbers how
#: often a variable had been written when each entry was made, mxlite how often in the graph that is written.
SEEDS = [seed for seed in range(120) if seed not in (28, 108)]

NUMBERS = [1, 2, -1, 1.5, 1e-5, 1e20, 10**12, 1 / 3.0, np.float32(0.1), np.float64(2.5), np.int64(-4), np.uint8(3)]
ARITHMETIC = "add sub mul truediv mod pow eq ne lt le gt ge".split()


def _extras(r):
    """A name and attributes, sometimes."""
    found = {}
    if r.random() < 0.3:
        found["name"] = r.choice(["n1", "n2", "", None, "odd name/1"])
    if r.random() < 0.2:
        found["attr"] = r.choice([{"__a__": "1"}, {"lr_mult": "2"}, {"__lr_mult__": "0.3", "ctx_group": "g"}, {}])
    if r.random() < 0.2:
        found[r.choice(["__foo__", "lr_mult", "__wd_mult__", "ctx_group"])] = r.choice(["1", 2, 0.5, (1, 2)])
    return found


def _integer(r, value):
    return r.choice([value, np.int64(value), str(value)])


def _tuple(r, *values):
    return r.choice([values, list(values), str(values), tuple(map(np.int64, values))])


def _variable(r, S, pool):
    options = {
        "shape": [(2, 3), [2, 0], 3, ()],
        "lr_mult": [1, 0.5, "2"],
        "wd_mult": [1, np.float32(0.1)],
        "dtype": ["float32", np.float16, "int"],
        "stype": ["default", "csr"],
        "init": ["zeros"],
        "attr": [{"k": "v"}, {"__k__": "v", "lr_mult": "3"}],
        "__layout__": ["NCHW", 3],
    }
    return S.Variable(r.choice("abcx"), **{k: r.choice(v) for k, v in options.items() if r.random() < 0.2})


def _layer(r, S, pool):
    x, y, more = r.choice(pool), r.choice(pool), _extras(r)
    calls = [
        lambda: S.FullyConnected(x, num_hidden=_integer(r, 3), no_bias=r.choice([True, "False", 0]), **more),
        lambda: S.Convolution(x, kernel=_tuple(r, 3, 3), num_filter=_integer(r, 2), pad=_tuple(r, 1, 1), **more),
        lambda: S.BatchNorm(x, eps=r.choice([1e-3, "2e-5"]), fix_gamma=r.choice([True, "0"]), **more),
        lambda: S.LeakyReLU(x, act_type=r.choice(["leaky", "prelu"]), **more),
        lambda: S.Concat(x, y, dim=_integer(r, 1), **more),
        lambda: S.SliceChannel(x, num_outputs=_integer(r, 2), **more),
        lambda: S.SoftmaxOutput(x, **more),
        lambda: S.topk(x, ret_typ=r.choice(["both", "value", "indices"]), **more),
        lambda: S.RNN(x, state_size=4, num_layers=1, mode=r.choice(["lstm", "gru"]), **more),
        lambda: S.sum(x, axis=r.choice([None, 0, (0, 1), [1]]), keepdims=r.choice([True, "0"]), **more),
        lambda: r.choice([S.exp, S.Flatten, S.identity, S.transpose])(x, **more),
        lambda: r.choice([S.broadcast_add, S.elemwise_sub, S.dot])(x, y, **more),
        lambda: r.choice([S.Cast, S.cast])(x, dtype=r.choice([np.float16, "int8"]), **more),
        lambda: r.choice([S.zeros, S.ones])(r.choice([(2, 3), [2], 3]), **more),
        lambda: r.choice([S.maximum, S.hypot, S.power])(x, r.choice(NUMBERS)),
        lambda: x.reshape((2, -1)).sum(axis=1).astype("float16"),
    ]
    return r.choice(calls)()


def _arithmetic(r, S, pool):
    f, x, y, number = getattr(operator, r.choice(ARITHMETIC)), r.choice(pool), r.choice(pool), r.choice(NUMBERS)
    return r.choice([lambda: f(x, y), lambda: f(x, number), lambda: f(number, x), lambda: -x, lambda: abs(x)])()


def _rearranged(r, S, pool):
    x, y = r.choice(pool), r.choice(pool)
    calls = [
        lambda: S.Group([x, y]),
        lambda: x.get_internals(),
        lambda: x.get_children(),
        lambda: x[r.choice([0, 1, slice(0, 1), slice(None), slice(1, None)])],
        lambda: x.get_internals()[r.choice(x.get_internals().list_outputs())],
        lambda: x(**{r.choice(x.list_arguments()): y, "name": r.choice(["joined", None])}),
        lambda: copy.deepcopy(x),
        lambda: pickle.loads(pickle.dumps(x)),
        lambda: S.load_json(x.tojson()),
    ]
    return r.choice(calls)()


def _scope(r, mx):
    class Mine(mx.name.NameManager):
        def get(self, name, hint):
            return "my_" + super().get(name, hint)

    scopes = [
        lambda: mx.name.Prefix("p_"),
        lambda: mx.name.NameManager(),
        lambda: mx.AttrScope(__x__="1", lr_mult="0.2"),
        lambda: mx.AttrScope(__x__="9", ctx_group="dev"),
        Mine,
    ]
    return r.choice(scopes)()


def _program(mx, seed):
    r, open_scopes, raised = random.Random(seed), [], []
    pool = [mx.sym.Variable("a"), mx.sym.Variable("b")]
    for _ in range(12):
        step = r.choice([_variable, _layer, _layer, _layer, _arithmetic, _rearranged, _rearranged, None])
        if step is None:
            if open_scopes and r.random() < 0.5:
                open_scopes.pop().__exit__(None, None, None)
            else:
                open_scopes.append(_scope(r, mx))
                open_scopes[-1].__enter__()
            continue
        of_step = random.Random(r.random())  # so that a step that fails early changes none of the later ones
        try:
            made = step(of_step, mx.sym, pool)
        except Exception as e:  # noqa: BLE001 - which error it is, is compared
            raised.append(type(e).__name__)
            continue
        if made is not None and any(n.list_arguments() for n in made.get_internals()):
            pool.append(made)
    for scope in reversed(open_scopes):
        scope.__exit__(None, None, None)
    return mx.sym.Group(pool[-4:]), raised


def describe(mx, seed):
    """All that is compared of the program of `seed`."""
    with mx.name.NameManager():
        symbol, raised = _program(mx, seed)
    parts = [programs.facts(part) for part in (symbol, symbol[len(symbol) - 1])]
    return json.dumps([raised, parts], sort_keys=True)


def digest(mx, seed):
    """A short digest of `describe`."""
    return hashlib.sha256(describe(mx, seed).encode()).hexdigest()[:16]
