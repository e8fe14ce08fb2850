# SPDX-License-Identifier: Apache-2.0
"""What the metrics compute on the device: pure functions ``kernel(labels, preds)`` of lists of arrays.

Each gives the sums of one update, as float (k,), in the dtype of the accumulators. A kernel is made once for its
parameters, so that the programs which contain it are found again.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from .accumulator import Kernel, sum_dtype

Arrays = list[jax.Array]


def _sums(*numbers: jax.Array) -> jax.Array:
    return jnp.stack([jnp.asarray(x).astype(sum_dtype()) for x in numbers])


def _whole(x: jax.Array) -> jax.Array:
    """Flat class numbers; fractions are cut off, as MXNet does."""
    return x.reshape(-1).astype(jnp.int32)


@functools.cache
def accuracy(axis: int) -> Kernel:
    """Right predictions."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        right = jnp.zeros((), jnp.int32)
        for label, pred in zip(labels, preds, strict=True):
            chosen = pred if pred.shape == label.shape else jnp.argmax(pred, axis=axis)
            right += jnp.sum(_whole(chosen) == _whole(label), dtype=jnp.int32)
        return _sums(right)

    return kernel


@functools.cache
def top_k(k: int) -> Kernel:
    """Labels among the `k` best predictions; among equal ones the later classes come first."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        right = jnp.zeros((), jnp.int32)
        for label, pred in zip(labels, preds, strict=True):
            want = _whole(label)
            if pred.ndim == 1:
                # MXNet compares the label with the sorting order here.
                right += jnp.sum(jnp.argsort(pred).astype(jnp.int32) == want, dtype=jnp.int32)
                continue
            classes = pred.shape[1]
            # nan counts as the largest number, as it does when numpy sorts.
            score = jnp.where(jnp.isnan(pred), jnp.inf, pred) if jnp.issubdtype(pred.dtype, jnp.floating) else pred
            mine = jnp.take_along_axis(score, jnp.clip(want, 0, classes - 1)[:, None], axis=1)
            later = jnp.arange(classes) > want[:, None]
            better = jnp.sum((score > mine) | ((score == mine) & later), axis=1)
            right += jnp.sum((better < k) & (want >= 0) & (want < classes), dtype=jnp.int32)
        return _sums(right)

    return kernel


@functools.cache
def regression(kind: str) -> Kernel:
    """The mean absolute error ("mae"), mean square ("mse") or its root ("rmse") of each pair, summed over the pairs."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        total = jnp.zeros((), sum_dtype())
        for label, pred in zip(labels, preds, strict=True):
            label, pred = (x.reshape(-1, 1) if x.ndim == 1 else x for x in (label, pred))
            # numpy's promotion, which for int32 and float32 is not JAX's.
            common = jax.dtypes.canonicalize_dtype(np.result_type(label.dtype, pred.dtype))
            error = label.astype(common) - pred.astype(common)
            if not jnp.issubdtype(common, jnp.floating):
                error = (jnp.abs(error) if kind == "mae" else error).astype(sum_dtype())
            value = jnp.mean(jnp.abs(error) if kind == "mae" else jnp.square(error))
            total += (jnp.sqrt(value) if kind == "rmse" else value).astype(total.dtype)
        return _sums(total)

    return kernel


