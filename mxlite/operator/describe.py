# SPDX-License-Identifier: Apache-2.0
"""What the user writes: the computation, its description, and its registration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray


class CustomOp:
    """The computation; subclass it and define `forward` and `backward`."""

    def forward(
        self, is_train: bool, req: list[str], in_data: list[NDArray], out_data: list[NDArray], aux: list[NDArray]
    ) -> None:
        """Compute `out_data` from `in_data`; `aux` may be changed in place.

        Args:
            is_train: whether this is training.
            req: per output: null, write, inplace or add.
            in_data, out_data, aux: arrays of the shapes `CustomOpProp.infer_shape` gave.
        """
        raise MXNetError(f"{type(self).__name__} defines no forward(is_train, req, in_data, out_data, aux)")

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Compute `in_grad` from the rest; by default no gradient flows."""

    def assign(self, dst: NDArray, req: str, src: Any) -> None:
        """Put `src` into `dst` as `req` says: null drops it, write and inplace replace, add adds."""
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src
        elif req != "null":
            raise ValueError(f"req must be null, write, inplace or add, got {req!r}")


class CustomOpProp:
    """The description: names, shapes and dtypes; subclass it and register it.

    Args:
        need_top_grad: whether `backward` uses `out_grad`; False makes the operator a loss.
    """

    def __init__(self, need_top_grad: bool = True):
        self.need_top_grad_ = need_top_grad

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states."""
        return []

    def infer_shape(self, in_shape: list[Any]) -> Any:
        """Input, output and (optionally) auxiliary shapes from the input shapes; all like the first by default."""
        return in_shape, [in_shape[0]] * len(self.list_outputs()), [in_shape[0]] * len(self.list_auxiliary_states())

    def infer_type(self, in_type: list[Any]) -> Any:
        """Input, output and auxiliary dtypes from the input dtypes; all like the first by default."""
        return (
            [in_type[0]] * len(in_type),
            [in_type[0]] * len(self.list_outputs()),
            [in_type[0]] * len(self.list_auxiliary_states()),
        )

    def infer_storage_type(self, in_stype: list[str]) -> Any:
        """Storage types of inputs, outputs and auxiliary states: "default" all.

        Asked by MXNet only: a custom operator of mxlite works on dense arrays. AssertionError for another type.
        """
        _check_dense("infer_storage_type", in_stype)
        dense = "default"
        return in_stype, [dense] * len(self.list_outputs()), [dense] * len(self.list_auxiliary_states())

    def infer_storage_type_backward(
        self,
        ograd_stype: list[str],
        in_stype: list[str],
        out_stype: list[str],
        igrad_stype: list[str],
        aux_stype: list[str],
    ) -> Any:
        """The same five lists, with "default" for `igrad_stype`. AssertionError for another type in the others."""
        for given in (ograd_stype, in_stype, out_stype, aux_stype):
            _check_dense("infer_storage_type_backward", given)
        return ograd_stype, in_stype, out_stype, ["default"] * len(igrad_stype), aux_stype

    def declare_backward_dependency(self, out_grad: list[int], in_data: list[int], out_data: list[int]) -> list[int]:
        """Accepted as in MXNet; XLA finds out by itself what backward reads."""
        return [*(out_grad if self.need_top_grad_ else []), *in_data, *out_data]

    def create_operator(self, ctx: Context, in_shapes: list[Any], in_dtypes: list[Any]) -> CustomOp:
        """The `CustomOp` for these shapes."""
        return CustomOp()


def _check_dense(method: str, stypes: list[str]) -> None:
    other = [s for s in stypes if s != "default"]
    if other:
        raise AssertionError(f"{method} knows no storage type {other[0]!r}: define it in the CustomOpProp")


#: The descriptions by name, and whether they are to be traced.
REGISTRY: dict[str, tuple[Callable[..., CustomOpProp], bool]] = {}


def register(reg_name: str, jit: bool = False) -> Callable[[Any], Any]:
    """Register a `CustomOpProp` class as ``op_type=reg_name``.

    Args:
        reg_name: the name; registering it again replaces it, which suits notebooks.
        jit: the operator's forward and backward are pure `mx.nd`: trace them into the compiled program.

    Returns:
        A class decorator.
    """

    def decorate(prop: Any) -> Any:
        REGISTRY[reg_name] = (prop, jit)
        return prop

    return decorate


def get_all_registered_operators() -> list[str]:
    """Names of all registered custom operators."""
    return sorted(REGISTRY)
