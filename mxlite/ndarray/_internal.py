# SPDX-License-Identifier: Apache-2.0
"""`mx.nd._internal`: the operators whose name begins with an underscore, such as ``_plus_scalar``."""

from __future__ import annotations

from typing import Any

from mxlite_compiler.op import OPS

from . import register
from .updates import set_value

globals().update(
    {n: register.function(op, n, __name__) for n, op in OPS.items() if n.startswith("_") and not n.startswith("__")}
)
_set_value = set_value


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
