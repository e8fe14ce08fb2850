# SPDX-License-Identifier: Apache-2.0
"""The compiled helpers under indexing, views and creation.

Sizes are static and positions are traced, so ``a[i]`` for another `i` runs the program that is there. Every helper
returns a fresh buffer. The writing ones come in two forms; the donating one updates in place and is for a buffer
that nobody else holds (`Cell.update`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..context import Device

Shape = tuple[int, ...]

#: How often each helper has been traced; tests look at it. Reset with ``traces.clear()``.
traces: dict[str, int] = {}


def _count(name: str) -> None:
    traces[name] = traces.get(name, 0) + 1


def offset_of(position: int, size: int, device: Device) -> Any:
    """`position` as a traced argument: always the same type for an array of `size` elements on `device`."""
    return constant(position, np.int32 if size <= 0x7FFFFFFF else np.int64, device)


@functools.lru_cache(maxsize=1024)
def _constant(key: Hashable, dtype: Any, device: Device) -> list[Any]:
    return [0, None]  # uses, the array


def constant(content: Any, dtype: Any, device: Device, key: Hashable = None) -> Any:
    """A number, or a tuple of them, of numpy type `dtype`, as an argument of programs that run on `device`.

    Taking it from the host with every call costs half as much as the call, so what comes again goes to the device.
    `key` stands for the content where equal numbers may differ, as 0.0 and -0.0 do, or the shapes of equal bytes.
    """
    slot = _constant(content if key is None else key, dtype, device)
    if slot[1] is not None:
        return slot[1]
    values = np.array(content, dtype)
    slot[0] += 1
    if slot[0] > REPEATED:
        # A value, even while somebody traces; committed to no device, so that it goes where the other arguments are.
        with jax.ensure_compile_time_eval(), jax.default_device(device):
            slot[1] = jax.device_put(values)
    return values


#: So many uses of a constant are from the host.
REPEATED = 4


@jax.jit
def copy(x: jax.Array) -> jax.Array:
    """A copy that shares nothing."""
    _count("copy")
    return jnp.copy(x)


@functools.cache
def cast(dtype: np.dtype) -> Callable[[jax.Array], jax.Array]:
    """A copy in `dtype`, with C's conversion rules."""

    @jax.jit
    def run(x: jax.Array) -> jax.Array:
        _count("cast")
        return jnp.copy(x) if x.dtype == dtype else x.astype(dtype)

    return run


class _Warm:
    """A program that is worth compiling only once its shape has come up often; before that the array is uploaded."""

    __slots__ = ("fn", "uses")

    def __init__(self, fn: Callable[[Any], jax.Array], device: Device):
        self.uses = 0
        self.fn = jax.jit(fn, out_shardings=jax.sharding.SingleDeviceSharding(device))


#: A compilation costs as much as about this many uploads.
WARM = 50


@functools.lru_cache(maxsize=4096)
def _filler(shape: Shape, dtype: np.dtype, device: Device) -> _Warm:
    def run(value: Any) -> jax.Array:
        _count("fill")
        return jnp.full(shape, value, dtype)

    return _Warm(run, device)


def fill(shape: Shape, value: Any, dtype: np.dtype, device: Device) -> jax.Array:
    """An array full of a scalar of `dtype`, on `device`."""
    warm = _filler(shape, dtype, device)
    warm.uses += 1
    return warm.fn(value) if warm.uses > WARM else jax.device_put(np.full(shape, value, dtype), device)


@functools.lru_cache(maxsize=4096)
def _uploader(shape: Shape, dtype: np.dtype, device: Device) -> _Warm:
    def run(values: Any) -> jax.Array:
        _count("upload")
        return jnp.copy(values)

    return _Warm(run, device)


def upload(values: np.ndarray, device: Device) -> jax.Array:
    """A numpy array that nobody else writes to, on `device`. Small ones that come often skip `jax.device_put`."""
    if values.size <= 4096:
        warm = _uploader(values.shape, values.dtype, device)
        warm.uses += 1
        if warm.uses > WARM:
            return warm.fn(values)
    return jax.device_put(values, device)


@functools.partial(jax.jit, keep_unused=True)
def refill(base: jax.Array, value: Any) -> jax.Array:
    """An array like `base`, and where `base` is, full of a traced scalar."""
    _count("refill")
    return jnp.full(base.shape, value).astype(base.dtype)


