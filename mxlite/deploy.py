# SPDX-License-Identifier: Apache-2.0
"""From a Symbol or a checkpoint to a file that runs with jax alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler.artefact import Artefact as Artefact
from mxlite_compiler.artefact import Dim, load_artefact
from mxlite_compiler.export import PLATFORMS, export_graph

from .model import load_checkpoint
from .ndarray.ndarray import NDArray
from .symbol.symbol import Symbol

#: Read an exported network.
load = load_artefact


def export_symbol(
    symbol: Symbol,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray] | None = None,
    *,
    shapes: Mapping[str, Sequence[Dim]],
    dtypes: Mapping[str, str] | None = None,
    platforms: Sequence[str] = PLATFORMS,
) -> Artefact:
    """Compile the prediction of `symbol` into an artefact; ``.save(path)`` writes it.

    >>> net = mx.deploy.export_symbol(*mx.model.load_checkpoint("lenet", 3), shapes={"data": ("batch", 1, 28, 28)})
    ... # doctest: +SKIP

    Args:
        symbol: the network.
        arg_params: arguments by name.
        aux_params: auxiliary states by name.
        shapes: the shape of every input; a size given as a name stays open.
        dtypes: dtypes of inputs, where they are not float32.
        platforms: some of cpu, cuda, tpu.

    Raises:
        MXNetError: an input has no shape, a parameter is missing, shapes do not fit, or a node cannot be exported.
    """
    params: dict[str, Any] = {n: np.asarray(a.asnumpy()) for n, a in {**arg_params, **(aux_params or {})}.items()}
    return export_graph(symbol.graph, params, shapes, dtypes, platforms=platforms)


def export_checkpoint(
    prefix: str,
    epoch: int,
    shapes: Mapping[str, Sequence[Dim]],
    dtypes: Mapping[str, str] | None = None,
    *,
    platforms: Sequence[str] = PLATFORMS,
) -> Artefact:
    """`export_symbol` of the checkpoint ``PREFIX-symbol.json``, ``PREFIX-EPOCH.params``. Its errors, and those of
    `mxlite.model.load_checkpoint`."""
    symbol, arg_params, aux_params = load_checkpoint(prefix, epoch)
    return export_symbol(symbol, arg_params, aux_params, shapes=shapes, dtypes=dtypes, platforms=platforms)
