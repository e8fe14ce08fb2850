# SPDX-License-Identifier: Apache-2.0
"""Layers that are neither convolution, pooling nor batch statistics: FullyConnected, Embedding, Dropout and others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from ..errors import Mismatch, MXNetError
from ..op import Mode, op
from ..params import Range, Shape
from ..shapes import DTypes, Shapes
from .precision import precision
from .threefry import typed


@op(
    "FullyConnected",
    lambda p: (
        "n *k, num_hidden (*k), num_hidden -> n num_hidden"
        if p.flatten
        else "*n k, num_hidden k, num_hidden -> *n num_hidden"
    ),
    drop={"bias": lambda p: p.no_bias},
)
def fully_connected(
    data, weight, bias=None, *, num_hidden: Annotated[int, Range(low=1)], no_bias: bool = False, flatten: bool = True
):
    """The affine map ``data @ weight.T + bias``.

    Args:
        data: (batch, ...).
        weight: (num_hidden, features).
        bias: (num_hidden,); left out with `no_bias`.
        num_hidden: size of the output.
        no_bias: whether there is no `bias` input.
        flatten: every axis of `data` but the first is one feature axis, and the output is (batch, num_hidden);
            otherwise the map runs over the last axis and the others stay.

    Example:
        >>> x, w, b = mx.nd.array([[1, 2]]), mx.nd.array([[1, 1], [0, 1], [2, 0]]), mx.nd.array([0, 0, 5])
        >>> mx.nd.FullyConnected(x, w, b, num_hidden=3)
        [[3. 2. 7.]]
        <NDArray 1x3 @cpu(0)>
    """
    x = data.reshape(data.shape[0], -1) if flatten else data
    y = jax.lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())), precision=precision(x))
    return y if bias is None else y + bias


@op("Embedding", "*n, input_dim output_dim -> *n output_dim")
def embedding(
    data,
    weight,
    *,
    input_dim: Annotated[int, Range(low=1)],
    output_dim: Annotated[int, Range(low=1)],
    dtype: Literal["bfloat16", "float16", "float32", "float64", "int32", "int64", "int8", "uint8"] = "float32",
    sparse_grad: bool = False,
):
    """Rows of `weight` selected by the indices in `data`; an index out of range takes the nearest row.

    Args:
        data: indices of any shape; floats are cut to integers.
        weight: (input_dim, output_dim).
        input_dim: number of rows.
        output_dim: length of a row.
        dtype: dtype of the weight, where nothing else says it.
        sparse_grad: accepted for compatibility; gradients are dense.

    Example:
        >>> weight = mx.nd.array([[0, 0], [1, 10], [2, 20]])
        >>> mx.nd.Embedding(mx.nd.array([2, 1]), weight, input_dim=3, output_dim=2)
        [[ 2. 20.]
         [ 1. 10.]]
        <NDArray 2x2 @cpu(0)>
    """
    index = data if jnp.issubdtype(data.dtype, jnp.integer) else data.astype(jnp.int32)
    return jnp.take(weight, index, axis=0, mode="clip")


@embedding.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    weight = ins[1] or outs[0] or p.dtype
    if outs[0] not in (None, weight):
        raise Mismatch(f"the output has weight's dtype {weight}, but {outs[0]} is wanted")
    return [ins[0], weight], [weight]


def random_key(env: Mode, name: str) -> jax.Array:
    """The random key of the call; MXNetError when there is none."""
    if env.key is None:
        raise MXNetError(f"{name} draws random numbers in training and needs a key")
    return typed(env.key)


@op("Dropout", "*s -> *s", random=True, floats=True)
def dropout(
    data,
    *,
    p: Annotated[float, Range(0, 1)] = 0.5,
    mode: Literal["always", "training"] = "training",
    axes: Shape = (),
    cudnn_off: bool | None = False,
    env: Mode,
):
    """Set elements to 0 with probability `p` and scale the others by 1 / (1 - p).

    Args:
        data: an array of any shape.
        p: the probability, in [0, 1].
        mode: ``training`` drops only in training; ``always`` in prediction, too.
        axes: axes along which one decision is shared.
        cudnn_off: accepted for compatibility.

    Example:
        >>> mx.nd.Dropout(mx.nd.array([1, 2, 3]), p=0.5)  # drops in training only
        [1. 2. 3.]
        <NDArray 3 @cpu(0)>
    """
    if p == 0 or not (env.train or mode == "always"):
        return data
    shared = {a % data.ndim for a in axes}
    shape = tuple(1 if i in shared else n for i, n in enumerate(data.shape))
    return dropped(data, p, random_key(env, "Dropout"), shape)


def dropped(data: jax.Array, p: float, key: jax.Array, shape: Shape | None = None) -> jax.Array:
    """`data` with elements set to 0 with probability `p`, the others divided by 1 - p.

    Args:
        data: an array of any shape.
        p: the probability.
        key: random key.
        shape: shape of the decisions, which broadcasts to data's; its own by default.
    """
    if p == 1:
        return data * jnp.nan  # what 0 / (1 - p) is, and what MXNet gives
    keep = jax.random.bernoulli(key, jnp.float32(1 - p), data.shape if shape is None else shape)
    # A select rather than a product: the gradient then keeps a mask of booleans alive instead of one of floats.
    return jnp.where(keep, data * jnp.asarray(1 / (1 - p), data.dtype), 0)


@op("L2Normalization", "n *s -> n *s", floats=True)
def l2_normalization(data, *, eps: float = 1e-10, mode: Literal["channel", "instance", "spatial"] = "instance"):
    """Divide by the Euclidean norm, ``sqrt(sum(data ** 2) + eps)``.

    Args:
        data: (batch, channel, ...).
        eps: keeps the norm from 0.
        mode: the norm is that of a sample (``instance``), of the channels at one position (``channel``), or of all
            positions of one channel (``spatial``).

    Example:
        >>> mx.nd.L2Normalization(mx.nd.array([[3, 4]]))
        [[0.6 0.8]]
        <NDArray 1x2 @cpu(0)>
    """
    axes = {"instance": range(1, data.ndim), "channel": (1,), "spatial": range(2, data.ndim)}[mode]
    return data * jax.lax.rsqrt(jnp.sum(data * data, axis=tuple(axes), keepdims=True) + jnp.asarray(eps, data.dtype))


@op("LRN", "n c *s -> n c *s", floats=True)
def lrn(
    data,
    *,
    alpha: float = 1e-4,
    beta: float = 0.75,
    knorm: float = 2.0,
    nsize: Annotated[int, Range(low=1)],
):
    """Local response normalisation over `nsize` neighbouring channels.

    ``data / (knorm + alpha / nsize * sum of squares) ** beta``, the sum running over the channels within
    ``nsize // 2`` of each.

    Args:
        data: (batch, channel, ...).
        alpha: weight of the sum of squares.
        beta: the exponent.
        knorm: the constant.
        nsize: number of channels in the sum; odd.

    Example:
        >>> mx.nd.LRN(mx.nd.ones((1, 3, 1, 1)), nsize=3, alpha=3, knorm=1).shape
        (1, 3, 1, 1)
    """
    half = nsize // 2
    channels = data.shape[1]
    squares = jnp.pad(data * data, [(0, 0), (half, half)] + [(0, 0)] * (data.ndim - 2))
    total = sum(jax.lax.slice_in_dim(squares, i, i + channels, axis=1) for i in range(nsize))
    return data * (knorm + alpha / nsize * total) ** -beta


@lrn.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.nsize % 2 == 0:
        raise Mismatch(f"nsize={p.nsize} must be odd, so that the channel itself is in the middle")
    shape = ins[0] if ins[0] is not None else outs[0]
    return [shape], [shape]
