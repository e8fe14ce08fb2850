# SPDX-License-Identifier: Apache-2.0
"""Dynamic loss scaling as a part of the compiled update: a step whose gradients are not finite changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..base import MXNetError
from ..ndarray import NDArray
from .base import Optimizer, Transformation
from .forms import State

#: The variable of the graph by which gradients are multiplied, float32 (1,).
LOSS_SCALE = "amp_loss_scale"


class LossScale(NamedTuple):
    """How the scale of the loss moves; the defaults are those of MXNet's `LossScaler`.

    Attributes:
        init: the first scale.
        window: after so many good steps in a row it is doubled; 0 keeps it as it is.
        most, least: never more, and never less than this.
    """

    init: float = 2.0**16
    window: int = 2000
    most: float = 2.0**24
    least: float = 2.0**-24


class Scaled(NamedTuple):
    """The state of `skipping`.

    Attributes:
        inner: the state of the rule.
        scale: the scale for the next step, float32 (1,).
        good: steps since it last changed, int32 (1,).
    """

    inner: Any
    scale: jax.Array
    good: jax.Array


@lru_cache(maxsize=256)
def skipping(rule: Transformation, how: LossScale) -> Transformation:
    """`rule` for parameters among which is the scale of the loss, `LOSS_SCALE`.

    Gradients have been divided by the scale already. When one of them is not finite, no parameter and no state changes,
    and the scale is halved. After `how.window` good steps in a row it is doubled.
    """

    def init(params: Any) -> Scaled:
        inner = rule.init({name: w for name, w in params.items() if name != LOSS_SCALE})
        return Scaled(inner, jnp.copy(params[LOSS_SCALE]), jnp.zeros(1, jnp.int32))

    def update(updates: Any, state: Any, params: Any = None, **scalars: Any) -> tuple[Any, Scaled]:
        grads = {name: g for name, g in updates.items() if name != LOSS_SCALE}
        weights = {name: w for name, w in params.items() if name != LOSS_SCALE}
        finite = reduce(jnp.logical_and, [jnp.all(jnp.isfinite(g)) for g in grads.values()], jnp.array(True))
        steps, inner = rule.update(grads, state.inner, weights, **scalars)
        steps = {name: jnp.where(finite, u, 0) for name, u in dict(steps).items()}  # type: ignore[call-overload]
        inner = jax.tree.map(lambda new, old: jnp.where(finite, new, old), inner, state.inner)
        scale, good = _next(state.scale, state.good, finite, how)
        return {**steps, LOSS_SCALE: scale - params[LOSS_SCALE]}, Scaled(inner, scale, good)

    return optax.GradientTransformationExtraArgs(init, update)


def _next(scale: Any, good: Any, finite: Any, how: LossScale) -> tuple[Any, Any]:
    if not how.window:
        return scale, good
    good = jnp.where(finite, good + 1, 0)
    full = good >= how.window
    larger = jnp.where(full, jnp.minimum(scale * 2, how.most), scale)
    return jnp.where(finite, larger, jnp.maximum(scale / 2, how.least)), jnp.where(full, 0, good)


class Skipping:
    """An optimizer for a module that scales its loss: `optimizer`, by the rule that `skipping` makes of its own.

    What it does not define itself, it takes from `optimizer`; the last of the parameters is `LOSS_SCALE`.

    Args:
        optimizer: the optimizer.
        how: how the scale moves.
        variable: gives the array of the scale in the network, which takes over the scale of states that are read.
    """

    def __init__(self, optimizer: Optimizer, how: LossScale, variable: Callable[[], NDArray]):
        self.optimizer, self.how, self.variable = optimizer, how, variable

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["optimizer"], name)

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> State:
        """MXNetError: an `Updater` updates parameter by parameter, and no one of them knows whether all are finite."""
        raise MXNetError(
            "a loss that is scaled needs an update in the training step's program: give no group2ctxs on several "
            "devices and no sparse weights, or train in bfloat16, whose loss is not scaled"
        )

    def transformation(self) -> Transformation:
        """The update as one transformation."""
        return skipping(self.optimizer.transformation(), self.how)

    def hyper(self, indices: Sequence[Any]) -> Any:
        """Count one update, which nobody knows yet to be good, and give its scalars."""
        return self.optimizer.hyper(indices[:-1])

    def spread(self, hyper: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Keyword arguments of the transformation's update."""
        return self.optimizer.spread(hyper, names[:-1])

    def mx_state(self, opt_state: Scaled, name: str) -> State:
        """The state of `name`: that of the optimizer, or the scale and how long it has been good."""
        if name == LOSS_SCALE:
            return opt_state.scale, opt_state.good
        return self.optimizer.mx_state(opt_state.inner, name)

    def with_mx_state(self, opt_state: Scaled, name: str, state: State) -> Scaled:
        """`opt_state` with `state` for `name`."""
        if name == LOSS_SCALE:
            scale, good = state
            self.variable()[:] = NDArray._wrap(scale)
            return opt_state._replace(scale=jnp.asarray(scale), good=jnp.asarray(good, jnp.int32))
        return opt_state._replace(inner=self.optimizer.with_mx_state(opt_state.inner, name, state))
