# SPDX-License-Identifier: Apache-2.0
"""The optimizer's side of a training step: one optax transformation over all parameters of a module.

An optimizer that is a user's Python code cannot be traced, and no program updates parameters on several devices
(`group2ctx`): then it runs parameter by parameter, after the step. So does one for sparse weights or gradients, whose
lazy updates leave the other rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mxlite_compiler.program import Compiled, ProgramCache

from ..executor import Placement
from ..executor.mesh import local, put
from ..ndarray import NDArray
from ..optimizer import Optimizer, get_updater

if TYPE_CHECKING:
    from ..executor import Executor

Tree = dict[str, jax.Array]

#: Update-only programs, for steps that were looked at before their update.
UPDATES = ProgramCache()


class UpdateRule(Protocol):
    """What a module needs of its optimizer."""

    names: tuple[str, ...]

    @property
    def optimizer(self) -> Optimizer:
        """What counts the updates and knows the rates."""
        ...

    def step(self, executor: Executor) -> None:
        """Update the parameters with the gradients of the latest step."""
        ...

    def dumps(self) -> bytes:
        """The state as MXNet's files hold it."""
        ...

    def loads(self, data: bytes) -> None:
        """Take over a state; MXNetError, and nothing is changed, when the bytes are damaged."""
        ...


def update_rule(optimizer: Optimizer, arguments: Sequence[str], executor: Executor) -> UpdateRule:
    """The rule for all trained `arguments` of `executor`; `optimizer` knows each by its place among them."""
    trained = {n: i for i, n in enumerate(arguments) if executor.grad_req[n] != "null"}
    arrays = [a for n in trained for a in (executor.arg_dict[n], executor.grad_dict[n])]
    dense = all(a.stype == "default" for a in arrays)  # type: ignore[union-attr]
    if optimizer.fused and executor.devices is None and dense:
        return Updates(optimizer, list(trained), list(trained.values()), executor)
    return EagerUpdates(optimizer, trained)


class EagerUpdates:
    """Parameter by parameter, by an optimizer's own `update`."""

    def __init__(self, optimizer: Optimizer, indices: Mapping[str, int]):
        self.names, self.indices = tuple(indices), dict(indices)
        self.updater = get_updater(optimizer)

    @property
    def optimizer(self) -> Optimizer:
        """What counts the updates and knows the rates."""
        return self.updater.optimizer

    def step(self, executor: Executor) -> None:
        """Run what the step still owes, then the optimizer."""
        executor.settle()
        for name, i in self.indices.items():
            if name in executor.arg_dict:  # of a bucket, perhaps not
                self.updater(i, executor.grad_dict[name], executor.arg_dict[name])

    def dumps(self) -> bytes:
        """The state as MXNet's files hold it."""
        return self.updater.get_states()

    def loads(self, data: bytes) -> None:
        """Take over a state."""
        self.updater.set_states(data)


