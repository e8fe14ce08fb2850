# SPDX-License-Identifier: Apache-2.0
"""`DataParallelExecutorGroup`, for scripts that work below `Module`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from ..context import Context
from ..io import DataDesc as DataDesc
from ..ndarray import NDArray
from .batches import batch_axis
from .description import descriptions
from .executors import Executors
from .module import Module


class DataParallelExecutorGroup(Executors):
    """A Symbol bound to devices that compute a batch together: a `Module` without initializer and optimizer.

    Args:
        symbol: the network.
        contexts: the devices.
        workload: accepted as in MXNet; the parts of a batch are equal.
        data_shapes, label_shapes: as for `Module.bind`; the labels may be None.
        param_names: the parameters to train; the others are fixed.
        for_training, inputs_need_grad, grad_req: as for `Module.bind`.
        shared_group: use the parameter arrays of this one.
        logger, fixed_param_names, state_names, group2ctxs: as for `Module`.

    Raises:
        as `Module` and `Module.bind` do.
    """

    def __init__(
        self,
        symbol: Any,
        contexts: Sequence[Context],
        workload: Any,
        data_shapes: Any,
        label_shapes: Any,
        param_names: Sequence[str],
        for_training: bool,
        inputs_need_grad: bool,
        shared_group: DataParallelExecutorGroup | None = None,
        logger: Any = logging,
        fixed_param_names: Sequence[str] | None = None,
        grad_req: Any = "write",
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
    ):
        data, labels = descriptions(data_shapes), descriptions(label_shapes)
        inputs = {*(d.name for d in [*data, *labels]), *(state_names or ())}
        others = [n for n in symbol.list_arguments() if n not in inputs and n not in param_names]
        self._module = Module(
            symbol,
            [d.name for d in data],
            [d.name for d in labels],
            logger,
            list(contexts),
            fixed_param_names=[*(fixed_param_names or ()), *others],
            state_names=state_names,
            group2ctxs=group2ctxs,
        )
        self._how = for_training, inputs_need_grad, grad_req
        self.bind_exec(data, labels, shared_group)
        super().__init__(self._module)
        self.param_names = list(param_names)

    def bind_exec(
        self,
        data_shapes: Any,
        label_shapes: Any,
        shared_group: DataParallelExecutorGroup | None = None,
        reshape: bool = False,
    ) -> None:
        """Bind to other shapes; with `reshape` parameters and gradients stay as they are."""
        if reshape:
            self._module.reshape(data_shapes, label_shapes)
            return
        training, inputs_need_grad, grad_req = self._how
        shared = shared_group._module if shared_group is not None else None
        self._module.bind(data_shapes, label_shapes, training, inputs_need_grad, True, shared, grad_req)
        self._module.params_initialized = True  # to whatever they are

    def reshape(self, data_shapes: Any, label_shapes: Any) -> None:
        """Bind to other shapes and keep parameters and gradients."""
        self.bind_exec(data_shapes, label_shapes, reshape=True)

    def decide_slices(self, data_shapes: Any) -> list[int]:
        """The batch axis of each input.

        Raises:
            MXNetError: the batch sizes differ.
        """
        found = descriptions(data_shapes)
        sizes = {d.name: d.shape[batch_axis(d)] for d in found}
        if len(set(sizes.values())) > 1:
            raise MXNetError(f"all data must have the same batch size, these have {sizes}")
        return [batch_axis(d) for d in found]

    def set_params(
        self, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray], allow_extra: bool = False
    ) -> None:
        """Copy parameters into the bound arrays. ValueError for an unknown name, unless `allow_extra`."""
        self._executor().copy_params_from(arg_params, aux_params, allow_extra_params=allow_extra)

    def get_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Copy parameters and auxiliary states into the arrays of two dicts."""
        for found, into in zip(self._module.get_params(), (arg_params, aux_params), strict=True):
            for name, value in found.items():
                into[name][:] = value

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch; see `Module.forward`."""
        self._module.forward(data_batch, is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients; see `Module.backward`."""
        self._module.backward(out_grads)

    def get_outputs(self, merge_multi_context: bool = True, begin: int = 0, end: int | None = None) -> list[Any]:
        """The outputs from number `begin` to before number `end`; see `Module.get_outputs`."""
        return self._module.get_outputs(merge_multi_context)[begin:end]

    def get_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each output."""
        return self._module.output_shapes

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """The gradients of the data; see `Module.get_input_grads`."""
        return self._module.get_input_grads(merge_multi_context)

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The states; see `Module.get_states`."""
        return self._module.get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the states; see `Module.set_states`."""
        self._module.set_states(states, value)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs; see `Module.update_metric`."""
        self._module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor see the values inside."""
        self._module.install_monitor(mon)
