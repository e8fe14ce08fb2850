# SPDX-License-Identifier: Apache-2.0
"""Activations: Activation, the LeakyReLU family, softmax and its relatives."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Mode, op
from ..shapes import DTypes, Shapes, join_shapes
from .nn import random_key

FloatName = Literal["float16", "float32", "float64"]

_ACTIVATIONS = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "softrelu": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "tanh": jnp.tanh,
}


@op("Activation", "*s -> *s", floats=True)
def activation(data, *, act_type: Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"]):
    """Apply an elementwise non-linearity.

    Args:
        data: an array of any shape.
        act_type: ``relu`` max(x, 0); ``sigmoid`` 1 / (1 + exp(-x)); ``tanh``; ``softrelu`` log(1 + exp(x));
            ``softsign`` x / (1 + abs(x)).

    Example:
        >>> x = mx.nd.array([-1, 0, 2])
        >>> mx.nd.Activation(x, act_type="relu")
        [0. 0. 2.]
        <NDArray 3 @cpu(0)>
    """
    return _ACTIVATIONS[act_type](data)


@op(
    "LeakyReLU",
    lambda p: "n c *s, c -> n c *s | *s, 1 -> *s" if p.act_type == "prelu" else "*s, c -> *s",
    drop={"gamma": lambda p: p.act_type != "prelu"},
    random=True,
    floats=True,
)
def leaky_relu(
    data,
    gamma=None,
    *,
    act_type: Literal["elu", "gelu", "leaky", "prelu", "rrelu", "selu"] = "leaky",
    slope: float = 0.25,
    lower_bound: float = 0.125,
    upper_bound: float = 0.334,
    env: Mode,
):
    """Rectifiers with a non-zero negative half, and their smooth relatives.

    Args:
        data: an array of any shape; of at least 2 axes (channel second) for `prelu` with a slope per channel.
        gamma: the learned slopes of ``prelu``, one per channel or a single one.
        act_type: ``leaky`` slope * x for negative x; ``prelu`` gamma * x; ``elu`` slope * (exp(x) - 1); ``selu`` the
            self-normalising elu with its fixed constants; ``gelu`` x * Phi(x) with the exact error function;
            ``rrelu`` a slope drawn per element from [lower_bound, upper_bound] in training, their mean otherwise.
        slope: the slope of ``leaky``, the scale of ``elu``.
        lower_bound: the least slope of ``rrelu``.
        upper_bound: the largest slope of ``rrelu``.

    Example:
        >>> x = mx.nd.array([-2, 0, 2])
        >>> mx.nd.LeakyReLU(x, act_type="leaky", slope=0.1)
        [-0.2  0.   2. ]
        <NDArray 3 @cpu(0)>
    """
    x = data
    if act_type == "gelu":
        return jax.nn.gelu(x, approximate=False)
    if act_type == "selu":
        return _selu(x)
    if act_type == "elu":
        positive = x > 0
        # The inner select keeps the exponential of large elements, which overflows, out of the gradient.
        return jnp.where(positive, x, slope * jnp.expm1(jnp.where(positive, 0, x)))
    if gamma is not None:
        slopes = gamma if gamma.shape == (1,) else gamma.reshape(gamma.shape + (1,) * (x.ndim - 2))
    elif act_type == "rrelu":
        slopes = (lower_bound + upper_bound) / 2
        if env.train:
            slopes = jax.random.uniform(
                random_key(env, "LeakyReLU with act_type='rrelu'"), x.shape, x.dtype, lower_bound, upper_bound
            )
    else:
        slopes = slope
    return jnp.where(x > 0, x, x * slopes)


_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@jax.custom_jvp
def _selu(x: jax.Array) -> jax.Array:
    return jax.nn.selu(x)


@_selu.defjvp
def _(primals, tangents):
    # MXNet's slope of the negative half is scale * (alpha + output), where the derivative is scale * alpha + output.
    (x,), (dx,) = primals, tangents
    out = _selu(x)
    return out, jnp.where(x > 0, dx * _SELU_SCALE, dx * (_SELU_SCALE * (_SELU_ALPHA + out))).astype(x.dtype)


def _softmax(
    data: jax.Array,
    length: jax.Array | None,
    axis: int,
    temperature: float | None,
    dtype: str | None,
    form: Any = jax.nn.softmax,
) -> jax.Array:
    """`form` over `axis` of data / temperature, in the output's dtype; positions from `length` on are 0."""
    axis %= data.ndim
    x = data.astype(jnp.promote_types(data.dtype, jnp.float32))  # float16 has too few digits for the sums inside
    if temperature is not None and temperature != 1.0:
        x = x / temperature
    if length is None:
        out = form(x, axis=axis)
    else:
        position = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis)
        valid = position < jnp.expand_dims(length, axis).astype(jnp.int32)
        # The lowest finite number rather than -inf: a row of length 0 must not bring NaN into the gradient.
        out = jnp.where(valid, form(jnp.where(valid, x, jnp.finfo(x.dtype).min), axis=axis), 0)
    # MXNet computes in data's dtype, also when it hands out a wider one.
    return out.astype(data.dtype).astype(dtype or data.dtype)


