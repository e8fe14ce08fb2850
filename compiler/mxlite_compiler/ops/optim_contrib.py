# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates of `mx.nd.contrib`: AdamW, whose decay is decoupled from the gradient, and AdaGrad by rows."""

from __future__ import annotations

import jax.numpy as jnp

from ..op import op
from ._steps import adamw, as_dtype_of, gradient

_ADAMW = ("lr", "wd", "eta")


@op(
    "_adamw_update",
    "*s, *s, *s, *s, 1 -> *s",
    dtypes="t, t, t, t, float32 -> t",
    mutates=("mean", "var"),
    dynamic=_ADAMW,
)
def adamw_update(
    weight,
    grad,
    mean,
    var,
    rescale_grad,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    eta: float,
    clip_gradient: float = -1.0,
):
    """Adam with decoupled decay, Loshchilov and Hutter 2017.

    ``weight - eta * (lr * mean / (sqrt(var) + epsilon) + wd * weight)``; the rescaled gradient is clipped. When
    `rescale_grad` is 0, infinite or nan, as loss scaling makes it after an overflow, nothing changes.

    Args:
        weight: array of any shape.
        grad: array like `weight`.
        mean: array like `weight`, written.
        var: array like `weight`, written.
        rescale_grad: (1,), float32.
    """
    weight, *states = adamw(
        weight, grad, mean, var, rescale_grad, lr, eta, beta1, beta2, epsilon, wd, clip_gradient
    )  # fmt: skip
    return weight, states


@op(
    "_mp_adamw_update",
    "*s, *s, *s, *s, *s, 1 -> *s",
    dtypes="t, t, float32, float32, float32, float32 -> t",
    mutates=("mean", "var", "weight32"),
    dynamic=_ADAMW,
)
def mp_adamw_update(
    weight,
    grad,
    mean,
    var,
    weight32,
    rescale_grad,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    eta: float,
    clip_gradient: float = -1.0,
):
    """`adamw_update` of a 16-bit weight by way of its float32 copy."""
    g = grad.astype(weight32.dtype)
    new, mean, var = adamw(
        weight32, g, mean, var, rescale_grad, lr, eta, beta1, beta2, epsilon, wd, clip_gradient
    )  # fmt: skip
    return new.astype(weight.dtype), (mean, var, new)


@op("_contrib_group_adagrad_update", "n *s, n *s, n 1 -> n *s", mutates=("history",), dynamic=("lr", "rescale_grad"))
def group_adagrad_update(
    weight,
    grad,
    history,
    *,
    lr: float,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    epsilon: float = 1e-5,
):
    """AdaGrad with one rate a row: `history` (n, 1) sums the mean square of each row of the gradient.

    A row whose gradient is 0 stays as it is.
    """
    g = gradient(grad, rescale_grad, clip_gradient)
    history = history + jnp.mean(jnp.square(g).reshape(g.shape[0], -1), 1, keepdims=True)
    rows = history.reshape(-1, *[1] * (g.ndim - 1))
    return weight - as_dtype_of(lr, weight) * g / jnp.sqrt(rows + epsilon), (history,)
