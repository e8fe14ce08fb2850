# SPDX-License-Identifier: Apache-2.0
"""Output layers, whose gradient is that of a loss, whatever their head gradient."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from ..op import Mode, op
from ._examples import example

Normalization = Literal["batch", "null", "valid"]

# A label with one entry a sample (1-d, or data's shape without its class axis), or a distribution over the classes.
_LAST = "*n k, *n -> *n k | *n k, *n k -> *n k"
_MULTI = "n k *s, n (*s) -> n k *s | n k *s, n *s -> n k *s | n k *s, n 1 *s -> n k *s | *n k, *n k -> *n k"


@op("SoftmaxOutput", lambda p: _MULTI if p.multi_output else _LAST, alias=("Softmax",), loss=True, floats=True)
def softmax_output(
    data,
    label,
    *,
    grad_scale: float = 1.0,
    ignore_label: float = -1.0,
    multi_output: bool = False,
    use_ignore: bool = False,
    preserve_shape: bool = False,
    normalization: Normalization = "null",
    out_grad: bool = False,
    smooth_alpha: float = 0.0,
):
    """Softmax, with the gradient of the cross-entropy between the output and `label`.

    The gradient of data is ``(output - one_hot(label)) * grad_scale``, summed, not averaged, over the batch unless
    `normalization` says so; the head gradient is ignored.

    Args:
        data: (batch, classes), or (batch, classes, ...) with `multi_output`.
        label: class indices of shape (batch,), or (batch, ...) with `multi_output`; or probabilities of data's shape.
        grad_scale: factor of the gradient.
        ignore_label: with `use_ignore`, the label of samples that have no gradient.
        multi_output: the classes are on axis 1, and there is one label for every position of the other axes. The
            gradient is then divided by the number of positions, unless `normalization` is ``valid``.
        use_ignore: whether `ignore_label` counts.
        preserve_shape: softmax over the last axis; otherwise over everything but the first.
        normalization: what the gradient is divided by: ``null`` nothing, ``batch`` the batch size, ``valid`` the
            number of labels that are not ignored.
        out_grad: multiplies the gradient by the operator's output, as MXNet 1.9 does.
        smooth_alpha: how much of the target probability is spread over the other classes; not with `multi_output`.

    Example:
        >>> mx.nd.SoftmaxOutput(mx.nd.array([[1, 1], [0, 2]]), mx.nd.array([0, 1]))
        [[0.5        0.5       ]
         [0.11920291 0.880797  ]]
        <NDArray 2x2 @cpu(0)>
    """
    if multi_output or preserve_shape:
        return jax.nn.softmax(data, 1 if multi_output else -1)
    return jax.nn.softmax(data.reshape(data.shape[0], math.prod(data.shape[1:])), -1).reshape(data.shape)


@softmax_output.grad
def _(p: Any, g: Any, data: jax.Array, label: jax.Array, out: jax.Array):
    if label.shape == out.shape:
        d = (out - label) * p.grad_scale
    else:
        d = _class_gradient(p, label, out)
    return (d * out if p.out_grad else d), None


def _class_gradient(p: Any, label: jax.Array, out: jax.Array) -> jax.Array:
    batch = out.shape[0]
    if p.multi_output:
        axis, probability, classes = 1, out.reshape(*out.shape[:2], -1), label.reshape(batch, -1)
    elif p.preserve_shape or out.ndim <= 2:
        axis, probability, classes = -1, out.reshape(-1, out.shape[-1]), label.reshape(-1)
    else:  # one softmax a sample over all its other axes: only the first labels are looked at
        axis, probability, classes = -1, out.reshape(batch, -1), label.reshape(-1)[:batch]
    k = probability.shape[axis]
    # A label out of range is no class: the sample's gradient is then the probabilities.
    hot = jax.nn.one_hot(classes.astype(jnp.int32), k, axis=axis, dtype=out.dtype)
    if p.smooth_alpha and not p.multi_output:  # MXNet smooths no labels of multi_output
        hot = hot * (1 - p.smooth_alpha) + (1 - hot) * (p.smooth_alpha / (k - 1))
    d = probability - hot
    keep = classes != p.ignore_label
    if p.use_ignore:
        d = jnp.where(jnp.expand_dims(keep, axis), d, 0)
    scale = p.grad_scale
    if p.multi_output and p.normalization != "valid":
        scale /= probability.shape[2]
    if p.normalization == "batch":
        scale /= batch
    elif p.normalization == "valid":
        scale = (scale / jnp.maximum(jnp.sum(keep, dtype=jnp.int32), 1)).astype(out.dtype)
    return (d * scale).reshape(out.shape)


def _regression(
    name: str,
    output: Callable[[jax.Array], jax.Array],
    slope: Callable[[jax.Array], jax.Array],
    doc: str,
    printed: str = "[[0.]\n [2.]]",
) -> None:
    """Register an output layer on real-valued labels; `slope` is the loss's derivative at output - label.

    `printed` is the output for data [[0], [2]] as MXNet prints it.
    """

    def kernel(data, label, *, grad_scale: float = 1.0):
        return output(data)

    kernel.__doc__ = f"""{doc}

    The gradient is divided by the number of outputs per sample, not by the batch size; the head gradient is ignored.

    Args:
        data: predictions of any shape.
        label: targets of data's shape, or without its last axis of size 1.
        grad_scale: factor of the gradient.
    """
    shown = example(f"mx.nd.{name}(mx.nd.array([[0], [2]]), mx.nd.array([[0], [1]]))", printed, "2x1")
    kernel.__doc__ = f"{inspect.cleandoc(kernel.__doc__)}\n{shown}"
    layer = op(name, "*s, *s -> *s | *s 1, *s -> *s 1", loss=True, floats=True, loose=True)(kernel)

    @layer.grad
    def _(p: Any, g: Any, data: jax.Array, label: jax.Array, out: jax.Array):
        per_sample = math.prod(out.shape[1:])
        return slope(out - label.reshape(out.shape)) * (p.grad_scale / per_sample), None


def _itself(x: jax.Array) -> jax.Array:
    return x


def _sign(d: jax.Array) -> jax.Array:
    """The sign, -1 at 0."""
    one = jnp.ones_like(d)
    return jnp.where(d > 0, one, -one)


_regression("LinearRegressionOutput", _itself, _itself, "The data itself, with the gradient of half the squared error.")
_regression(
    "LogisticRegressionOutput", jax.nn.sigmoid, _itself,
    "The logistic function of the data, with the gradient of the cross-entropy.", "[[0.5     ]\n [0.880797]]",
)  # fmt: skip
_regression("MAERegressionOutput", _itself, _sign, "The data itself, with the gradient of the absolute error.")


@op("SVMOutput", "*n k, *n -> *n k", loss=True, floats=True)
def svm_output(data, label, *, margin: float = 1.0, regularization_coefficient: float = 1.0, use_linear: bool = False):
    """The data itself, with the gradient of the hinge loss of one classifier per class.

    Args:
        data: scores (batch, ..., classes).
        label: class indices (batch, ...).
        margin: scores of the right class below it, and of others above its negative, have a gradient.
        regularization_coefficient: factor of the gradient.
        use_linear: the hinge itself (L1) instead of its square (L2).

    Example:
        >>> mx.nd.SVMOutput(mx.nd.array([[1, 3]]), mx.nd.array([1]))
        [[1. 3.]]
        <NDArray 1x2 @cpu(0)>
    """
    return data


@svm_output.grad
def _(p: Any, g: Any, data: jax.Array, label: jax.Array, out: jax.Array):
    hot = jax.nn.one_hot(label.astype(jnp.int32), out.shape[-1], dtype=out.dtype)
    side = 1 - 2 * hot  # -1 for the right class, which wants to be large, 1 for the others
    violation = p.margin + side * out
    d = side * (violation > 0) if p.use_linear else side * 2 * jnp.maximum(violation, 0)
    return d * p.regularization_coefficient, None


@op("MakeLoss", "*s -> *s", loss=True, floats=True)
def make_loss_output(
    data, *, grad_scale: float = 1.0, valid_thresh: float = 0.0, normalization: Normalization = "null"
):
    """The data itself, as a loss: its gradient is `grad_scale`, whatever the head gradient.

    Args:
        data: the loss, of any shape.
        grad_scale: the gradient.
        valid_thresh: with `normalization` ``valid``, elements above it count.
        normalization: what the gradient is divided by: ``null`` nothing, ``batch`` the size of the first axis,
            ``valid`` the number of elements above `valid_thresh`, at least 1.

    Example:
        >>> mx.nd.MakeLoss(mx.nd.array([1, 2]), grad_scale=0.5)
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    return data


