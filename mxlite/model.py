# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: ``PREFIX-symbol.json`` and ``PREFIX-0003.params``."""

from __future__ import annotations

import glob
import logging
import os
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .base import MXNetError
from .ndarray.ndarray import NDArray
from .optimizer.states import dumps as dump_states
from .serialize import params, read_file, sharded
from .symbol.symbol import Symbol
from .symbol.symbol import load as load_symbol

if TYPE_CHECKING:
    # They stand above this file: mxlite/__init__.py puts them here.
    from .checkpoint import Checkpoint as Checkpoint
    from .executor_manager import DataParallelExecutorManager as DataParallelExecutorManager
    from .module.feed_forward import FeedForward as FeedForward

Params = dict[str, NDArray]


class BatchEndParam(NamedTuple):
    """What a batch callback receives.

    Attributes:
        epoch: the epoch, from 0.
        nbatch: the batch in the epoch, from 0.
        eval_metric: the metric; looking at its value waits for the device.
        locals: the local variables of the loop that calls.
    """

    epoch: int
    nbatch: int
    eval_metric: Any
    locals: Mapping[str, Any] | None


def save_checkpoint(
    prefix: str,
    epoch: int,
    symbol: Symbol | None,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
    remove_amp_cast: bool = True,
) -> None:
    """Write the network to ``PREFIX-symbol.json`` and its parameters to ``PREFIX-EPOCH.params``, four digits.

    Each file is replaced as a whole: an interrupted or killed call leaves older files whole.

    Args:
        prefix: the path without its ending.
        epoch: the number in the file's name.
        symbol: the network; None writes parameters only.
        arg_params: arguments by name.
        aux_params: auxiliary states by name.
        remove_amp_cast: leave nodes that only cast for mixed precision out of the file.

    Raises:
        TypeError: a parameter is no NDArray.
        MXNetError: a file cannot be written.

    Source: `mxnet.model.save_checkpoint`.
    """
    arrays = {f"arg:{name}": value for name, value in arg_params.items()}
    arrays.update({f"aux:{name}": value for name, value in aux_params.items()})
    path = _params_path(prefix, epoch)
    params.check(arrays)  # before the symbol is written
    if symbol is not None:
        symbol.save(f"{prefix}-symbol.json", remove_amp_cast=remove_amp_cast)
    params.save(path, arrays)
    logging.info('Saved checkpoint to "%s"', path)


def load_checkpoint(prefix: str, epoch: int, backend: str = "params") -> tuple[Symbol, Params, Params]:
    """The network and its parameters that `save_checkpoint` wrote.

    Args:
        prefix, epoch: as given to `save_checkpoint`.
        backend: "orbax" for what `mx.callback.do_checkpoint(prefix, backend="orbax")` wrote.

    Returns:
        The symbol, the arguments by name, the auxiliary states by name.

    Raises:
        MXNetError: a file is missing (the epochs that exist are listed) or damaged.

    Source: `mxnet.model.load_checkpoint`.
    """
    path = f"{prefix}-symbol.json"
    if not os.path.exists(path):
        near = sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(prefix)), "*-symbol.json")))
        hint = f"; there is {', '.join(near[:5])}" if near else ""
        raise MXNetError(f"cannot open {path!r}: no such file{hint}")
    symbol = load_symbol(path)
    return (symbol, *load_params(prefix, epoch, backend))


def load_params(prefix: str, epoch: int, backend: str = "params") -> tuple[Params, Params]:
    """The arguments and auxiliary states in ``PREFIX-EPOCH.params``, or in ``PREFIX-EPOCH.orbax``.

    Raises:
        MXNetError: the file is missing (the epochs that exist are listed), damaged, or no checkpoint.
        ValueError: `backend` is neither "params" nor "orbax".

    Source: `mxnet.model.load_params`.
    """
    if backend not in ("params", "orbax"):
        raise ValueError(f"backend must be params or orbax, got {backend!r}")
    if backend == "orbax":
        path = folder_path(prefix, epoch)
        arrays, _ = sharded.load(path)
        return split_params({k: v for k, v in arrays.items() if not k.startswith("state:")}, path)
    path = _params_path(prefix, epoch)
    if not os.path.exists(path):
        epochs = saved_epochs(prefix)
        have = f"epochs saved under this prefix: {', '.join(map(str, epochs))}" if epochs else "no epoch was saved"
        raise MXNetError(f"cannot open {path!r}: no such file; {have}")
    found = params.load(path)
    if not found:
        logging.warning("Params file '%s' is empty", path)
        return {}, {}
    if isinstance(found, list):
        raise MXNetError(f"{path!r} is no checkpoint: its {len(found)} arrays have no names; mx.nd.load reads it")
    return split_params(found, path)


def split_params(arrays: Mapping[str, NDArray], source: str) -> tuple[Params, Params]:
    """The arguments and auxiliary states among arrays named ``arg:NAME`` and ``aux:NAME``.

    Raises:
        MXNetError: a name has no prefix at all.
    """
    kinds: dict[str, Params] = {"arg": {}, "aux": {}}
    for key, value in arrays.items():
        kind, colon, name = key.partition(":")
        if not colon:
            raise MXNetError(
                f"{source!r} is no checkpoint: {key!r} is neither arg:NAME nor aux:NAME; mx.nd.load reads it"
            )
        if kind in kinds:
            kinds[kind][name] = value
        else:
            warnings.warn(f"{source!r}: {key!r} is neither arg:NAME nor aux:NAME and was left out", stacklevel=3)
    return kinds["arg"], kinds["aux"]


def saved_epochs(prefix: str) -> list[int]:
    """The epochs for which there is a ``PREFIX-EPOCH.params`` file."""
    pattern = re.compile(re.escape(os.path.basename(prefix)) + r"-(\d{4,})\.params")
    folder = os.path.dirname(prefix) or "."
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(m[1]) for name in names if (m := pattern.fullmatch(name)))


def folder_path(prefix: str, epoch: int) -> str:
    """The folder of an epoch that orbax writes."""
    return f"{prefix}-{epoch:04d}.orbax"


def read_states(path: str) -> bytes:
    """Optimizer states as MXNet's files hold them: the content of such a file, or out of a folder that orbax wrote.

    Raises:
        MXNetError: it is missing or damaged, or the folder has no states.
    """
    if not os.path.isdir(path):
        return read_file(path)
    arrays, notes = sharded.load(path)
    if not isinstance(notes, dict) or not isinstance(notes.get("states"), dict):
        raise MXNetError(
            f"{path!r} has no optimizer states; mx.callback.module_checkpoint(module, prefix, "
            'save_optimizer_states=True, backend="orbax") saves them'
        )

    def filled(state: object) -> object:
        return tuple(map(filled, state)) if isinstance(state, list) else None if state is None else arrays[str(state)]

    return dump_states({int(index): filled(state) for index, state in notes["states"].items()})


def _params_path(prefix: str, epoch: int) -> str:
    return f"{prefix}-{epoch:04d}.params"
