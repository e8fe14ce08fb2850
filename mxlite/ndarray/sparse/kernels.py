# SPDX-License-Identifier: Apache-2.0
"""The sparse forms of operators: structure in numpy, values in compiled programs.

A kernel takes the call and its inputs: `Stored` parts or dense JAX arrays. It returns `Stored` parts, a dense array, or
None for storages that MXNet, too, computes on dense copies. What MXNet keeps sparse is kept.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...base import MXNetError, explain
from .storage import Csr, Rows, Stored, bucket, empty, padded, rows_at


class Given(NamedTuple):
    """A call: the program, the values of its dynamic parameters, and these as the program takes them."""

    prog: Any
    values: Sequence[Any]
    numbers: Any


Kernel = Callable[[Given, Sequence[Any]], Any]

#: Zero where their input is zero, so that only the stored values change.
UNARY = """
abs sign sqrt square negative relu sin tan tanh sinh arcsin arctan arcsinh arctanh ceil floor rint round fix trunc expm1
log1p cbrt degrees radians BlockGrad make_loss _copy _mul_scalar _div_scalar
""".split()
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "_equal_scalar": operator.eq, "_not_equal_scalar": operator.ne, "_greater_scalar": operator.gt,
    "_greater_equal_scalar": operator.ge, "_lesser_scalar": operator.lt, "_lesser_equal_scalar": operator.le,
}  # fmt: skip
#: Their dense copies are MXNet's way, too, and not worth a word.
QUIET = frozenset({"cast_storage", "where", "sgd_update", "sgd_mom_update", "adam_update", "ftrl_update"})

_kernels: dict[str, Kernel] = {}


def _kernel(*names: str) -> Callable[[Kernel], Kernel]:
    def enter(fn: Kernel) -> Kernel:
        _kernels.update(dict.fromkeys(names, fn))
        return fn

    return enter


def kernel_of(prog: Any) -> Kernel | None:
    """The sparse form of a program's operator."""
    return _kernels.get(prog.name)


def _on_values(given: Given, x: Stored) -> Stored:
    """The operator on the stored values."""
    return x.with_values(given.prog.fn(None, given.numbers, x.values)[0][0])


@_kernel(*UNARY)
def _unary(given: Given, inputs: Sequence[Any]) -> Any:
    return _on_values(given, inputs[0])


@_kernel("_plus_scalar", "_minus_scalar")
def _shifted(given: Given, inputs: Sequence[Any]) -> Any:
    return _on_values(given, inputs[0]) if _scalar(given) == 0 else None


@_kernel(*_COMPARED)
def _compared(given: Given, inputs: Sequence[Any]) -> Any:
    return None if _COMPARED[given.prog.name](0, _scalar(given)) else _on_values(given, inputs[0])


def _scalar(given: Given) -> float:
    return float(given.values[0]) if given.values else float(given.prog.params.scalar)


@_kernel("clip")
def _clip(given: Given, inputs: Sequence[Any]) -> Any:
    dynamic = dict(zip(given.prog.dynamic, given.values, strict=True))
    low, high = (float(dynamic.get(n, getattr(given.prog.params, n))) for n in ("a_min", "a_max"))
    return _on_values(given, inputs[0]) if low <= 0 <= high else None


@_kernel("zeros_like")
def _zeros_like(given: Given, inputs: Sequence[Any]) -> Any:
    x = inputs[0]
    (device,) = x.values.devices()
    return empty(x.stype, x.shape, x.values.dtype, device)


@_kernel("cast_storage")
def _cast_storage(given: Given, inputs: Sequence[Any]) -> Any:
    x, stype = inputs[0], given.prog.params.stype
    if stype in ("default", x.stype):
        return x if stype != "default" else x.dense()
    problem = f"{x.stype} does not become {stype} directly"
    raise MXNetError(explain(problem, op=given.prog.name, hint="by way of tostype('default')"))


# Two arrays.