def _infer_softmax(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = join_shapes(ins[0], outs[0], "data")
    if data is None:
        return ins, outs
    if not -len(data) <= p.axis < len(data):
        raise Mismatch(f"axis={p.axis} is not an axis of data {data}")
    axis = p.axis % len(data)
    shapes: Shapes = [data]
    if len(ins) > 1:
        shapes.append(join_shapes(ins[1], data[:axis] + data[axis + 1 :], "length"))
    return shapes, [data]


def _softmax_dtypes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    data = ins[0] if p.dtype else ins[0] or outs[0]
    out = p.dtype or data
    if outs[0] not in (None, out):
        raise Mismatch(f"the output is {out}, but {outs[0]} is wanted")
    return [data, *ins[1:]], [out]


@op("softmax", drop={"length": lambda p: not p.use_length}, floats=True)
def softmax(
    data,
    length=None,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: FloatName | None = None,
    use_length: bool | None = False,
):
    """exp(data / temperature), normalised to sum 1 over `axis`.

    Args:
        data: an array of any shape.
        length: with `use_length`, how many leading positions of `axis` count, of data's shape without `axis`; the
            others come out as 0.
        axis: the axis of the classes.
        temperature: divides the data; None is 1.
        dtype: the dtype of the output; None keeps data's.
        use_length: whether there is a `length` input.

    Example:
        >>> mx.nd.softmax(mx.nd.array([[1, 1], [0, 2]]))
        [[0.5        0.5       ]
         [0.11920291 0.880797  ]]
        <NDArray 2x2 @cpu(0)>
    """
    return _softmax(data, length, axis, temperature, dtype)


@op("log_softmax", floats=True)
def log_softmax(
    data,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: FloatName | None = None,
    use_length: bool | None = False,
):
    """The logarithm of `softmax`, computed without overflow. The parameters are those of `softmax`.

    Example:
        >>> mx.nd.log_softmax(mx.nd.array([[1, 1], [0, 2]]))
        [[-0.6931472  -0.6931472 ]
         [-2.126928   -0.12692805]]
        <NDArray 2x2 @cpu(0)>
    """
    return _softmax(data, None, axis, temperature, dtype, jax.nn.log_softmax)


@op("softmin", floats=True)
def softmin(
    data,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: FloatName | None = None,
    use_length: bool | None = False,
):
    """`softmax` of the negated data: small values come out large. The parameters are those of `softmax`.

    Example:
        >>> mx.nd.softmin(mx.nd.array([[1, 1], [0, 2]]))
        [[0.5        0.5       ]
         [0.880797   0.11920292]]
        <NDArray 2x2 @cpu(0)>
    """
    return _softmax(-data, None, axis, temperature, dtype)


for _op in (softmax, log_softmax, softmin):
    _op.infer(_infer_softmax)
    _op.infer_dtypes(_softmax_dtypes)


@op("SoftmaxActivation", "n *s -> n *s", floats=True)
def softmax_activation(data, *, mode: Literal["channel", "instance"] = "instance"):
    """Softmax over the last axis (`mode` ``instance``), or over axis 1 at each position (``channel``).

    Args:
        data: (batch, ...) or (batch, channel, ...).
        mode: what is normalised to sum 1.

    Example:
        >>> mx.nd.SoftmaxActivation(mx.nd.array([[1, 1], [0, 2]]))
        [[0.5        0.5       ]
         [0.11920292 0.880797  ]]
        <NDArray 2x2 @cpu(0)>
    """
    return jax.nn.softmax(data, axis=1 if mode == "channel" else -1)


@softmax_activation.grad
def _(p: Any, g: jax.Array, data: jax.Array, out: jax.Array):
    # MXNet's gradient is that of ``channel`` in both modes, which tells only for 3-d data and more.
    return (out * (g - jnp.sum(g * out, axis=1, keepdims=True)),)
