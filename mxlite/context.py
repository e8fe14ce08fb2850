# SPDX-License-Identifier: Apache-2.0
"""Devices: `mx.cpu(0)`, `mx.gpu(1)`, `mx.tpu(0)` are labels on JAX devices."""

from __future__ import annotations

import functools
import threading
from typing import Any, ClassVar

import jax

from .base import MXNetError, explain

#: `jax.Device`, which type checkers take for a variable.
Device = Any

_PLATFORMS = {"cpu": "cpu", "cpu_pinned": "cpu", "cpu_shared": "cpu", "gpu": "gpu", "tpu": "tpu"}


class _Default(type):
    """The class property `Context.default_ctx`."""

    @property
    def default_ctx(cls) -> Context:
        """The default device of this thread; see `current_context`."""
        return _current.context


class Context(metaclass=_Default):
    """A device, by type and number. As a context manager it is the default device inside the block.

    Args:
        device_type: "cpu", "gpu", "tpu", "cpu_pinned", "cpu_shared", or another Context.
        device_id: which of them; there may be more cpu labels than devices, they share.

    Raises:
        KeyError: for an unknown device type.

    Source: `mxnet.context.Context`. That the device exists is checked when an array is put there.
    """

    devtype2str: ClassVar[dict[int, str]] = {1: "cpu", 2: "gpu", 3: "cpu_pinned", 5: "cpu_shared", 6: "tpu"}
    devstr2type: ClassVar[dict[str, int]] = {name: number for number, name in devtype2str.items()}

    __slots__ = ("_outer", "device_id", "device_typeid")

    def __init__(self, device_type: str | Context, device_id: int = 0):
        self._outer: list[Context] = []
        if isinstance(device_type, Context):
            self.device_typeid, self.device_id = device_type.device_typeid, device_type.device_id
            return
        if device_type not in self.devstr2type:
            raise KeyError(f"device type {device_type!r} is none of {', '.join(self.devstr2type)}")
        if isinstance(device_id, bool) or not hasattr(device_id, "__index__"):
            raise TypeError(f"device_id must be an integer, got {device_id!r}")
        self.device_typeid, self.device_id = self.devstr2type[device_type], int(device_id)

    @property
    def device_type(self) -> str:
        """The name of the type: "cpu", "gpu", "tpu", ..."""
        return self.devtype2str[self.device_typeid]

    @property
    def jax_device(self) -> Device:
        """The JAX device behind the label. MXNetError lists the devices when there is no such one."""
        return _device(self.device_typeid, self.device_id)

    def empty_cache(self) -> None:
        """Nothing to do: XLA keeps its own memory pool. Kept for scripts that call it."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Context)
            and self.device_typeid == other.device_typeid
            and self.device_id == other.device_id
        )

    def __hash__(self) -> int:
        return hash((self.device_typeid, self.device_id))

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Context, (self.device_type, self.device_id)

    def __enter__(self) -> Context:
        self._outer.append(_current.context)
        _current.context = self
        return self

    def __exit__(self, *exc: object) -> None:
        _current.context = self._outer.pop()


class _Current(threading.local):
    def __init__(self) -> None:
        self.context = Context("cpu", 0)


_current = _Current()


def current_context() -> Context:
    """The default device of this thread: that of the innermost ``with`` block, else ``cpu(0)``."""
    return _current.context


def cpu(device_id: int = 0) -> Context:
    """The CPU. Numbers above the number of JAX's CPU devices are further labels for the same ones."""
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """A label for the CPU; page-locked memory is JAX's own business."""
    return Context("cpu_pinned", device_id)


def gpu(device_id: int = 0) -> Context:
    """A GPU. Using it where there is none raises MXNetError, making the label does not."""
    return Context("gpu", device_id)


def tpu(device_id: int = 0) -> Context:
    """A TPU core. Using it where there is none raises MXNetError, making the label does not."""
    return Context("tpu", device_id)


def _devices(platform: str) -> list[Device]:
    try:
        return jax.local_devices(backend=platform)
    except RuntimeError:  # JAX has no such backend here
        return []


def num_gpus() -> int:
    """How many GPUs there are."""
    return len(_devices("gpu"))


def num_tpus() -> int:
    """How many TPU cores there are."""
    return len(_devices("tpu"))


def gpu_memory_info(device_id: int = 0) -> tuple[int, int]:
    """Free and total bytes that XLA's pool has on a GPU. MXNetError when there is no such GPU or it cannot tell."""
    stats = Context("gpu", device_id).jax_device.memory_stats()
    if not stats or "bytes_limit" not in stats:
        raise MXNetError(f"gpu({device_id}) does not tell its memory")
    total = int(stats["bytes_limit"])
    return total - int(stats["bytes_in_use"]), total


@functools.cache
def _device(typeid: int, number: int) -> Device:
    name = Context.devtype2str[typeid]
    found = _devices(_PLATFORMS[name])
    if _PLATFORMS[name] == "cpu" and found:
        return found[number % len(found)]
    if 0 <= number < len(found):
        return found[number]
    legal = [f"{t}({i})" for t in ("cpu", "gpu", "tpu") for i in range(len(_devices(t)))]
    raise MXNetError(explain(f"there is no device {name}({number})", hint=f"this machine has {', '.join(legal)}"))


@functools.cache
def context_of(device: Device) -> Context:
    """The label of a JAX device."""
    name = device.platform if device.platform in ("cpu", "tpu") else "gpu"
    found = _devices(name)
    return Context(name, found.index(device) if device in found else device.id)


def as_context(ctx: Any, what: str = "") -> Context:
    """`ctx` itself, the current one for None, or the one that a text such as ``"gpu(1)"`` names.

    Raises:
        MXNetError: for anything else.
    """
    if isinstance(ctx, Context):
        return ctx
    if ctx is None:
        return _current.context
    if isinstance(ctx, str):
        name, _, rest = ctx.partition("(")
        if name in Context.devstr2type and rest.endswith(")") and rest[:-1].isdigit():
            return Context(name, int(rest[:-1]))
    raise MXNetError(explain(f"ctx={ctx!r} is no device", op=what, hint="write mx.cpu(0), mx.gpu(0) or mx.tpu(0)"))
