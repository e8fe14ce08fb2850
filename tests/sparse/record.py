# SPDX-License-Identifier: Apache-2.0
"""Records what MXNet 1.9.1 gives for the expressions of `cases.py`; run by a Python that has MXNet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cases import EXPRESSIONS, names  # pyright: ignore[reportAttributeAccessIssue]

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "sparse"


def numbers(x: Any) -> Any:
    """An array as JSON: what is not finite as text."""
    return [numbers(row) if isinstance(row, list) else row if np.isfinite(row) else str(row) for row in x]


def told(x: Any) -> Any:
    """A result as JSON."""
    if isinstance(x, (list, tuple)):
        return [told(part) for part in x]
    if not hasattr(x, "stype"):
        return x if isinstance(x, (bool, int, float, str, type(None))) else type(x).__name__
    found = {"stype": x.stype, "dtype": np.dtype(x.dtype).name, "values": numbers(x.asnumpy().tolist())}
    if x.stype != "default":
        found["indices"] = x.indices.asnumpy().tolist()
    return found


def outcome(expression: str, mx: Any) -> Any:
    """The result of an expression, or the class of its error."""
    try:
        return told(eval(expression, names(mx)))
    except Exception as e:  # noqa: BLE001 - its class is what is recorded
        return {"error": type(e).__name__}


if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]

    for family, expressions in EXPRESSIONS.items():
        lines = [f"{json.dumps(e)}: {json.dumps(outcome(e, mxnet), separators=(',', ':'))}" for e in expressions]
        (FOLDER / f"{family}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
