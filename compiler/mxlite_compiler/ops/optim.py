# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates as operators: one step on one weight. States are written in place; the result is the new weight.

`mx.optimizer` does not call them, its updates are parts of the compiled training step; they serve scripts that write
their own loops. Numbers that a schedule changes (``lr``, ``wd``, ``rescale_grad``) are traced.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..op import op
from ._steps import Array, as_dtype_of, gradient, lamb_direction, lamb_step, moments, nag_mom, sgd, sgd_mom

_SCHEDULED = ("lr", "wd", "rescale_grad")


@op("sgd_update", "*s, *s -> *s", dynamic=_SCHEDULED, floats=True)
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
    """Gradient descent: ``(1 - lr * wd) * weight - lr * grad``.

    Example:
        >>> weight, grad = mx.nd.ones(2), mx.nd.array([1, -1])
        >>> mx.nd.sgd_update(weight, grad, lr=0.1, wd=0.1, out=weight)
        [0.89 1.09]
        <NDArray 2 @cpu(0)>
    """
    return sgd(weight, grad, lr, wd, rescale_grad, clip_gradient)


@op("sgd_mom_update", "*s, *s, *s -> *s", mutates=("mom",), dynamic=_SCHEDULED, floats=True)
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
    """Gradient descent with momentum: ``mom = momentum * mom - lr * (grad + wd * weight)``, then ``weight + mom``.

    Example:
        >>> weight, grad, mom = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2)
        >>> mx.nd.sgd_mom_update(weight, grad, mom, lr=0.1, momentum=0.9, out=weight)
        [0.9 1.1]
        <NDArray 2 @cpu(0)>
    """
    weight, mom = sgd_mom(weight, grad, mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return weight, (mom,)


@op("nag_mom_update", "*s, *s, *s -> *s", mutates=("mom",), dynamic=_SCHEDULED, floats=True)
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
    """Nesterov's accelerated gradient: a step with the momentum of the step after.

    Example:
        >>> weight, grad, mom = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2)
        >>> mx.nd.nag_mom_update(weight, grad, mom, lr=0.1, momentum=0.9, out=weight)
        [0.81 1.19]
        <NDArray 2 @cpu(0)>
    """
    weight, mom = nag_mom(weight, grad, mom, lr, momentum, wd, rescale_grad, clip_gradient)
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
    new = sgd(weight32, grad.astype(weight32.dtype), lr, wd, rescale_grad, clip_gradient)
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
    new, mom = sgd_mom(weight32, g, mom, lr, momentum, wd, rescale_grad, clip_gradient)
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
    new, mom = nag_mom(weight32, g, mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return new.astype(weight.dtype), (mom, new)


@op("signsgd_update", "*s, *s -> *s", dynamic=_SCHEDULED, floats=True)
def signsgd_update(weight, grad, *, lr: float, wd: float = 0.0, rescale_grad: float = 1.0, clip_gradient: float = -1.0):
    """A step of `lr` against the gradient's sign; the decay shrinks the weight by ``1 - lr * wd``.

    Example:
        >>> weight, grad = mx.nd.ones(2), mx.nd.array([5, -3])
        >>> mx.nd.signsgd_update(weight, grad, lr=0.1, out=weight)
        [0.9 1.1]
        <NDArray 2 @cpu(0)>
    """
    rate = as_dtype_of(lr, weight)
    return (1 - rate * as_dtype_of(wd, weight)) * weight - rate * jnp.sign(grad * as_dtype_of(rescale_grad, grad))


@op("signum_update", "*s, *s, *s -> *s", mutates=("mom",), dynamic=_SCHEDULED, floats=True)
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
    """A step of `lr` along the sign of the momentum; `wd_lh` decays the weight apart from the gradient.

    Example:
        >>> weight, grad, mom = mx.nd.ones(2), mx.nd.array([5, -3]), mx.nd.zeros(2)
        >>> mx.nd.signum_update(weight, grad, mom, lr=0.1, momentum=0.9, out=weight)
        [0.9 1.1]
        <NDArray 2 @cpu(0)>
    """
    rate = as_dtype_of(lr, weight)
    g = gradient(grad, rescale_grad, clip_gradient) + as_dtype_of(wd, weight) * weight
    mom = momentum * mom - (1 - momentum) * g
    return (1 - rate * wd_lh) * weight + rate * jnp.sign(mom), (mom,)


@op("adam_update", "*s, *s, *s, *s -> *s", mutates=("mean", "var"), dynamic=_SCHEDULED, floats=True)
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

    Example:
        >>> weight, grad, mean, var = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2), mx.nd.zeros(2)
        >>> mx.nd.adam_update(weight, grad, mean, var, lr=0.1, out=weight)
        [0.68377024 1.3162298 ]
        <NDArray 2 @cpu(0)>
    """
    g = _decayed(weight, grad, wd, rescale_grad, clip_gradient)
    mean, var = moments(g, mean, var, beta1, beta2)
    return weight - as_dtype_of(lr, weight) * mean / (jnp.sqrt(var) + epsilon), (mean, var)


def _decayed(weight: Array, grad: Array, wd, rescale_grad, clip: float) -> Array:
    """The rescaled gradient plus the decay, then clipped."""
    return gradient(grad * as_dtype_of(rescale_grad, grad) + as_dtype_of(wd, weight) * weight, 1.0, clip)


def _clip_weights(weight: Array, bound: float) -> Array:
    return jnp.clip(weight, -bound, bound) if bound >= 0 else weight


@op("rmsprop_update", "*s, *s, *s -> *s", mutates=("n",), dynamic=_SCHEDULED, floats=True)
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
    """RMSProp: the gradient divided by the root of the running mean of its square, `n`.

    Example:
        >>> weight, grad, n = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2)
        >>> mx.nd.rmsprop_update(weight, grad, n, lr=0.1, out=weight)
        [0.5527865 1.4472134]
        <NDArray 2 @cpu(0)>
    """
    g = _decayed(weight, grad, wd, rescale_grad, clip_gradient)
    n = (1 - gamma1) * jnp.square(g) + gamma1 * n
    return _clip_weights(weight - as_dtype_of(lr, weight) * g / jnp.sqrt(n + epsilon), clip_weights), (n,)


@op("rmspropalex_update", "*s, *s, *s, *s, *s -> *s", mutates=("n", "g", "delta"), dynamic=_SCHEDULED, floats=True)
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
    """Centred RMSProp with momentum, after Graves 2013: `n` and `g` average the gradient's square and the gradient.

    Example:
        >>> weight, grad, n = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2)
        >>> g, delta = mx.nd.zeros(2), mx.nd.zeros(2)
        >>> mx.nd.rmspropalex_update(weight, grad, n, g, delta, lr=0.1, out=weight)
        [0.54116863 1.4588313 ]
        <NDArray 2 @cpu(0)>
    """
    d = _decayed(weight, grad, wd, rescale_grad, clip_gradient)
    n = (1 - gamma1) * jnp.square(d) + gamma1 * n
    g = (1 - gamma1) * d + gamma1 * g
    delta = gamma2 * delta - as_dtype_of(lr, weight) * d / jnp.sqrt(n - jnp.square(g) + epsilon)
    return _clip_weights(weight + delta, clip_weights), (n, g, delta)


@op("ftml_update", "*s, *s, *s, *s, *s -> *s", mutates=("d", "v", "z"), dynamic=_SCHEDULED, floats=True)
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
    """Follow the moving leader, Zheng and Kwok 2017; `t` counts the updates from 1.

    Example:
        >>> weight, grad, d = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2)
        >>> v, z = mx.nd.zeros(2), mx.nd.zeros(2)
        >>> mx.nd.ftml_update(weight, grad, d, v, z, lr=0.1, t=1, out=weight)
        [0.90000004 1.1       ]
        <NDArray 2 @cpu(0)>
    """
    g = _decayed(weight, grad, wd, rescale_grad, clip_grad)
    v = beta2 * v + (1 - beta2) * jnp.square(g)
    new_d = (1 - beta1**t) / as_dtype_of(lr, weight) * (jnp.sqrt(v / (1 - beta2**t)) + epsilon)
    z = beta1 * z + (1 - beta1) * g - (new_d - beta1 * d) * weight
    return -z / new_d, (new_d, v, z)


@op("ftrl_update", "*s, *s, *s, *s -> *s", mutates=("z", "n"), dynamic=_SCHEDULED, floats=True)
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
    """Follow the regularised leader, McMahan et al. 2013: weights within `lamda1` of nothing are 0.

    Example:
        >>> weight, grad, z, n = mx.nd.ones(2), mx.nd.array([1, -1]), mx.nd.zeros(2), mx.nd.zeros(2)
        >>> mx.nd.ftrl_update(weight, grad, z, n, lr=0.1, out=weight)
        [0.4495 0.5495]
        <NDArray 2 @cpu(0)>
    """
    rate = as_dtype_of(lr, weight)
    g = gradient(grad, rescale_grad, clip_gradient)
    new_n = n + jnp.square(g)
    z = z + g - (jnp.sqrt(new_n) - jnp.sqrt(n)) * weight / rate
    shrunk = (jnp.sign(z) * lamda1 - z) / ((beta + jnp.sqrt(new_n)) / rate + as_dtype_of(wd, weight))
    return jnp.where(jnp.abs(z) > lamda1, shrunk, 0), (z, new_n)


@op("lamb_update_phase1", "*s, *s, *s, *s -> *s", mutates=("mean", "var"), dynamic=("wd", "rescale_grad"), floats=True)
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
    g, mean, var = lamb_direction(
        weight, grad, mean, var, beta1, beta2, epsilon, t, bias_correction, wd, rescale_grad, clip_gradient
    )
    return g, (mean, var)


@op("lamb_update_phase2", "*s, *s, 1, 1 -> *s", dynamic=("lr",), floats=True)
def lamb_update_phase2(weight, g, r1, r2, *, lr: float, lower_bound: float = -1.0, upper_bound: float = -1.0):
    """The step of LAMB along `g`, scaled by the ratio of the norms of weight (`r1`) and direction (`r2`)."""
    return lamb_step(weight, g, r1, r2, lr, lower_bound, upper_bound)


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
    g, mean, var = lamb_direction(
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
    return lamb_step(weight32, g, r1, r2, lr, lower_bound, upper_bound).astype(weight.dtype)
