# SPDX-License-Identifier: Apache-2.0
"""Where `simple_bind` takes its arrays from: new ones, those of another executor, or a buffer that executors share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from ..ndarray.sparse import zeros
from .reshape import beginning

if TYPE_CHECKING:
    from .executor import Executor

_log = logging.getLogger(__name__)


class Spec(NamedTuple):
    """An array to be had."""

    shape: tuple[int, ...]
    dtype: str
    ctx: Context
    stype: str = "default"

    def make(self) -> NDArray:
        """A new one, of zeros."""
        return zeros(self.stype, self.shape, ctx=self.ctx, dtype=self.dtype)


class Memory:
    """The arrays of one `simple_bind`.

    As in MXNet, nothing is shared without a buffer. With one, the arguments in `names`, their gradients and the
    auxiliary states are those of `executor`; the others are the beginnings of the arrays in `buffer`, and what it
    lacks, or has too small, is added to it. Gradients are kept there as ``grad of NAME``. Sparse arrays have no
    beginnings: each executor has its own.

    Args:
        names: the arguments to take from `executor`.
        executor: whose arrays.
        buffer: arrays by name; changed.
    """

    def __init__(self, names: Sequence[str] | None, executor: Executor | None, buffer: dict[str, NDArray] | None):
        self.names, self.buffer = frozenset(names or ()), buffer
        self.executor = executor if buffer is not None else None

    def argument(self, name: str, spec: Spec) -> NDArray:
        """The argument `name`. Raises MXNetError when what is shared has another shape or dtype."""
        if self.buffer is None or name in self.names or spec.stype != "default":
            return self._other(name, spec, lambda ex: ex.arg_dict)
        return self._buffered(name, spec)

    def gradient(self, name: str, spec: Spec) -> NDArray:
        """The gradient of `name`; errors as for `argument`."""
        if self.buffer is None or name in self.names or spec.stype != "default":
            return self._other(name, spec, lambda ex: ex.grad_dict)
        return self._buffered(f"grad of {name}", spec)

    def aux(self, name: str, spec: Spec) -> NDArray:
        """The auxiliary state `name`; errors as for `argument`."""
        return self._other(name, spec, lambda ex: ex.aux_dict)

    def _other(self, name: str, spec: Spec, kind: Callable[[Executor], Mapping[str, NDArray | None]]) -> NDArray:
        shared = self.executor is not None and (name in self.names or name in self.executor.aux_dict)
        found = kind(self.executor).get(name) if shared else None  # type: ignore[arg-type]
        if found is None:
            return spec.make()
        if (found.shape, np.dtype(found.dtype).name, found.stype) != (spec.shape, spec.dtype, spec.stype):
            has = f"shape {found.shape}, dtype {np.dtype(found.dtype).name} and {found.stype} storage"
            raise MXNetError(
                f"{name} of shared_exec has {has}, this executor needs {spec.shape}, {spec.dtype} and {spec.stype}: "
                f"leave {name} out of shared_arg_names"
            )
        return found

    def _buffered(self, key: str, spec: Spec) -> NDArray:
        buffer: dict[str, NDArray] = self.buffer  # type: ignore[assignment]
        held = buffer.get(key)
        if held is not None and np.dtype(held.dtype).name != spec.dtype:
            raise MXNetError(
                f"shared_buffer holds {key!r} as {np.dtype(held.dtype).name}, this executor needs {spec.dtype}"
            )
        if held is None or held.size < math.prod(spec.shape):
            if held is not None:
                _log.info(
                    "%s: %s needs more than the shared %s and is allocated anew; bind the largest shapes first",
                    key, spec.shape, held.shape,
                )  # fmt: skip
            held = buffer[key] = spec.make()
        return beginning(held, spec.shape)
