# SPDX-License-Identifier: Apache-2.0
"""What every cell is: parameters by name, states, a step, and steps in a row."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import symbol
from ..base import MXNetError, nearest
from ..ndarray import NDArray, concatenate
from ..symbol import Symbol

#: What a step or an unrolled sequence gives as states; those of a `BidirectionalCell` are two lists.
States = list[Any]


#: MXNet passes this flag as a number, which is what its JSON shows.
SQUEEZE: Any = 1


class CellError(MXNetError, AssertionError):
    """A cell is used in a way that it does not allow; MXNet raises an AssertionError there."""


class MissingWeight(MXNetError, KeyError):
    """A weight that a cell needs is not among those given; MXNet raises a KeyError with nothing but the name."""

    __str__ = Exception.__str__  # KeyError's own shows the message as a quoted literal


class RNNParams:
    """The variables of a cell by name; cells that are given the same object share their weights.

    Args:
        prefix: begins every name.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._params: dict[str, Symbol] = {}

    def get(self, name: str, **kwargs: Any) -> Symbol:
        """The variable `name`, made with `kwargs` (see `mx.sym.var`) when it is asked for the first time."""
        name = self._prefix + name
        if name not in self._params:
            self._params[name] = symbol.Variable(name, **kwargs)
        return self._params[name]


