# SPDX-License-Identifier: Apache-2.0
"""Sums and copies of arrays over all workers, each one compiled program over a mesh of one device a worker."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..base import MXNetError, as_dtype, explain
from .job import launching, num_workers, rank
from .watch import lost_connection

#: Arrays of JAX on one device of this process, or of numpy.
Array = Any
_AXIS = "worker"
_ALL, _EACH = PartitionSpec(), PartitionSpec(_AXIS)


def allreduce(arrays: Sequence[Array]) -> list[Array]:
    """The sums over all workers, element by element; the same numbers in every worker.

    Every worker calls it with as many arrays, of the same shapes and dtypes, in the same order.

    Args:
        arrays: arrays of JAX or numpy of any shapes and dtypes. Sums of bool are "any", integers wrap around.

    Returns:
        Arrays of the same kinds, shapes, dtypes and devices. Nothing waits for arrays of JAX.
    """
    return _over_all(_sums, arrays)


def broadcast(arrays: Sequence[Array], root: int = 0) -> list[Array]:
    """The arrays of worker `root`, in every worker, bit for bit.

    Args:
        arrays: in every worker as many, of the same shapes and dtypes; only those of `root` matter.
        root: whose arrays.

    Returns:
        Arrays of the same kinds, shapes, dtypes and devices.
    Raises:
        MXNetError: there is no such worker.
    """
    if not 0 <= root < num_workers():
        problem = f"root={root} is none of {num_workers()} workers"
        raise MXNetError(explain(problem, op="mx.distributed.broadcast", hint="workers are counted from 0"))
    return _over_all(functools.partial(_copies, mine=rank() == root), arrays)


def _over_all(run: Callable[[list[jax.Array], Mesh], list[jax.Array]], arrays: Sequence[Array]) -> list[Array]:
    """Bring arrays to this worker's device of the mesh, run, and bring the results back."""
    for x in arrays:
        as_dtype(x.dtype, "mx.distributed")
    if num_workers() == 1:
        return list(arrays)
    found: list[Array] = list(arrays)
    platforms = [_platform(x) for x in arrays]
    for platform in sorted(set(platforms)):
        mesh = _mesh(platform)
        (device,) = mesh.local_devices
        places = [i for i, p in enumerate(platforms) if p == platform and arrays[i].size]
        moved = [jax.device_put(jnp.reshape(arrays[i], arrays[i].shape or (1,)), device) for i in places]
        launching()
        try:
            results = run(moved, mesh)
            for i, result in zip(places, results, strict=True):
                found[i] = _like(result, arrays[i])
        except (ValueError, jax.errors.JaxRuntimeError) as e:
            if not lost_connection(e):
                raise
            raise MXNetError(explain(f"another worker is gone: {e}", op="mx.distributed")) from e
    return found


def _platform(x: Array) -> str:
    """Numpy arrays travel as those of the CPU do."""
    return next(iter(x.devices())).platform if isinstance(x, jax.Array) else "cpu"


def _like(result: jax.Array, x: Array) -> Array:
    """The part of a replicated result that this process holds, as the array `x` was."""
    mine = result.addressable_data(0)
    if not isinstance(x, jax.Array):
        return np.array(mine).reshape(x.shape)
    mine = mine if mine.shape == x.shape else mine.reshape(x.shape)
    return mine if mine.sharding == x.sharding else jax.device_put(mine, x.sharding)


@functools.cache
def _mesh(platform: str) -> Mesh:
    """The first device of every worker."""
    first: dict[int, Any] = {}
    for device in jax.devices(platform):
        first.setdefault(device.process_index, device)
    return Mesh(np.array([first[i] for i in range(num_workers())]), _AXIS)


def _global(arrays: Sequence[jax.Array], mesh: Mesh) -> list[jax.Array]:
    """One array over the mesh for each: along axis 0 the parts of the workers."""
    sharding, n = NamedSharding(mesh, _EACH), mesh.size
    return [jax.make_array_from_single_device_arrays((n * x.shape[0], *x.shape[1:]), sharding, [x]) for x in arrays]


def _sums(arrays: list[jax.Array], mesh: Mesh) -> list[jax.Array]:
    return _summed(mesh)(_global(arrays, mesh))


def _copies(arrays: list[jax.Array], mesh: Mesh, mine: bool) -> list[jax.Array]:
    # Sums of bits, of which all but one worker give zeros: also NaN and -0.0 arrive as they are.
    bits = _masked_bits(arrays, np.bool_(mine))
    return _summed_bits(mesh, tuple(x.dtype for x in arrays))(_global(bits, mesh))


@jax.jit
def _masked_bits(arrays: list[jax.Array], mine: Any) -> list[jax.Array]:
    bits = [_cast_bits(x, np.dtype(f"uint{8 * x.dtype.itemsize}")) for x in arrays]
    return [jnp.where(mine, b, jnp.zeros_like(b)) for b in bits]


@functools.cache
def _summed_bits(mesh: Mesh, dtypes: tuple[np.dtype, ...]) -> Callable[[list[jax.Array]], list[jax.Array]]:
    def copies(bits: list[jax.Array]) -> list[jax.Array]:
        return [_cast_bits(_psum(b), dtype) for b, dtype in zip(bits, dtypes, strict=True)]

    return _compiled(copies, mesh)


def _cast_bits(x: jax.Array, dtype: np.dtype) -> jax.Array:
    if np.bool_ in (x.dtype, dtype):
        return x.astype(dtype)
    return jax.lax.bitcast_convert_type(x, dtype)


def _psum(x: jax.Array) -> jax.Array:
    if x.dtype == np.bool_:
        return jax.lax.psum(x.astype(np.int32), _AXIS) > 0
    return jax.lax.psum(x, _AXIS)


@functools.cache
def _summed(mesh: Mesh) -> Callable[[list[jax.Array]], list[jax.Array]]:
    return _compiled(lambda arrays: [_psum(x) for x in arrays], mesh)


def _compiled(run: Callable[[list[jax.Array]], list[jax.Array]], mesh: Mesh) -> Callable[..., list[jax.Array]]:
    """`run`, which sees one worker's parts, over all of them."""
    return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=_EACH, out_specs=_ALL))
