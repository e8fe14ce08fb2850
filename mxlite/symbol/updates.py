# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates of `mx.sym.contrib` that take the gradient's scale as a number or as a symbol."""

from __future__ import annotations

from typing import Any

from . import _internal
from .symbol import Symbol
from .variable import full


def adamw_update(
    weight: Symbol,
    grad: Symbol,
    mean: Symbol,
    var: Symbol,
    rescale_grad: Symbol | float,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """A symbol of `mx.nd.contrib.adamw_update`, with the same arguments."""
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd, **kwargs}
    scale = _scale(rescale_grad)
    return _internal._adamw_update(weight, grad, mean, var, scale, clip_gradient=clip_gradient, name=name, **attrs)


def mp_adamw_update(
    weight: Symbol,
    grad: Symbol,
    mean: Symbol,
    var: Symbol,
    weight32: Symbol,
    rescale_grad: Symbol | float,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """A symbol of `mx.nd.contrib.mp_adamw_update`, with the same arguments."""
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd, **kwargs}
    arrays = (weight, grad, mean, var, weight32, _scale(rescale_grad))
    return _internal._mp_adamw_update(*arrays, clip_gradient=clip_gradient, name=name, **attrs)


def _scale(rescale_grad: Symbol | float) -> Symbol:
    return rescale_grad if isinstance(rescale_grad, Symbol) else full((1,), rescale_grad)