@functools.lru_cache(maxsize=4096)
def read_flat(shape: Shape) -> Callable[[jax.Array, Any], jax.Array]:
    """The elements from a traced flat offset on, as an array of `shape`."""
    size = math.prod(shape)

    @jax.jit
    def run(base: jax.Array, offset: Any) -> jax.Array:
        _count("read_flat")
        flat = jnp.reshape(base, (-1,))
        part = jnp.copy(flat) if flat.shape[0] == size else lax.dynamic_slice(flat, (offset,), (size,))
        return jnp.reshape(part, shape)

    return run


def axis_of(shape: Shape, offset: int, size: int) -> int:
    """The axis that `size` elements from `offset` on cut, where they are a box in an array of `shape`; else -1."""
    inner = 1
    for axis in range(len(shape) - 1, -1, -1):
        n = shape[axis]
        if size % inner or offset % inner:
            return -1
        if offset // inner % n * inner + size <= n * inner:
            return axis
        inner *= n
    return -1


class Writer:
    """A helper ``run(array, value, *rest)`` that returns the array changed, in its two forms."""

    __slots__ = ("donating", "plain")

    def __init__(self, run: Callable[..., jax.Array]):
        self.plain = jax.jit(run)
        self.donating = jax.jit(run, donate_argnums=0)


