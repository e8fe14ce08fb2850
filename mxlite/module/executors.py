# SPDX-License-Identifier: Apache-2.0
"""`Module._exec_group`: the arrays of a module as scripts look at them that reach behind its back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..executor import Executor
from ..io import DataDesc
from ..ndarray import NDArray
from .batches import batch_axis

if TYPE_CHECKING:
    from .binding import Binding


class Executors:
    """The executors of a module and their arrays.

    MXNet has an executor for each device. Here one runs the program of all of them, so what MXNet has as lists with an
    entry for each device has one entry, with the whole batch.

    Attributes:
        symbol, arg_names, aux_names, param_names, data_names, label_names, state_names, output_names,
        fixed_param_names: what the module is made of.
        contexts: the devices that the module was given.
        for_training, inputs_need_grad, grad_req: how it was bound.
    """

    def __init__(self, module: Binding):
        self._of = module
        self.symbol, self.contexts, self.logger = module.symbol, module._contexts, module.logger
        self.arg_names, self.aux_names = self.symbol.list_arguments(), module._aux_names
        self.param_names, self.fixed_param_names = module._param_names, module._fixed
        self.data_names, self.label_names, self.state_names = (
            module._data_names,
            module._label_names,
            module._state_names,
        )
        self.output_names, self.num_outputs = module.output_names, len(module.output_names)

    def _executor(self) -> Executor:
        return self._of._bound("_exec_group")

    @property
    def execs(self) -> list[Executor]:
        """The executor that runs all devices."""
        return [self._executor()]

    @property
    def for_training(self) -> bool:
        """Whether gradients can be asked for."""
        return self._of.for_training

    @property
    def inputs_need_grad(self) -> bool:
        """Whether those of the inputs are kept."""
        return self._of.inputs_need_grad

    @property
    def grad_req(self) -> dict[str, str]:
        """How gradients are written, by argument."""
        return self._executor().grad_req

    @property
    def data_shapes(self) -> list[DataDesc]:
        """What the data is bound to."""
        return self._of.data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """What the labels are bound to."""
        return self._of.label_shapes

    @property
    def batch_size(self) -> int:
        """The size of a batch, of all devices of this process together."""
        first = self._of.data_shapes[0]
        return first.shape[batch_axis(first)]

    @property
    def slices(self) -> list[slice]:
        """What each executor has of a batch."""
        return [slice(0, self.batch_size)]

    @property
    def param_arrays(self) -> list[list[NDArray]]:
        """The parameters."""
        return [[self._executor().arg_dict[n]] for n in self.param_names]

    @property
    def grad_arrays(self) -> list[list[NDArray | None]]:
        """Their gradients, None where there is none."""
        return [[self._executor().grad_dict[n]] for n in self.param_names]

    @property
    def aux_arrays(self) -> list[list[NDArray]]:
        """The auxiliary states."""
        return [[self._executor().aux_dict[n]] for n in self.aux_names]

    @property
    def state_arrays(self) -> list[list[NDArray]]:
        """The states."""
        return [[self._executor().arg_dict[n]] for n in self.state_names]

    @property
    def input_grad_arrays(self) -> list[list[NDArray | None]] | None:
        """The gradients of the data, None where they are not kept."""
        return [[self._executor().grad_dict[n]] for n in self.data_names] if self.inputs_need_grad else None

    @property
    def data_arrays(self) -> list[list[tuple[slice, NDArray]]]:
        """The data, each with what it is of a batch."""
        return self._inputs(self._of.data_shapes)

    @property
    def label_arrays(self) -> list[list[tuple[slice, NDArray]]] | None:
        """The labels, likewise; None without."""
        return self._inputs(self._of.label_shapes) if self._of.label_shapes else None

    def _inputs(self, shapes: list[DataDesc]) -> list[list[tuple[slice, NDArray]]]:
        bound: dict[str, Any] = self._executor().arg_dict
        return [[(self.slices[0], bound[d.name])] for d in shapes if d.name in bound]
