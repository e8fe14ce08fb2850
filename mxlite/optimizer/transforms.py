# SPDX-License-Identifier: Apache-2.0
"""The small optax transformations that MXNet's optimizers are chained from.

Everything here works on flat dictionaries ``{name: array}``. `each` lifts a rule for one array to a transformation of
such dictionaries, so a rule reads like its formula. What changes from step to step (rates, decays, `rescale_grad`, bias
corrections) arrives through the keyword arguments of `update` as traced scalars and never causes a compilation.

16-bit floats are widened to float32 for the arithmetic and rounded once when stored; MXNet rounds after each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

Array = jax.Array
Tree = Mapping[str, Array]
#: ``rule(g, w, h, *slots)`` gives the new ``g``, or a tuple of it and the new slots; ``h`` has the step's scalars.
Rule = Callable[..., Any]
Slot = Callable[[Any], Any]


def is_half(dtype: Any) -> bool:
    """Whether `dtype` is a 16-bit float."""
    return jnp.issubdtype(dtype, jnp.floating) and np.dtype(dtype).itemsize == 2


def _wide(x: Array) -> Array:
    return x.astype(jnp.float32) if is_half(x.dtype) else x


def _scalar(value: Any, dtype: Any) -> Array:
    value = jnp.asarray(value)
    return value if value.dtype == jnp.uint32 else value.astype(dtype)  # a random key stays one


def _put(host: np.ndarray, like: Any) -> Any:
    return jax.device_put(host, like.sharding) if isinstance(like, jax.Array) else host


def zeros(w: Any) -> Any:
    """A slot that starts with zeros of the weight's shape and dtype; outside of jit it compiles nothing."""
    return jnp.zeros_like(w) if isinstance(w, Tracer) else _put(np.zeros(w.shape, w.dtype), w)


def rows(w: Any) -> Any:
    """A slot with one number for each row of the weight, shape (rows, 1), that starts at zero."""
    shape = (w.shape[0], 1)
    return jnp.zeros(shape, w.dtype) if isinstance(w, Tracer) else _put(np.zeros(shape, w.dtype), w)


def copied(w: Any) -> Any:
    """A slot that starts as a copy of the weight."""
    return jnp.copy(w) if isinstance(w, Tracer) else _put(np.array(w), w)


def rest(beta: float, t: Any = 1) -> Any:
    """``1 - beta**t`` as MXNet's kernels have it, from a float32 beta: visible in ``1 - 0.999``."""
    return 1.0 - float(np.float32(beta)) ** t


def each(rule: Rule, **slots: Slot) -> optax.GradientTransformationExtraArgs:
    """Lift `rule` for one array to a transformation of dictionaries of arrays.

    The state is ``{slot: {name: array}}``. Per-parameter scalars come as dictionaries ``{name: scalar}``, the others as
    they are; `rule` sees both as attributes of ``h``, cast to the dtype it computes in.
    """

    def init(params: Any) -> Any:
        return {slot: {name: make(w) for name, w in params.items()} for slot, make in slots.items()}

    def update(updates: Any, state: Any, params: Any = None, **scalars: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("update needs params: MXNet's rules look at the weights")
        out: dict[str, Array] = {}
        new: dict[str, dict[str, Array]] = {slot: {} for slot in slots}
        for name, g in updates.items():
            g = _wide(g)
            values = {key: value[name] if isinstance(value, Mapping) else value for key, value in scalars.items()}
            h = SimpleNamespace(**{key: _scalar(value, g.dtype) for key, value in values.items()})
            got = rule(g, _wide(params[name]), h, *(_wide(state[slot][name]) for slot in slots))
            got = got if isinstance(got, tuple) else (got,)
            out[name] = got[0]
            for slot, value in zip(slots, got[1:], strict=True):
                new[slot][name] = value.astype(state[slot][name].dtype)
        return out, new

    return optax.GradientTransformationExtraArgs(init, update)


def clipped(x: Array, limit: float | None) -> Array:
    """`x` cut to ``[-limit, limit]``; None, zero and negative limits cut nothing, as in MXNet."""
    return jnp.clip(x, -limit, limit) if limit and limit > 0 else x


def rescale() -> optax.GradientTransformationExtraArgs:
    """``g * rescale_grad``."""
    return each(lambda g, w, h: g * h.rescale_grad)


def clip(limit: float | None) -> optax.GradientTransformationExtraArgs:
    """`clipped` gradients."""
    return each(lambda g, w, h: clipped(g, limit))


def decay() -> optax.GradientTransformationExtraArgs:
    """``g + wd * w``."""
    return each(lambda g, w, h: g + h.wd * w)


def descend() -> optax.GradientTransformationExtraArgs:
    """``-lr * g``, the last piece of a chain whose direction does not contain the rate yet."""
    return each(lambda g, w, h: -h.lr * g)


def trace(momentum: float) -> optax.GradientTransformationExtraArgs:
    """Classical momentum with the rate inside: ``mom = momentum * mom - lr * g``; the step is ``mom``."""

    def rule(g: Array, w: Array, h: Any, mom: Array) -> tuple[Array, Array]:
        mom = momentum * mom - h.lr * g
        return mom, mom

    return each(rule, mom=zeros)


def clip_weights(limit: float | None) -> optax.GradientTransformationExtraArgs:
    """Change the step so that the new weight lies in ``[-limit, limit]``."""
    return each(lambda u, w, h: clipped(w + u, limit) - w if limit else u)


def master_weights(inner: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """Let `inner` work on float32 copies of the 16-bit weights, and round its result to the stored weights.

    The state is ``(inner's state, {name: float32 weight})``; wider weights have no copy.
    """

    def master(w: Any) -> Any:
        return w.astype(jnp.float32) if isinstance(w, Tracer) else _put(np.asarray(w).astype(np.float32), w)

    def init(params: Any) -> Any:
        copies = {name: master(w) for name, w in params.items() if is_half(w.dtype)}
        return inner.init({**params, **copies}), copies

    def update(updates: Any, state: Any, params: Any = None, **scalars: Any) -> tuple[Any, Any]:
        inner_state, copies = state
        if params is None:
            raise ValueError("update needs params: MXNet's rules look at the weights")
        wide = {name: g.astype(jnp.float32) if name in copies else g for name, g in updates.items()}
        out, inner_state = inner.update(wide, inner_state, {**params, **copies}, **scalars)
        out, new = dict(out), dict(copies)  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, weight in copies.items():
            if name in out:
                new[name] = weight + out[name]
                # The difference of two 16-bit numbers is exact in float32, so apply_updates rounds to the right one.
                low = params[name]
                out[name] = new[name].astype(low.dtype).astype(jnp.float32) - low.astype(jnp.float32)
        return out, (inner_state, new)

    return optax.GradientTransformationExtraArgs(init, update)
