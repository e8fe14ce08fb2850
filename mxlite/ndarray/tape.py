# SPDX-License-Identifier: Apache-2.0
"""The tape: what eager calls leave behind while they are recorded.

Every array that a recorded call returns points at the node of that call, the node at its inputs. So the tape is a graph
that lives as long as somebody holds its outputs; `backward` frees it earlier. A node keeps the values its inputs had:
JAX's arrays never change, so that costs nothing, and a later write to an input cannot make a gradient wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..base import MXNetError
from ..context import Context
from .handle import Handle

Arrays = Sequence[jax.Array]
#: The gradients of some arrays, None for zero.
Cotangents = Sequence[Any]

_variable_numbers = itertools.count()
_node_numbers = itertools.count()


class Call:
    """What a node of the tape computes: a pure function, equal to itself only, so that programs are cached on it.

    Attributes:
        name: the operator, for messages.
        host: its gradient runs Python outside compiled programs, through `host_backward`.
        steps: how many operators it is to `get_symbol`, each of which takes a number.
    """

    __slots__ = ()

    name: str = ""
    host: bool = False
    steps: int = 1

    def apply(self, extras: Any, inputs: Arrays, train: bool) -> tuple[jax.Array, ...]:
        """The outputs. Traceable.

        Args:
            extras: what the call was given beside its inputs: a random key, scalars, positions.
            inputs: the input arrays.
            train: False asks operators with moving statistics for the form of inference.
        """
        raise MXNetError(f"{self.name} cannot be differentiated more than once")

    def pull(self, extras: Any, inputs: Arrays, wanted: Sequence[int], heads: Cotangents, train: bool) -> Cotangents:
        """The gradients of the inputs at the positions `wanted`, from those of the outputs. Traceable."""
        floats = [i for i in wanted if jnp.issubdtype(inputs[i].dtype, jnp.inexact)]
        if not floats:
            return self._pull_integers(extras, inputs, wanted, heads, train)

        def of(*xs: jax.Array) -> tuple[jax.Array, ...]:
            given = dict(zip(floats, xs, strict=True))
            return self.apply(extras, [given.get(i, x) for i, x in enumerate(inputs)], train)

        outs, vjp = jax.vjp(of, *[inputs[i] for i in floats])
        grads = dict(zip(floats, vjp(tuple(map(_tangent, heads, outs))), strict=True))
        return [grads.get(i) for i in wanted]

    def _pull_integers(
        self, extras: Any, inputs: Arrays, wanted: Sequence[int], heads: Cotangents, train: bool
    ) -> Cotangents:
        """MXNet differentiates integer arithmetic as if the numbers were real, and cuts the result."""
        wide = jnp.result_type(float)
        dtype = inputs[wanted[0]].dtype
        none = [None] * len(wanted)
        if any(x.dtype != dtype for x in inputs) or any(h is not None and h.dtype != dtype for h in heads):
            return none
        real = [x.astype(wide) for x in inputs]
        try:
            grads = self.pull(extras, real, wanted, [None if h is None else h.astype(wide) for h in heads], train)
        except (MXNetError, TypeError, ValueError):  # an operator for integers only has no gradient
            return none
        # By way of 64 bits, so that what is too large wraps as in C.
        whole = jnp.result_type(int)
        return [None if g is None else g.astype(whole).astype(dtype) for g in grads]

    def host_backward(
        self, extras: Any, inputs: Arrays, outs: Arrays, heads: Cotangents, train: bool
    ) -> Sequence[jax.Array | None]:
        """The gradients of all inputs, for a call with `host`. Runs outside programs, `train` being backward's mode."""
        raise MXNetError(f"{self.name} has no gradient")

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        """The call as operators with parameters, each applied to the output of the one before, for `get_symbol`."""
        raise MXNetError(f"the result of {self.name} cannot be written as a symbol")


def _tangent(head: Any, out: jax.Array) -> Any:
    """`head` as JAX wants it for `out`: zeros for None, float0 for integers."""
    if not jnp.issubdtype(out.dtype, jnp.inexact):
        return np.zeros(out.shape, jax.dtypes.float0)
    return jnp.zeros_like(out) if head is None else head


class Source:
    """Where an array on the tape comes from: a `Leaf`, or a `TapeNode`.

    Attributes:
        active: gradients may be asked for what is computed from it.
        freed: it is on the tape no more.
    """

    __slots__ = ("active", "freed")

    active: bool
    freed: bool


