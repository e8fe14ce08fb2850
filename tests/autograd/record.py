# SPDX-License-Identifier: Apache-2.0
"""Runs the cases and describes what comes out; the same code in mxlite and in the real MXNet (Python 3.8).

ORACLE tests/autograd/record.py tests/golden/autograd/cases.json
"""

import importlib
import json
import os
import sys

MODULES = ("cases_heads", "cases_gradients", "cases_arrays", "cases_user", "cases_symbols")


def describe(mx, np, value):
    """`value` as JSON; arrays by shape, dtype and elements."""
    if isinstance(value, mx.nd.NDArray):
        numbers = value.asnumpy().astype("float64").ravel()
        elements = [float(x) if np.isfinite(x) else str(x) for x in numbers]
        return {"shape": list(value.shape), "dtype": np.dtype(value.dtype).name, "values": elements}
    if isinstance(value, (list, tuple)):
        return [describe(mx, np, v) for v in value]
    return value


def run(mx, np, case):
    """The description of what `case` returns, or the class of its error."""
    try:
        return {"value": describe(mx, np, case())}
    except Exception as e:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": type(e).__name__}


def record(mx, np, find):
    """All cases by the name of their module and their own; `find` imports a module of cases."""
    return {m: {name: run(mx, np, f) for name, f in find(m).cases(mx, np).items()} for m in MODULES}


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    mxnet, numpy = importlib.import_module("mxnet"), importlib.import_module("numpy")
    found = record(mxnet, numpy, importlib.import_module)
    with open(sys.argv[1], "w") as f:
        json.dump(found, f, indent=0, sort_keys=True)
