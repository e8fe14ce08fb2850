# SPDX-License-Identifier: Apache-2.0
"""Any `optax.GradientTransformation` as the optimizer of a Module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import DictKey

from ..base import MXNetError
from ..ndarray import NDArray
from .base import Optimizer, Transformation
from .forms import State
from .transforms import master_weights

#: What an extra argument of a rule may be: arrays, or nested dicts and tuples of them.
Extra = Mapping[str, Any]


class Optax(Optimizer):
    """Runs an optax rule; `Module.init_optimizer` makes one of any `optax.GradientTransformation` it is given.

    The rule sees ``{name: gradient}`` and ``{name: weight}`` of all trained parameters at once, as a part of the
    training step's program. Its learning rate, schedules and decays are its own; those of `Optimizer` do not apply,
    but ``__lr_mult__`` and `set_lr_mult` multiply the steps it gives.

    Args:
        rule: the transformation, or something that makes one (`optax.MultiSteps`).
        extra_args: keyword arguments for ``rule.update``, such as the `value` that `optax.contrib.reduce_on_plateau`
            wants: a mapping, or a function that gives one before each update. Values are arrays or numbers; other
            numbers cause no compilation.
        **kwargs: `rescale_grad`, `multi_precision`, `param_idx2name`, `sym`, `begin_num_update` and `param_dict` as
            for `Optimizer`.

    Raises:
        TypeError: `rule` is no transformation, or a keyword belongs into the rule (`learning_rate`, `wd`).
    """

    def __init__(self, rule: Any, extra_args: Extra | Callable[[], Extra] | None = None, **kwargs: Any) -> None:
        if not is_rule(rule):
            raise TypeError(f"rule must be an optax.GradientTransformation, got {type(rule).__name__}")
        foreign = sorted({"learning_rate", "lr_scheduler", "wd", "clip_gradient"} & kwargs.keys())
        if foreign:
            raise TypeError(
                f"{', '.join(foreign)} cannot be given beside an optax rule, which has its own: "
                "say optax.adamw(learning_rate, weight_decay=...), or chain optax.clip before it"
            )
        super().__init__(**kwargs)
        self.rule: Any = getattr(rule, "gradient_transformation", lambda: rule)()
        self.extra_args = extra_args

    @property
    def learning_rate(self) -> float:
        """Known to the rule only: UserWarning, as MXNet raises where a scheduler owns the rate."""
        raise UserWarning("the optax rule owns its learning rate")

    def set_learning_rate(self, lr: float) -> None:
        """The rule owns its rate: UserWarning."""
        raise UserWarning(
            "the optax rule owns its learning rate; give it a schedule, as in optax.sgd(optax.linear_...)"
        )

    @property
    def fused(self) -> bool:
        """A rule that sees all parameters at once runs in the step's program, and nowhere else."""
        return True

    def transformation(self) -> Transformation:
        """The rule on rescaled gradients; its extra arguments and the multipliers come as keyword arguments."""
        return _wrapped(self.rule, bool(self.multi_precision))

    def hyper(self, indices: Sequence[Any]) -> dict[str, Any]:
        """Count one update and give its scalars and extra arguments."""
        self._update_count(list(indices))
        given = self.extra_args() if callable(self.extra_args) else self.extra_args or {}
        if not isinstance(given, Mapping):
            raise TypeError(f"extra_args must give a mapping of keyword arguments, got {type(given).__name__}")
        return {
            "rescale_grad": np.float32(self.rescale_grad),
            "lr_mult": np.array(self._factors(indices, "lr_mult"), np.float32),
            "extra": jax.tree.map(_array, dict(given), is_leaf=lambda x: isinstance(x, NDArray)),
        }

    @staticmethod
    def spread(hyper: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Keyword arguments of the transformation's update."""
        return {**hyper, "lr_mult": {name: hyper["lr_mult"][i] for i, name in enumerate(names)}}

    # The state as files hold it: for each parameter the leaves that belong to it, and those that belong to none
    # (counts, keys), in the order of the tree. Without names, in arrays that every version of the file form knows.

    def mx_state(self, opt_state: Any, name: str) -> State:
        """The leaves of parameter `name` and the shared ones; None where the rule has no state."""
        return tuple(_stored(x) for _, x in self._leaves(opt_state, name)) or None

    def with_mx_state(self, opt_state: Any, name: str, state: State) -> Any:
        """`opt_state` with what `mx_state` gave for `name`. ValueError: it is the state of another rule."""
        given = list(state) if isinstance(state, tuple | list) else [] if state is None else [state]
        mine = self._leaves(opt_state, name)
        if len(given) != len(mine):
            raise ValueError(
                f"the optax rule keeps {len(mine)} arrays for {name!r}, the state has {len(given)}: "
                "it was saved by another optimizer"
            )
        new = {path: _restored(old, x, name) for (path, old), x in zip(mine, given, strict=True)}
        return jax.tree_util.tree_map_with_path(lambda path, x: new.get(path, x), opt_state)

    def _leaves(self, opt_state: Any, name: str) -> list[tuple[Any, Any]]:
        """Paths and leaves of what belongs to `name`, or to no parameter: the innermost name on a path decides."""
        known = set(self.idx2name.values())

        def owner(path: Any) -> str | None:
            return next((key.key for key in reversed(path) if isinstance(key, DictKey) and key.key in known), None)

        return [(path, x) for path, x in jax.tree_util.tree_leaves_with_path(opt_state) if owner(path) in (None, name)]

    def create_state(self, index: Any, weight: NDArray) -> State:
        """MXNetError: an `Updater` shows a rule one parameter at a time."""
        raise MXNetError(
            "an optax rule sees all parameters at once; it runs in a Module on dense arrays, not through an Updater, "
            "with group2ctxs, or on sparse weights. Use an mx.optimizer for those"
        )

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """MXNetError, as `create_state`."""
        self.create_state(index, weight)


def is_rule(given: Any) -> bool:
    """Whether `given` is an optax transformation, or makes one."""
    return isinstance(given, optax.GradientTransformation) or hasattr(given, "gradient_transformation")


@lru_cache(maxsize=256)
def _wrapped(given: Any, master: bool) -> Transformation:
    rule = optax.with_extra_args_support(given)

    def init(params: Any) -> Any:
        # Copied: a weight that is handed on as state would be donated twice.
        return jax.tree.map(jnp.copy, rule.init(params))

    def update(updates: Any, state: Any, params: Any = None, **keywords: Any) -> tuple[Any, Any]:
        rescale, factors = keywords["rescale_grad"], keywords["lr_mult"]
        scaled = {name: g * rescale.astype(g.dtype) for name, g in updates.items()}
        try:
            steps, state = rule.update(scaled, state, params, **keywords["extra"])
        except TypeError as e:
            if "keyword" not in str(e):
                raise
            raise TypeError(
                f"{e}: the optax rule wants extra arguments; give them by "
                "optimizer=mx.optimizer.Optax(rule, extra_args=...)"
            ) from e
        return {name: u * factors[name].astype(u.dtype) for name, u in dict(steps).items()}, state  # type: ignore[call-overload]

    made = optax.GradientTransformationExtraArgs(init, update)
    return master_weights(made) if master else made


def _array(x: Any) -> Any:
    if isinstance(x, NDArray):
        return x._data
    return np.float32(x) if isinstance(x, float) else x if isinstance(x, jax.Array) else np.asarray(x)


def _is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _stored(x: Any) -> Any:
    """A leaf as an array that MXNet's files can hold: no scalar, no random key, no unsigned words."""
    x = jax.random.key_data(x) if _is_key(x) else jnp.asarray(x)
    x = jax.lax.bitcast_convert_type(x, jnp.int32) if x.dtype == jnp.uint32 else x
    return x.reshape(x.shape or (1,))


def _restored(old: Any, x: Any, name: str) -> Any:
    """`x`, which `_stored` made of a leaf like `old`, as such a leaf."""
    like = _stored(old)
    if tuple(x.shape) != like.shape:
        raise ValueError(f"the optax rule keeps an array {like.shape} for {name!r}, the state has one {tuple(x.shape)}")
    x = jnp.asarray(x, like.dtype)
    if _is_key(old):
        data = jax.random.key_data(old)
        words = jax.lax.bitcast_convert_type(x, data.dtype).reshape(data.shape)
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(old))
    x = jax.lax.bitcast_convert_type(x, jnp.uint32) if old.dtype == jnp.uint32 else x
    return x.reshape(old.shape)