@make_loss_output.grad
def _(p: Any, g: Any, data: jax.Array, out: jax.Array):
    scale: Any = p.grad_scale
    if p.normalization == "batch":
        scale /= data.shape[0]
    elif p.normalization == "valid":
        scale = scale / jnp.maximum(jnp.sum(data > p.valid_thresh, dtype=jnp.int32), 1)
    return (jnp.broadcast_to(jnp.asarray(scale, data.dtype), data.shape),)


@op("make_loss", "*s -> *s", outputs=("loss",), loss=True)
def make_loss(data):
    """The data itself, as a loss: its gradient is 1, whatever the head gradient.

    Args:
        data: the loss, of any shape.

    Example:
        >>> mx.nd.make_loss(mx.nd.array([1, 2]))
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    return data


@make_loss.grad
def _(p: Any, g: Any, data: jax.Array, out: jax.Array):
    return (jnp.ones_like(data),)


@op("softmax_cross_entropy", "n k, n -> 1", floats=True)
def softmax_cross_entropy(data, label):
    """The cross-entropy between softmax(data) and the labels, summed over the batch.

    Args:
        data: (batch, classes).
        label: class indices (batch,).

    Example:
        >>> mx.nd.softmax_cross_entropy(mx.nd.array([[1, 1], [0, 0]]), mx.nd.array([0, 1]))
        [1.3862944]
        <NDArray 1 @cpu(0)>
    """
    probability = jnp.sum(jax.nn.softmax(data, axis=-1) * _classes(label, data), axis=-1)
    return -jnp.sum(jnp.log(jnp.maximum(probability, 1e-8))).reshape(1)  # MXNet's bound, also for no class at all


@softmax_cross_entropy.grad
def _(p: Any, g: Any, data: jax.Array, label: jax.Array, out: jax.Array):
    return g * (jax.nn.softmax(data, axis=-1) - _classes(label, data)), None


def _classes(label: jax.Array, data: jax.Array) -> jax.Array:
    """A one-hot row for each label; a label out of range is no class."""
    return jax.nn.one_hot(label.astype(jnp.int32), data.shape[-1], dtype=data.dtype)


@op("IdentityAttachKLSparseReg", "n *c, *c -> n *c", aux=("moving_avg",))
def kl_sparse_regularizer(
    data,
    moving_avg,
    *,
    sparseness_target: float = 0.1,
    penalty: float = 0.001,
    momentum: float = 0.9,
    env: Mode,
):
    """The data itself; its gradient is the head gradient plus that of a penalty on mean activations, after Hinton 2010.

    The penalty is the Kullback-Leibler divergence between `sparseness_target` and the moving average of the activation
    of each unit, which should be in (0, 1): use it behind a sigmoid.

    Args:
        data: (batch, ...).
        moving_avg: data's shape without the batch, an auxiliary state; renewed in training.
        sparseness_target: the wanted mean activation.
        penalty: the weight of the penalty.
        momentum: how much the moving average keeps.

    Example:
        >>> mx.nd.IdentityAttachKLSparseReg(mx.nd.array([[0.2, 0.9]]), mx.nd.array([0.1, 0.1]))
        [[0.2 0.9]]
        <NDArray 1x2 @cpu(0)>
    """
    return data, (_moving_average(data, moving_avg, momentum) if env.train else moving_avg,)


def _moving_average(data: jax.Array, moving_avg: jax.Array, momentum: float) -> jax.Array:
    return momentum * moving_avg + (1 - momentum) * jnp.mean(data, 0)


@kl_sparse_regularizer.grad
def _(p: Any, g: Any, data: jax.Array, moving_avg: jax.Array, out: Any):
    mean = _moving_average(data, moving_avg, p.momentum)
    slope = (1 - p.sparseness_target) / (1 - mean) - p.sparseness_target / mean
    return g[0] + p.penalty * slope, None
