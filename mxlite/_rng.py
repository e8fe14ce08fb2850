# SPDX-License-Identifier: Apache-2.0
"""The state of the random numbers: one seed and one counter a device, kept on the host.

A key is (seed, counter), drawn without any work on the device; the kernels turn it into numbers with JAX's
counter-based generator, so distinct keys give independent streams.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import integer_types
from .context import Context, as_context, current_context


class RandomState:
    """Seeds and counters of all devices. A new one starts like a new process: with seed 0."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seed = 0
        self._streams: dict[Context, list[int]] = {}

    def seed(self, seed_state: int, ctx: Any = "all") -> None:
        """Start the stream of `ctx` (a Context, or "all") over."""
        if not isinstance(seed_state, integer_types):
            raise ValueError(f"seed_state must be int, got {seed_state!r}")
        with self._lock:
            if isinstance(ctx, str) and ctx == "all":
                self._seed = int(seed_state)
                self._streams.clear()
            else:
                where = Context(ctx) if isinstance(ctx, str) and ctx in Context.devstr2type else as_context(ctx, "seed")
                self._streams[where] = [_mix(int(seed_state), None), 0]

    def draw(self, ctx: Context | None = None) -> np.ndarray:
        """The next key of `ctx`: uint32[2]."""
        where = current_context() if ctx is None else ctx
        with self._lock:
            stream = self._streams.get(where)
            if stream is None:
                stream = self._streams[where] = [_mix(self._seed, where), 0]
            count = stream[1]
            stream[1] = count + 1
        return np.array([(stream[0] + (count >> 32)) & 0xFFFFFFFF, count & 0xFFFFFFFF], np.uint32)

    def state_dict(self) -> dict[str, Any]:
        """Seed and streams, as numbers and text."""
        with self._lock:
            streams = [(ctx.device_type, ctx.device_id, *stream) for ctx, stream in self._streams.items()]
            return {"seed": self._seed, "streams": streams}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        streams = {Context(kind, number): [key, count] for kind, number, key, count in state["streams"]}
        with self._lock:
            self._seed, self._streams = state["seed"], streams


def _mix(seed: int, ctx: Context | None) -> int:
    """32 bits of the seed, and of the device where every device shall have its own stream."""
    text = f"{seed}" if ctx is None or ctx.device_id == 0 else f"{seed} {ctx}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")


_state = RandomState()


def seed(seed_state: int, ctx: Any = "all") -> None:
    """Seed the random numbers.

    Args:
        seed_state: any integer.
        ctx: "all" (default): every device, each with its own stream; or one Context.

    Raises:
        ValueError: when seed_state is no integer.

    The numbers are JAX's: reproducible, but not those that MXNet draws from the same seed.
    Source: `mx.random.seed`.
    """
    _state.seed(seed_state, ctx)


def draw_key(ctx: Context | None = None) -> np.ndarray:
    """The next random key of `ctx` (default: the current context), a raw JAX key: numpy uint32[2], on the host."""
    return _state.draw(ctx)


def state_dict() -> dict[str, Any]:
    """Where the random numbers of all devices stand, for `load_state_dict`."""
    return _state.state_dict()


def load_state_dict(state: Mapping[str, Any]) -> None:
    """Let the random numbers go on from where `state_dict` found them."""
    _state.load_state_dict(state)
