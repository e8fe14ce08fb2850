# SPDX-License-Identifier: Apache-2.0
"""Checkpoints whose weights are those of single gates, so that fused and unfused cells read each other's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import symbol
from ..model import load_checkpoint, save_checkpoint
from ..ndarray import NDArray
from ..symbol import Symbol
from .base import BaseRNNCell, States

Cells = BaseRNNCell | Sequence[BaseRNNCell]


def _listed(cells: Cells) -> list[BaseRNNCell]:
    return [cells] if isinstance(cells, BaseRNNCell) else list(cells)


def rnn_unroll(
    cell: BaseRNNCell,
    length: int,
    inputs: Any = None,
    begin_state: States | None = None,
    input_prefix: str = "",
    layout: str = "NTC",
) -> tuple[Any, States]:
    """`cell.unroll`, which is to be called instead; without `inputs`, of variables ``{input_prefix}t0_data`` ...

    Source: `mxnet.rnn.rnn_unroll`, which fails in MXNet 1.9.1.
    """
    warnings.warn("rnn_unroll is deprecated. Please call cell.unroll directly.", UserWarning, stacklevel=2)
    if inputs is None:
        inputs = [symbol.Variable(f"{input_prefix}t{i}_data") for i in range(length)]
    return cell.unroll(length, inputs, begin_state, layout)


def save_rnn_checkpoint(
    cells: Cells,
    prefix: str,
    epoch: int,
    symbol: Symbol | None,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
) -> None:
    """`mx.model.save_checkpoint` of the unpacked weights.

    Args:
        cells: the cells of the network, or one.
        prefix, epoch, symbol, arg_params, aux_params: as for `mx.model.save_checkpoint`.

    Raises:
        MissingWeight: a cell's weight is not there.

    Source: `mxnet.rnn.save_rnn_checkpoint`.
    """
    for cell in _listed(cells):
        arg_params = cell.unpack_weights(arg_params)
    save_checkpoint(prefix, epoch, symbol, arg_params, aux_params)


def load_rnn_checkpoint(cells: Cells, prefix: str, epoch: int) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """The symbol, and the parameters packed for `cells`, of what `save_rnn_checkpoint` wrote for these or others.

    Raises:
        MXNetError: a file is missing or damaged.
        MissingWeight: the file has not the weights of a cell.

    Source: `mxnet.rnn.load_rnn_checkpoint`.
    """
    network, args, aux = load_checkpoint(prefix, epoch)
    for cell in _listed(cells):
        args = cell.pack_weights(args)
    return network, args, aux


def do_rnn_checkpoint(cells: Cells, prefix: str, period: int = 1) -> Callable[..., None]:
    """An epoch callback that calls `save_rnn_checkpoint`, epochs counted from 1.

    Args:
        cells: the cells of the network, or one.
        prefix: path without the endings.
        period: every so many epochs; less than 1 counts as 1.

    Source: `mxnet.rnn.do_rnn_checkpoint`.
    """
    every = max(1, int(period))

    def checkpoint(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % every == 0:
            save_rnn_checkpoint(cells, prefix, iter_no + 1, sym, arg, aux)

    return checkpoint
