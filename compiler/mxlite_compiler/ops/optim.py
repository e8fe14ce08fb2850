# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates as operators: one step on one weight. States are written in place; the result is the new weight.

`mx.optimizer` does not call them, its updates are parts of the compiled training step; they serve scripts that write
their own loops. Numbers that a schedule changes (``lr``, ``wd``, ``rescale_grad``) are traced.
"""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp

from ..op import op

Array: TypeAlias = jax.Array

_SCHEDULED = ("lr", "wd", "rescale_grad")


def _gradient(grad: Array, rescale_grad, clip: float) -> Array:
    """The gradient rescaled, then clipped to [-clip, clip] unless `clip` is negative."""
    g = grad * _as(rescale_grad, grad)
    return jnp.clip(g, -clip, clip) if clip >= 0 else g


def _as(scalar, like: Array) -> Array:
    """A parameter, which may be traced, in the dtype of the arrays that it meets."""
    return jnp.asarray(scalar, like.dtype)


def _sgd(weight: Array, grad: Array, lr, wd, rescale_grad, clip: float) -> Array:
    lr, wd = _as(lr, weight), _as(wd, weight)
    return (1 - lr * wd) * weight - lr * _gradient(grad, rescale_grad, clip)


def _sgd_mom(weight: Array, grad: Array, mom: Array, lr, momentum: float, wd, rescale_grad, clip: float):
    lr, wd = _as(lr, weight), _as(wd, weight)
    mom = momentum * mom - lr * wd * weight - lr * _gradient(grad, rescale_grad, clip)
    return weight + mom, mom


def _nag_mom(weight: Array, grad: Array, mom: Array, lr, momentum: float, wd, rescale_grad, clip: float):
    lr, wd = _as(lr, weight), _as(wd, weight)
    step = lr * (_gradient(grad, rescale_grad, clip) + wd * weight)
    mom = momentum * mom - step
    return weight + momentum * mom - step, mom


def _moments(g: Array, mean: Array, var: Array, beta1: float, beta2: float) -> tuple[Array, Array]:
    """Running averages of the gradient and of its square."""
    return beta1 * mean + (1 - beta1) * g, beta2 * var + (1 - beta2) * jnp.square(g)


def _lamb_direction(weight, grad, mean, var, beta1, beta2, epsilon, t, bias_correction, wd, rescale_grad, clip):
    mean, var = _moments(_gradient(grad, rescale_grad, clip), mean, var, beta1, beta2)
    m, v = (mean / (1 - beta1**t), var / (1 - beta2**t)) if bias_correction else (mean, var)
    return m / (jnp.sqrt(v) + epsilon) + _as(wd, weight) * weight, mean, var


def _lamb_step(weight: Array, g: Array, r1: Array, r2: Array, lr, lower_bound: float, upper_bound: float) -> Array:
    if lower_bound >= 0:
        r1 = jnp.maximum(r1, lower_bound)
    if upper_bound >= 0:
        r1 = jnp.minimum(r1, upper_bound)
    ratio = jnp.where((r1 == 0) | (r2 == 0), 1, r1 / jnp.where(r2 == 0, 1, r2))
    return weight - _as(lr, weight) * ratio * g


@op("sgd_update", "*s, *s -> *s", dynamic=_SCHEDULED)
def sgd_update(
    weight,
    grad,
    *,
    lr: float,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """Gradient descent: ``(1 - lr * wd) * weight - lr * grad``."""
    return _sgd(weight, grad, lr, wd, rescale_grad, clip_gradient)


@op("sgd_mom_update", "*s, *s, *s -> *s", mutates=("mom",), dynamic=_SCHEDULED)
def sgd_mom_update(
    weight,
    grad,
    mom,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """Gradient descent with momentum: ``mom = momentum * mom - lr * (grad + wd * weight)``, then ``weight + mom``."""
    weight, mom = _sgd_mom(weight, grad, mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return weight, (mom,)


@op("nag_mom_update", "*s, *s, *s -> *s", mutates=("mom",), dynamic=_SCHEDULED)
def nag_mom_update(
    weight,
    grad,
    mom,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """Nesterov's accelerated gradient: a step with the momentum of the step after."""
    weight, mom = _nag_mom(weight, grad, mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return weight, (mom,)


_MIXED = "t, t, float32 -> t"


@op("mp_sgd_update", "*s, *s, *s -> *s", dtypes=_MIXED, mutates=("weight32",), dynamic=_SCHEDULED)
def mp_sgd_update(
    weight,
    grad,
    weight32,
    *,
    lr: float,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """`sgd_update` of a 16-bit weight by way of its float32 copy."""
    new = _sgd(weight32, grad.astype(weight32.dtype), lr, wd, rescale_grad, clip_gradient)
    return new.astype(weight.dtype), (new,)


@op(
    "mp_sgd_mom_update",
    "*s, *s, *s, *s -> *s",
    dtypes="t, t, float32, float32 -> t",
    mutates=("mom", "weight32"),
    dynamic=_SCHEDULED,
)
def mp_sgd_mom_update(
    weight,
    grad,
    mom,
    weight32,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """`sgd_mom_update` of a 16-bit weight by way of its float32 copy."""
    g = grad.astype(weight32.dtype)
    new, mom = _sgd_mom(weight32, g, mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return new.astype(weight.dtype), (mom, new)


@op(
    "mp_nag_mom_update",
    "*s, *s, *s, *s -> *s",
    dtypes="t, t, float32, float32 -> t",
    mutates=("mom", "weight32"),
    dynamic=_SCHEDULED,
)
def mp_nag_mom_update(
    weight,
    grad,
    mom,
    weight32,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """`nag_mom_update` of a 16-bit weight by way of its float32 copy."""
    g = grad.astype(weight32.dtype)
    new, mom = _nag_mom(weight32, g, mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return new.astype(weight.dtype), (mom, new)


@op("signsgd_update", "*s, *s -> *s", dynamic=_SCHEDULED)
def signsgd_update(weight, grad, *, lr: float, wd: float = 0.0, rescale_grad: float = 1.0, clip_gradient: float = -1.0):
    """A step of `lr` against the gradient's sign; the decay shrinks the weight by ``1 - lr * wd``."""
    rate = _as(lr, weight)
    return (1 - rate * _as(wd, weight)) * weight - rate * jnp.sign(grad * _as(rescale_grad, grad))


@op("signum_update", "*s, *s, *s -> *s", mutates=("mom",), dynamic=_SCHEDULED)
def signum_update(
    weight,
    grad,
    mom,
    *,
    lr: float,
    momentum: float = 0.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    wd_lh: float = 0.0,
):
    """A step of `lr` along the sign of the momentum; `wd_lh` decays the weight apart from the gradient."""
    rate = _as(lr, weight)
    g = _gradient(grad, rescale_grad, clip_gradient) + _as(wd, weight) * weight
    mom = momentum * mom - (1 - momentum) * g
    return (1 - rate * wd_lh) * weight + rate * jnp.sign(mom), (mom,)


@op("adam_update", "*s, *s, *s, *s -> *s", mutates=("mean", "var"), dynamic=_SCHEDULED)
def adam_update(
    weight,
    grad,
    mean,
    var,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
):
    """Adam without bias correction, which the caller puts into `lr`: ``weight - lr * mean / (sqrt(var) + epsilon)``.

    The decay is added to the gradient before it is clipped.
    """
    g = _decayed(weight, grad, wd, rescale_grad, clip_gradient)
    mean, var = _moments(g, mean, var, beta1, beta2)
    return weight - _as(lr, weight) * mean / (jnp.sqrt(var) + epsilon), (mean, var)


def _decayed(weight: Array, grad: Array, wd, rescale_grad, clip: float) -> Array:
    """The rescaled gradient plus the decay, then clipped."""
    return _gradient(grad * _as(rescale_grad, grad) + _as(wd, weight) * weight, 1.0, clip)


def _clip_weights(weight: Array, bound: float) -> Array:
    return jnp.clip(weight, -bound, bound) if bound >= 0 else weight


@op("rmsprop_update", "*s, *s, *s -> *s", mutates=("n",), dynamic=_SCHEDULED)
def rmsprop_update(
    weight,
    grad,
    n,
    *,
    lr: float,
    gamma1: float = 0.95,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    clip_weights: float = -1.0,
):
    """RMSProp: the gradient divided by the root of the running mean of its square, `n`."""
    g = _decayed(weight, grad, wd, rescale_grad, clip_gradient)
    n = (1 - gamma1) * jnp.square(g) + gamma1 * n
    return _clip_weights(weight - _as(lr, weight) * g / jnp.sqrt(n + epsilon), clip_weights), (n,)


@op("rmspropalex_update", "*s, *s, *s, *s, *s -> *s", mutates=("n", "g", "delta"), dynamic=_SCHEDULED)
def rmspropalex_update(
    weight,
    grad,
    n,
    g,
    delta,
    *,
    lr: float,
    gamma1: float = 0.95,
    gamma2: float = 0.9,
    epsilon: float = 1e-8,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
    clip_weights: float = -1.0,
):
    """Centred RMSProp with momentum, after Graves 2013: `n` and `g` average the gradient's square and the gradient."""
    d = _decayed(weight, grad, wd, rescale_grad, clip_gradient)
    n = (1 - gamma1) * jnp.square(d) + gamma1 * n
    g = (1 - gamma1) * d + gamma1 * g
    delta = gamma2 * delta - _as(lr, weight) * d / jnp.sqrt(n - jnp.square(g) + epsilon)
    return _clip_weights(weight + delta, clip_weights), (n, g, delta)


@op("ftml_update", "*s, *s, *s, *s, *s -> *s", mutates=("d", "v", "z"), dynamic=_SCHEDULED)
def ftml_update(
    weight,
    grad,
    d,
    v,
    z,
    *,
    lr: float,
    beta1: float = 0.6,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    t: int,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_grad: float = -1.0,
):
    """Follow the moving leader, Zheng and Kwok 2017; `t` counts the updates from 1."""
    g = _decayed(weight, grad, wd, rescale_grad, clip_grad)
    v = beta2 * v + (1 - beta2) * jnp.square(g)
    new_d = (1 - beta1**t) / _as(lr, weight) * (jnp.sqrt(v / (1 - beta2**t)) + epsilon)
    z = beta1 * z + (1 - beta1) * g - (new_d - beta1 * d) * weight
    return -z / new_d, (new_d, v, z)


@op("ftrl_update", "*s, *s, *s, *s -> *s", mutates=("z", "n"), dynamic=_SCHEDULED)
def ftrl_update(
    weight,
    grad,
    z,
    n,
    *,
    lr: float,
    lamda1: float = 0.01,
    beta: float = 1.0,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """Follow the regularised leader, McMahan et al. 2013: weights within `lamda1` of nothing are 0."""
    rate = _as(lr, weight)
    g = _gradient(grad, rescale_grad, clip_gradient)
    new_n = n + jnp.square(g)
    z = z + g - (jnp.sqrt(new_n) - jnp.sqrt(n)) * weight / rate
    shrunk = (jnp.sign(z) * lamda1 - z) / ((beta + jnp.sqrt(new_n)) / rate + _as(wd, weight))
    return jnp.where(jnp.abs(z) > lamda1, shrunk, 0), (z, new_n)


@op("lamb_update_phase1", "*s, *s, *s, *s -> *s", mutates=("mean", "var"), dynamic=("wd", "rescale_grad"))
def lamb_update_phase1(
    weight,
    grad,
    mean,
    var,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    t: int,
    bias_correction: bool = True,
    wd: float,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """The direction of a LAMB step, You et al. 2019: Adam's ratio plus the decay. `t` counts the updates from 1."""
    g, mean, var = _lamb_direction(
        weight, grad, mean, var, beta1, beta2, epsilon, t, bias_correction, wd, rescale_grad, clip_gradient
    )
    return g, (mean, var)


@op("lamb_update_phase2", "*s, *s, 1, 1 -> *s", dynamic=("lr",))
def lamb_update_phase2(weight, g, r1, r2, *, lr: float, lower_bound: float = -1.0, upper_bound: float = -1.0):
    """The step of LAMB along `g`, scaled by the ratio of the norms of weight (`r1`) and direction (`r2`)."""
    return _lamb_step(weight, g, r1, r2, lr, lower_bound, upper_bound)


@op(
    "mp_lamb_update_phase1",
    "*s, *s, *s, *s, *s -> *s",
    dtypes="t, t, float32, float32, float32 -> float32",
    mutates=("mean", "var"),
    dynamic=("wd", "rescale_grad"),
)
def mp_lamb_update_phase1(
    weight,
    grad,
    mean,
    var,
    weight32,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    t: int,
    bias_correction: bool = True,
    wd: float,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """`lamb_update_phase1` of a 16-bit weight with its float32 copy."""
    g, mean, var = _lamb_direction(
        weight32, grad.astype(weight32.dtype), mean, var, beta1, beta2, epsilon, t, bias_correction, wd, rescale_grad,
        clip_gradient,
    )  # fmt: skip
    return g, (mean, var)


@op(
    "mp_lamb_update_phase2",
    "*s, *s, 1, 1, *s -> *s",
    dtypes="t, float32, float32, float32, float32 -> t",
    dynamic=("lr",),
)
def mp_lamb_update_phase2(
    weight, g, r1, r2, weight32, *, lr: float, lower_bound: float = -1.0, upper_bound: float = -1.0
):
    """`lamb_update_phase2` of a 16-bit weight by way of its float32 copy, which stays as it is, as in MXNet 1.9."""
    return _lamb_step(weight32, g, r1, r2, lr, lower_bound, upper_bound).astype(weight.dtype)
