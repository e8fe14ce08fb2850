# SPDX-License-Identifier: Apache-2.0
"""Normalisation: BatchNorm, LayerNorm, InstanceNorm, GroupNorm."""

from __future__ import annotations

import math
from functools import partial, wraps
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import Mode, op
from ..params import Range
from ..shapes import DTypes, Shapes
from .window import agree


def _other_axes(ndim: int, axis: int) -> tuple[int, ...]:
    return tuple(i for i in range(ndim) if i != axis % ndim)


def _statistics(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance over `axes`, at least in float32."""
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = jnp.mean(x, axes)
    return mean, jnp.mean(jnp.square(x - jnp.expand_dims(mean, axes)), axes)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _normalize(
    x: jax.Array, gamma: jax.Array, beta: jax.Array, eps: float, axis: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Batch normalisation with the batch's own statistics: (output, mean, variance).

    The gradient is written by hand: it needs two sums over the data, where JAX's own derivative of mean and variance
    makes four passes. No gradient comes back through the mean and the variance, which is also what MXNet does.
    """
    return _normalize_forward(x, gamma, beta, eps, axis)[0]


def _normalize_forward(x, gamma, beta, eps, axis):
    axes = _other_axes(x.ndim, axis)
    mean, var = _statistics(x, axes)
    inv = jax.lax.rsqrt(var + jnp.asarray(eps, var.dtype))
    return (_scale_shift(x, gamma * inv, beta - mean * gamma * inv, axes), mean, var), (x, gamma, mean, inv)


def _normalize_backward(eps, axis, residuals, cotangents):
    x, gamma, mean, inv = residuals
    g = cotangents[0]
    axes = _other_axes(x.ndim, axis)
    count = math.prod(x.shape[a] for a in axes)
    wide = partial(jnp.expand_dims, axis=axes)
    gw = g.astype(mean.dtype)
    centred = x.astype(mean.dtype) - wide(mean)
    d_beta = jnp.sum(gw, axes)
    d_gamma = jnp.sum(gw * centred, axes) * inv
    dx = wide(gamma * inv) * (gw - wide(d_beta / count) - centred * wide(d_gamma * inv / count))
    return dx.astype(x.dtype), d_gamma, d_beta


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _scale_shift(x: jax.Array, scale: jax.Array, shift: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    y = x.astype(scale.dtype) * jnp.expand_dims(scale, axes) + jnp.expand_dims(shift, axes)
    return y.astype(x.dtype)


def _batch_norm(data, gamma, beta, moving_mean, moving_var, *, eps, momentum, fix_gamma, use_global_stats, axis, train):
    """((output, mean, 1 / standard deviation), (moving_mean, moving_var, gamma)) of BatchNorm and its relatives."""
    # A fixed gamma is a constant, which gives it the zero gradient that MXNet gives it.
    new_gamma = jnp.ones_like(gamma) if fix_gamma else gamma
    momentum = float(np.float32(momentum))  # MXNet keeps this parameter in float32, also for float64 data
    if train and not use_global_stats:
        out, mean, var = _normalize(data, new_gamma, beta, eps, axis)  # type: ignore[misc]
        moving_mean = jax.lax.stop_gradient(momentum * moving_mean + (1 - momentum) * mean)
        moving_var = jax.lax.stop_gradient(momentum * moving_var + (1 - momentum) * var)
        inv = jax.lax.rsqrt(var + jnp.asarray(eps, var.dtype))
    else:
        # Statistics have no gradient, in any mode.
        mean, var = jax.lax.stop_gradient(moving_mean), jax.lax.stop_gradient(moving_var)
        inv = jax.lax.rsqrt(var + jnp.asarray(eps, var.dtype))
        centred = data.astype(mean.dtype) - jnp.expand_dims(mean, _other_axes(data.ndim, axis))
        out = _scale_shift(centred, new_gamma * inv, beta, _other_axes(data.ndim, axis)).astype(data.dtype)
    return (out, mean, inv), (moving_mean, moving_var, new_gamma)


def _channel_rule(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """Every array but the data and the output has one value per channel."""
    data = ins[0] if ins[0] is not None else outs[0]
    if data is None:
        return ins, outs
    axis = getattr(p, "axis", 1)
    if not -len(data) <= axis < len(data):
        raise Mismatch(f"axis={axis} is not an axis of data {data}")
    data = agree("output", outs[0], agree("data", ins[0], data))
    channel = (data[axis],)
    rest = [agree(name, s, channel) for name, s in zip(_NAMES, ins[1:], strict=True)]
    return [data, *rest], [data, *(agree("statistics", s, channel) for s in outs[1:])]


def _channel_dtypes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """Parameters and statistics of 16-bit data are float32."""
    data = ins[0] or outs[0]
    if data is None:
        return ins, outs
    if "float" not in data:
        raise Mismatch(f"data must hold floating point numbers, got {data}")
    if outs[0] not in (None, data):
        raise Mismatch(f"the output has data's dtype {data}, but {outs[0]} is wanted")
    wide = "float32" if data in ("float16", "bfloat16") else data
    for name, dtype in zip(_NAMES, ins[1:], strict=False):
        if dtype not in (None, wide):
            raise Mismatch(f"{name} must be {wide} for {data} data, got {dtype}")
    return [data, *[wide] * (len(ins) - 1)], [data, *[wide] * (len(outs) - 1)]


_NAMES = ("gamma", "beta", "moving_mean", "moving_var")

_BATCH_NORM: dict[str, Any] = {
    "aux": ("moving_mean", "moving_var"),
    "mutates": ("moving_mean", "moving_var", "gamma"),
    "outputs": ("output", "mean", "var"),
    "visible": lambda p: 3 if p.output_mean_var else 1,
    "floats": True,
}


@op("BatchNorm", **_BATCH_NORM)
def batch_norm(
    data,
    gamma,
    beta,
    moving_mean,
    moving_var,
    *,
    eps: float = 0.0010000000474974513,  # 1e-3 in float32, also for float64 data
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    axis: int = 1,
    cudnn_off: bool = False,
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
    env: Mode,
):
    """Normalise each channel to mean 0 and variance 1, then scale by `gamma` and shift by `beta`.

    In training the statistics are those of the batch (the variance is the biased one), and the moving statistics take
    ``momentum * old + (1 - momentum) * new``. Otherwise the moving statistics are used. float16 data has float32
    parameters and statistics.

    Args:
        data: an array with its channels on `axis`.
        gamma: (channel,). With `fix_gamma` it is set to 1 and has no gradient.
        beta: (channel,).
        moving_mean: (channel,), an auxiliary state.
        moving_var: (channel,), an auxiliary state.
        eps: added to the variance.
        momentum: how much the moving statistics keep.
        fix_gamma: whether gamma is the constant 1, which is the default.
        use_global_stats: use the moving statistics in training, too, and leave them alone.
        output_mean_var: also return the mean and 1 / sqrt(variance + eps).
        axis: the axis of the channels.
        cudnn_off: accepted for compatibility, as are `min_calib_range` and `max_calib_range`.
        min_calib_range: see `cudnn_off`.
        max_calib_range: see `cudnn_off`.

    Example:
        >>> x, one, zero = mx.nd.array([[1, 10], [3, 30]]), mx.nd.ones(2), mx.nd.zeros(2)
        >>> mx.nd.BatchNorm(x, one, zero, zero, one, eps=0.0001)  # of moving mean 0 and variance 1
        [[ 0.99995005  9.9995    ]
         [ 2.9998503  29.9985    ]]
        <NDArray 2x2 @cpu(0)>
    """
    return _batch_norm(
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
        axis=axis,
        train=env.train,
    )


@op("BatchNorm_v1", **_BATCH_NORM)
def batch_norm_v1(
    data,
    gamma,
    beta,
    moving_mean,
    moving_var,
    *,
    eps: float = 0.0010000000474974513,  # 1e-3 in float32, also for float64 data
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    env: Mode,
):
    """`BatchNorm` as MXNet had it before 0.12, channels on axis 1. The parameters are those of `BatchNorm`.

    Example:
        >>> x, one, zero = mx.nd.array([[1, 10], [3, 30]]), mx.nd.ones(2), mx.nd.zeros(2)
        >>> mx.nd.BatchNorm_v1(x, one, zero, zero, one, eps=0.0001)  # of moving mean 0 and variance 1
        [[ 0.99995  9.9995 ]
         [ 2.99985 29.9985 ]]
        <NDArray 2x2 @cpu(0)>
    """
    return _batch_norm(
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
        axis=1,
        train=env.train,
    )


@op("_contrib_SyncBatchNorm", **_BATCH_NORM)
def sync_batch_norm(
    data,
    gamma,
    beta,
    moving_mean,
    moving_var,
    *,
    eps: float = 0.0010000000474974513,  # 1e-3 in float32, also for float64 data
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    ndev: int = 1,
    key: str,
    env: Mode,
):
    """`BatchNorm` over the batches of all devices.

    One program runs on all devices here, and its statistics are those of the whole batch in any case; `ndev` and `key`
    are accepted for compatibility. The other parameters are those of `BatchNorm`.

    Example:
        >>> x, one, zero = mx.nd.array([[1, 10], [3, 30]]), mx.nd.ones(2), mx.nd.zeros(2)
        >>> mx.nd.contrib.SyncBatchNorm(x, one, zero, zero, one, key="bn").shape
        (2, 2)
    """
    return _batch_norm(
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
        axis=1,
        train=env.train,
    )


@op("_contrib_BatchNormWithReLU", **_BATCH_NORM)
@wraps(batch_norm.kernel, assigned=("__annotations__",))
def batch_norm_with_relu(**call):
    """`BatchNorm`, then `relu`. The parameters are those of `BatchNorm`."""
    (out, *statistics), written = batch_norm.kernel(**call)
    return (jax.nn.relu(out), *statistics), written


for _op in (batch_norm, batch_norm_v1, sync_batch_norm, batch_norm_with_relu):
    _op.infer(_channel_rule)
    _op.infer_dtypes(_channel_dtypes)


def _standardize(x: jax.Array, axes: tuple[int, ...], eps: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(x - mean) / deviation over `axes`, with the mean and sqrt(variance + eps), all at least in float32."""
    mean, var = _statistics(x, axes)
    deviation = jnp.sqrt(var + jnp.asarray(eps, var.dtype))
    wide = partial(jnp.expand_dims, axis=axes)
    return (x.astype(mean.dtype) - wide(mean)) / wide(deviation), mean, deviation


@op(
    "LayerNorm",
    outputs=("output", "mean", "std"),
    visible=lambda p: 3 if p.output_mean_var else 1,
    floats=True,
)
def layer_norm(data, gamma, beta, *, axis: int = -1, eps: float = 1e-5, output_mean_var: bool = False):
    """Normalise along `axis` to mean 0 and variance 1, then scale by `gamma` and shift by `beta`.

    Args:
        data: an array of any shape.
        gamma: (size of `axis`,).
        beta: (size of `axis`,).
        axis: the axis that is normalised.
        eps: added to the variance.
        output_mean_var: also return the mean and sqrt(variance + eps), with size 1 on `axis`.

    Example:
        >>> mx.nd.LayerNorm(mx.nd.array([[1, 3], [10, 30]]), mx.nd.ones(2), mx.nd.zeros(2))
        [[-0.999995  0.999995]
         [-1.        1.      ]]
        <NDArray 2x2 @cpu(0)>
    """
    x, mean, deviation = _standardize(data, (axis % data.ndim,), eps)
    shape = [-1 if i == axis % data.ndim else 1 for i in range(data.ndim)]
    out = x * gamma.reshape(shape) + beta.reshape(shape)
    wide = partial(jnp.expand_dims, axis=axis % data.ndim)
    return tuple(v.astype(data.dtype) for v in (out, wide(mean), wide(deviation)))


@layer_norm.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0] if ins[0] is not None else outs[0]
    if data is None:
        return ins, outs
    if not -len(data) <= p.axis < len(data):
        raise Mismatch(f"axis={p.axis} is not an axis of data {data}")
    data = agree("output", outs[0], agree("data", ins[0], data))
    size = data[p.axis]
    statistics = tuple(1 if i == p.axis % len(data) else n for i, n in enumerate(data))
    gamma, beta = (agree(name, s, (size,)) for name, s in zip(_NAMES, ins[1:], strict=False))
    return [data, gamma, beta], [data, *(agree("statistics", s, statistics) for s in outs[1:])]


@op("InstanceNorm", "n c *s, c, c -> n c *s", floats=True)
def instance_norm(data, gamma, beta, *, eps: float = 1e-3):
    """Normalise each channel of each sample to mean 0 and variance 1, then scale by `gamma` and shift by `beta`.

    Args:
        data: (batch, channel, ...).
        gamma: (channel,).
        beta: (channel,).
        eps: added to the variance.

    Example:
        >>> x = mx.nd.array([[[1, 3], [10, 30]]])
        >>> mx.nd.InstanceNorm(x, mx.nd.ones(2), mx.nd.zeros(2))
        [[[-0.9995004   0.9995004 ]
          [-0.99999505  0.99999505]]]
        <NDArray 1x2x2 @cpu(0)>
    """
    x, _, _ = _standardize(data, tuple(range(2, data.ndim)), eps)
    shape = (1, -1) + (1,) * (data.ndim - 2)
    return (x * gamma.reshape(shape) + beta.reshape(shape)).astype(data.dtype)


@op(
    "GroupNorm",
    outputs=("output", "mean", "std"),
    visible=lambda p: 3 if p.output_mean_var else 1,
    floats=True,
)
def group_norm(
    data, gamma, beta, *, num_groups: Annotated[int, Range(low=1)] = 1, eps: float = 1e-5, output_mean_var: bool = False
):
    """Normalise each group of channels of each sample, then scale by `gamma` and shift by `beta`.

    Args:
        data: (batch, channel, ...).
        gamma: (num_groups,), as in MXNet 1.9, where other libraries have one per channel.
        beta: (num_groups,).
        num_groups: number of groups; divides the number of channels.
        eps: added to the variance.
        output_mean_var: also return the mean and sqrt(variance + eps), of shape (batch, num_groups).

    Example:
        >>> x = mx.nd.array([[[1, 3], [10, 30]]])
        >>> mx.nd.GroupNorm(x, mx.nd.ones(2), mx.nd.zeros(2), num_groups=2)
        [[[-0.999995  0.999995]
          [-1.        1.      ]]]
        <NDArray 1x2x2 @cpu(0)>
    """
    x = data.reshape(data.shape[0], num_groups, -1)
    y, mean, deviation = _standardize(x, (2,), eps)
    out = (y * gamma[:, None] + beta[:, None]).reshape(data.shape)
    return tuple(v.astype(data.dtype) for v in (out, mean, deviation))


@group_norm.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0] if ins[0] is not None else outs[0]
    groups = (p.num_groups,)
    parameters = [agree(name, s, groups) for name, s in zip(_NAMES, ins[1:], strict=False)]
    if data is None:
        return [None, *parameters], outs
    if len(data) < 2:
        raise Mismatch(f"data {data} needs a batch and a channel axis")
    data = agree("output", outs[0], agree("data", ins[0], data))
    if data[1] % p.num_groups:
        raise Mismatch(f"data has {data[1]} channels, which is not a multiple of num_groups={p.num_groups}")
    return [data, *parameters], [data, *(agree("statistics", s, (data[0], *groups)) for s in outs[1:])]
