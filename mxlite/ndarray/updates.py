# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates of `mx.nd.contrib` that take lists of arrays, or a gradient scale as number or array."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from ..base import MXNetError, explain
from .ndarray import NDArray, from_host, invoke

Out = NDArray | Sequence[NDArray] | None


def adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    rescale_grad: NDArray | float,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: Out = None,
    name: str | None = None,
    **kwargs: Any,
) -> NDArray:
    """Adam with decoupled decay: ``weight - eta * (lr * mean / (sqrt(var) + epsilon) + wd * weight)``.

    Nothing changes when `rescale_grad` is 0, infinite or nan, which loss scaling makes it after an overflow.

    Args:
        weight, grad, mean, var: arrays of one shape; `mean` and `var` are written.
        rescale_grad: factor of the gradient, as a number or as an array of shape (1,) that nobody need wait for.
        lr: learning rate.
        eta: factor of the whole step, such as a schedule gives it.
        beta1: how much of the mean is kept.
        beta2: how much of the mean square is kept.
        epsilon: added to the root.
        wd: weight decay.
        clip_gradient: bound of the rescaled gradient; negative for none.
        out: where the result goes, usually `weight`.
        name: not used.

    Returns the new weight.
    """
    arrays = (weight, grad, mean, var, _scale(rescale_grad, weight))
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd, **kwargs}
    return invoke("_adamw_update", arrays, {**attrs, "clip_gradient": clip_gradient}, out)


def mp_adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    weight32: NDArray,
    rescale_grad: NDArray | float,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: Out = None,
    name: str | None = None,
    **kwargs: Any,
) -> NDArray:
    """`adamw_update` of a 16-bit weight by way of its float32 copy `weight32`, which is written, too."""
    arrays = (weight, grad, mean, var, weight32, _scale(rescale_grad, weight))
    attrs = {"lr": lr, "eta": eta, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "wd": wd, **kwargs}
    return invoke("_mp_adamw_update", arrays, {**attrs, "clip_gradient": clip_gradient}, out)


def multi_adamw_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    rescale_grad: NDArray | float,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Out = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """`adamw_update` of many weights in one call, each with its rate, decay and factor.

    Args:
        weights, grads, mean, var: lists of arrays, in one order.
        rescale_grad: factor of all gradients, as a number or as an array of shape (1,).
        lrs: learning rates.
        wds: weight decays.
        etas: factors of the whole steps.
        out: where the results go, usually `weights`.
        name: not used.
        size: how many weights; by default as many as `weights` has.
        kwargs: `beta1`, `beta2`, `epsilon`, `clip_gradient`.

    Returns the new weights. Raises MXNetError when the lists differ in length.
    """
    arrays = _interleaved("multi_adamw_update", weights=weights, grads=grads, mean=mean, var=var)
    attrs = {"lrs": lrs, "wds": wds, "etas": etas, "num_weights": size or len(weights), **kwargs}
    return invoke("_multi_adamw_update", [*arrays, _scale(rescale_grad, weights[0])], attrs, out)


def multi_mp_adamw_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    weights32: Sequence[NDArray],
    rescale_grad: NDArray | float,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Out = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """`multi_adamw_update` of 16-bit weights by way of their float32 copies `weights32`, which are written, too."""
    lists = {"weights": weights, "grads": grads, "mean": mean, "var": var, "weights32": weights32}
    arrays = _interleaved("multi_mp_adamw_update", **lists)
    attrs = {"lrs": lrs, "wds": wds, "etas": etas, "num_weights": size or len(weights), **kwargs}
    return invoke("_multi_mp_adamw_update", [*arrays, _scale(rescale_grad, weights[0])], attrs, out)


def multi_lamb_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Out = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """LAMB, You et al. 2019, of many weights in one call.

    Args:
        weights, grads, mean, var: lists of arrays, in one order.
        step_count: how many updates each weight has had, this one included.
        lrs: learning rates.
        wds: weight decays.
        out: where the results go, usually `weights`.
        num_tensors: how many weights; by default as many as `weights` has.
        kwargs: `beta1`, `beta2`, `epsilon`, `rescale_grad`, `lower_bound`, `upper_bound`, `clip_gradient`,
            `bias_correction`.

    Returns the new weights. Raises MXNetError when the lists differ in length.
    """
    arrays = _interleaved("multi_lamb_update", weights=weights, grads=grads, mean=mean, var=var)
    attrs = {"learning_rates": lrs, "wds": wds, "step_count": step_count, **kwargs}
    return invoke("_multi_lamb_update", arrays, {**attrs, "num_tensors": num_tensors or len(weights)}, out)


def multi_mp_lamb_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    weights32: Sequence[NDArray],
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Out = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """`multi_lamb_update` of 16-bit weights by way of their float32 copies `weights32`, which are written, too."""
    lists = {"weights": weights, "grads": grads, "mean": mean, "var": var, "weights32": weights32}
    arrays = _interleaved("multi_mp_lamb_update", **lists)
    attrs = {"learning_rates": lrs, "wds": wds, "step_count": step_count, **kwargs}
    return invoke("_multi_mp_lamb_update", arrays, {**attrs, "num_tensors": num_tensors or len(weights)}, out)


def _scale(rescale_grad: NDArray | float, weight: NDArray) -> NDArray:
    """The factor of the gradient as an array of shape (1,)."""
    if isinstance(rescale_grad, NDArray):
        return rescale_grad
    return from_host(np.full(1, rescale_grad, np.float32), weight.context)


def _interleaved(update: str, **lists: Sequence[NDArray]) -> list[NDArray]:
    """The first of each list, then the second of each, ... MXNetError when they differ in length or are empty."""
    lengths = {name: len(arrays) for name, arrays in lists.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        raise MXNetError(
            explain("needs as many arrays in every list, and at least one", op=update, given=lengths.items())
        )
    return list(chain.from_iterable(zip(*lists.values(), strict=True)))


def set_value(src: float | None = None, out: NDArray | None = None, name: str | None = None) -> NDArray:
    """Fill `out` with the number `src`: what ``out[:] = src`` does. Raises MXNetError when one of them is missing."""
    if src is None or out is None:
        missing = "the number src" if src is None else "the array out, which is written,"
        raise MXNetError(explain(f"{missing} is missing", op="_set_value"))
    out[:] = src
    return out