class Updates:
    """Parameters, optimizer state and the rule that steps them, shared by all executors of a module.

    Args:
        optimizer: counts updates, asks the scheduler, and gives the rule as an optax transformation.
        names: the parameters it updates, by name.
        indices: the index under which `optimizer` knows each of them.
        executor: whose parameters.

    Attributes:
        state: the optimizer's state, on the devices of the latest executor that used it.
        placement: these devices where there are several.
    """

    def __init__(self, optimizer: Optimizer, names: Sequence[str], indices: Sequence[int], executor: Executor):
        self.optimizer, self.names, self.indices = optimizer, tuple(names), list(indices)
        self.rule = optimizer.transformation()
        self.device = executor.context.jax_device
        self.placement: Placement | None = None
        weights = {n: executor.arg_dict[n]._cell.peek() for n in self.names}
        state = jax.jit(self.rule.init)(weights)
        # Zeros depend on no weight and so belong to no device yet; the first step would be compiled for that alone.
        self.state: Any = jax.device_put(state, next(iter(weights.values())).sharding) if weights else state

    def state_for(self, executor: Executor) -> Any:
        """The state where the programs of `executor` run; it moves there and stays."""
        placement = executor.layout.placement if executor.layout is not None else None
        if placement != self.placement:
            state = self.local_state()
            self.state = state if placement is None else jax.tree.map(lambda x: put(x, placement.replicated), state)
            self.placement = placement
        return self.state

    def local_state(self) -> Any:
        """The state on the first device; it may share memory with `state`."""
        return self.state if self.placement is None else jax.tree.map(lambda x: local(x, self.device), self.state)

    def names_in(self, executor: Executor) -> tuple[str, ...]:
        """The parameters that `executor` has: of a bucket perhaps not all; the others stay as they are."""
        found = tuple(n for n in self.names if n in executor.arg_dict)
        return self.names if len(found) == len(self.names) else found

    def hyper(self, executor: Executor) -> dict[str, np.ndarray]:
        """This step's learning rates, weight decays and gradient scale: values, never constants of a program."""
        indices = [i for n, i in zip(self.names, self.indices, strict=True) if n in executor.arg_dict]
        found = self.optimizer.hyper(indices)
        if "key" in found and executor.layout is not None:  # of an optimizer that adds noise: the same in all workers
            found["key"] = np.stack([executor.layout.placement.draw_key() for _ in indices])
        return found

    def rule_only(self, names: tuple[str, ...]) -> Callable[[Tree, Any, Tree, Mapping[str, Any]], tuple[Tree, Any]]:
        """The pure function ``(grads, state, params, hyper) -> (params, state)`` for the parameters `names`.

        It is to be traced into a program, and holds on to no array, so that programs that outlive the module keep no
        memory. What the state has of other parameters comes back as it is.
        """
        rule, all_names, spread = self.rule, self.names, self.optimizer.spread

        def apply(grads: Tree, state: Any, params: Tree, hyper: Mapping[str, Any]) -> tuple[Tree, Any]:
            own = state if names == all_names else _part(state, all_names, names)
            updates, new = rule.update({n: grads[n] for n in names}, own, params, **spread(hyper, names))
            if names != all_names:
                new = _joined(state, all_names, new)
            return optax.apply_updates(params, updates), new  # type: ignore[return-value]

        return apply

    def step(self, executor: Executor) -> None:
        """Join the pending step, or update by a launch of its own where the step has been looked at."""
        if not self.names_in(executor):
            executor.settle()
        elif not executor.update_with(self):
            executor.settle()
            self.run(executor)

    def run(self, executor: Executor) -> None:
        """Update by a launch of its own."""
        params, grads = executor.arg_dict, executor.grad_dict
        state, names = self.state_for(executor), self.names_in(executor)
        update = UPDATES.get((self.rule, self.names, names, self.placement), lambda: self._compile(names))
        current = executor.donatable(params, names)
        given = {n: executor.feed(grads[n], n) for n in names}  # type: ignore[arg-type]

        def take(new: Tree, state: Any) -> None:
            self.state = state
            for n, x in new.items():
                params[n]._cell.fill(x, owned=True)

        box: list[Any] = []
        try:
            update.launch(box, current, state, given, self.hyper(executor))
            take(*box[0])
        except BaseException:
            if box:  # what was donated is gone: its successor must not get lost, too
                take(*box[0])
            raise

    def _compile(self, names: tuple[str, ...]) -> Compiled:
        apply = self.rule_only(names)

        def update(params: Tree, state: Any, grads: Tree, hyper: Mapping[str, Any]) -> tuple[Tree, Any]:
            return apply(grads, state, params, hyper)

        return Compiled(update, "update", donate=(0, 1), out=self.placement and self.placement.replicated)

    def states(self) -> dict[int, Any]:
        """MXNet's form of the state: index to None, an NDArray, or a tuple of them; copies."""
        state = jax.tree.map(jnp.copy, self.local_state())
        found = {i: self.optimizer.mx_state(state, n) for i, n in zip(self.indices, self.names, strict=True)}
        return jax.tree.map(NDArray._wrap, found)

    def set_states(self, states: Mapping[int, Any]) -> None:
        """Take over states in MXNet's form, for the indices that are there."""
        old = new = self.local_state()
        for i, n in zip(self.indices, self.names, strict=True):
            if i in states:
                arrays = jax.tree.map(lambda x: x._data, states[i], is_leaf=lambda x: isinstance(x, NDArray))
                new = self.optimizer.with_mx_state(new, n, arrays)
        # The program donates its state, so the arrays must not be anybody else's.
        self.state = jax.tree.map(jnp.copy, jax.device_put(new, jax.tree.map(lambda x: x.sharding, old)))
        self.placement = None

    def dumps(self) -> bytes:
        """The state as MXNet's files hold it."""
        updater = get_updater(self.optimizer)
        updater.states = self.states()
        return updater.get_states()

    def loads(self, data: bytes) -> None:
        """Take over a state that `dumps` or MXNet wrote."""
        updater = get_updater(self.optimizer)
        updater.states = self.states()
        updater.set_states(data)
        self.set_states(updater.states)


def _by_name(names: Sequence[str]) -> Callable[[Any], bool]:
    """Whether a part of a state has something for each of `names`: optax keeps it in the form of the parameters."""
    wanted = set(names)
    return lambda x: isinstance(x, dict) and x.keys() == wanted


def _part(state: Any, all_names: Sequence[str], names: Sequence[str]) -> Any:
    """What `state` has of some of its parameters."""
    held = _by_name(all_names)
    return jax.tree.map(lambda x: {n: x[n] for n in names} if held(x) else x, state, is_leaf=held)


def _joined(state: Any, all_names: Sequence[str], part: Any) -> Any:
    """`state` with what `part` has instead."""
    held = _by_name(all_names)
    return jax.tree.map(lambda x, new: {**x, **new} if held(x) else new, state, part, is_leaf=held)
