# SPDX-License-Identifier: Apache-2.0
"""Callbacks that save a network every few epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import save_checkpoint


def module_checkpoint(
    mod: Any, prefix: str, period: int = 1, save_optimizer_states: bool = False
) -> Callable[..., None]:
    """An epoch callback that saves a module.

    Args:
        mod: the module.
        prefix: of the files, see `Module.save_checkpoint`.
        period: every so many epochs; less than 1 counts as 1.
        save_optimizer_states: also save the optimizer's state.

    Source: `mxnet.callback.module_checkpoint`.
    """
    every = _period(period)

    def checkpoint(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % every == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)

    return checkpoint


def do_checkpoint(prefix: str, period: int = 1) -> Callable[..., None]:
    """An epoch callback that writes ``PREFIX-symbol.json`` and ``PREFIX-EPOCH.params``, epochs counted from 1.

    Args:
        prefix: path without the endings.
        period: every so many epochs; less than 1 counts as 1.

    Source: `mxnet.callback.do_checkpoint`.
    """
    every = _period(period)

    def checkpoint(iter_no: int, sym: Any, arg: Any, aux: Any) -> None:
        if (iter_no + 1) % every == 0:
            save_checkpoint(prefix, iter_no + 1, sym, arg, aux)

    return checkpoint


def _period(period: int) -> int:
    try:
        return int(max(1, period))
    except (TypeError, ValueError):
        raise TypeError(f"period must be a number of epochs, got {period!r}") from None
