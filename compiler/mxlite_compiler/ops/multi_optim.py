# SPDX-License-Identifier: Apache-2.0
"""Optimizer updates of many weights in one call.

The inputs come weight by weight: weight, gradient, states, and for 16-bit weights (``mp``) their float32 copies. States
and copies are written in place; the results are the new weights, which ``out=`` puts into the old ones. What a
schedule changes is traced, so that a new learning rate compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp

from ..errors import Mismatch, MXNetError, explain
from ..op import Op, op
from ..shapes import DTypes, Shapes, join_shapes
from ._steps import Array, adamw, as_dtype_of, lamb_direction, lamb_step, sgd, sgd_mom

Floats = tuple[float, ...]

_SCHEDULED = frozenset({"lrs", "wds", "etas", "learning_rates", "step_count", "rescale_grad"})


def _multi(
    name: str, states: Sequence[str] = (), tail: Sequence[str] = (), *, mixed: bool = False, count: str = "num_weights"
) -> Callable[[Callable[..., Any]], Op]:
    """Register an update of `count` weights.

    Args:
        name: the operator's.
        states: what each weight has beside itself and its gradient.
        tail: inputs that all weights share: ``rescale_grad`` (1,), or vectors with one number a weight.
        mixed: states are float32, and so is a copy of each weight.
        count: the parameter that counts the weights.
    """
    group = ("weight", "grad", *states, *(("weight32",) if mixed else ()))

    def register(kernel: Callable[..., Any]) -> Op:
        new = op(
            name,
            count=count,
            group=group,
            tail=tail,
            mutates=lambda p: [f"{n}_{i}" for i in range(getattr(p, count)) for n in group[2:]],
            outputs=lambda p: [f"output{i}" for i in range(getattr(p, count))],
            dynamic=sorted(_SCHEDULED & kernel.__annotations__.keys()),
        )(kernel)
        new.infer(partial(_shapes, new))
        new.infer_dtypes(partial(_dtypes, new, mixed))
        return new

    return register


def _count(update: Op, p: Any, given: int) -> int:
    """How many weights `p` says there are. Mismatch when so many do not come with `given` arrays."""
    n, wanted = getattr(p, update.variadic), len(update.inputs(p))
    if given != wanted:
        each = f"{', '.join(update.group)} for each" + "".join(f", then {t}" for t in update.tail[:1])
        each += "".join(f", {t}" for t in update.tail[1:])
        raise Mismatch(f"{update.variadic}={n} takes {wanted} arrays ({each}), got {given}")
    return n


def _shapes(update: Op, p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    n, k = _count(update, p, len(ins)), len(update.group)
    new = []
    for i in range(n):
        whole = outs[i]
        for s in ins[i * k : i * k + k]:
            whole = join_shapes(whole, s, f"the shape of weight_{i} and of what belongs to it")
        new.append(whole)
    shared = ((1,) if t == "rescale_grad" else (n,) for t in update.tail)
    tail = [join_shapes(s, want, t) for s, want, t in zip(ins[n * k :], shared, update.tail, strict=True)]
    return [s for s in new for _ in update.group] + tail, new


def _dtypes(update: Op, mixed: bool, p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    n, k = _count(update, p, len(ins)), len(update.group)
    own = 2 if mixed else k  # how many of a group have the dtype of the weights
    weights = next((d for d in (*(d for i, d in enumerate(ins[: n * k]) if i % k < own), *outs) if d), None)
    new = [*[*[weights] * own, *["float32"] * (k - own)] * n, *["float32"] * len(update.tail)]
    for i, (name, have) in enumerate(zip(update.inputs(p), ins, strict=True)):
        if name == "rescale_grad" and have == weights:  # MXNet wants this, or float32
            new[i] = have
        if have and new[i] and have != new[i]:
            raise Mismatch(f"{name} must be {new[i]}, got {have}")
    return new, [weights] * n


def _each(data: Sequence[Array], count: int, step: Callable[..., Sequence[Array]], mixed: bool = False) -> Any:
    """The new weights of all groups of arrays, and their new states, if any: ``step(i, weight, grad, *states)``.

    With `mixed` the step gets the float32 copy of the weight instead of the weight, and a float32 gradient.
    """
    k = len(data) // count
    weights, written = [], []
    for i in range(count):
        weight, grad, *states = data[i * k : i * k + k]
        source = states.pop() if mixed else weight
        new, *states = step(i, source, grad.astype(source.dtype), *states)
        weights.append(new.astype(weight.dtype))
        written += [*states, new] if mixed else states
    return (weights, written) if written else weights


def _numbers(update: str, count: int, **given: Any) -> None:
    """Raise MXNetError when there is not one number for each weight."""
    for name, values in given.items():
        if len(values) != count:
            problem = f"{name} has {len(values)} numbers for {count} weights"
            raise MXNetError(explain(problem, op=update, hint=f"give {name} one for each weight, as a tuple"))


def _add_sgd(mixed: bool) -> None:
    """Register the four forms of gradient descent, with or without momentum, rates given as numbers or as arrays."""
    mp = "mp_" if mixed else ""
    like = f"`{mp}sgd_update`", f"`{mp}sgd_mom_update`"

    @_multi(f"multi_{mp}sgd_update", mixed=mixed)
    def multi_sgd_update(
        *data, lrs: Floats, wds: Floats, rescale_grad: float = 1.0, clip_gradient: float = -1.0, num_weights: int = 1
    ):
        _numbers(f"multi_{mp}sgd_update", num_weights, lrs=lrs, wds=wds)
        return _each(
            data, num_weights, lambda i, w, g: (sgd(w, g, lrs[i], wds[i], rescale_grad, clip_gradient),), mixed
        )

    @_multi(f"multi_{mp}sgd_mom_update", ("mom",), mixed=mixed)
    def multi_sgd_mom_update(
        *data,
        lrs: Floats,
        wds: Floats,
        momentum: float = 0.0,
        rescale_grad: float = 1.0,
        clip_gradient: float = -1.0,
        num_weights: int = 1,
    ):
        _numbers(f"multi_{mp}sgd_mom_update", num_weights, lrs=lrs, wds=wds)

        def step(i: int, w: Array, g: Array, mom: Array) -> Sequence[Array]:
            return sgd_mom(w, g, mom, lrs[i], momentum, wds[i], rescale_grad, clip_gradient)

        return _each(data, num_weights, step, mixed)

    @_multi(f"preloaded_multi_{mp}sgd_update", tail=("lrs", "wds"), mixed=mixed)
    def preloaded_multi_sgd_update(*data, rescale_grad: float = 1.0, clip_gradient: float = -1.0, num_weights: int = 1):
        *data, lrs, wds = data
        return _each(
            data, num_weights, lambda i, w, g: (sgd(w, g, lrs[i], wds[i], rescale_grad, clip_gradient),), mixed
        )

    @_multi(f"preloaded_multi_{mp}sgd_mom_update", ("mom",), ("lrs", "wds"), mixed=mixed)
    def preloaded_multi_sgd_mom_update(
        *data,
        momentum: float = 0.0,
        rescale_grad: float = 1.0,
        clip_gradient: float = -1.0,
        num_weights: int = 1,
    ):
        *data, lrs, wds = data

        def step(i: int, w: Array, g: Array, mom: Array) -> Sequence[Array]:
            return sgd_mom(w, g, mom, lrs[i], momentum, wds[i], rescale_grad, clip_gradient)

        return _each(data, num_weights, step, mixed)

    for update, one in zip((multi_sgd_update, multi_sgd_mom_update), like, strict=True):
        update.kernel.__doc__ = f"{one} of many weights, with the learning rate and decay of each."
    for update, one in zip((preloaded_multi_sgd_update, preloaded_multi_sgd_mom_update), like, strict=True):
        update.kernel.__doc__ = f"{one} of many weights, with rates and decays in arrays, which come last."


def _add_adamw(mixed: bool) -> None:
    name = f"_multi_{'mp_' if mixed else ''}adamw_update"

    @_multi(name, ("mean", "var"), ("rescale_grad",), mixed=mixed)
    def multi_adamw_update(
        *data,
        lrs: Floats,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        wds: Floats,
        etas: Floats,
        clip_gradient: float = -1.0,
        num_weights: int = 1,
    ):
        """`adamw_update` of many weights; ``rescale_grad`` (1,), which they share, is the last array."""
        *data, scale = data
        _numbers(name, num_weights, lrs=lrs, wds=wds, etas=etas)

        def step(i: int, w: Array, g: Array, mean: Array, var: Array) -> Sequence[Array]:
            return adamw(w, g, mean, var, scale, lrs[i], etas[i], beta1, beta2, epsilon, wds[i], clip_gradient)

        return _each(data, num_weights, step, mixed)


def _add_lamb(mixed: bool) -> None:
    name = f"_multi_{'mp_' if mixed else ''}lamb_update"

    @_multi(name, ("mean", "var"), mixed=mixed, count="num_tensors")
    def multi_lamb_update(
        *data,
        learning_rates: Floats,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        wds: Floats,
        rescale_grad: float = 1.0,
        lower_bound: float = -1.0,
        upper_bound: float = -1.0,
        clip_gradient: float = -1.0,
        bias_correction: bool = True,
        step_count: Floats,
        num_tensors: int = 1,
    ):
        """LAMB, You et al. 2019, of many weights: `lamb_update_phase1` and `lamb_update_phase2` in one.

        `step_count` says for each weight how many updates it has had, this one included.
        """
        _numbers(name, num_tensors, learning_rates=learning_rates, wds=wds, step_count=step_count)

        def step(i: int, w: Array, g: Array, mean: Array, var: Array) -> Sequence[Array]:
            g, mean, var = lamb_direction(
                w, g, mean, var, beta1, beta2, epsilon, step_count[i], bias_correction, wds[i], rescale_grad,
                clip_gradient,
            )  # fmt: skip
            r1, r2 = (jnp.sqrt(jnp.sum(jnp.square(x))) for x in (w, g))
            return lamb_step(w, g, r1, r2, learning_rates[i], lower_bound, upper_bound), mean, var

        return _each(data, num_tensors, step, mixed)


for _mixed in (False, True):
    _add_sgd(_mixed)
    _add_adamw(_mixed)
    _add_lamb(_mixed)


@op("multi_lars", "n, n, n, n -> n", dtypes="float32, float32, float32, float32 -> float32", dynamic=("rescale_grad",))
def multi_lars(lrs, weights_sum_sq, grads_sum_sq, wds, *, eta: float, eps: float, rescale_grad: float = 1.0):
    """Learning rates scaled layer by layer, You et al. 2017: ``lr * eta * |w| / (|g| + wd * |w| + eps)``.

    A layer whose weight or gradient is 0 keeps its rate.

    Args:
        lrs: (n,) learning rates.
        weights_sum_sq: (n,) the sum of squares of each weight, from `multi_sum_sq`.
        grads_sum_sq: (n,) that of each gradient.
        wds: (n,) weight decays.
        eta: the trust coefficient.
        eps: added to the denominator.
        rescale_grad: factor of the gradients.
    """
    weight, grad = jnp.sqrt(weights_sum_sq), jnp.sqrt(grads_sum_sq) * as_dtype_of(rescale_grad, grads_sum_sq)
    scaled = lrs * eta * weight / (grad + wds * weight + eps)
    return jnp.where((weights_sum_sq > 0) & (grads_sum_sq > 0), scaled, lrs)


def _arrays(p: Any) -> list[str]:
    return [f"arg{i}" for i in range(p.num_arrays)]


@op("reset_arrays", count="num_arrays", mutates=_arrays, outputs=())
def reset_arrays(*data, num_arrays: int):
    """Set arrays to 0, in place. There is no result."""
    return (), [jnp.zeros_like(x) for x in data]


@reset_arrays.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if len(ins) != p.num_arrays:
        raise Mismatch(f"num_arrays={p.num_arrays}, but {len(ins)} arrays are given")
    return ins, outs


@reset_arrays.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    return ins, outs
