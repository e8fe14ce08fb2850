# SPDX-License-Identifier: Apache-2.0
"""Several devices that compute one batch together: the batch is split among them, everything else is on each.

One program runs on all of them (XLA's GSPMD splits it), so a sum or a mean over the batch is one over the whole batch.
An array has two forms. *Spread*, it lies on all devices, of all processes, and is what a program reads and writes.
*Local*, it is what this process has of it, on the first of its devices: the form that everybody else sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding

from mxlite_compiler.errors import explain

from .. import random
from ..base import MXNetError
from ..context import Context, Device
from ..distributed.job import barrier
from ..symbol import Symbol
from .storage import Storages, declared

#: How long a process waits for the others to come to batches of the same shapes, in seconds.
STEP_TIMEOUT = 300.0
#: The two axes of every mesh: processes, and the devices of each.
WORKER, DEVICE = "worker", "device"


class Placement:
    """The devices of a data-parallel program.

    Args:
        contexts: the devices of this process, each once.
        workers: how many processes take part, each with as many devices.
        seed: where their common stream of random keys begins, the same in all of them; uint32[2].

    Attributes:
        contexts, workers: as given.
        mesh: the devices, (workers, devices of each).
        replicated: the sharding of what is on every device.

    Raises:
        MXNetError: another process has fewer devices, or the devices are of several kinds.
    """

    def __init__(self, contexts: Sequence[Context], workers: int = 1, seed: np.ndarray | None = None):
        self.contexts, self.workers = tuple(contexts), workers
        self._seed, self._drawn = seed, 0
        self._batches, self._turns = "", 0
        kinds = sorted({c.jax_device.platform for c in contexts})
        if len(kinds) > 1:
            hint = f"train on those of {kinds[-1]} alone"
            problem = f"{', '.join(map(str, contexts))} are of several kinds, and one program runs on devices of one"
            raise MXNetError(explain(problem, op="Module", hint=hint))
        grid = [[c.jax_device for c in contexts]] if workers == 1 else [_peers(contexts, i) for i in range(workers)]
        self.mesh = Mesh(np.array(grid), (WORKER, DEVICE), axis_types=(AxisType.Auto,) * 2)
        self.replicated = NamedSharding(self.mesh, PartitionSpec())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placement) and self.mesh == other.mesh

    def __hash__(self) -> int:
        return hash(self.mesh)

    def split(self, shape: Sequence[int], axis: int | None) -> NamedSharding:
        """The sharding of an array of the local `shape` that is split along `axis`; None for one that is not.

        A size that the devices do not divide is split among the processes only.
        """
        if axis is None or axis >= len(shape):
            return self.replicated
        even = shape[axis] > 0 and shape[axis] % len(self.contexts) == 0
        parts = (WORKER, DEVICE) if even else WORKER
        return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, parts))

    def state_dict(self) -> dict[str, Any]:
        """Where the common stream of keys stands, for `load_state_dict`."""
        return {"seed": self._seed, "drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the common stream of keys go on from where `state_dict` was called."""
        self._seed, self._drawn = state["seed"], state["drawn"]

    def draw_key(self) -> np.ndarray:
        """The next random key: that of the first device, or, for several processes, the same in each."""
        if self._seed is None:
            return random.draw_key(self.contexts[0])
        self._drawn += 1
        return np.array([self._seed[0], self._seed[1] + np.uint32(self._drawn)], np.uint32)

    def turn_to(self, batches: str) -> None:
        """Begin to compute batches of other shapes, all processes at the same step.

        Programs for other shapes would exchange their gradients all the same, and each would take other sums for those
        of the whole batch.

        Raises:
            MXNetError: the others do not come to batches of these shapes.
        """
        if batches != self._batches:
            self._turns += 1
            barrier(f"a training step on {batches}, change {self._turns} of the shapes", STEP_TIMEOUT)
            self._batches = batches

    def here(self) -> Placement:
        """The devices of this process alone."""
        return self if self.workers == 1 else Placement(self.contexts)

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self.contexts))
        return shown if self.workers == 1 else f"{shown} in each of {self.workers} processes"


def _peers(contexts: Sequence[Context], process: int) -> list[Device]:
    found = []
    for c in contexts:
        platform = c.jax_device.platform
        place = jax.local_devices(backend=platform).index(c.jax_device)
        devices = jax.local_devices(process_index=process, backend=platform)
        if place >= len(devices):
            hint = "give every worker as many devices"
            raise MXNetError(explain(f"worker {process} has no {platform} device {place}, this one has", hint=hint))
        found.append(devices[place])
    return found


def distinct(contexts: Sequence[Context]) -> list[Context]:
    """The contexts that stand for devices of their own: further labels of the same device fall away."""
    return list({c.jax_device: c for c in reversed(contexts)}.values())[::-1]


def unsplittable(symbol: Symbol, group2ctx: Any = None) -> str:
    """What about a network no program over several devices can run, as text; empty when there is nothing."""
    if group2ctx:
        return "group2ctxs places parts of the network"
    graph = symbol.graph
    if graph.host_nodes:
        return f"{graph.host_nodes[0].name} runs Python code"
    stypes = declared(graph, None)
    gradients = Storages(graph, stypes).gradients()
    sparse = [n for n in stypes if stypes[n] != "default" or gradients.get(n, "default") != "default"]
    return f"{sparse[0]} is sparse or has a sparse gradient" if sparse else ""


def put(x: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """The spread form of what this process has of an array: its part of the batch, or all of what is replicated."""
    if isinstance(x, jax.Array) and x.sharding == sharding:
        return x
    if sharding.is_fully_addressable:
        return jax.device_put(x, sharding)
    part = jax.device_put(x, _in_this_process(sharding))
    shape = _scaled(part.shape, sharding, sharding.mesh.shape[WORKER])
    return jax.make_array_from_single_device_arrays(shape, sharding, [s.data for s in part.addressable_shards])


def local(x: jax.Array, device: Device) -> jax.Array:
    """What this process has of a spread array, on `device`; for what is replicated that copies nothing."""
    if x.is_fully_replicated:
        x = x.addressable_data(0)
        return x if x.devices() == {device} else jax.device_put(x, device)
    if not x.is_fully_addressable:
        if not isinstance(x.sharding, NamedSharding):
            raise MXNetError(f"an array of shape {x.shape} is split among processes as {x.sharding}: no part is whole")
        shape = _scaled(x.shape, x.sharding, 1 / x.sharding.mesh.shape[WORKER])
        parts = [s.data for s in x.addressable_shards]
        x = jax.make_array_from_single_device_arrays(shape, _in_this_process(x.sharding), parts)
    return jax.device_put(x, device)


def _in_this_process(sharding: NamedSharding) -> NamedSharding:
    """How what this process has of an array lies on its devices."""
    mesh: Any = sharding.mesh
    return NamedSharding(mesh.local_mesh, sharding.spec)


def _scaled(shape: Sequence[int], sharding: NamedSharding, times: float) -> tuple[int, ...]:
    """`shape` with `times` as much where it is split among processes."""
    axes = [part if isinstance(part, tuple) else (part,) for part in sharding.spec]
    axes += [()] * (len(shape) - len(axes))
    return tuple(round(n * times) if WORKER in part else n for n, part in zip(shape, axes, strict=True))


def is_spread(x: jax.Array) -> bool:
    """Whether an array is in the form for a program over several devices."""
    return not isinstance(x.sharding, SingleDeviceSharding)
