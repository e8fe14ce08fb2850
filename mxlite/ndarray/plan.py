# SPDX-License-Identifier: Apache-2.0
"""Reverse accumulation over a piece of the tape, as one compiled program.

A plan is the structure alone: which calls, how they are wired, what is wanted. Two recordings of the same computation
make equal keys, so a training loop compiles its backward once. Arrays, scalars, positions, random keys are arguments.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mxlite_compiler.program import Compiled, ProgramCache

from ..context import Device
from .rows import whole
from .tape import Arrays, Call

#: An output of a step: (step, output number). With step -1 what lies outside of the plan: (-1, sink number).
Port = tuple[int, int]
OUTSIDE = -1


class Step(NamedTuple):
    """One call of a plan.

    Attributes:
        call: what it computes.
        inputs: per input the number of an array that is given, or the port it is computed at (in a replay).
        wanted: the inputs whose gradient is needed, and the ports that it belongs to.
        outputs: how many outputs it has.
    """

    call: Call
    inputs: tuple[int | Port, ...]
    wanted: tuple[tuple[int, Port], ...]
    outputs: int


class PlanKey(NamedTuple):
    """The structure of a plan.

    Attributes:
        steps: the calls, inputs before users.
        seeds: the ports that gradients are given for.
        ones: the ports whose gradient begins with ones, with shape and dtype: heads without a head gradient.
        started: per sink whether some gradient is given already, to be added to.
        train: the mode of backward.
        device: where it runs.
        sparse: the sinks that take a `RowGradient` as it is; for the others it is made dense.
    """

    steps: tuple[Step, ...]
    seeds: tuple[Port, ...]
    ones: tuple[tuple[Port, tuple[int, ...], np.dtype], ...]
    started: tuple[bool, ...]
    train: bool
    device: Device
    sparse: frozenset[int] = frozenset()


class Plan:
    """The compiled form of a `PlanKey`.

    Call it with the arrays, the extras of all steps, the gradients of `seeds`, and those of the sinks in `started`.
    Returns the gradient of every sink, None for zero.
    """

    def __init__(self, key: PlanKey):
        self.key = key
        self.run = Compiled(self.gradients, "autograd_backward", device=key.device)

    def gradients(self, arrays: Arrays, extras: Sequence[Any], seeds: Arrays, started: Arrays) -> list[Any]:
        """The traceable form of the call."""
        key = self.key
        found: dict[Port, Any] = {}

        def accumulate(port: Port, gradient: Any) -> None:
            if gradient is not None:
                found[port] = found[port] + gradient if port in found else gradient

        given = iter(started)
        for k, is_started in enumerate(key.started):
            if is_started:
                found[OUTSIDE, k] = next(given)
        for port, shape, dtype in key.ones:
            accumulate(port, jnp.ones(shape, dtype))
        for port, seed in zip(key.seeds, seeds, strict=True):
            accumulate(port, seed)
        values = self._values(arrays, extras)
        for i in range(len(key.steps) - 1, -1, -1):
            step = key.steps[i]
            heads = [whole(found.get((i, j))) for j in range(step.outputs)]
            if not step.wanted or all(h is None for h in heads):
                continue
            pull = _pull(step.call, tuple(position for position, _ in step.wanted), key.train)
            with jax.named_scope(f"backward_{step.call.name}"):
                gradients = pull(extras[i], values[i], heads)
            for (_, port), gradient in zip(step.wanted, gradients, strict=True):
                accumulate(port, gradient)
        sinks = [found.get((OUTSIDE, k)) for k in range(len(key.started))]
        return [g if k in key.sparse else whole(g) for k, g in enumerate(sinks)]

    def _values(self, arrays: Arrays, extras: Sequence[Any]) -> list[list[jax.Array]]:
        """The inputs of every step."""
        steps = self.key.steps
        needed = {port[0] for step in steps for port in step.inputs if isinstance(port, tuple)}
        outs: dict[int, Any] = {}
        values = []
        for i, step in enumerate(steps):
            values.append([arrays[x] if isinstance(x, int) else outs[x[0]][x[1]] for x in step.inputs])
            if i in needed:
                outs[i] = _apply(step.call, self.key.train)(extras[i], values[i])
        return values


# Behind jit's cache of traces: a loop that was unrolled, or a layer that is there many times, is traced once. XLA sees
# through it.


@functools.lru_cache(maxsize=2048)
def _pull(call: Call, wanted: tuple[int, ...], train: bool) -> Callable[..., Any]:
    return jax.jit(lambda extras, inputs, heads: call.pull(extras, inputs, wanted, heads, train))


@functools.lru_cache(maxsize=2048)
def _apply(call: Call, train: bool) -> Callable[..., Any]:
    return jax.jit(lambda extras, inputs: call.apply(extras, inputs, train))


class Replay(Call):
    """The gradient computation as a call of its own, so that it can be differentiated again, to any order.

    Its inputs are the given arrays of the plan, then the head gradients; its outputs the gradients of the sinks.
    """

    __slots__ = ("arrays", "plan", "shapes")
    name = "gradient"

    def __init__(self, plan: Plan, arrays: int, shapes: tuple[tuple[tuple[int, ...], np.dtype], ...]):
        self.plan, self.arrays, self.shapes = plan, arrays, shapes

    def apply(self, extras: Any, inputs: Arrays, train: bool) -> tuple[jax.Array, ...]:
        sinks = self.plan.gradients(inputs[: self.arrays], extras, inputs[self.arrays :], ())
        return tuple(
            jnp.zeros(shape, dtype) if g is None else g for g, (shape, dtype) in zip(sinks, self.shapes, strict=True)
        )


_plans = ProgramCache(512)


def plan(key: PlanKey) -> Plan:
    """The plan of this structure; made once, as long as it is used."""
    return _plans.get(key, lambda: Plan(key))


def replay(key: PlanKey, arrays: int, shapes: tuple[tuple[tuple[int, ...], np.dtype], ...]) -> Replay:
    """The call of this structure with so many given arrays, and sinks of these shapes and dtypes."""
    return _plans.get((key, arrays, shapes), lambda: Replay(plan(key), arrays, shapes))
