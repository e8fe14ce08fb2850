# SPDX-License-Identifier: Apache-2.0
"""What an operator takes, by its name."""

from __future__ import annotations

from typing import NamedTuple

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.op import OPS
from mxlite_compiler.params import describe

from ..base import MXNetError


class OperatorArguments(NamedTuple):
    """How many arguments an operator has, their names, and their types as text."""

    narg: int
    names: list[str]
    types: list[str]


def get_operator_arguments(op_name: str) -> OperatorArguments:
    """The arguments of a registered operator: arrays, then parameters.

    Args:
        op_name: one of its names, such as ``"Convolution"``.

    Raises:
        MXNetError: there is no such operator.
    """
    if op_name not in OPS:
        problem = f"Operator {op_name} is not registered{nearest(op_name, OPS)}"
        raise MXNetError(explain(problem, hint="`mxlite ops` lists what there is"))
    op = OPS[op_name]
    found = {"data": "NDArray-or-Symbol[]"} if op.variadic else dict.fromkeys(op.arrays, "NDArray-or-Symbol")
    found |= {name: describe(kind) for name, kind in op.param_types.items()}
    return OperatorArguments(len(found), list(found), list(found.values()))