#: Output number so-and-so of a source.
Entry = tuple[Source, int]


class Leaf(Source):
    """A marked variable; or a constant that a recorded call has read, which is a leaf without a gradient.

    Attributes:
        grad: the array that takes the gradient; None for a constant.
        req: "write", "add" or "null"; None for a constant.
        fresh: backward has written `grad`, and nobody has said since that it is used.
        name: what `get_symbol` calls it.
    """

    __slots__ = ("fresh", "grad", "name", "req")

    def __init__(self, grad: Handle | None, req: str | None):
        self.grad, self.req = grad, req
        self.active, self.freed, self.fresh = req is not None, False, False
        self.name = f"{'null' if req is None else 'var'}{next(_variable_numbers)}"


class TapeNode(Source):
    """One recorded call.

    Attributes:
        call: what was computed.
        extras: its arguments beside the inputs.
        inputs: where the inputs come from.
        values: what they were.
        outs: what came out.
        ctx: where.
        number: the first of the numbers that `get_symbol` names it by.
    """

    __slots__ = ("call", "ctx", "extras", "inputs", "number", "outs", "values")

    def __init__(self, call: Call, extras: Any, inputs: tuple[Entry, ...], values: Arrays, outs: Arrays, ctx: Context):
        self.call, self.extras, self.inputs, self.values, self.outs = call, extras, inputs, values, outs
        self.ctx, self.active, self.freed = ctx, True, False
        self.number = next(_node_numbers)
        for _ in range(call.steps - 1):
            next(_node_numbers)

    def free(self) -> None:
        """Forget what the gradient needs."""
        self.inputs, self.values, self.outs, self.extras = (), (), (), None
        self.active, self.freed = False, True


def is_active(array: Handle) -> bool:
    """Whether a recorded call of this array has to go on the tape."""
    entry = array._entry
    return entry is not None and entry[0].active


def entry_of(array: Handle) -> Entry:
    """Where `array` comes from; it becomes a constant of the tape when it comes from nowhere."""
    entry = array._entry
    if entry is None or entry[0].freed:
        entry = array._entry = Leaf(None, None), 0
    return entry


def record(
    call: Call, extras: Any, arrays: Sequence[Handle], values: Arrays, outs: Arrays, results: Sequence[Handle]
) -> None:
    """Put a call on the tape, if one of its inputs is there.

    Args:
        call: what was computed.
        extras: its arguments beside the inputs.
        arrays: the inputs; further `values` behind theirs are constants that no array holds.
        values: the contents of the inputs when the call was made.
        outs: the contents of its outputs, hidden ones included.
        results: the arrays that show the outputs.
    """
    if not any(map(is_active, arrays)):
        return
    inputs = [entry_of(a) for a in arrays]
    inputs += [(Leaf(None, None), 0) for _ in range(len(values) - len(arrays))]
    node = TapeNode(call, extras, tuple(inputs), values, outs, arrays[0]._cell.ctx)
    for i, result in enumerate(results):
        result._entry = node, i


_IN_PLACE = (
    "an array that takes part in the recorded computation cannot be written inside autograd.record(): gradients would "
    "no longer be those of what was computed. Write it before or after the record scope, call backward first, or use "
    "an operation that makes a new array (y = y + 1 instead of y += 1)"
)


def refuse_write(target: Handle) -> None:
    """Raise MXNetError when a recorded computation has used or made `target`."""
    entry = target._entry
    if entry is not None and not entry[0].freed:
        raise MXNetError(_IN_PLACE)


def check_targets(targets: Sequence[Any], arrays: Sequence[Handle]) -> None:
    """Raise MXNetError when a call that is recorded cannot write its results into `targets`."""
    for target in targets:
        if isinstance(target, Handle):
            refuse_write(target)
            if any(a is target for a in arrays) and any(map(is_active, arrays)):
                raise MXNetError(_IN_PLACE)


def refuse_partial() -> None:
    """Raise MXNetError: a recorded value is to be written into a part of an array."""
    raise MXNetError(
        "a recorded array cannot be written into a part of another inside autograd.record(): the gradient would get "
        "lost. Build the whole with concat or stack, or write all of it with y[:] = x"
    )
