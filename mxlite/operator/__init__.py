# SPDX-License-Identifier: Apache-2.0
"""Operators written in Python by the user: `CustomOp`, `CustomOpProp`, `register`.

User code may call `mx.nd`, ``asnumpy`` and anything else, so a graph is cut at a Custom node: compiled segments with
Python between them. An operator registered with ``jit=True`` promises that its forward and backward use `mx.nd` only;
it is traced into the program, runs on an accelerator and exports.
"""

from __future__ import annotations

from .arguments import OperatorArguments as OperatorArguments
from .arguments import get_operator_arguments as get_operator_arguments
from .custom import CUSTOM as CUSTOM
from .describe import CustomOp as CustomOp
from .describe import CustomOpProp as CustomOpProp
from .describe import get_all_registered_operators as get_all_registered_operators
from .describe import register as register
from .eager import custom as custom
from .legacy import NDArrayOp as NDArrayOp
from .legacy import NumpyOp as NumpyOp
from .legacy import PythonOp as PythonOp