class BaseRNNCell(abc.ABC):
    """The interface of cells.

    Args:
        prefix: begins the names of parameters and nodes.
        params: variables to share with another cell; own ones by default.
    """

    def __init__(self, prefix: str = "", params: RNNParams | None = None) -> None:
        self._own_params = params is None
        self._prefix = prefix
        self._params = RNNParams(prefix) if params is None else params
        self._modified = False
        self._cells: list[BaseRNNCell] = []
        self.reset()

    def reset(self) -> None:
        """Count steps and states from 0 again, in the names of what is made next."""
        self._init_counter = -1
        self._counter = -1
        for cell in self._cells:
            cell.reset()

    @abc.abstractmethod
    def __call__(self, inputs: Symbol, states: Any) -> tuple[Symbol, States]:
        """One step.

        Args:
            inputs: (batch, input).
            states: of `begin_state`, or of the step before.

        Returns:
            The output, (batch, hidden), and the states for the next step.
        """

    @property
    def params(self) -> RNNParams:
        """The cell's variables. A cell whose variables were looked at counts as sharing them."""
        self._own_params = False
        return self._params

    @property
    @abc.abstractmethod
    def state_info(self) -> list[dict[str, Any]]:
        """Shape and layout of every state; a size of 0 is the batch."""

    @property
    def state_shape(self) -> list[tuple[int, ...]]:
        """The shapes of `state_info`."""
        return [info["shape"] for info in self.state_info]

    @property
    def _gate_names(self) -> Sequence[str]:
        """The gates, whose weights lie one below the other; none for a cell without weights."""
        return ()

    def _step_name(self) -> str:
        self._counter += 1
        return f"{self._prefix}t{self._counter}_"

    def begin_state(self, func: Callable[..., Symbol] = symbol.zeros, **kwargs: Any) -> States:
        """The states before the first step.

        Args:
            func: makes each from `name`, `shape`, where 0 is the batch, and `kwargs`: ``mx.sym.zeros``,
                ``mx.sym.Variable`` to feed them, or another.
            kwargs: for `func`.

        Raises:
            CellError: the cell belongs to a modifier, which is to be asked.
        """
        self._refuse_modified()
        states = []
        for info in self.state_info:
            self._init_counter += 1
            states.append(func(name=f"{self._prefix}begin_state_{self._init_counter}", **{**kwargs, **info}))
        return states

    def _refuse_modified(self) -> None:
        if self._modified:
            raise CellError(
                "After applying modifier cells (e.g. DropoutCell) the base cell cannot be called directly. "
                f"Call the modifier cell instead of this {type(self).__name__} {self._prefix!r}"
            )

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """`args` with the cell's stacked weights cut into one for each gate, such as ``lstm_i2h_f_weight``.

        Raises:
            MissingWeight: a weight of the cell is not there.
        """
        args = dict(args)
        gates = self._gate_names
        for group in ("i2h", "h2h") if gates else ():
            for kind in ("weight", "bias"):
                stacked = take(args, f"{self._prefix}{group}_{kind}")
                size = stacked.shape[0] // len(gates)
                for i, gate in enumerate(gates):
                    args[f"{self._prefix}{group}{gate}_{kind}"] = stacked[i * size : (i + 1) * size].copy()
        return args

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """The opposite of `unpack_weights`.

        Raises:
            MissingWeight: the weight of a gate is not there.
        """
        args = dict(args)
        gates = self._gate_names
        for group in ("i2h", "h2h") if gates else ():
            for kind in ("weight", "bias"):
                parts = [take(args, f"{self._prefix}{group}{gate}_{kind}") for gate in gates]
                args[f"{self._prefix}{group}_{kind}"] = concatenate(parts)
        return args

    def unroll(
        self,
        length: int,
        inputs: Symbol | Sequence[Symbol],
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """`length` steps in a row.

        Args:
            length: the number of steps.
            inputs: one symbol of shape `layout`, or one of shape (batch, input) for each step.
            begin_state: the first states; `begin_state` by default.
            layout: ``NTC`` or ``TNC``, where T is time.
            merge_outputs: True for one output of shape `layout`, False for a list of one a step; None for what costs
                nothing.

        Returns:
            The outputs, and the states after the last step.

        Raises:
            CellError: the number of inputs is not `length`, or the symbol has several outputs.
        """
        self.reset()
        steps = split_steps(length, inputs, layout)
        states = self.begin_state() if begin_state is None else begin_state
        outputs = []
        for x in steps:
            output, states = self(x, states)
            outputs.append(output)
        return (merge_steps(outputs, layout) if merge_outputs else outputs), states


def take(args: dict[str, NDArray], name: str) -> NDArray:
    """Remove and return `name`. MissingWeight when it is not there."""
    if name not in args:
        raise MissingWeight(f"{name!r} is not among the weights{nearest(name, args)}; there are: {', '.join(args)}")
    return args.pop(name)


def activate(x: Symbol, activation: str | Callable[..., Symbol], **kwargs: Any) -> Symbol:
    """`x` through an activation: its name, or a function of a symbol and `name`."""
    if callable(activation):
        return activation(x, **kwargs)
    kind: Any = activation  # an unknown one is told by the operator
    return symbol.Activation(x, act_type=kind, **kwargs)


def dense_state(hidden: int) -> dict[str, Any]:
    """The `state_info` of a state of `hidden` numbers a sequence."""
    return {"shape": (0, hidden), "__layout__": "NC"}


def split_steps(length: int, inputs: Symbol | Sequence[Symbol], layout: str) -> list[Symbol]:
    """The inputs of each step, each (batch, ...). CellError when they are not `length`."""
    if isinstance(inputs, Symbol):
        _refuse_group(inputs)
        return list(symbol.split(inputs, axis=layout.find("T"), num_outputs=length, squeeze_axis=SQUEEZE))
    steps = list(inputs)
    if len(steps) != length:
        raise CellError(f"unroll: {len(steps)} inputs for {length} steps; give one symbol, or as many as length")
    return steps


def merge_steps(steps: Symbol | Sequence[Symbol], layout: str) -> Symbol:
    """One symbol of shape `layout` from those of the steps."""
    if isinstance(steps, Symbol):
        _refuse_group(steps)
        return steps
    axis = layout.find("T")
    return symbol.Concat(*[symbol.expand_dims(x, axis=axis) for x in steps], dim=axis)


def _refuse_group(inputs: Symbol) -> None:
    if len(inputs.list_outputs()) != 1:
        raise CellError(
            "unroll doesn't allow grouped symbol as input. Please convert to list with list(inputs) first or let "
            f"unroll handle splitting; this one has the outputs {', '.join(inputs.list_outputs())}"
        )