_ADDED = {
    "broadcast_add": jnp.add, "elemwise_add": jnp.add, "broadcast_sub": jnp.subtract, "elemwise_sub": jnp.subtract
}  # fmt: skip
_TIMES = {"broadcast_mul": jnp.multiply, "elemwise_mul": jnp.multiply}


@partial(jax.jit, static_argnums=(0, 5))
def _joined(fn: Any, a: jax.Array, b: jax.Array, at_a: Any, at_b: Any, size: int) -> jax.Array:
    spread = jnp.zeros((size, *a.shape[1:]), a.dtype)
    return fn(spread.at[at_a].add(a, mode="drop"), spread.at[at_b].add(b, mode="drop"))


@partial(jax.jit, static_argnums=0)
def _together(fn: Any, a: jax.Array, b: jax.Array) -> jax.Array:
    return fn(a, b)


@_kernel(*_ADDED, *_TIMES)
def _binary(given: Given, inputs: Sequence[Any]) -> Any:
    a, b = inputs
    fn = {**_ADDED, **_TIMES}[given.prog.name]
    if isinstance(a, Stored) and isinstance(b, Stored):
        return _union(fn, a, b) if a.stype == b.stype and a.shape == b.shape else None
    if given.prog.name not in _TIMES:
        return None
    if isinstance(a, Csr) or (isinstance(a, Rows) and a.shape == b.shape):
        return _with_dense(fn, a, b)
    if isinstance(b, Stored) and given.prog.name == "elemwise_mul":
        return _with_dense(fn, b, a)
    return None


@_kernel("broadcast_div")
def _divided(given: Given, inputs: Sequence[Any]) -> Any:
    a, b = inputs
    if not isinstance(a, Csr) or isinstance(b, Stored) or a.shape == b.shape:
        return None
    return _with_dense(jnp.divide, a, b)


