# SPDX-License-Identifier: Apache-2.0
"""The symbols of recorded arrays. Runs in mxlite and in MXNet (Python 3.8); see record.py."""

import json


def cases(mx, np):
    nd, ag = mx.nd, mx.autograd
    found = {}

    def case(f):
        found[f.__name__] = f
        return f

    def var(*shape):
        x = nd.array(np.arange(1, 1 + int(np.prod(shape))).reshape(shape))
        x.attach_grad()
        return x

    # The numbers in names count up through the process: they are taken from the first one.

    def described(*arrays):
        texts = [ag.get_symbol(x).tojson() for x in arrays]
        order = {"var": [], "node": []}

        def plain(name):
            if name.startswith("node_"):
                kind, number = "node", int(name[5:])
            else:
                kind, number = "var", int(name.lstrip("varnul"))
            order[kind].append(number)
            return name[: -len(str(number))], kind, number

        nodes = [
            [(n["op"], plain(n["name"]), [i[:2] for i in n["inputs"]]) for n in json.loads(t)["nodes"]] for t in texts
        ]
        first = {kind: min(numbers) if numbers else 0 for kind, numbers in order.items()}
        return [[(op, stem + str(n - first[kind]), ins) for op, (stem, kind, n), ins in g] for g in nodes]

    @case
    def symbol_of_a_layer():
        x, w, b = var(2, 3), var(4, 3), nd.zeros(4)
        with ag.record():
            y = nd.relu(nd.FullyConnected(x, w, b, num_hidden=4)) * 2 + 1
        return described(y)

    @case
    def symbols_of_views():
        x = var(2, 3)
        with ag.record():
            y, z, u, v, w = x.reshape((3, 2))[0], x[1], x[:, 1], x[0:1], x[[0, 1]]
        return described(y, z, u, v, w)

    @case
    def symbol_of_one_output():
        x = var(2, 2)
        with ag.record():
            _, b = nd.split(x, 2)
        return described(b), ag.get_symbol(b).list_outputs()[0].split("_")[-1]

    @case
    def symbol_with_states():
        x, rest = var(2, 2), [nd.ones(2), nd.zeros(2), nd.zeros(2), nd.ones(2)]
        with ag.record():
            y = nd.Dropout(nd.BatchNorm(x, *rest))
        s = ag.get_symbol(y)
        return described(y), len(s.list_arguments()), len(s.list_auxiliary_states())

    @case
    def symbol_of_shared_arrays():
        x, c = var(2, 2), nd.ones((2, 2))
        with ag.record():
            y = x + x + c + c
        return described(y)

    @case
    def symbol_of_a_leaf():
        return described(var(2))

    @case
    def symbol_of_an_unrecorded_array():
        ag.get_symbol(nd.ones(2))

    @case
    def symbol_after_backward():
        x = var(2)
        with ag.record():
            y = x * x
        y.backward()
        ag.get_symbol(y)

    return found
