# SPDX-License-Identifier: Apache-2.0
"""Mixed precision of a module: which network it compiles for its symbol, and how the loss is scaled."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mxlite_compiler.graph import Graph
from mxlite_compiler.passes import OpLists, mixed_precision, scale_losses

from ..base import MXNetError
from ..ndarray import NDArray
from ..optimizer.loss_scaling import LOSS_SCALE, LossScale, Skipping
from ..symbol import Symbol


@dataclasses.dataclass(frozen=True, eq=False)
class Precision:
    """How modules compute.

    The parameters of a module stay float32, and so do its optimizer, files and outputs; the operators that the lists
    name compute in `dtype`.

    Attributes:
        dtype: float16 or bfloat16.
        lists: which operators compute how.
        excluded: names of nodes that compute in float32.
        scale: how the loss is scaled; None: not at all.
    """

    dtype: str
    lists: OpLists
    excluded: frozenset[str] = frozenset()
    scale: LossScale | None = None
    #: Programs are cached on their graph, so one network is converted once.
    _made: weakref.WeakKeyDictionary[Graph, dict[bool, Symbol]] = dataclasses.field(
        default_factory=weakref.WeakKeyDictionary, repr=False
    )

    def network(self, symbol: Symbol, for_training: bool) -> tuple[Symbol, list[str]]:
        """The network to compile for `symbol`, and the arguments that it has beside those of the symbol."""
        scaled = self.scale is not None and for_training
        made = self._made.setdefault(symbol.graph, {})
        if scaled not in made:
            graph, _ = mixed_precision(symbol.graph, self.dtype, self.lists, self.excluded)
            made[scaled] = Symbol((scale_losses(graph, LOSS_SCALE) if scaled else graph).entries)
        return made[scaled], [LOSS_SCALE] if scaled else []

    def begin(self, arguments: Mapping[str, NDArray]) -> None:
        """Set the first scale of the loss."""
        if self.scale is not None and LOSS_SCALE in arguments:
            arguments[LOSS_SCALE][:] = self.scale.init

    def optimizer(
        self,
        optimizer: Any,
        names: Sequence[str],
        scales: Sequence[str],
        arguments: Callable[[], Mapping[str, NDArray]],
    ) -> tuple[Any, list[str]]:
        """What updates the parameters `names` and the `scales` of a network, and the names of all that it updates.

        `arguments` gives the arrays of the network by name.

        Raises:
            MXNetError: the loss is scaled and the optimizer is Python code, which cannot be skipped on the device.
        """
        if self.scale is None or not scales:
            return optimizer, list(names)
        if not optimizer.fused:
            raise MXNetError(
                f"{type(optimizer).__name__} updates weights by Python code of its own, which a step with gradients "
                "that are not finite cannot skip; write it as build() of an Optimizer, or train in bfloat16"
            )
        return Skipping(optimizer, self.scale, lambda: arguments()[LOSS_SCALE]), [*names, *scales]


class _Use:
    """What modules take that are made from now on."""

    current: Precision | None = None


def current() -> Precision | None:
    """How modules compute that are made now; None: as their arrays say."""
    return _Use.current


def set_current(precision: Precision | None) -> None:
    """Let modules that are made from now on compute so."""
    _Use.current = precision
