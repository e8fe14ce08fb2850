# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of optimizer updates: one step on one weight, as functions of arrays."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array


def gradient(grad: Array, rescale_grad, clip: float) -> Array:
    """The gradient rescaled, then clipped to [-clip, clip] unless `clip` is negative."""
    g = grad * as_dtype_of(rescale_grad, grad)
    return jnp.clip(g, -clip, clip) if clip >= 0 else g


def as_dtype_of(scalar, like: Array) -> Array:
    """A parameter, which may be traced, in the dtype of the arrays that it meets."""
    return jnp.asarray(scalar, like.dtype)


def sgd(weight: Array, grad: Array, lr, wd, rescale_grad, clip: float) -> Array:
    """The new weight of gradient descent."""
    lr, wd = as_dtype_of(lr, weight), as_dtype_of(wd, weight)
    return (1 - lr * wd) * weight - lr * gradient(grad, rescale_grad, clip)


def sgd_mom(weight: Array, grad: Array, mom: Array, lr, momentum: float, wd, rescale_grad, clip: float):
    """The new weight and momentum of gradient descent with momentum."""
    lr, wd = as_dtype_of(lr, weight), as_dtype_of(wd, weight)
    mom = momentum * mom - lr * wd * weight - lr * gradient(grad, rescale_grad, clip)
    return weight + mom, mom


def nag_mom(weight: Array, grad: Array, mom: Array, lr, momentum: float, wd, rescale_grad, clip: float):
    """The new weight and momentum of Nesterov's accelerated gradient."""
    lr, wd = as_dtype_of(lr, weight), as_dtype_of(wd, weight)
    step = lr * (gradient(grad, rescale_grad, clip) + wd * weight)
    mom = momentum * mom - step
    return weight + momentum * mom - step, mom


def moments(g: Array, mean: Array, var: Array, beta1: float, beta2: float) -> tuple[Array, Array]:
    """Running averages of the gradient and of its square."""
    return beta1 * mean + (1 - beta1) * g, beta2 * var + (1 - beta2) * jnp.square(g)


def lamb_direction(weight, grad, mean, var, beta1, beta2, epsilon, t, bias_correction, wd, rescale_grad, clip):
    """The direction of a LAMB step, and the new moments."""
    mean, var = moments(gradient(grad, rescale_grad, clip), mean, var, beta1, beta2)
    m, v = mean, var
    if bias_correction:
        m, v = mean / as_dtype_of(1 - beta1**t, mean), var / as_dtype_of(1 - beta2**t, var)
    return m / (jnp.sqrt(v) + epsilon) + as_dtype_of(wd, weight) * weight, mean, var


def lamb_step(weight: Array, g: Array, r1: Array, r2: Array, lr, lower_bound: float, upper_bound: float) -> Array:
    """The new weight of LAMB, from the norms of the weight (`r1`) and of its direction (`r2`)."""
    if lower_bound >= 0:
        r1 = jnp.maximum(r1, lower_bound)
    if upper_bound >= 0:
        r1 = jnp.minimum(r1, upper_bound)
    ratio = jnp.where((r1 == 0) | (r2 == 0), 1, r1 / jnp.where(r2 == 0, 1, r2))
    return weight - as_dtype_of(lr, weight) * ratio * g


def adamw(weight, grad, mean, var, scale, lr, eta, beta1, beta2, epsilon, wd, clip: float):
    """The new weight and moments of Adam with decoupled decay; the old ones when `scale` is 0 or not finite."""
    new_mean, new_var = moments(gradient(grad, scale, clip), mean, var, beta1, beta2)
    step = as_dtype_of(lr, weight) * new_mean / (jnp.sqrt(new_var) + epsilon) + as_dtype_of(wd, weight) * weight
    new = (weight - as_dtype_of(eta, weight) * step, new_mean, new_var)
    usable = jnp.isfinite(scale) & (scale != 0)
    return tuple(jnp.where(usable, b, a) for a, b in zip((weight, mean, var), new, strict=True))
