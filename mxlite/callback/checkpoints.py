# SPDX-License-Identifier: Apache-2.0
"""Callbacks that save a network every few epochs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from mxlite_compiler.errors import nearest

from ..model import folder_path, save_checkpoint
from ..ndarray import NDArray
from ..optimizer.states import loads
from ..serialize.sharded import Writer

BACKENDS = ("params", "orbax")


def module_checkpoint(
    mod: Any, prefix: str, period: int = 1, save_optimizer_states: bool = False, backend: str = "params"
) -> Callable[..., None]:
    """An epoch callback that saves a module.

    Args:
        mod: the module.
        prefix: of the files, see `Module.save_checkpoint`.
        period: every so many epochs; less than 1 counts as 1.
        save_optimizer_states: also save the optimizer's state.
        backend: "params" for MXNet's files, "orbax" for a `FolderCheckpoint`.

    Raises:
        ValueError: there is no such backend.

    Source: `mxnet.callback.module_checkpoint`.
    """
    every = _period(period)
    if _backend(backend) == "orbax":
        return FolderCheckpoint(prefix, period, mod, save_optimizer_states)

    def checkpoint(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % every == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)

    return checkpoint


def do_checkpoint(prefix: str, period: int = 1, backend: str = "params") -> Callable[..., None]:
    """An epoch callback that writes ``PREFIX-symbol.json`` and ``PREFIX-EPOCH.params``, epochs counted from 1.

    Args:
        prefix: path without the endings.
        period: every so many epochs; less than 1 counts as 1.
        backend: "params" for MXNet's files, "orbax" for a `FolderCheckpoint`.

    Raises:
        ValueError: there is no such backend.

    Source: `mxnet.callback.do_checkpoint`.
    """
    every = _period(period)
    if _backend(backend) == "orbax":
        return FolderCheckpoint(prefix, period)

    def checkpoint(iter_no: int, sym: Any, arg: Any, aux: Any) -> None:
        if (iter_no + 1) % every == 0:
            save_checkpoint(prefix, iter_no + 1, sym, arg, aux)

    return checkpoint


class FolderCheckpoint:
    """An epoch callback that writes ``PREFIX-symbol.json`` and a folder ``PREFIX-EPOCH.orbax``, while training goes on.

    orbax writes the folder: arrays that are spread over several devices by each its part. The folder has its name when
    it is complete. ``mx.model.load_checkpoint(prefix, epoch, backend="orbax")`` reads it, and
    ``module.load_optimizer_states("PREFIX-EPOCH.orbax")`` the optimizer's state in it.

    Args:
        prefix: path without the endings.
        period: every so many epochs; less than 1 counts as 1.
        module: saved instead of what the callback is given.
        states: also save the optimizer's state of the `module`.

    Raises:
        ImportError: orbax-checkpoint is not installed.
    """

    def __init__(self, prefix: str, period: int = 1, module: Any = None, states: bool = False):
        self.prefix, self.period, self.module, self.states = prefix, _period(period), module, states
        self._writer = Writer()

    def __call__(self, iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        """Begin to save, every `period` epochs.

        Raises:
            MXNetError: what the last call began could not be written.
        """
        if (iter_no + 1) % self.period:
            return
        notes, more = None, dict[str, NDArray]()
        if self.module is not None:
            sym, (arg, aux) = self.module.symbol, self.module.get_params()
            if self.states:
                states, _ = loads(self.module._update_rule().dumps())
                notes = {"states": {str(index): _numbered(state, more) for index, state in states.items()}}
        arrays = {f"arg:{name}": value for name, value in arg.items()}
        arrays |= {f"aux:{name}": value for name, value in aux.items()}
        if sym is not None:
            sym.save(f"{self.prefix}-symbol.json")
        path = folder_path(self.prefix, iter_no + 1)
        self._writer.save(path, arrays | more, notes)
        logging.info('Saving checkpoint to "%s"', path)

    def wait(self) -> None:
        """Wait until all is written. MXNetError: something could not be."""
        self._writer.wait()


def _numbered(state: Any, arrays: dict[str, NDArray]) -> Any:
    """A state with the names of its arrays in their place; the arrays go into `arrays`."""
    if isinstance(state, tuple | list):
        return [_numbered(part, arrays) for part in state]
    if state is None:
        return None
    name = f"state:{len(arrays)}"
    arrays[name] = state
    return name


def _backend(backend: str) -> str:
    if backend not in BACKENDS:
        raise ValueError(
            f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}{nearest(str(backend), BACKENDS)}"
        )
    return backend


def _period(period: int) -> int:
    try:
        return int(max(1, period))
    except (TypeError, ValueError):
        raise TypeError(f"period must be a number of epochs, got {period!r}") from None
