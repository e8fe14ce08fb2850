# SPDX-License-Identifier: Apache-2.0
"""The optimizer that a module is told to use."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .. import optimizer as optimizers
from ..optimizer.from_optax import is_rule
from ..symbol import Symbol


def as_optimizer(
    given: Any, params: Any, symbol: Symbol, names: Sequence[str], batch_size: int
) -> optimizers.Optimizer:
    """The optimizer that `given` names or is; it knows the parameters by their place in `names`.

    Args:
        given: a name, an Optimizer or an optax rule.
        params: keywords for one by name or an `Optax`, as a dict or pairs; `rescale_grad` is 1 / `batch_size` by
            default.
        symbol: the network, whose variables may have multipliers of their own.
        names: all parameters of the module.
        batch_size: how many samples the gradients are summed over.

    Raises:
        TypeError: `given` is none of them, or a keyword is unknown.
        ValueError: no such optimizer, or an illegal parameter.
    """
    rescale = 1.0 / batch_size
    if isinstance(given, str):
        chosen = {"rescale_grad": rescale, **dict(params)}
        return optimizers.create(given, sym=symbol, param_idx2name=dict(enumerate(names)), **chosen)
    if is_rule(given):
        # The default of `fit` and `init_optimizer` is not meant for a rule that has a rate of its own.
        chosen = {} if params == (("learning_rate", 0.01),) else dict(params)
        chosen = {"rescale_grad": rescale, **chosen}
        return optimizers.Optax(given, sym=symbol, param_idx2name=dict(enumerate(names)), **chosen)
    if not isinstance(given, optimizers.Optimizer):
        raise TypeError(
            "optimizer must be a name, an mx.optimizer.Optimizer or an optax.GradientTransformation, "
            f"got {type(given).__name__}"
        )
    if given.rescale_grad != rescale:
        warnings.warn(
            f"Optimizer created manually outside Module but rescale_grad is not normalized to 1.0/batch_size "
            f"({given.rescale_grad} vs. {rescale}). Is this intended?",
            stacklevel=3,
        )
    if not given.idx2name:
        given.idx2name = dict(enumerate(names))
    return given
