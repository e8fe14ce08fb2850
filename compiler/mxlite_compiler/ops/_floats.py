# SPDX-License-Identifier: Apache-2.0
"""The dtype rule of operators on pictures: one floating type for all arrays."""

from __future__ import annotations

from typing import Any

from ..errors import Mismatch
from ..shapes import DTypes, solve_dtypes


def floats(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """One dtype for inputs and outputs, which must be a floating one."""
    done = solve_dtypes(None, [*ins, *outs], {})
    if done[0] is not None and not done[0].lstrip("b").startswith("float"):
        raise Mismatch(f"the arrays must hold floating point numbers, got {done[0]}")
    return done[: len(ins)], done[len(ins) :]