@functools.cache
def cross_entropy(eps: float) -> Kernel:
    """Minus the logarithms of the labels' probabilities; and how many labels name no class."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        total, outside = jnp.zeros((), sum_dtype()), jnp.zeros((), jnp.int32)
        for label, pred in zip(labels, preds, strict=True):
            which, classes = _whole(label), pred.shape[1]
            legal = (which >= -classes) & (which < classes)
            outside += jnp.sum(~legal, dtype=jnp.int32)
            which = jnp.where(legal, which % classes, 0)
            prob = pred[jnp.arange(which.shape[0]), which]
            total += jnp.sum(-jnp.log(prob + jnp.asarray(eps, prob.dtype))).astype(total.dtype)
        return _sums(total, outside)

    return kernel


@functools.cache
def perplexity(ignore_label: float | None, axis: int) -> Kernel:
    """Minus the logarithms of the labels' probabilities; and how many labels are ignored."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        total, ignored = jnp.zeros((), sum_dtype()), jnp.zeros((), jnp.int32)
        for label, pred in zip(labels, preds, strict=True):
            flat = label.reshape(-1)
            table = jnp.moveaxis(pred, axis, -1)
            table = table.reshape(-1, table.shape[-1])
            which = jnp.clip(flat.astype(jnp.int32), 0, table.shape[1] - 1)
            prob = jnp.take_along_axis(table, which[:, None], axis=1)[:, 0]
            if ignore_label is not None:
                skip = flat == jnp.asarray(ignore_label).astype(flat.dtype)
                ignored += jnp.sum(skip, dtype=jnp.int32)
                prob = jnp.where(skip, jnp.ones((), prob.dtype), prob)
            total -= jnp.sum(jnp.log(jnp.maximum(prob, jnp.asarray(1e-10, prob.dtype)))).astype(total.dtype)
        return _sums(total, ignored)

    return kernel


@functools.cache
def loss() -> Kernel:
    """The sum of all outputs."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        return _sums(sum((jnp.sum(x).astype(sum_dtype()) for x in preds), jnp.zeros((), sum_dtype())))

    return kernel


@functools.cache
def pearson() -> Kernel:
    """The correlation coefficient of each pair, summed over the pairs; nan where an array is constant."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        total = jnp.zeros((), sum_dtype())
        for pair in zip(labels, preds, strict=True):
            x, y = (a.reshape(-1).astype(sum_dtype()) for a in pair)
            x, y = x - jnp.mean(x), y - jnp.mean(y)
            total += jnp.dot(x, y) / jnp.sqrt(jnp.dot(x, x) * jnp.dot(y, y))
        return _sums(total)

    return kernel


def _confusion(labels: Arrays, preds: Arrays) -> tuple[jax.Array, ...]:
    """True positives, false positives, false negatives, true negatives."""
    counts = [jnp.zeros((), sum_dtype())] * 4
    for label, pred in zip(labels, preds, strict=True):
        # Labels of shape (n, 1) meet predictions of shape (n,) in n x n pairs, in MXNet, too.
        yes, right = jnp.argmax(pred, axis=1) == 1, label.astype(jnp.int32) == 1
        cells = (yes & right, yes & ~right, ~yes & right, ~yes & ~right)
        counts = [n + jnp.sum(c, dtype=n.dtype) for n, c in zip(counts, cells, strict=True)]
    return tuple(counts)


@functools.cache
def confusion() -> Kernel:
    """The four numbers of a binary confusion matrix: tp, fp, fn, tn."""
    return lambda labels, preds: _sums(*_confusion(labels, preds))


def _safe(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    zero = denominator == 0
    return jnp.where(zero, 0.0, numerator / jnp.where(zero, 1.0, denominator))


@functools.cache
def f1() -> Kernel:
    """The F1 score of the update."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        tp, fp, fn, _ = _confusion(labels, preds)
        return _sums(f1_of(tp, fp, fn))

    return kernel


def f1_of(tp: jax.Array, fp: jax.Array, fn: jax.Array) -> jax.Array:
    """The F1 score, 0 where it is not defined."""
    precision, recall = _safe(tp, tp + fp), _safe(tp, tp + fn)
    return _safe(2 * precision * recall, precision + recall)


@functools.cache
def mcc() -> Kernel:
    """Matthews' correlation coefficient of the update."""

    def kernel(labels: Arrays, preds: Arrays) -> jax.Array:
        return _sums(mcc_of(*_confusion(labels, preds)))

    return kernel


def mcc_of(tp: jax.Array, fp: jax.Array, fn: jax.Array, tn: jax.Array) -> jax.Array:
    """Matthews' correlation coefficient, 0 where it is not defined."""
    return _safe(tp * tn - fp * fn, jnp.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
