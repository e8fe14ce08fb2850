# SPDX-License-Identifier: Apache-2.0
"""`Updater`: an optimizer with the states of many parameters, as a function ``(index, gradient, weight)``."""

from __future__ import annotations

from typing import Any

from ..context import Context
from .base import Optimizer
from .states import dumps, loads


class Updater:
    """Applies an optimizer and keeps the states.

    Args:
        optimizer: The optimizer.

    Attributes:
        states: ``{index: state}`` in MXNet's form.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.states: dict[Any, Any] = {}
        self.states_synced: dict[Any, bool] = {}
        self.aggregate_updates = optimizer.aggregate_num > 0

    def __call__(self, index: Any, grad: Any, weight: Any) -> None:
        """Update `weight` in place; lists update many weights, for built-in optimizers in one program.

        Raises:
            ValueError: Lists of different lengths, or a gradient that does not fit its weight.
        """
        many = isinstance(index, list | tuple)
        indices, grads, weights = (index, grad, weight) if many else ([index], [grad], [weight])
        if not len(indices) == len(grads) == len(weights):
            raise ValueError(f"{len(indices)} indices, {len(grads)} gradients and {len(weights)} weights")
        if not indices:
            return
        optimizer = self.optimizer
        optimizer._set_current_context(weights[0].context.device_id)
        for i, w in zip(indices, weights, strict=True):
            if i not in self.states:
                self.states[i] = optimizer.create_state_multi_precision(i, w)
                self.states_synced[i] = True
            elif not self.states_synced[i]:
                self.states[i] = self.sync_state_context(self.states[i], w.context)
                self.states_synced[i] = True
        states = [self.states[i] for i in indices]
        if many and optimizer.fused:
            optimizer.update_multi_precision(list(indices), list(weights), list(grads), states)
            return
        for i, w, g, state in zip(indices, weights, grads, states, strict=True):
            optimizer.update_multi_precision(i, w, g, state)

    def sync_state_context(self, state: Any, context: Context) -> Any:
        """`state` with its arrays on `context`."""
        if isinstance(state, tuple | list):
            return type(state)(self.sync_state_context(part, context) for part in state)
        return state.as_in_context(context) if hasattr(state, "as_in_context") else state

    def set_states(self, states: bytes) -> None:
        """Take over what `get_states` gave, here or in MXNet; it may replace the optimizer, too.

        Raises:
            MXNetError: The bytes are damaged, or refer to classes that no state needs. It is a
                `pickle.UnpicklingError`, too. The updater keeps its old states then.
        """
        found, optimizer = loads(states)
        if optimizer is not None:
            self.optimizer = optimizer
            self.aggregate_updates = optimizer.aggregate_num > 0
        self.states = found
        self.states_synced = dict.fromkeys(found, False)

    def get_states(self, dump_optimizer: bool = False) -> bytes:
        """All states as bytes that MXNet reads.

        Args:
            dump_optimizer: Save the optimizer with its counts, too; without it, Adam's bias correction starts over
                after a reload.
        """
        return dumps((self.states, self.optimizer) if dump_optimizer else self.states)


def get_updater(optimizer: Optimizer) -> Updater:
    """An `Updater` for `optimizer`."""
    return Updater(optimizer)
