# SPDX-License-Identifier: Apache-2.0
"""`NumpyOp` and `NDArrayOp`: how operators were written in Python before `CustomOp`.

They are deprecated, and using one ends MXNet 1.9.1; here they are custom operators like the others, registered under a
name of their own. As in MXNet a graph with one of them lives in its process only.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

from .. import symbol
from ..ndarray import NDArray
from .describe import REGISTRY, CustomOp, CustomOpProp


class PythonOp:
    """What `NumpyOp` and `NDArrayOp` share. Subclass one of those and call the instance to get a Symbol.

    Args:
        need_top_grad: whether `backward` uses `out_grad`; False makes the operator a loss.

    It warns that it is deprecated (UserWarning).
    """

    def __init__(self, need_top_grad: bool = True):
        warnings.warn("PythonOp has been deprecated. Please use CustomOp", UserWarning, stacklevel=3)
        self.need_top_grad_ = need_top_grad

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.get_symbol(*args, **kwargs)

    def get_symbol(self, *args: Any, **kwargs: Any) -> Any:
        """The Symbol that calls this operator.

        Args:
            *args, **kwargs: symbols, in the order of `list_arguments` or by name; ``name=``. Missing ones become
                variables.

        Raises:
            NotImplementedError: of `PythonOp` itself, which does not say which arrays its functions take.
        """
        raise NotImplementedError(f"{type(self).__name__}: derive from NumpyOp or NDArrayOp, or better from CustomOp")

    def forward(self, in_data: Any, out_data: Any) -> None:
        """Write the outputs into `out_data`; by default the first is the first input."""
        out_data[0][:] = in_data[0]

    def backward(self, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any) -> None:
        """Write the gradients into `in_grad`; by default the first one is 1."""
        in_grad[0][:] = 1.0

    def infer_shape(self, in_shape: Any) -> Any:
        """Shapes of inputs and outputs from those of the inputs that are known; by default one output like `data`."""
        return in_shape, [in_shape[0]]

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def need_top_grad(self) -> bool:
        """Whether `backward` uses `out_grad`."""
        return self.need_top_grad_

    def _custom(self, computation: type[_Computation], args: Any, kwargs: Any) -> Any:
        op_type = f"_{type(self).__name__}_{id(self):x}"
        REGISTRY[op_type] = functools.partial(_Description, self, computation), False
        return symbol.Custom(*args, op_type=op_type, **kwargs)


class NumpyOp(PythonOp):
    """An operator whose functions take numpy arrays and write into them."""

    def get_symbol(self, *args: Any, **kwargs: Any) -> Any:
        """The Symbol that calls this operator; see `PythonOp.get_symbol`."""
        return self._custom(_OnNumpy, args, kwargs)


class NDArrayOp(PythonOp):
    """An operator whose functions take NDArrays and write into them."""

    def get_symbol(self, *args: Any, **kwargs: Any) -> Any:
        """The Symbol that calls this operator; see `PythonOp.get_symbol`."""
        return self._custom(_Computation, args, kwargs)

    def declare_backward_dependency(self, out_grad: Any, in_data: Any, out_data: Any) -> list[Any]:
        """Accepted as in MXNet; what backward reads is found out."""
        return [*(out_grad if self.need_top_grad() else []), *in_data, *out_data]


class _Description(CustomOpProp):
    """A `PythonOp` as a custom operator."""

    def __init__(self, op: PythonOp, computation: type[_Computation]):
        super().__init__(op.need_top_grad())
        self.op, self.computation = op, computation

    def list_arguments(self) -> list[str]:
        return self.op.list_arguments()

    def list_outputs(self) -> list[str]:
        return self.op.list_outputs()

    def infer_shape(self, in_shape: list[Any]) -> Any:
        return (*self.op.infer_shape(in_shape), [])

    def create_operator(self, ctx: Any, in_shapes: list[Any], in_dtypes: list[Any]) -> CustomOp:
        return self.computation(self.op)


class _Computation(CustomOp):
    def __init__(self, op: PythonOp):
        self.op = op

    def forward(self, is_train: bool, req: Any, in_data: list[NDArray], out_data: list[NDArray], aux: Any) -> None:
        self.op.forward(in_data, out_data)

    def backward(self, req: Any, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any, aux: Any) -> None:
        self.op.backward(out_grad, in_data, out_data, in_grad)


class _OnNumpy(_Computation):
    def forward(self, is_train: bool, req: Any, in_data: list[NDArray], out_data: list[NDArray], aux: Any) -> None:
        results = _hosted(out_data)
        self.op.forward(_hosted(in_data), results)
        _write(out_data, results)

    def backward(self, req: Any, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any, aux: Any) -> None:
        gradients = _hosted(in_grad)
        self.op.backward(_hosted(out_grad), _hosted(in_data), _hosted(out_data), gradients)
        _write(in_grad, gradients)


def _hosted(arrays: list[NDArray]) -> list[np.ndarray]:
    return [array.asnumpy().copy() for array in arrays]


def _write(arrays: list[NDArray], values: list[np.ndarray]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array[:] = value