def _union(fn: Any, a: Any, b: Any) -> Stored:
    """`fn` where one of two arrays, which both are zero elsewhere, stores something."""
    csr = isinstance(a, Csr)
    if a.indices is b.indices and (not csr or a.indptr is b.indptr) and a.values.shape == b.values.shape:
        return a.with_values(_together(fn, a.values, b.values))
    width = a.shape[1] if csr else 1
    keys = [x.rows * width + x.indices if csr else x.indices for x in (a, b)]
    found, places = np.unique(np.concatenate(keys), return_inverse=True)
    size = bucket(len(found))
    at_a, at_b = (padded(p, x.values.shape[0], size) for p, x in zip(np.split(places, [a.count]), (a, b), strict=True))
    values = _joined(fn, a.values, b.values, at_a, at_b, size)
    return Csr.at(values, found // width, found % width, a.shape) if csr else Rows(values, found, a.shape)


@partial(jax.jit, static_argnums=(0, 1))
def _by_place(fn: Any, shape: Any, values: jax.Array, places: Any, dense: jax.Array) -> jax.Array:
    return fn(values, jnp.broadcast_to(dense, shape).at[tuple(places)].get(mode="clip"))


def _with_dense(fn: Any, x: Stored, dense: Any) -> Stored | None:
    try:
        fits = np.broadcast_shapes(x.shape, dense.shape) == x.shape
    except ValueError:
        fits = False
    values, *places = x.operands()
    return x.with_values(_by_place(fn, x.shape, values, places, dense)) if fits else None


@_kernel("add_n")
def _add_n(given: Given, inputs: Sequence[Any]) -> Any:
    if not all(isinstance(x, Rows) and x.shape == inputs[0].shape for x in inputs):
        return None
    total = inputs[0]
    for x in inputs[1:]:
        total = _union(jnp.add, total, x)
    return total


# Products.


@partial(jax.jit, static_argnums=(4, 5))
def _product(
    values: jax.Array, out_rows: Any, in_rows: Any, dense: jax.Array, size: int, transposed: bool
) -> jax.Array:
    dense = dense.T if transposed else dense
    terms = values[:, None] * dense.at[in_rows].get(mode="fill", fill_value=0)
    return jnp.zeros((size, dense.shape[1]), dense.dtype).at[out_rows].add(terms, mode="drop")


@_kernel("dot")
def _dot(given: Given, inputs: Sequence[Any]) -> Any:
    a, b = inputs
    p = given.prog.params
    dense = b if isinstance(a, Csr) else a
    if isinstance(dense, Stored):
        if not (isinstance(a, Csr) and isinstance(b, Rows)):
            return None
        dense = b.dense()  # weights that store most of their rows
    if dense.ndim != 2:
        problem = f"a matrix in csr storage times an array of shape {dense.shape}"
        raise MXNetError(explain(problem, op="dot", hint="both must have two dimensions; reshape to (n, 1)"))
    if isinstance(a, Csr):
        inner = a.shape[0] if p.transpose_a else a.shape[1]
        if inner != dense.shape[1 if p.transpose_b else 0]:
            raise _mismatch(a.shape, b.shape)
        values, rows, columns = a.operands()
        if not p.transpose_a:
            return _product(values, rows, columns, dense, a.shape[0], p.transpose_b)
        if p.transpose_b or p.forward_stype == "default":
            return _product(values, columns, rows, dense, a.shape[1], p.transpose_b)
        found, places = a.columns
        size = bucket(len(found))
        at = padded(places, values.shape[0], size)
        return Rows(_product(values, at, rows, dense, size, False), found, (a.shape[1], dense.shape[1]))
    if not isinstance(b, Csr):
        return None
    if dense.shape[0 if p.transpose_a else 1] != b.shape[1 if p.transpose_b else 0]:
        raise _mismatch(a.shape, b.shape)
    values, rows, columns = b.operands()
    here, there, size = (rows, columns, b.shape[0]) if p.transpose_b else (columns, rows, b.shape[1])
    made = _product(values, here, there, dense, size, not p.transpose_a).T
    if p.transpose_a or p.forward_stype not in (None, "csr"):
        return made
    return _columns_of(made, np.unique(b.rows if p.transpose_b else b.indices))


def _mismatch(a: Any, b: Any) -> MXNetError:
    return MXNetError(explain(f"shapes {a} and {b} do not multiply", op="dot"))


def _columns_of(dense: jax.Array, columns: np.ndarray) -> Csr:
    """The columns of a dense matrix that a product may have filled."""
    n = dense.shape[0]
    at = padded(np.tile(columns, n), bucket(n * len(columns)), dense.shape[1])
    rows = np.repeat(np.arange(n), len(columns))
    values = _picked(dense, padded(rows, len(at), n), at)
    return Csr.at(values, rows, np.tile(columns, n).astype(np.int64), dense.shape)


@jax.jit
def _picked(dense: jax.Array, rows: Any, columns: Any) -> jax.Array:
    return dense.at[rows, columns].get(mode="fill", fill_value=0)


# Reductions.


@partial(jax.jit, static_argnums=(2,))
def _sum_by(values: jax.Array, places: Any, size: int) -> jax.Array:
    return jnp.zeros(size, values.dtype).at[places].add(values, mode="drop")


@partial(jax.jit, static_argnums=0)
def _real(square: bool, values: jax.Array, count: Any) -> jax.Array:
    real = jnp.arange(values.shape[0]).reshape((-1,) + (1,) * (values.ndim - 1)) < count
    kept = jnp.where(real, values, jnp.zeros((), values.dtype))
    return jnp.sqrt(jnp.sum(jnp.square(kept))) if square else jnp.sum(kept)


@_kernel("sum", "mean")
def _sum(given: Given, inputs: Sequence[Any]) -> Any:
    x, p = inputs[0], given.prog.params
    axis = () if p.axis is None else p.axis if isinstance(p.axis, tuple) else (p.axis,)
    axes = tuple(sorted(a % len(x.shape) for a in axes_of(axis, x.shape)))
    if p.exclude or not (isinstance(x, Csr) or len(axes) == len(x.shape)):
        return None
    if len(axes) == len(x.shape):
        made = _real(False, x.values, np.int32(x.count)).reshape((1,) * (len(x.shape) if p.keepdims else 1))
    else:
        _, rows, columns = x.operands()
        made = _sum_by(x.values, columns if axes == (0,) else rows, x.shape[1 - axes[0]])
        made = made.reshape([1 if i in axes else n for i, n in enumerate(x.shape)]) if p.keepdims else made
    if given.prog.name == "mean":
        made = made / np.asarray(np.prod([x.shape[a] for a in axes]), made.dtype)
    return made


def axes_of(axis: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The reduced axes; none given means all."""
    bad = [a for a in axis if not -len(shape) <= a < len(shape)]
    if bad:
        raise MXNetError(explain(f"axis {bad[0]} is none of an array of shape {shape}", op="sum"))
    return axis or tuple(range(len(shape)))


@_kernel("norm")
def _norm(given: Given, inputs: Sequence[Any]) -> Any:
    p, x = given.prog.params, inputs[0]
    if p.ord != 2 or p.axis not in (None, ()) or p.out_dtype is not None:
        return None
    return _real(True, x.values, np.int32(x.count)).reshape((1,) * (len(x.shape) if p.keepdims else 1))


@jax.jit
def _square_rows(values: jax.Array) -> jax.Array:
    return jnp.sum(jnp.square(values), axis=tuple(range(1, values.ndim)), keepdims=True)


@_kernel("_square_sum")
def _square_sum(given: Given, inputs: Sequence[Any]) -> Any:
    x, p = inputs[0], given.prog.params
    if isinstance(x, Rows) and len(x.shape) == 2 and p.axis in (1, (1,)) and p.keepdims:
        return Rows(_square_rows(x.values), x.indices, (x.shape[0], 1))
    return None


# Parts.


@jax.jit
def _moved(values: jax.Array, places: Any) -> jax.Array:
    return values.at[places].get(mode="fill", fill_value=0)


def _pick(x: Stored, positions: np.ndarray) -> jax.Array:
    """The values at `positions`."""
    return _moved(x.values, padded(positions, bucket(len(positions)), x.values.shape[0]))


@_kernel("slice")
def _slice(given: Given, inputs: Sequence[Any]) -> Any:
    x, p = inputs[0], given.prog.params
    steps = tuple(p.step or ())
    if not isinstance(x, Csr) or any(s not in (None, 1) for s in steps) or len(p.begin) != len(p.end) > 2:
        return None
    spans = [slice(b, e).indices(n)[:2] for b, e, n in zip(p.begin, p.end, x.shape, strict=False)]
    spans += [(0, n) for n in x.shape[len(spans) :]]
    (top, bottom), (left, right) = spans
    if bottom <= top or right <= left:
        raise MXNetError(explain(f"begin={p.begin}, end={p.end} leave nothing of shape {x.shape}", op="slice"))
    positions = np.arange(x.indptr[top], x.indptr[bottom])
    inside = (x.indices[positions] >= left) & (x.indices[positions] < right)
    kept = positions[inside]
    return Csr.at(_pick(x, kept), x.rows[kept] - top, x.indices[kept] - left, (bottom - top, right - left))


@_kernel("take")
def _take(given: Given, inputs: Sequence[Any]) -> Any:
    x, indices = inputs
    p = given.prog.params
    if not isinstance(x, Csr) or isinstance(indices, Stored) or p.axis != 0 or p.mode == "raise" or indices.ndim != 1:
        return None
    wanted = np.asarray(indices).astype(np.int64)
    rows = wanted % x.shape[0] if p.mode == "wrap" else np.clip(wanted, 0, x.shape[0] - 1)
    lengths = np.diff(x.indptr)[rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.arange(indptr[-1]) + np.repeat(x.indptr[rows] - indptr[:-1], lengths)
    return Csr(_pick(x, positions), x.indices[positions], indptr, (len(rows), x.shape[1]))


@partial(jax.jit, static_argnums=2)
def _appended(parts: Any, places: Any, size: int) -> jax.Array:
    return _moved(jnp.concatenate(parts), places)


@_kernel("Concat")
def _concat(given: Given, inputs: Sequence[Any]) -> Any:
    first = inputs[0]
    if given.prog.params.dim != 0 or not all(isinstance(x, Csr) and x.shape[1] == first.shape[1] for x in inputs):
        return None
    starts = np.cumsum([0, *(x.values.shape[0] for x in inputs)])
    positions = np.concatenate([s + np.arange(x.count) for s, x in zip(starts, inputs, strict=False)])
    size = bucket(len(positions))
    values = _appended([x.values for x in inputs], padded(positions, size, int(starts[-1])), size)
    tops = np.cumsum([0, *(x.shape[0] for x in inputs)])
    rows = np.concatenate([top + x.rows for top, x in zip(tops, inputs, strict=False)])
    return Csr.at(values, rows, np.concatenate([x.indices for x in inputs]), (int(tops[-1]), first.shape[1]))


@_kernel("_sparse_retain")
def _retain(given: Given, inputs: Sequence[Any]) -> Any:
    x, indices = inputs
    if not isinstance(x, Rows):
        raise MXNetError(explain(f"takes a row_sparse array, not {getattr(x, 'stype', 'default')}", op="retain"))
    wanted = np.asarray(indices).astype(np.int64).reshape(-1)
    if wanted.size and not (wanted.min() >= 0 and wanted.max() < x.shape[0]):
        raise MXNetError(explain(f"a row of {wanted[:20].tolist()} is none of {x.shape[0]}", op="retain"))
    order = np.argsort(x.indices, kind="stable")
    ordered = x.indices[order]
    at = np.searchsorted(ordered, wanted)
    there = at < x.count
    there[there] = ordered[at[there]] == wanted[there]
    positions = np.full(len(wanted), x.values.shape[0])  # out of range: a row of zeros
    positions[there] = order[at[there]]
    return Rows(_pick(x, positions), wanted, x.shape)


# Updates of optimizers: only the rows that the gradient has.


@partial(jax.jit, static_argnums=0)
def _lazily(apply: Any, key: Any, scalars: Any, weight: Any, grad: Any, places: Any, states: Any) -> Any:
    rows = [x.at[places].get(mode="fill", fill_value=0) for x in (weight, *states)]
    outs, written = apply((key, scalars), [rows[0], grad, *rows[1:]], False)
    new = outs[0]
    back = [x.at[places].set(w, mode="drop") for x, w in zip(states, written, strict=True)]
    return weight.at[places].set(new, mode="drop"), back


@_kernel("sgd_update", "sgd_mom_update", "adam_update", "ftrl_update", "_sparse_adagrad_update")
def _update(given: Given, inputs: Sequence[Any]) -> Any:
    weight, grad, *states = inputs
    if not isinstance(grad, Rows) or not getattr(given.prog.params, "lazy_update", True):
        return None
    if given.prog.name == "ftrl_update" and not isinstance(weight, Rows):
        return None  # as in MXNet
    whole = [x.dense() if isinstance(x, Stored) else x for x in (weight, *states)]
    new, back = _lazily(given.prog._call, None, given.numbers, whole[0], *grad.operands(), whole[1:])
    return Updated(rows_at(new, np.arange(new.shape[0])) if isinstance(weight, Rows) else new, back)


class Updated:
    """The new weight of an update, and the new states, in order."""

    def __init__(self, weight: Any, states: Sequence[Any]):
        self.weight, self.states = weight, states