@functools.lru_cache(maxsize=4096)
def write_flat(base: Shape, shape: Shape, axis: int) -> Writer:
    """An array of shape `base` with `value`, broadcast to `shape`, written from a traced flat offset on.

    `axis` is that of `axis_of`. A box is updated in place by XLA; the flattened array, for -1, is copied.
    """
    inner = math.prod(base[axis + 1 :])
    sizes = (
        (*(1 for _ in base[:axis]), math.prod(shape) // inner, *base[axis + 1 :]) if axis >= 0 else (math.prod(shape),)
    )

    def run(array: jax.Array, value: Any, offset: Any) -> jax.Array:
        _count("write_flat")
        part = jnp.reshape(fit(value, shape, array.dtype), sizes)
        if axis < 0:
            flat = lax.dynamic_update_slice(jnp.reshape(array, (-1,)), part, (offset,), allow_negative_indices=False)
            return jnp.reshape(flat, base)
        if sizes == base:
            return jnp.copy(part)
        return lax.dynamic_update_slice(array, part, _corner(base, axis, inner, offset), allow_negative_indices=False)

    return Writer(run)


def _corner(base: Shape, axis: int, inner: int, offset: Any) -> list[Any]:
    """The position of a flat offset that is a multiple of `inner`, the size of what is below `axis`."""
    zero = jnp.zeros((), offset.dtype)
    rest = lax.div(offset, offset.dtype.type(inner))
    corner = [zero] * len(base)
    for i in range(axis, 0, -1):
        n = offset.dtype.type(base[i])
        corner[i], rest = lax.rem(rest, n), lax.div(rest, n)
    if axis >= 0:
        corner[0] = rest
    return corner


@functools.lru_cache(maxsize=4096)
def read_box(sizes: Shape, steps: Shape, shape: Shape) -> Callable[[jax.Array, Any], jax.Array]:
    """``base[start:stop:step, ...]`` with traced starts; `sizes` and `steps` an axis, then reshaped to `shape`."""

    @jax.jit
    def run(base: jax.Array, starts: Any) -> jax.Array:
        _count("read_box")
        box, _ = _box(base, starts, sizes, steps)
        strides = tuple(abs(s) for s in steps)
        part = lax.slice(box, (0,) * box.ndim, box.shape, strides)
        backwards = tuple(i for i, s in enumerate(steps) if s < 0)
        part = lax.rev(part, backwards) if backwards else part
        return jnp.copy(jnp.reshape(part, shape))

    return run


@functools.lru_cache(maxsize=4096)
def write_box(sizes: Shape, steps: Shape, shape: Shape) -> Writer:
    """`base` with ``base[start:stop:step, ...] = value``; `value` is broadcast to `shape`, the shape of the result."""

    def run(base: jax.Array, value: Any, starts: Any) -> jax.Array:
        _count("write_box")
        part = jnp.reshape(fit(value, shape, base.dtype), sizes)
        box, corner = _box(base, starts, sizes, steps)
        if all(s == 1 for s in steps):
            return lax.dynamic_update_slice(base, part, corner)
        inside = tuple(slice(None, None, s) for s in steps)
        return lax.dynamic_update_slice(base, box.at[inside].set(part), corner)

    return Writer(run)


def _box(base: jax.Array, starts: Any, sizes: Shape, steps: Shape) -> tuple[jax.Array, list[Any]]:
    """The smallest box that holds the selected elements, and its corner."""
    spans = [(n - 1) * abs(s) + 1 for n, s in zip(sizes, steps, strict=True)]
    corner = [
        starts[i] - (n - 1) * -s if s < 0 else starts[i] for i, (n, s) in enumerate(zip(sizes, steps, strict=True))
    ]
    return lax.dynamic_slice(base, corner, spans), corner


@functools.lru_cache(maxsize=4096)
def gather(spec: tuple[Any, ...]) -> Callable[..., jax.Array]:
    """``base[spec]`` where each "i" of the spec stands for the next index array; others are slices and None."""

    @jax.jit
    def run(base: jax.Array, *indices: Any) -> jax.Array:
        _count("gather")
        picked = base.at[_key(spec, indices)].get(mode="clip")
        return jnp.copy(jnp.expand_dims(picked, _new_axes(spec)))

    return run


@functools.lru_cache(maxsize=4096)
def outside(sizes: Shape) -> Callable[..., jax.Array]:
    """Whether any index array has an index that its axis, one of `sizes`, does not have."""

    @jax.jit
    def run(*indices: jax.Array) -> jax.Array:
        _count("outside")
        wide = map(_wide, indices)
        return jnp.any(jnp.stack([jnp.any((i < -n) | (i >= n)) for i, n in zip(wide, sizes, strict=True)]))

    return run


@functools.lru_cache(maxsize=4096)
def scatter(spec: tuple[Any, ...], shape: Shape) -> Writer:
    """`base` with ``base[spec] = value``; `value` is broadcast to `shape`, the shape of ``base[spec]``."""

    def run(base: jax.Array, value: Any, *indices: Any) -> jax.Array:
        _count("scatter")
        values = jnp.squeeze(fit(value, shape, base.dtype), _new_axes(spec))
        # With equal indices the last value wins, as in a loop.
        return base.at[_key(spec, indices)].set(values, mode="drop")

    return Writer(run)


def _key(spec: tuple[Any, ...], indices: tuple[Any, ...]) -> tuple[Any, ...]:
    """`spec` with its index arrays, without the new axes that `_new_axes` says where to put."""
    rest = map(_wide, indices)
    together = _together(spec)
    return tuple(
        next(rest) if s == "i" else None if s is None else slice(*s) for s in spec if not (s is None and together)
    )


def _wide(index: Any) -> Any:
    """An index array in a dtype that can hold the sizes of axes, which uint8 and int8 cannot."""
    return index if index.dtype.itemsize >= 4 else index.astype(np.int32)


def _new_axes(spec: tuple[Any, ...]) -> tuple[int, ...]:
    """Where a selection has the new axes of its None, when its index arrays stand together.

    As in MXNet, not numpy, they are counted among what is no array, so that ``x[[0, 1], None]`` has a new first axis.
    When something stands between the arrays, their axes come first and the others follow in order, as in numpy.
    """
    if not _together(spec):
        return ()
    return tuple(i for i, s in enumerate(s for s in spec if s != "i") if s is None)


def _together(spec: tuple[Any, ...]) -> bool:
    """Whether nothing stands between the index arrays of `spec`."""
    places = [i for i, s in enumerate(spec) if s == "i"]
    return places[-1] - places[0] == len(places) - 1


def fit(value: Any, shape: Shape, dtype: np.dtype) -> jax.Array:
    """`value` in `dtype`, broadcast to `shape`; leading axes of size 1 that `shape` lacks are dropped."""
    value = jnp.asarray(value)
    extra = value.ndim - len(shape)
    if extra > 0:
        value = jnp.reshape(value, value.shape[extra:])
    return jnp.broadcast_to(value.astype(dtype), shape)
