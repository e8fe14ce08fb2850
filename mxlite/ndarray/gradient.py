# SPDX-License-Identifier: Apache-2.0
"""Differentiation of what is on the tape: from heads back to marked variables.

The part of the tape that the heads depend on becomes one compiled program (`plan`). Calls that run Python (a CustomOp,
an autograd.Function, a move between devices) cut it into stages with Python between, from the last one to the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ..base import EagerScope, MXNetError, explain
from . import _kernels
from .handle import Handle
from .plan import OUTSIDE, PlanKey, Port, Step, plan, replay
from .rows import whole
from .tape import Entry, Leaf, Source, TapeNode, entry_of

#: The gradients that are known, by what they belong to.
Gradients = dict[Entry, jax.Array]


def backward(
    heads: Sequence[Handle], head_grads: Sequence[Handle | None], retain_graph: bool = False, train_mode: bool = True
) -> None:
    """Write the gradients of the sum of `heads` into the arrays that were attached to marked variables.

    Args:
        heads: recorded arrays.
        head_grads: the gradient of each head; None for ones.
        retain_graph: keep the tape, for another backward.
        train_mode: the mode that user code sees, and operators with moving statistics differentiate for.

    Raises MXNetError when a head was not recorded, or was freed; when no marked variable is reached; when a head
    gradient does not fit.
    """
    entries = _recorded(heads)
    nodes, leaves = _reached(entries)
    targets = [leaf for leaf in leaves if leaf.req in ("write", "add")]
    if not targets:
        raise MXNetError(
            explain(
                "nothing that the heads depend on takes a gradient",
                op="backward",
                hint="call attach_grad() before recording, with another grad_req than 'null'",
            )
        )
    found: Gradients = {(leaf, 0): leaf.grad._sum for leaf in targets if leaf.req == "add" and leaf.grad is not None}
    with EagerScope(recording=False, train=train_mode):
        _Sweep(nodes, set(targets), train_mode).run(heads, entries, head_grads, found)
    for leaf in targets:
        if leaf.grad is not None:
            gradient = found.get((leaf, 0))
            if gradient is None:
                leaf.grad._zero()
            else:
                leaf.grad._set(gradient)
            leaf.fresh = True
    if not retain_graph:
        _free(nodes)


def grad(
    heads: Sequence[Handle],
    variables: Sequence[Handle],
    head_grads: Sequence[Handle | None],
    retain_graph: bool,
    create_graph: bool,
    train_mode: bool,
) -> list[Any]:
    """The gradients of the sum of `heads` with respect to `variables`, as new arrays; nothing attached is written.

    Args:
        heads, head_grads, train_mode: as for `backward`.
        variables: marked variables.
        retain_graph: keep the tape.
        create_graph: put the computation of the gradients on the tape, so that they can be differentiated.

    Raises MXNetError as `backward`, and when a variable is not marked or the heads do not depend on it.
    """
    entries = _recorded(heads)
    wanted = [_marked(v, i) for i, v in enumerate(variables, 1)]
    nodes, leaves = _reached(entries)
    for i, leaf in enumerate(wanted, 1):
        if leaf not in leaves:
            raise MXNetError(explain(f"variable number {i} cannot be reached from the heads", op="grad"))
    with EagerScope(recording=False, train=train_mode):
        if create_graph:
            results = _recorded_grad(nodes, wanted, heads, entries, head_grads, variables, train_mode)
        else:
            found: Gradients = {}
            _Sweep(nodes, set(wanted), train_mode).run(heads, entries, head_grads, found)
            results = [
                type(v)._wrap(_or_zeros(whole(found.get((leaf, 0))), v), v._cell.ctx)
                for v, leaf in zip(variables, wanted, strict=True)
            ]
    if not retain_graph:
        _free(nodes)
    return results


# The part of the tape that is meant.


def _recorded(heads: Sequence[Handle]) -> list[Entry]:
    entries = []
    for head in heads:
        entry = head._entry
        if entry is None or entry[0].freed:
            raise MXNetError(
                explain(
                    "an array is no part of a recorded computation, or of one that an earlier backward has freed",
                    op="backward",
                    hint="compute it inside `with autograd.record():` from arrays with attach_grad(); to differentiate "
                    "twice, pass retain_graph=True",
                )
            )
        entries.append(entry)
    return entries


def _marked(variable: Handle, number: int) -> Leaf:
    source = variable._entry[0] if variable._entry else None
    if not isinstance(source, Leaf) or source.req in (None, "null"):
        raise MXNetError(
            explain(f"variable number {number} takes no gradient", op="grad", hint="call its attach_grad() first")
        )
    return source


def _reached(entries: Sequence[Entry]) -> tuple[list[TapeNode], list[Leaf]]:
    """The nodes that these entries depend on, inputs before users, and the variables among the leaves."""
    nodes: list[TapeNode] = []
    leaves: list[Leaf] = []
    seen: set[Source] = set()
    for root, _ in entries:
        stack: list[tuple[Source, bool]] = [(root, False)]
        while stack:  # no recursion: a loop is deeper than Python's stack
            source, done = stack.pop()
            if done:
                nodes.append(source)  # pyright: ignore[reportArgumentType]
                continue
            if source in seen:
                continue
            seen.add(source)
            if isinstance(source, TapeNode):
                if source.freed:
                    raise MXNetError(
                        explain(
                            "a part of the computation was freed by an earlier backward",
                            op="backward",
                            hint="pass retain_graph=True to that one, or differentiate all heads in one call",
                        )
                    )
                stack.append((source, True))
                stack.extend((e[0], False) for e in reversed(source.inputs))
            elif isinstance(source, Leaf) and source.req is not None:
                leaves.append(source)
    return nodes, leaves


def _free(nodes: Sequence[TapeNode]) -> None:
    for node in nodes:
        for source, _ in node.inputs:
            if isinstance(source, Leaf) and source.req in (None, "null"):  # on the tape no more, as in MXNet
                source.active, source.freed = False, True
        node.free()


def _needing(nodes: Sequence[TapeNode], leaves: set[Leaf]) -> set[Source]:
    """The sources that `leaves` have an influence on, themselves included."""
    needing: set[Source] = set(leaves)
    for node in nodes:
        if any(e[0] in needing for e in node.inputs):
            needing.add(node)
    return needing


# Gradients.


def _head_gradient(head: Handle, given: Handle) -> jax.Array:
    """`given` in the shape of `head`. MXNetError when it has another size or dtype."""
    if given._cell.dtype != head._cell.dtype or math.prod(given.shape) != math.prod(head.shape):
        raise MXNetError(
            explain(
                f"a head gradient of shape {given.shape} and dtype {given._cell.dtype} does not fit its head of shape "
                f"{head.shape} and dtype {head._cell.dtype}",
                op="backward",
            )
        )
    data, device = given._data, head._cell.ctx.jax_device
    if given._cell.ctx.jax_device != device:
        data = jax.device_put(data, device)
    return data if given.shape == head.shape else data.reshape(head.shape)


def _or_zeros(gradient: jax.Array | None, like: Handle) -> jax.Array:
    if gradient is not None:
        return gradient
    dtype = like._cell.dtype
    return _kernels.fill(like.shape, dtype.type(0), dtype, like._cell.ctx.jax_device)


def _add(found: Gradients, entry: Entry, gradient: jax.Array) -> None:
    found[entry] = found[entry] + gradient if entry in found else gradient


class _Sweep:
    """The way back from the heads, stage by stage.

    Args:
        nodes: what the heads depend on, inputs before users.
        leaves: what to differentiate for.
        train: the mode of backward.
    """

    def __init__(self, nodes: Sequence[TapeNode], leaves: set[Leaf], train: bool):
        self.train = train
        self.needing = _needing(nodes, leaves)
        self.nodes = [n for n in nodes if n in self.needing]

    def run(
        self,
        heads: Sequence[Handle],
        entries: Sequence[Entry],
        head_grads: Sequence[Handle | None],
        found: Gradients,
    ) -> None:
        """Add the gradients of all leaves to `found`."""
        ones: dict[Entry, Handle] = {}
        for head, entry, given in zip(heads, entries, head_grads, strict=True):
            if given is not None:
                _add(found, entry, _head_gradient(head, given))
            elif isinstance(entry[0], Leaf) or entry in ones or entry[0].call.host:  # pyright: ignore
                _add(found, entry, _ones(head))
            else:
                ones[entry] = head
        for stage in self._stages():
            if stage[0].call.host:
                self._host(stage[0], found)
            else:
                _compiled(stage, self.needing, ones, found, self.train)

    def _stages(self) -> list[list[TapeNode]]:
        """What runs together, from the last to the first: compiled pieces of one device, and host calls one by one."""
        if not self.nodes:
            return []
        first = self.nodes[0].ctx
        if all(n.ctx is first and not n.call.host for n in self.nodes):
            return [self.nodes]
        level: dict[Source, int] = {}
        pieces: dict[tuple[int, int, Any], list[TapeNode]] = {}
        for node in self.nodes:
            at = max((level[s] + s.call.host for s, _ in node.inputs if s in level), default=0)  # pyright: ignore
            level[node] = at
            # In one level host calls come after the compiled piece, so on the way back before it.
            where = (at, 1, node) if node.call.host else (at, 0, node.ctx.jax_device)
            pieces.setdefault(where, []).append(node)
        return [pieces[where] for where in sorted(pieces, key=lambda w: w[:2], reverse=True)]

    def _host(self, node: TapeNode, found: Gradients) -> None:
        heads = [found.get((node, i)) for i in range(len(node.outs))]
        if all(h is None for h in heads):
            return
        gradients = node.call.host_backward(node.extras, node.values, node.outs, heads, self.train)
        for entry, gradient in zip(node.inputs, gradients, strict=True):
            if gradient is not None and entry[0] in self.needing:
                _add(found, entry, gradient)


def _ones(head: Handle) -> jax.Array:
    dtype = head._cell.dtype
    return _kernels.fill(head.shape, dtype.type(1), dtype, head._cell.ctx.jax_device)


def _compiled(
    nodes: Sequence[TapeNode], needing: set[Source], ones: dict[Entry, Handle], found: Gradients, train: bool
) -> None:
    """One compiled piece: takes the gradients of its outputs from `found`, and puts in those of what it reads."""
    index: dict[Source, int] = {node: i for i, node in enumerate(nodes)}
    sinks: dict[Entry, int] = {}
    slots: dict[int, int] = {}
    arrays: list[jax.Array] = []
    steps = []
    for node in nodes:
        numbers = []
        for value in node.values:
            slot = slots.setdefault(id(value), len(arrays))
            if slot == len(arrays):
                arrays.append(value)
            numbers.append(slot)
        wanted = []
        for position, entry in enumerate(node.inputs):
            i = index.get(entry[0])
            if i is not None:
                wanted.append((position, (i, entry[1])))
            elif entry[0] in needing:
                wanted.append((position, (OUTSIDE, sinks.setdefault(entry, len(sinks)))))
        steps.append(Step(node.call, tuple(numbers), tuple(wanted), len(node.outs)))
    seeds = [e for e in found if e[0] in index]
    begun = tuple(((index[s], i), h.shape, h._cell.dtype) for (s, i), h in ones.items() if s in index)
    if not seeds and not begun:
        return
    key = PlanKey(
        tuple(steps),
        tuple((index[s], i) for s, i in seeds),
        begun,
        tuple(e in found for e in sinks),
        train,
        nodes[0].ctx.jax_device,
        frozenset(k for e, k in sinks.items() if _takes_rows(e[0])),
    )
    extras = [node.extras for node in nodes]
    gradients = plan(key).run(arrays, extras, [found[e] for e in seeds], [found[e] for e in sinks if e in found])
    for entry, gradient in zip(sinks, gradients, strict=True):
        if gradient is not None:
            found[entry] = gradient


def _takes_rows(source: Source) -> bool:
    return isinstance(source, Leaf) and source.grad is not None and source.grad.stype == "row_sparse"


# Gradients that can be differentiated.


def _recorded_grad(
    nodes: Sequence[TapeNode],
    wanted: Sequence[Leaf],
    heads: Sequence[Handle],
    entries: Sequence[Entry],
    head_grads: Sequence[Handle | None],
    variables: Sequence[Handle],
    train: bool,
) -> list[Any]:
    """The gradients, computed from the leaves on as one call that is on the tape itself."""
    needing = _needing(nodes, set(wanted))
    index: dict[Source, int] = {}
    slots: dict[tuple[int, Entry], int] = {}
    arrays: list[jax.Array] = []
    origins: list[Entry] = []
    sinks = {leaf: k for k, leaf in enumerate(dict.fromkeys(wanted))}
    steps = []
    for i, node in enumerate(nodes):
        if node.call.host:
            raise MXNetError(
                explain(
                    "it runs Python or moves data between devices, and cannot be differentiated more than once",
                    op=node.call.name,
                    hint="leave create_graph out, or use operators of mx.nd",
                )
            )
        index[node] = i
        inputs: list[int | Port] = []
        for value, entry in zip(node.values, node.inputs, strict=True):
            source, number = entry
            # What was written since it was computed is a constant with the gradient of what it was.
            if isinstance(source, TapeNode) and source.outs[number] is value:
                inputs.append((index[source], number))
                continue
            slot = slots.setdefault((id(value), entry), len(arrays))
            if slot == len(arrays):
                arrays.append(value)
                origins.append(entry)
            inputs.append(slot)
        ports: list[tuple[int, Port]] = []
        for position, (source, number) in enumerate(node.inputs):
            if source in needing:
                ports.append((position, (OUTSIDE, sinks[source]) if source in sinks else (index[source], number)))  # pyright: ignore
        steps.append(Step(node.call, tuple(inputs), tuple(ports), len(node.outs)))
    ones: list[tuple[Port, tuple[int, ...], np.dtype]] = []
    seeds: list[Port] = []
    seed_arrays: list[jax.Array] = []
    for head, (source, number), given in zip(heads, entries, head_grads, strict=True):
        if source not in index and source not in sinks:
            continue
        port = (index[source], number) if source in index else (OUTSIDE, sinks[source])  # pyright: ignore
        if given is None:
            ones.append((port, head.shape, head._cell.dtype))
        else:
            seeds.append(port)
            seed_arrays.append(_head_gradient(head, given))
            origins.append(entry_of(given))
    ctx = variables[0]._cell.ctx
    key = PlanKey(tuple(steps), tuple(seeds), tuple(ones), (False,) * len(sinks), train, ctx.jax_device)
    shown = list(dict(zip(wanted, variables, strict=True)).values())
    call = replay(key, len(arrays), tuple((v.shape, v._cell.dtype) for v in shown))
    extras = tuple(node.extras for node in nodes)
    gradients = call.plan.run(arrays, extras, seed_arrays, [])
    outs = [_or_zeros(g, v) for g, v in zip(gradients, shown, strict=True)]
    node = TapeNode(call, extras, tuple(origins), [*arrays, *seed_arrays], outs, ctx)
    results = []
    for variable, leaf in zip(variables, wanted, strict=True):
        result = type(variable)._wrap(outs[sinks[leaf]], variable._cell.ctx)
        result._entry = node, sinks[leaf]
        results.append(result)
    return results
